"""Naming: by which module and name a class, a function or the like is found again, also in another process."""

from __future__ import annotations

import functools
import importlib
import inspect
import pickle
import sys
from collections.abc import Iterator
from typing import Any

from deep_arch.errors import BadArgument, MissingDependency, UnknownName, is_kind, nearest
from deep_arch.symbolic.symbols import Symbol


def name_leading_to(thing: Any) -> str | None:
    """Return the name of something that a module holds, `module:name`; None where no name leads to it.

    Where the name means the symbol of it by now, as that of a decorated class does, it is that name.

    Example:
        >>> import functools
        >>> name_leading_to(functools.partial), name_leading_to(lambda: 0)
        ('functools:partial', None)
    """
    for module, path in _guesses(thing):
        found = functools.reduce(_attribute, path.split("."), sys.modules.get(module))
        if found is not None and _is_same(meant(found), thing):
            return f"{module}:{path}"
    return None


def name_held_by_module(thing: Any) -> str | None:
    """Return the name under which the module that defines something holds it, whatever that is called itself."""
    module = getattr(thing, "__module__", None)
    held = vars(sys.modules[module]) if module in sys.modules else {}
    return next((f"{module}:{name}" for name, value in [*held.items()] if value is thing), name_leading_to(thing))


def meant(found: Any) -> Any:
    """Return the class or function that a symbol means; whatever else is given itself."""
    return found.factory if is_kind(found, Symbol) else found


def _attribute(holder: Any, name: str) -> Any:
    return None if holder is None else getattr(holder, name, None)


def _is_same(found: Any, thing: Any) -> bool:
    if found is thing:
        return True
    return inspect.isroutine(thing) and type(found) is type(thing) and bool(found == thing)  # of a class's methods


def _guesses(thing: Any) -> Iterator[tuple[str, str]]:
    """Yield modules and names that may lead to something."""
    names: list[Any] = [getattr(thing, "__qualname__", None), getattr(thing, "__name__", None), _reduced(thing)]
    paths = [path for path in names if is_kind(path, str)]
    modules: list[Any] = [getattr(thing, "__module__", None), type(thing).__module__, "builtins", "types"]
    for path in dict.fromkeys(paths):
        for module in modules:
            if is_kind(module, str):
                yield from ((module, shorter) for shorter in (path.removesuffix(".factory"), path))
    if paths and "<" not in paths[0]:
        yield pickle.whichmodule(thing, paths[0]), paths[0]  # type: ignore[attr-defined]


def _reduced(thing: Any) -> str | None:
    """Return the name by which pickle finds an object of which there is but one, such as `...`."""
    kind: Any = thing.__class__
    if kind.__reduce__ is object.__reduce__ or isinstance(thing, type):
        return None
    try:
        reduced: Any = thing.__reduce__()
    except Exception:  # of whatever kind, from code of the user's
        return None
    return reduced if is_kind(reduced, str) else None


def found_by(name: Any) -> Any:
    """Return what a name leads to; importing its module runs the code of that.

    Raises:
        BadArgument: it is no such name.
        MissingDependency: the module cannot be imported.
        UnknownName: the module has nothing of that name.
    """
    if not is_kind(name, str) or not all(name.partition(":")):
        raise BadArgument(f"from_json: expected a name, such as 'package.module:Class'.\n  Got {name!r}.")
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{name}: its module cannot be imported: {error}.\n  Got it in the text of a program.\n"
            "  Install it, or put the folder that has it on the path; what moved is renamed in the text."
        ) from error
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError as error:
            raise UnknownName(
                f"{name}: nothing has this name.\n  Got it in the text of a program; {step!r} is not in {found!r}.\n"
                "  Rename it in the text if it was renamed; what the script itself defined, in __main__, goes into a "
                f"module.{nearest(step, dir(found))}"
            ) from error
    return found
