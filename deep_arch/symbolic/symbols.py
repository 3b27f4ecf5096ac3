"""Symbols: classes and functions whose calls are recorded instead of made."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
import types
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast, get_origin, overload

from deep_arch.errors import BadArgument, UnknownName, is_kind, nearest, wrong_kind
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Module
from deep_arch.language.objects import are_made
from deep_arch.language.parts import Part, StandIn, is_part
from deep_arch.language.values import Value
from deep_arch.language.wrapping import name_of
from deep_arch.symbolic.arguments import Arguments
from deep_arch.symbolic.calls import Symbolic, said
from deep_arch.symbolic.misuse import check_ours

_P = ParamSpec("_P")
_T = TypeVar("_T")
_M = TypeVar("_M", bound=types.ModuleType)

if TYPE_CHECKING:
    _Class = type  # so that type checkers take a symbol for a base class, and for what isinstance asks
else:
    _Class = object


class _Forwarded:
    """A method that code calls by its class, `Base.__init__(self)`, and which thus is to be that of the class meant."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, symbol: Any, _: object = None) -> Any:
        return getattr(object if symbol is None else symbol.factory, self._name)


class Symbol(StandIn, Generic[_P, _T], _Class):
    """A class or function whose calls are recorded; made by `symbolize`.

    It means the class wherever it is not called: as a base class, for `isinstance`, which is true for the class's
    objects and for recorded calls of it, for classmethods and other attributes, and among arguments.

    Attributes:
        factory: the class or function.
        takes: its parameters.
    """

    factory: Callable[..., Any]
    takes: Arguments

    if not TYPE_CHECKING:
        __init__ = _Forwarded("__init__")
        __new__ = _Forwarded("__new__")

        def __get__(self, instance: object, _: object = None) -> Any:
            binds = instance is not None and isinstance(self.factory, types.FunctionType)
            return types.MethodType(self, instance) if binds else self

        @property
        def __bases__(self) -> tuple[type, ...]:  # which issubclass asks for
            if isinstance(self.factory, type):
                return (self.factory,)
            raise AttributeError("__bases__")

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if are_made():
            return self.factory(*args, **kwargs)  # type: ignore[no-any-return]
        return Symbolic(self, *self.takes.in_order(args, kwargs, partial=False))  # type: ignore[return-value] # pyright: ignore[reportReturnType]

    def partial(self, *args: Any, **kwargs: Any) -> Any:
        """Record a `functools.partial` of the class or function, for what gives the other arguments itself.

        Raises:
            BadArgument: it does not take these.
        """
        if are_made():
            return functools.partial(self.factory, *args, **kwargs)
        return Symbolic(self, *self.takes.in_order(args, kwargs, partial=True), is_partial=True)

    @property
    def signature(self) -> inspect.Signature | None:
        """What the class or function takes; None where that is not known, as for some builtins."""
        return self.takes.signature

    def __getattr__(self, name: str) -> Any:
        if name == "factory" or name.startswith(_SHOWING):
            raise AttributeError(name)
        return getattr(self.factory, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.factory, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.factory, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self.factory)})

    def __getitem__(self, item: Any) -> Any:
        """Return what the class has at an item, such as a member of an enum; with types in brackets it is the same."""
        kind: Any = self.factory
        found = kind[item]
        return self if get_origin(found) is kind else found

    def __or__(self, other: Any) -> Any:
        return _Kinds((self, other))

    def __ror__(self, other: Any) -> Any:
        return _Kinds((other, self))

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        if isinstance(self.factory, type):
            return (self.factory,)
        raise BadArgument(f"{name_of(self.factory)}: expected a class to derive from.\n  Got the symbol of a function.")

    def __instancecheck__(self, instance: Any) -> bool:
        if isinstance(instance, Symbolic):
            made = said(instance).symbol
            return made == self or self.__subclasscheck__(made)
        return isinstance(self.factory, type) and isinstance(instance, self.factory)

    def __subclasscheck__(self, subclass: Any) -> bool:
        made = subclass.factory if is_kind(subclass, Symbol) else subclass
        return isinstance(made, type) and isinstance(self.factory, type) and issubclass(made, self.factory)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Symbol):
            return bool(_identity(self.factory) == _identity(other.factory))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return self.factory is other

    def __hash__(self) -> int:
        factory: Any = self.factory
        called: Any = factory.func if is_kind(factory, functools.partial) else factory
        try:
            return hash(called)
        except TypeError:  # of an object that can be called
            return hash(called.__class__)

    def __deepcopy__(self, memo: object) -> Symbol[_P, _T]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return symbolize, (self.factory,)

    def __repr__(self) -> str:
        return f"<symbol {name_of(self.factory)}>"


