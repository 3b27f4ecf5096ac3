"""Wrapping: a module out of any callable."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from deep_arch.errors import BadArgument, nearest
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Wrapped
from deep_arch.language.values import Value


def bind(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call of `factory` by name.

    Raises:
        BadArgument: the factory does not take them; positional arguments that it does not name.
    """
    for given in (*args, *kwargs.values()):
        if isinstance(given, Value):
            raise BadArgument(
                f"{getattr(factory, '__name__', factory)}: a module is made with its arguments, and then called on "
                f"values.\n  Got {given!r} for an argument.\n"
                "  Write wrapped(argument=...)(x); where a function of values is expected, `lambda: wrapped(...)`."
            )
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # some builtins have no signature
        signature = None
    name = getattr(factory, "__name__", repr(factory))
    if signature is None:
        if args:
            raise BadArgument(f"{name}: has no signature, so its arguments are given by name.\n  Got {args!r}.")
        return kwargs
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        unknown = [key for key in kwargs if key not in signature.parameters]
        hint = nearest(unknown[0], signature.parameters) if unknown else ""
        raise BadArgument(f"{name}{signature}: {error}.\n  Got {args!r} {kwargs!r}.{hint}") from error
    arguments: dict[str, Any] = {}
    for key, value in bound.items():
        kind = signature.parameters[key].kind
        if kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            raise BadArgument(
                f"{name}{signature}: takes {key} by position only, and a module's arguments have names.\n"
                f"  Got {value!r}.\n"
                "  Wrap a function that takes it by name."
            )
        arguments.update(value if kind is inspect.Parameter.VAR_KEYWORD else {key: value})
    return arguments


def wrap(factory: Callable[..., Any], outputs: int = 1) -> Callable[..., Wrapped]:
    """Return a function that makes modules of `factory`: a class, or a function that returns a callable.

    The module's arguments are the factory's and may be hyperparameters; `name=` names the module. A backend
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
    if not callable(factory) or isinstance(factory, Hyperparameter):
        raise BadArgument(f"wrap: expected a class or function.\n  Got {factory!r} ({type(factory).__name__}).")

    @functools.wraps(factory, updated=())
    def make(*args: Any, name: str | None = None, **kwargs: Any) -> Wrapped:
        return Wrapped(factory, bind(factory, args, kwargs), name, outputs)

    return make
