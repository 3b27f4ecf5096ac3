"""Arithmetic: what Python does with a hyperparameter, which has no value while a space is written.

What has one meaning whatever the value becomes (operators, `round`, `abs`, `math.floor` and their like, items) makes a
dependent hyperparameter. What needs the value at once (truth, order, length, iteration, attributes, calls) is told.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn

from deep_arch.errors import HyperparameterMisuse, NotKnownYet
from deep_arch.language.foreign import plain

_operator: Any = operator  # some of its functions have no types

_UFUNCS: Final = {
    "add": _operator.add,
    "subtract": _operator.sub,
    "multiply": _operator.mul,
    "divide": _operator.truediv,
    "true_divide": _operator.truediv,
    "floor_divide": _operator.floordiv,
    "remainder": _operator.mod,
    "power": _operator.pow,
    "matmul": _operator.matmul,
}
"""The operators that NumPy takes for its own where its number or array stands on the left."""

_COMPARISONS: Final = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


def has_no_value(self: object, *_: object, **__: object) -> NoReturn:
    raise HyperparameterMisuse(
        f"{self}: a hyperparameter has no value while the space is being written, so it has no truth value, "
        "order, or place in range().\n  Got one where a plain value is needed.\n"
        "  To build a part or not use da.optional(fn, use=h); to choose between parts da.or_(fns, which=h); "
        "to repeat a part da.repeat(fn, times=h); to compute with the value da.dependent(lambda v: v < 3, h)."
    )


def _forward(fn: Callable[..., Any]) -> Any:
    def operate(self: Arithmetic, other: Any) -> Any:
        return self.computed(fn, self, other)

    return operate


def _reflected(fn: Callable[..., Any]) -> Any:
    def operate(self: Arithmetic, other: Any) -> Any:
        return self.computed(fn, other, self)

    return operate


def _alone(fn: Callable[..., Any]) -> Any:
    def operate(self: Arithmetic) -> Any:
        return self.computed(fn, self)

    return operate


class Arithmetic:
    """What Python does with a hyperparameter."""

    __slots__ = ()

    def computed(self, fn: Callable[..., Any], *parents: Any) -> Any:
        """Return the hyperparameter that is `fn` of the parents' values."""
        raise NotImplementedError

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __int__ = __float__ = __complex__ = has_no_value
    __iter__ = __len__ = __contains__ = __reversed__ = __invert__ = __bytes__ = __array__ = has_no_value

    __add__, __radd__ = _forward(_operator.add), _reflected(_operator.add)
    __sub__, __rsub__ = _forward(_operator.sub), _reflected(_operator.sub)
    __mul__, __rmul__ = _forward(_operator.mul), _reflected(_operator.mul)
    __truediv__, __rtruediv__ = _forward(_operator.truediv), _reflected(_operator.truediv)
    __floordiv__, __rfloordiv__ = _forward(_operator.floordiv), _reflected(_operator.floordiv)
    __mod__, __rmod__ = _forward(_operator.mod), _reflected(_operator.mod)
    __pow__, __rpow__ = _forward(_operator.pow), _reflected(_operator.pow)
    __matmul__, __rmatmul__ = _forward(_operator.matmul), _reflected(_operator.matmul)
    __and__, __rand__ = _forward(_operator.and_), _reflected(_operator.and_)
    __or__, __ror__ = _forward(_operator.or_), _reflected(_operator.or_)
    __xor__, __rxor__ = _forward(_operator.xor), _reflected(_operator.xor)
    __lshift__, __rlshift__ = _forward(_operator.lshift), _reflected(_operator.lshift)
    __rshift__, __rrshift__ = _forward(_operator.rshift), _reflected(_operator.rshift)
    __neg__, __pos__, __abs__ = _alone(_operator.neg), _alone(_operator.pos), _alone(abs)
    __floor__, __ceil__, __trunc__ = _alone(math.floor), _alone(math.ceil), _alone(math.trunc)
    __getitem__ = _forward(_operator.getitem)

    def __round__(self, ndigits: Any = None) -> Any:
        return self.computed(round, self) if ndigits is None else self.computed(round, self, ndigits)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self.computed(_operator.floordiv, self, other), self.computed(_operator.mod, self, other)

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return self.computed(_operator.floordiv, other, self), self.computed(_operator.mod, other, self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Take a function of NumPy, such as `np.sqrt(h)`, and an operator whose left side is NumPy's."""
        if method != "__call__" or options or ufunc.__name__ in _COMPARISONS:
            has_no_value(self)
        return self.computed(_UFUNCS.get(ufunc.__name__, ufunc), *inputs)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Take the other functions of NumPy, such as `np.clip(h, 1, 8)`."""
        if kwargs:
            has_no_value(self)
        return self.computed(function, *args)

    def __eq__(self, other: object) -> bool:
        if isinstance(plain(other), bool | int | float | complex | str | bytes | list | tuple | dict | set):
            has_no_value(self)
        return self is other

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        if spec:
            has_no_value(self)
        return str(self)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise HyperparameterMisuse(
            f"{self}: a hyperparameter has no value while the space is being written, so it cannot be called.\n"
            "  Got a call of it.\n  To choose what makes a module use da.or_([first, second]); "
            "to call the value da.dependent(lambda v: v(...), h)."
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or any(name in vars(kind).get("__slots__", ()) for kind in type(self).__mro__):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise NotKnownYet(
            f"{self}: a hyperparameter has no value while the space is being written, so it has not its attributes.\n"
            f"  Got a use of .{name}.\n"
            f"  Compute with the value: da.dependent(lambda v: v.{name}, h); an item of it is h[...]."
        )