class _Kinds:
    """What `Conv | Dense` is for symbols: for annotations, and for `isinstance`, true for records of either."""

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        self._kinds = tuple([type(None) if kind is None else kind for kind in kinds])

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._kinds)

    def __subclasscheck__(self, subclass: Any) -> bool:
        return issubclass(subclass, self._kinds)

    def __or__(self, other: Any) -> _Kinds:
        return _Kinds((*self._kinds, other))

    def __ror__(self, other: Any) -> _Kinds:
        return _Kinds((other, *self._kinds))

    def __repr__(self) -> str:
        return " | ".join([name_of(kind) for kind in self._kinds])


_SHOWING: Final = ("_repr_", "_ipython_")
"""How methods begin by which notebooks show objects of the class."""


def _identity(factory: Any) -> Any:
    """Return what is equal for what is called alike: partials are compared by what they hold."""
    return (factory.func, factory.args, factory.keywords) if isinstance(factory, functools.partial) else factory


class Namespace(types.ModuleType):
    """A module whose classes are symbols, made as they are used; see `symbolize`.

    Functions and other values are as they are, which also goes for exceptions and enums; modules in it are namespaces.
    """

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        own = {k: v for k, v in vars(module).items() if k.startswith("__") and k not in ("__getattr__", "__dir__")}
        self.__dict__.update(own, _module=module)

    def __getattr__(self, name: str) -> Any:
        module = self.__dict__["_module"]
        try:
            found = getattr(module, name)
        except AttributeError as error:
            if name.startswith("__"):
                raise
            raise UnknownName(
                f"{module.__name__}: has no {name!r}.\n  Got a use of it in the symbolized module."
                f"{nearest(name, dir(module))}"
            ) from error
        if isinstance(found, types.ModuleType) or _is_recorded(found):
            found = self.__dict__[name] = Namespace(found) if isinstance(found, types.ModuleType) else _checked(found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop(name, None)
        setattr(self.__dict__["_module"], name, value)

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_module"])

    def __reduce__(self) -> tuple[Any, ...]:
        return _namespace, (self.__name__,)

    def __repr__(self) -> str:
        return f"<symbols of {self.__dict__['_module']!r}>"


def _is_recorded(thing: Any) -> bool:
    return isinstance(thing, type) and not issubclass(thing, BaseException | Enum)


def _namespace(name: str) -> Namespace:
    return Namespace(importlib.import_module(name))


@overload
def symbolize(thing: _M) -> _M: ...
@overload
def symbolize(thing: Callable[_P, _T]) -> Symbol[_P, _T]: ...
def symbolize(thing: Any) -> Any:
    """Let the calls of a class, of a function, or of every class in a module be recorded; also a decorator.

    A recorded call says what is to be made, and of what, and is made by `da.build`, as often as wanted. Its arguments
    may be recorded calls and hyperparameters, also in lists and the like. The class itself stays as it is.

    Example:
        >>> from fractions import Fraction
        >>> ratio = symbolize(Fraction)(1, denominator=3)
        >>> ratio
        Fraction(numerator=1, denominator=3)
        >>> ratio.numerator, isinstance(ratio, symbolize(Fraction))
        (1, True)

    Raises:
        BadArgument: it cannot be called, or is part of a space already.
    """
    if isinstance(thing, Symbol | Namespace):
        return thing  # pyright: ignore[reportUnknownVariableType]
    if isinstance(thing, types.ModuleType):
        return Namespace(thing)
    symbol = _checked(thing)
    _keep_findable(thing)
    return symbol


def _checked(thing: Any) -> Any:
    """Return the symbol of what may have one."""
    check_ours(thing, "symbolize")
    if is_kind(thing, Module) or (is_kind(thing, type) and issubclass(thing, Module)):
        mend = "Ops are modules already: compose them in a space's function."
    elif is_kind(thing, (Hyperparameter, Part, Value)) or is_part(thing):
        mend = "Give it as an argument to a recorded call."
    elif not callable(thing):
        mend = "Symbolize the class, and call that with the arguments."
    else:
        return _symbol(thing)
    raise wrong_kind("symbolize", "a class, a function or a module", thing, mend)


def _symbol(factory: Callable[..., Any]) -> Any:
    symbol: Any = object.__new__(cast("Any", Symbol))
    functools.update_wrapper(symbol, factory, updated=())
    symbol.__dict__.update(factory=factory, stands_for=factory, takes=Arguments(factory))
    return symbol


def _keep_findable(thing: Any) -> None:
    """Let pickle find a decorated class or function, whose name means the symbol from now on."""
    if not is_kind(thing, (type, types.FunctionType)) or thing.__module__ not in sys.modules:
        return
    found: Any = sys.modules[thing.__module__]
    path = thing.__qualname__.split(".")
    if path[-1] != thing.__name__ or any(not name.isidentifier() for name in path):
        return  # changed already, or local, which pickle does not find anyway
    for name in path:
        found = getattr(found, name, None)
    if found is not thing:
        with contextlib.suppress(TypeError, AttributeError):  # of a class that cannot be changed
            thing.__qualname__ += ".factory"
