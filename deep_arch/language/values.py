"""Values: what modules take and return, and how a fragment refers to what belongs to those around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from deep_arch.errors import ArityMismatch, BadArgument, HyperparameterMisuse, NotKnownYet
from deep_arch.language.foreign import unboxed

if TYPE_CHECKING:
    from deep_arch.language.fragment import Fragment
    from deep_arch.language.hyperparameters import Dependent

ROOT = -1
"""The number of levels up to the outermost fragment, for things made outside every search-space function."""


class Unset:
    """The kind of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""Stands where a hyperparameter has no value yet."""


class Late:
    """Stands where a hyperparameter has a value only when shapes are known.

    Attributes:
        dependent: the hyperparameter.
        arguments: the values that it is computed from, of which some are of this kind; none for a shape itself.
    """

    __slots__ = ("arguments", "dependent")

    def __init__(self, dependent: Dependent, arguments: Sequence[Any]) -> None:
        self.dependent, self.arguments = dependent, tuple(arguments)

    def fold(self, first: Callable[[Dependent], Any], then: Callable[[Dependent, list[Any]], Any]) -> Any:
        """Return what comes of it: `first` of each shape, and `then` of each that is computed, with its arguments."""
        known: dict[int, Any] = {}
        todo = [self]
        while todo:
            at = todo[-1]
            missing = [a for a in at.arguments if isinstance(a, Late) and id(a) not in known]
            if missing:
                todo += missing
                continue
            todo.pop()
            given = [known[id(a)] if isinstance(a, Late) else a for a in at.arguments]
            known[id(at)] = then(at.dependent, given) if at.dependent.parents else first(at.dependent)
        return known[id(self)]

    def _unknown(self, *_: object) -> NoReturn:
        raise HyperparameterMisuse(
            f"{self.dependent}: has a value only when shapes are known, and the graph is made before.\n"
            "  Got it where the number of outputs, or another plain value, is needed.\n"
            "  Decide that by a hyperparameter or a constant."
        )

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __int__ = __float__ = __iter__ = __len__ = _unknown

    def __repr__(self) -> str:
        return repr(self.dependent)


class Reference(NamedTuple):
    """A value as seen from a fragment: `levels` enclosing fragments up, what stands at `place` in its environment."""

    levels: int
    place: int
    port: int | None = None


class Slot(NamedTuple):
    """A hyperparameter as seen from a fragment: `levels` enclosing fragments up, at `place` among its values."""

    levels: int
    place: int


class Value:
    """What a module call takes and returns: an edge of the graph.

    The result of a call with several outputs is unpacked, `a, b = module(x)`, or indexed, `module(x)[0]`.
    """

    __slots__ = ("fragment", "index", "port")

    def __init__(self, fragment: Fragment, index: int, port: int | None = None) -> None:
        self.fragment, self.index, self.port = fragment, index, port

    def __getitem__(self, port: int) -> Value:
        port = unboxed(port)
        if type(port) is not int or port < 0 or self.port is not None:
            raise BadArgument(
                f"{self}: the outputs of a call are indexed once, by an int from 0.\n  Got [{port!r}].\n"
                "  To take part of a tensor use ops.Slice or ops.Split."
            )
        if self.index < self.fragment.n_inputs:
            raise ArityMismatch(
                f"{self}: a parameter of a search-space function is one value, and has no outputs to index.\n"
                f"  Got [{port}].\n  Give the function one parameter for each value."
            )
        call = self.fragment.call_at[self.index]
        call.ports.add(port)
        return Value(self.fragment, self.index, port)

    def __iter__(self) -> Iterator[Value]:
        if self.port is not None or self.index < self.fragment.n_inputs:
            raise ArityMismatch(f"{self}: one value cannot be unpacked.\n  Unpack the result of a call instead.")
        call = self.fragment.call_at[self.index]
        return iter([self[port] for port in range(call.module.count_outputs(len(call.inputs)))])

    def _no_arithmetic(self, _: object) -> NoReturn:
        raise BadArgument(
            f"{self}: values have no arithmetic of their own.\n  Got an operator.\n"
            "  Write ops.Add()(a, b), ops.Subtract()(a, b) or ops.Multiply()(a, b)."
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name not in ("shape", "channels", "ndim", "dtype"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise NotKnownYet(
            f"{self}: shapes are known when the space is written and its architectures get inputs.\n"
            f"  Got a use of .{name}.\n  For an argument that is computed from them write da.channels(x), or "
            "da.shape(x), which is (channels, *spatial) without batch."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __truediv__ = _no_arithmetic

    def __bool__(self) -> bool:
        raise BadArgument(
            f"{self}: a value has no truth value while the space is being written.\n"
            "  To build a part or not use da.optional; to choose between parts da.or_."
        )

    def __repr__(self) -> str:
        if self.index < self.fragment.n_inputs:
            return f"<value: input {self.index}>"
        port = "" if self.port is None else f"[{self.port}]"
        return f"<value: {self.fragment.call_at[self.index].module.base_name}{port}>"
