"""Loading: what a name leads to, `package.module:name` or `path/file.py:name`, of a command line or a study.

A file is loaded once, as a module with a name that is made of its path and is thus the same in every process.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, Final

from deep_arch.errors import ScopeError, UnknownName, is_kind, nearest, wrong_kind
from deep_arch.language.by_value import file_of
from deep_arch.language.parts import is_part
from deep_arch.language.qualified import SCRIPT

_LOCK: Final = threading.RLock()
_HERE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FORM: Final = "Write package.module:name, or path/to/file.py:name."


def find_object(name: str) -> Any:
    """Return what a name leads to: `package.module:name` or `path/file.py:name`; names in classes have dots.

    The module is imported with the current folder on the path, and a file with its own, as Python does for scripts.
    Where the program that runs is meant, it is taken as it is.

    Raises:
        BadArgument: it is no such name.
        UnknownName: there is no such file, module or name in it.
        ScopeError: the module cannot be imported.
    """
    return named_in(module_named(name), name)


def module_named(name: Any) -> ModuleType:
    """Return the module that a name begins with, imported; see `find_object`."""
    place, _, path = name.rpartition(":") if is_kind(name, str) else ("", "", "")
    if not place or not path:
        raise wrong_kind("find", "a name with a colon", name, _FORM)
    if place.endswith(".py") or "/" in place or os.sep in place:
        return _of_file(place, name)
    if not all(part.isidentifier() for part in place.split(".")):
        raise wrong_kind("find", "the name of a module before the colon", name, _FORM)
    return _of_name(place, name)


def named_in(module: ModuleType, name: str) -> Any:
    """Return what a module has under the name that stands behind the colon."""
    found: Any = module
    for step in name.rpartition(":")[2].split("."):
        holder = found
        try:
            found = getattr(holder, step)
        except AttributeError as error:
            raise UnknownName(
                f"{name}: nothing has this name.\n  Got no {step!r} in {_shown(holder)}.\n{_offer(step, holder)}"
            ) from error
    return found


def _offer(step: str, holder: Any) -> str:
    """Return the nearest names of spaces and functions, or all of them."""
    held: Mapping[str, Any] = getattr(holder, "__dict__", {})
    offered = [name for name, value in held.items() if name[0] != "_" and (callable(value) or _is_space(value))]
    spaces = [name for name in offered if _is_space(held[name])]
    return nearest(step, offered) or f"  It has {', '.join(spaces or offered[:8]) or 'no space and no function'}."


def spaces_in(module: ModuleType) -> list[str]:
    """Return the names of the spaces, and of the programs of recorded calls, in a module."""
    return [name for name, value in vars(module).items() if name[0] != "_" and _is_space(value)]


def load_script(module: str, path: str) -> None:
    """Load the file of a script under the name that it has elsewhere, if it is not loaded and the file is here."""
    if module.startswith(SCRIPT) and module not in sys.modules and os.path.isfile(path):
        _of_file(path, path)


def _is_space(value: Any) -> bool:
    from deep_arch.spaces.space import SearchSpace

    return isinstance(value, SearchSpace) or (not isinstance(value, type) and is_part(value))


def _shown(holder: Any) -> str:
    if is_kind(holder, ModuleType):
        return f"the file {holder.__file__}" if holder.__name__.startswith(SCRIPT) else f"the module {holder.__name__}"
    return repr(holder)


# --- modules by name -------------------------------------------------------------------------------------------------


def _of_name(place: str, name: str) -> ModuleType:
    main = sys.modules["__main__"]
    if getattr(getattr(main, "__spec__", None), "name", None) == place:
        return main  # which python -m runs
    folder = os.getcwd()
    if not {"", folder} & set(sys.path):
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise _not_imported(name, error) from error
        raise UnknownName(
            f"{name}: there is no module of this name.\n  Got no {error.name!r}, from the folder {folder}."
            + _or(
                nearest(error.name.rpartition(".")[2], _modules_beside(error.name)), "Go to the folder that holds it."
            )
        ) from error
    except (Exception, SystemExit) as error:
        raise _not_imported(name, error) from error


def _modules_beside(name: str) -> Iterable[str]:
    package = sys.modules.get(name.rpartition(".")[0])
    folders = getattr(package, "__path__", [os.getcwd()])
    return [found.name for found in pkgutil.iter_modules(folders)]


def _or(hint: str, otherwise: str) -> str:
    return f"\n{hint or '  ' + otherwise}"


# --- files -----------------------------------------------------------------------------------------------------------


def _of_file(place: str, name: str) -> ModuleType:
    path = os.path.abspath(os.path.expanduser(place))
    if not os.path.isfile(path):
        raise UnknownName(
            f"{name}: there is no such file.\n  Got no {path}."
            + _or(nearest(os.path.basename(path), _files_beside(path)), "Paths begin at the current folder.")
        )
    if _is_one_file(file_of("__main__"), path):
        return sys.modules["__main__"]
    module = script_name(path)
    with _LOCK:
        return sys.modules.get(module) or _loaded(module, path, name)


def script_name(path: str) -> str:
    """Return the name of the module as which a file is loaded."""
    from deep_arch.language.canonical import digest  # late: it loads OpenSSL

    path = os.path.realpath(path)
    stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    return f"{SCRIPT}{stem}_{digest(path)[:8]}"


def _loaded(module: str, path: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module, path, loader=SourceFileLoader(module, path))
    assert spec is not None and spec.loader is not None, "a loader is given"
    made = sys.modules[module] = importlib.util.module_from_spec(spec)
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(made)
    except (Exception, SystemExit) as error:
        del sys.modules[module]
        raise _not_imported(name, error) from error
    return made


def _is_one_file(one: str, other: str) -> bool:
    return os.path.isfile(one) and os.path.samefile(one, other)


def _files_beside(path: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    for found in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if found.endswith(".py"):
            yield found


def _not_imported(name: str, error: BaseException) -> ScopeError:
    text = str(error) or "without a message"
    return ScopeError(
        f"{name}: its module cannot be imported.\n  Got {type(error).__name__} at {_line(error)}: {text}.\n"
        '  Mend that; what is only to run as a program stands below `if __name__ == "__main__":`.'
    )


def _line(error: BaseException) -> str:
    """Return the file and line that raised, in the user's code where it is that which called what raised."""
    if is_kind(error, SyntaxError) and error.filename:  # type: ignore[attr-defined]
        return f"{error.filename}:{error.lineno}"  # type: ignore[attr-defined]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen")]
    users = [f for f in frames if not f.filename.startswith((_HERE, importlib.__file__))]
    last = (users or frames)[-1]
    return f"{last.filename}:{last.lineno}"
