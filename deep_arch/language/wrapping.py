"""Wrapping: a module out of any callable."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import BadArgument, nearest
from deep_arch.language.constructing import bare, called
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Wrapped
from deep_arch.language.objects import MAKING
from deep_arch.language.parts import StandIn
from deep_arch.language.values import Value

_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_PLACE: Final = re.compile(r"\[\d+\]")


def signature_of(factory: Callable[..., Any]) -> inspect.Signature | None:
    """Return what a class or function takes, or None where that is not known, as for some builtins."""
    try:
        found = inspect.signature(factory)
    except (TypeError, ValueError):
        return None
    own: Any = getattr(factory, "__init__", None) if isinstance(factory, type) and _says_nothing(found) else None
    if own is None or own is object.__init__:
        return found
    inner = signature_of(own)  # of a class with a __new__, or a metaclass, that passes on what it is given
    return found if inner is None else inner.replace(parameters=list(inner.parameters.values())[1:])


def _says_nothing(signature: inspect.Signature) -> bool:
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]


def _may_take_others(factory: Callable[..., Any]) -> bool:
    """Return whether a class is made by a metaclass that says nothing of what it does with the arguments."""
    own = isinstance(factory, type) and type(factory).__call__ is not type.__call__
    return own and _says_nothing(inspect.signature(factory))


def in_order(
    factory: Callable[..., Any],
    signature: inspect.Signature | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    partial: bool = False,
    mend: str = "",
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call that have no name, and the rest by name, however they were given.

    By position come those that have no name, and all before the items of a `*star`, where there are any.

    Args:
        factory: what is called.
        signature: what it takes; None if that is not known, and arguments stay as they are given.
        args: given by position.
        kwargs: given by name.
        partial: whether some may be lacking. What is given by position stays so, as what is lacking comes after it.
        mend: how to mend a call that lacks arguments.

    Raises:
        BadArgument: the factory does not take them.
    """
    if signature is None:
        return args, dict(kwargs)
    try:
        bound = (signature.bind_partial if partial else signature.bind)(*args, **kwargs).arguments
    except TypeError as error:
        if _may_take_others(factory):
            return args, dict(kwargs)
        raise _not_taken(factory, signature, args, kwargs, error, mend) from error
    if partial:
        return args, dict(kwargs)
    kinds = {key: signature.parameters[key].kind for key in bound}
    star = [key for key, kind in kinds.items() if kind is inspect.Parameter.VAR_POSITIONAL and bound[key]]
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for key, value in bound.items():
        kind = kinds[key]
        if kind is inspect.Parameter.VAR_POSITIONAL:
            positional += value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named.update(value)
        elif kind is inspect.Parameter.POSITIONAL_ONLY or (star and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD):
            positional.append(value)
        else:
            named[key] = value
    return tuple(positional), named


def _not_taken(
    factory: Callable[..., Any],
    signature: inspect.Signature,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    error: TypeError,
    mend: str,
) -> BadArgument:
    names = [key for key, parameter in signature.parameters.items() if parameter.kind in _NAMED]
    unknown = [key for key in kwargs if key not in names]
    hint = nearest(unknown[0], names).strip() if unknown else ""
    hint = hint or (mend if "missing" in str(error) else "")
    return BadArgument(
        f"{name_of(factory)}{bare(signature)}: {error}.\n  Got {called('', args, kwargs)}." + (hint and f"\n  {hint}")
    )


def meant(factory: Any) -> Any:
    """Return the class or function itself where its symbol is given."""
    return factory.stands_for if isinstance(factory, StandIn) else factory


def name_of(factory: Callable[..., Any]) -> str:
    """Return what a class, a function, or a partial of such is called."""
    while isinstance(factory, functools.partial):
        factory = factory.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return getattr(factory, "__name__", type(factory).__name__)  # pyright: ignore[reportUnknownArgumentType]


def bind(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call of `factory` by name; those without, first, by their places: `[0]`, `[1]`, ...

    Raises:
        BadArgument: the factory does not take them.
    """
    for given in (*args, *kwargs.values()):
        if isinstance(given, Value):
            raise BadArgument(
                f"{name_of(factory)}: a module is made with its arguments, and then called on "
                f"values.\n  Got {given!r} for an argument.\n"
                "  Write wrapped(argument=...)(x); where a function of values is expected, `lambda: wrapped(...)`."
            )
    positional, named = in_order(factory, signature_of(factory), args, kwargs)
    if places := [key for key in named if _PLACE.match(key)]:
        raise BadArgument(
            f"{name_of(factory)}: names of arguments are not like places.\n  Got {places[0]!r} by name.\n"
            "  Wrap a function that takes it by another name."
        )
    return {**{f"[{i}]": value for i, value in enumerate(positional)}, **named}


def made_with(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Return what a factory makes of a module's arguments: first those by place, then those by name; see `bind`."""
    n = next((i for i, name in enumerate(arguments) if name != f"[{i}]"), len(arguments))
    with MAKING:
        return factory(*[*arguments.values()][:n], **dict([*arguments.items()][n:]))


def wrap(factory: Callable[..., Any], outputs: int = 1) -> Callable[..., Wrapped]:
    """Return a function that makes modules of `factory`: a class, or a function that returns a callable.

    The module's arguments are the factory's and may be hyperparameters; `name=` names the module. Those that are given
    by position alone have their place for a name: `[0]`. A backend
    calls the factory with their values, and calls what it returns on the inputs, which gives `outputs` values.

    Example:
        >>> import deep_arch as da
        >>> def scale(factor):
        ...     return lambda x: factor * x
        >>> times = da.wrap(scale)
        >>> @da.space
        ... def net(x):
        ...     return times(factor=da.choice([2, 3]))(x)
        >>> net.size()
        2

    Raises:
        BadArgument: `factory` is not callable.
    """
    factory = meant(factory)
    if not callable(factory) or isinstance(factory, Hyperparameter):
        raise BadArgument(f"wrap: expected a class or function.\n  Got {factory!r} ({type(factory).__name__}).")

    @functools.wraps(factory, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> Wrapped:
        return Wrapped(factory, bind(factory, args, kwargs), name, outputs)

    return make
