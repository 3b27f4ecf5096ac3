"""Recorded calls: what a symbol gives when it is called, in place of the object."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, NoReturn

from deep_arch.errors import UnknownName, nearest
from deep_arch.language.expressions import call_pieces, expression
from deep_arch.language.foreign import PLAIN
from deep_arch.language.parts import DELETE, Part, children, key_step
from deep_arch.language.values import Value
from deep_arch.language.wrapping import name_of
from deep_arch.symbolic.misuse import check_argument, made_nothing, never_changes

if TYPE_CHECKING:
    from deep_arch.language.recording import Recording
    from deep_arch.symbolic.symbols import Symbol


class Said(NamedTuple):
    """What a recorded call says; see `said`.

    Attributes:
        symbol: what is called.
        args: what is given by position: what has no name, and all before the items of a `*star`.
        kwargs: the rest, by name.
        is_partial: whether a `functools.partial` is made, and the call comes later.
        depth: how many calls are inside each other at most, itself counted.
    """

    symbol: Symbol[Any, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    is_partial: bool
    depth: int


class Symbolic(Part):
    """A recorded call of a class or function. It never changes; `rebind` gives another.

    What it was called with are its attributes, `call.filters`, and found by path, `call["op.filters"]`.

    Raises:
        BadArgument: an argument is a value of a network, or a hyperparameter of PyGlove.
    """

    __slots__ = ("_said",)
    _said: Said
    opens: ClassVar[bool] = False

    def __new__(
        cls,
        symbol: Symbol[Any, Any],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] = {},
        is_partial: bool = False,
    ) -> Symbolic:
        args, kwargs = tuple(args), types.MappingProxyType({**kwargs})
        hides = symbol.takes.overlap(_OWN) or not _OWN.isdisjoint(kwargs)
        call: Symbolic = object.__new__(_Ambiguous if hides else Symbolic)
        depth = 1 + _depth(symbol, [*args, *kwargs.values()])
        object.__setattr__(call, "_said", Said(symbol, args, kwargs, is_partial, depth))
        return call

    @property
    def symbol(self) -> Symbol[Any, Any]:
        """What is called."""
        return said(self).symbol

    @property
    def args(self) -> tuple[Any, ...]:
        """What is given by position, since it has no name."""
        return said(self).args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What is given by name."""
        return said(self).kwargs

    @property
    def is_partial(self) -> bool:
        """Whether a `functools.partial` is made, and the call comes later."""
        return said(self).is_partial

    def rebind(self, changes: Any = None, /, **by_name: Any) -> Any:
        """Return this with changes: by path, as a dict or by name, or as a function says; see `da.rebind`."""
        from deep_arch.symbolic.paths import rebind

        return rebind(self, changes, **by_name)

    def made(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the object that the call makes of such arguments."""
        symbol, *_ = call = said(self)
        return (
            functools.partial(symbol.factory, *args, **kwargs) if call.is_partial else symbol.factory(*args, **kwargs)
        )

    def of(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Symbolic:
        """Return the same call of other arguments, of which the same are given, in the same way."""
        call = said(self)
        return Symbolic(call.symbol, args, kwargs, call.is_partial)

    def with_arguments(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Symbolic:
        """Return the same call of other arguments, however they are given.

        Raises:
            BadArgument: the class or function does not take them.
        """
        call = said(self)
        return self.__class__.of(self, *call.symbol.takes.in_order(tuple(args), kwargs, call.is_partial))

    # --- what programs ask of their parts ------------------------------------------------------------------------

    def held(self) -> list[tuple[str, Any]]:
        call = said(self)
        by_place = [(f"[{i}]", value) for i, value in enumerate(call.args)]
        return by_place + [(key_step(name), value) for name, value in call.kwargs.items()]

    def held_with_defaults(self) -> list[tuple[str, Any]]:
        """Return what it holds and what it leaves to the defaults, in an order that is not that of the call."""
        call = said(self)
        n, takes = len(call.args), call.symbol.takes
        places = () if call.is_partial else takes.nameless_defaults(n).values()
        named = {**takes.defaults(n, call.kwargs), **call.kwargs}
        by_place = [(f"[{i}]", value) for i, value in enumerate((*call.args, *places))]
        return by_place + [(key_step(name), named[name]) for name in takes.sorted(named)]

    def holding(self, held: Sequence[Any]) -> Symbolic:
        call = said(self)
        n = len(call.args)
        args = [value for value in held[:n] if value is not DELETE]
        kwargs = {k: value for k, value in zip(call.kwargs, held[n:], strict=True) if value is not DELETE}
        if len(args) + len(kwargs) < len(held):
            return self.__class__.with_arguments(self, args, kwargs)
        return self.__class__.of(self, args, kwargs)

    def needs(self) -> list[tuple[str, Any]]:
        return self.__class__.held(self)

    def recorded(self, recording: Recording, path: str) -> Value:
        from deep_arch.symbolic.making import record_call

        return record_call(self, recording, path)

    def likeness(self) -> Any:
        call = said(self)
        return call.symbol, call.is_partial, *[step for step, _ in self.__class__.held_with_defaults(self)]

    def title(self) -> str:
        return name_of(said(self).symbol.factory)

    def pieces(self) -> list[Any]:
        """Return the code that makes it, with what it holds in between."""
        call = said(self)
        return call_pieces(_name(call), call.args, call.kwargs.items())

    # --- how it answers where an object is expected ------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        given = self.__class__.named(self)
        if name in given:
            return given[name]
        raise UnknownName(
            f"{_name(said(self))}: {name!r} is no argument of this recorded call.\n"
            f"  It has {', '.join(given) or 'none'}.{nearest(name, given)}\n"
            "  What the object itself has is there once da.build(...) has made it."
        )

    def named(self) -> dict[str, Any]:
        """Return the arguments that have a name, also where they are given by position, and the defaults of others."""
        call = said(self)
        n, takes = len(call.args), call.symbol.takes
        left = {**takes.nameless_defaults(n), **takes.defaults(n, call.kwargs)}
        return {**takes.by_place(call.args), **call.kwargs, **left}

    def __getitem__(self, path: Any) -> Any:
        from deep_arch.symbolic.paths import get

        return get(self, path)

    def __setattr__(self, name: str, value: Any) -> None:
        raise never_changes(_name(said(self)), name, f"{value!r} ({type(value).__name__})", f"call.rebind({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise never_changes(_name(said(self)), name, "del", f"call.rebind({name}=DELETE)")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        mend = "code that runs later uses the class itself, not its symbol"
        raise made_nothing(_name(said(self)), "be called", f"a call of {self!r}", mend)

    def __iter__(self) -> Iterator[NoReturn]:
        raise made_nothing(_name(said(self)), "have items", repr(self), "what the call was given is in call.held()")

    def __len__(self) -> int:
        raise made_nothing(_name(said(self)), "have items", repr(self), "what the call was given is in call.held()")

    def __contains__(self, _: object) -> bool:
        raise made_nothing(_name(said(self)), "have items", repr(self), "what the call was given is in call.held()")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self.__class__.named(self)})

    def __repr__(self) -> str:
        return expression(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from deep_arch.spaces.space import space

        shown = space(self)._repr_mimebundle_(include, exclude)  # pyright: ignore[reportPrivateUsage]
        return {**shown, "text/plain": repr(self)}

    def __copy__(self) -> Symbolic:
        return self

    def __deepcopy__(self, memo: object) -> Symbolic:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from deep_arch.symbolic.pickling import first_to_pickle

        call = said(self)
        return _restored, (first_to_pickle(self), call.symbol, call.args, {**call.kwargs}, call.is_partial)


_SAID: Final[Callable[[Symbolic], Said]] = Symbolic.__dict__["_said"].__get__


def said(call: Symbolic) -> Said:
    """Return what a recorded call says, also one with an argument called `symbol`, `args` or the like."""
    return _SAID(call)


class _Ambiguous(Symbolic):
    """A recorded call with arguments that are called like what recorded calls have themselves."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN and name in Symbolic.named(self):
            raise AttributeError(name)  # after which __getattr__ is asked
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name not in _MEANT:
            return super().__getattr__(name)
        way = f", and da.{name}(call, ...) for the function" if name == "rebind" else ""
        raise UnknownName(
            f"{_name(said(self))}: {name!r} is an argument of it, and also what recorded calls have.\n"
            f"  Got a use of .{name}.\n  Write call[{name!r}] for the argument{way}."
        )


_OWN: Final = frozenset([name for name in dir(Symbolic) if not name.startswith("__")])
"""What recorded calls have themselves. All but what users mean by it gives way to arguments of such a name, since
programs ask it of the class."""

_MEANT: Final = frozenset(("rebind", "symbol", "args", "kwargs", "is_partial"))


def _depth(symbol: Symbol[Any, Any], values: list[Any]) -> int:
    """Return how many calls are inside each other in what a call is given, which is checked on the way."""
    depth, todo = 0, values
    while todo:
        value = todo.pop()
        kind = value.__class__
        if kind in PLAIN:
            continue
        if isinstance(value, Symbolic):
            depth = max(depth, said(value).depth)
        elif kind is list or kind is tuple:
            todo += [item for item in value if item.__class__ not in PLAIN]
        else:
            check_argument(value, name_of(symbol.factory))
            todo += [child for _, child in children(value)]
    return depth


def _name(call: Said) -> str:
    return f"{name_of(call.symbol.factory)}.partial" if call.is_partial else name_of(call.symbol.factory)


def _restored(
    _: tuple[Symbolic, ...],
    symbol: Symbol[Any, Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    is_partial: bool,
) -> Symbolic:
    return Symbolic(symbol, args, kwargs, is_partial)
