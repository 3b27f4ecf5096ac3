"""By value: how what a script defines gets to processes that run another program, such as those of Ray and Dask.

Pickle writes functions by the names of their modules. Where these are scripts, the function itself goes along, as
cloudpickle writes it, if that is there anyway; it is used only where nothing is found by the name.
"""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

from deep_arch.errors import ScopeError
from deep_arch.language.qualified import is_script

_T = TypeVar("_T")

_MOST_MADE: Final = 64
"""Things made of bytes that are kept, with what they remember."""


class _Thread(threading.local):
    writing = 0


_thread: Final = _Thread()


class Origin(NamedTuple):
    """Where something is held.

    Attributes:
        module: the name of the module.
        name: the name there, with dots where classes hold it.
        script: the file of the module if it is a script, else empty.
    """

    module: str
    name: str
    script: str = ""

    @classmethod
    def at(cls, module: str, name: str) -> Origin:
        """Return what says where a module holds something, also in a process that has another name for its script."""
        module = "__main__" if module == "__mp_main__" else module
        return cls(module, name, file_of(module) if is_script(module) else "")

    def found(self) -> Any:
        """Return what is there, or None."""
        try:
            found: Any = importlib.import_module(self.module)
            for part in self.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            return None
        return found


def file_of(module: str) -> str:
    """Return the path of a module's file; an empty text where it has none, such as a notebook."""
    path = getattr(sys.modules.get(module), "__file__", None)
    return os.path.abspath(path) if isinstance(path, str) and os.path.isfile(path) else ""


def is_writing() -> bool:
    """Return whether this thread writes something by value, so that cloudpickle asks."""
    return _thread.writing > 0


def written(fn: Callable[..., Any], module: str) -> bytes | None:
    """Return a function of a script by value; None where nothing has loaded cloudpickle, or that cannot write it."""
    cloud: Any = sys.modules.get("cloudpickle") or sys.modules.get("ray.cloudpickle")
    if cloud is None or not is_script(module):
        return None
    holder = sys.modules.get(module)
    by_name = holder is not None and module not in ("__main__", "__mp_main__")  # to cloudpickle, a module like others
    _thread.writing += 1
    try:
        if by_name:
            cloud.register_pickle_by_value(holder)
        return bytes(cloud.dumps(fn))
    except Exception:  # of whatever kind, from what the function uses: then it goes by name alone
        return None
    finally:
        if by_name:
            cloud.unregister_pickle_by_value(holder)
        _thread.writing -= 1


def found_or_made(kind: type[_T], origin: Origin, data: bytes | None) -> _T:
    """Return what is found where it came from, or else what `kind` makes of a function that was written.

    Made of the same bytes twice, it is one and the same.

    Raises:
        ScopeError: it is not found, and did not come along.
    """
    is_here = data is None or not origin.script or file_of(origin.module) == origin.script
    found = origin.found() if is_here else None
    if isinstance(found, kind):
        return found
    if data is None:
        raise ScopeError(
            f"{origin.name}: what is being loaded was made with it, and it is not here.\n"
            f"  Got no {origin.name!r} in the module {origin.module!r}.\n"
            "  Import the program that defines it under the same module name before loading."
        )
    made: Callable[..., Any] = _made
    return cast("_T", made(kind, origin, data))


@functools.lru_cache(maxsize=_MOST_MADE)
def _made(kind: Any, origin: Origin, data: bytes) -> Any:
    thing = kind(pickle.loads(data))
    thing.arrived = origin, data
    return thing
