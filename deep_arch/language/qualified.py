"""Qualified names: what classes and functions are called, the same in every process."""

from __future__ import annotations

from typing import Any, Final

SCRIPT: Final = "_script_"
"""What the names of modules begin with that were loaded from the file of a script."""

_MAIN: Final = ("__main__", "__mp_main__")
"""The program that runs, and what it is called in a process that `multiprocessing` spawns."""


def is_script(module: object) -> bool:
    """Return whether a module is a script: the program that runs, or a file that was loaded as if it were one."""
    return isinstance(module, str) and (module in _MAIN or module.startswith(SCRIPT))


def module_of(thing: Any) -> str:
    """Return the name of the module that defines something; all scripts have one, since theirs is another elsewhere."""
    module: Any = getattr(thing, "__module__", "")
    return "__main__" if is_script(module) else str(module)


def qualified_name(thing: Any) -> str:
    """Return the module and the path of a class or function.

    Example:
        >>> import functools
        >>> qualified_name(functools.partial)
        'functools.partial'
    """
    return f"{module_of(thing)}.{getattr(thing, '__qualname__', thing)}"
