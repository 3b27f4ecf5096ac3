"""Applying: how a function of a substitution is composed onto values, whichever of three kinds it is.

A function `fn` is a function of values that returns values, or a callable without required arguments that
returns a module, or a module itself, every use of which shares its parameters. It must be pure: the same
values give the same graph. It runs later than it is written, so its variables may not change meanwhile (see
`late_binding`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from deep_arch.errors import ArityMismatch, BadArgument, wrong_kind
from deep_arch.language.fragment import current_fragment
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Module
from deep_arch.language.parts import Part
from deep_arch.language.values import Value

Fn = Any
"""A function of values, a callable without required arguments that returns a module, or a module."""


def arity(fn: Callable[..., Any]) -> tuple[int, float]:
    """Return the least and the greatest number of positional arguments that `fn` takes."""
    if isinstance(fn, FunctionType) and not fn.__dict__:  # at hand, where a signature takes many times as long
        code, least = fn.__code__, fn.__code__.co_argcount - len(fn.__defaults__ or ())
        return least, float("inf") if code.co_flags & inspect.CO_VARARGS else code.co_argcount
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return 1, float("inf")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    least = sum(p.default is p.empty for p in positional)
    return least, float("inf") if variadic else len(positional)


def apply(fn: Fn, inputs: Sequence[Value], where: str) -> Any:
    """Compose `fn` onto `inputs`, whichever of the three kinds of function it is.

    Raises:
        BadArgument: `fn` is none of the three.
        ArityMismatch: `fn` takes another number of values.
    """
    if isinstance(fn, Module):
        return fn(*inputs)
    check_fn(fn, where)
    least, most = arity(fn)
    if least == 0 and most != float("inf"):
        made = fn()
        if isinstance(made, Value | Hyperparameter) or not callable(made):
            raise BadArgument(
                f"{where}: a function without required arguments returns a module.\n  Got {made!r} "
                f"({type(made).__name__}).\n  To return values, take the inputs as parameters: `lambda x: ...`."
            )
        return apply(made, inputs, where)
    if not least <= len(inputs) <= most:
        takes = f"{least}" if least == most else f"at least {least}" if most == float("inf") else f"{least} to {most}"
        raise ArityMismatch(
            f"{where}: the function {shown(fn)} takes {takes} values.\n  Got {len(inputs)}.\n"
            "  Give the function one parameter for each value that the module is called on."
        )
    return fn(*inputs)


def apply_part(fn: Fn, inputs: Sequence[Value], index: int, where: str) -> Any:
    """Compose `fn` as a part of the function that runs, whose names are its own; a module has its name already.

    Raises:
        BadArgument, ArityMismatch: see `apply`.
    """
    fragment = current_fragment()
    if fragment is None or isinstance(fn, Module):
        return apply(fn, inputs, where)
    with fragment.part(index):
        return apply(fn, inputs, f"{where}[{index}]")


def check_fn(fn: Fn, where: str) -> None:
    """Raise BadArgument unless `fn` can be a function of a substitution."""
    if isinstance(fn, Part):
        raise BadArgument(
            f"{where}: expected a function of values, a function that makes a module, or a module.\n"
            f"  Got {fn!r}, a recorded call of a program.\n"
            "  Between recorded calls chooses da.choice([...]), among the arguments of another."
        )
    if isinstance(fn, Value | Hyperparameter) or not callable(fn):
        raise BadArgument(
            f"{where}: expected a function of values, a function that makes a module, or a module.\n"
            f"  Got {fn!r} ({type(fn).__name__}).\n  Write `lambda x: ...` or `lambda: ops.ReLU()`."
        )
    if isinstance(fn, type) and issubclass(fn, Module) and arity(fn)[0]:
        required = [p.name for p in inspect.signature(fn).parameters.values() if p.default is p.empty]
        raise BadArgument(
            f"{where}: {fn.__name__} cannot be made without {', '.join(required)}.\n  Got the class itself.\n"
            f"  Write a function that makes it: `lambda: ops.{fn.__name__}({', '.join(f'{r}=...' for r in required)})`."
        )


def shown(fn: Any) -> str:
    return getattr(fn, "__name__", None) or repr(fn)


def several(returned: Any, n: int, where: str) -> list[Value]:
    """Return `n` values out of what a function returned, where `n` of them go on.

    Raises:
        ArityMismatch: it is another number of values.
    """
    if isinstance(returned, Value):
        if n == 1:
            return [returned]
        if returned.port is None and returned.index >= returned.fragment.n_inputs:
            return [returned[i] for i in range(n)]
    values = as_values(returned, where)
    if len(values) != n:
        raise ArityMismatch(
            f"{where}: the function must give as many values as it takes, {n}.\n  Got {len(values)}.\n"
            "  Return one value for each input."
        )
    return values


def as_values(returned: Any, where: str) -> list[Value]:
    """Return what a function returned as a list of values."""
    if isinstance(returned, Value):
        return [returned]
    given: Any = [returned[key] for key in returned] if returned.__class__ is dict else returned
    values: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
    if not all(isinstance(value, Value) for value in values):
        raise wrong_kind(where, "a function that returns values", returned, "Return what modules give when called.")
    return values
