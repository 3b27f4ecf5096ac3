"""Named spaces: the name under which another process finds a space, and the space of such a name."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from types import FunctionType, MethodType
from typing import Any

from deep_arch.errors import ScopeError, is_kind, wrong_kind
from deep_arch.language.by_value import Origin, file_of
from deep_arch.language.qualified import SCRIPT
from deep_arch.language.written import is_program
from deep_arch.spaces.bound_names import bound_names
from deep_arch.spaces.loading import find_object as find_object
from deep_arch.spaces.loading import module_named, named_in, spaces_in
from deep_arch.spaces.restricting import restricted
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.space import space as space_of


def name_of(space: SearchSpace) -> str | None:
    """Return the name under which another process finds this very space, also a restricted one; see `find_space`.

    It is `package.module:name`, or `path/file.py:name` of a script. A script's names count where they are bound when
    it is imported, and not below `if __name__ == "__main__"`.

    Returns:
        None where no name leads to it, as to what a function inside another, or a notebook, defines.
    """
    return next(filter(None, map(_text, bound_names(space, exactly=True))), None)


def check_named(space: SearchSpace, why: str) -> str:
    """Return the name of a space; of a restricted one, that of the whole space.

    Args:
        space: the space.
        why: what needs the name, such as "worker processes".

    Raises:
        ScopeError: it has none.
    """
    name = name_of(space) or name_of(restricted(space, Restrictions()))
    if name is None:
        raise ScopeError(
            f"{space.name}: a space needs a name under which another process finds it, for {why}.\n"
            f"  Got {_kept(space)}.\n  Define it at the top level of a module, with @da.space above its function"
            f"{', and not below `if __name__ ...`' if file_of('__main__') else ''}."
        )
    return name


def find_space(name: str) -> SearchSpace:
    """Return the space of a name, `package.module:name` or `path/file.py:name`.

    The name may also be that of a program of recorded calls, or of a function without parameters that returns a space
    or a program.

    Raises:
        BadArgument: it is no such name, or that of something else.
        UnknownName: there is no such file, module or name in it.
        ScopeError: the module cannot be imported, or the function raised.
    """
    module = module_named(name)
    found = made = named_in(module, name)
    if not isinstance(found, SearchSpace) and not is_program(found) and _takes_nothing(found):
        made = _called(found, name)
    if isinstance(made, SearchSpace):
        return made
    if is_program(made):
        return space_of(made)
    known = spaces_in(module)
    mend = f"It has the spaces {', '.join(known)}." if known else "Write `@da.space` above its function."
    raise wrong_kind(name, "a space, or a function without parameters that returns one", made, mend)


def _takes_nothing(found: Any) -> bool:
    if not is_kind(found, FunctionType | MethodType | functools.partial):
        return False
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def _called(found: Any, name: str) -> Any:
    try:
        return found()
    except Exception as error:
        raise ScopeError(
            f"{name}: the function raised {type(error).__name__}: {error}.\n  Got a call of it without arguments.\n"
            "  Let it return a space."
        ) from error


def _text(origin: Origin) -> str | None:
    """Return the name as text, or None where another process does not find it."""
    module = sys.modules[origin.module]
    if not origin.script and origin.module != "__main__":
        return None if module.__spec__ is None else f"{origin.module}:{origin.name}"
    if not origin.script:  # a notebook, or what was typed in
        return None
    if not origin.module.startswith(SCRIPT) and not _is_bound_when_imported(origin):
        return None
    spec = None if origin.module.startswith(SCRIPT) else module.__spec__
    return f"{origin.script if spec is None else spec.name}:{origin.name}"


def _is_bound_when_imported(origin: Origin) -> bool:
    """Return whether a script binds a name also where it is not the program that runs."""
    try:
        with open(origin.script, encoding="utf-8") as file:
            todo: list[ast.AST] = [ast.parse(file.read())]
    except (SyntaxError, ValueError):  # not Python, such as a notebook that runs as a script
        return False
    wanted = origin.name.partition(".")[0]
    while todo:
        node = todo.pop()
        if wanted in _bound(node):
            return True
        if isinstance(node, ast.If) and "__name__" in _names(node.test):
            todo += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return False


def _bound(node: ast.AST) -> list[str]:
    """Return the names that a node binds itself."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def _names(node: ast.AST) -> list[str]:
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]


def _kept(space: SearchSpace) -> str:
    """Return where a space without a name comes from."""
    fn = space.program.fn
    name = str(getattr(fn, "__qualname__", ""))
    if "<locals>" in name:
        return f"one that the function {name.partition('.<locals>')[0]} made"
    if name == "<lambda>":
        return "one of a lambda, under no name of its module"
    if getattr(fn, "__module__", "") == "__main__" and not file_of("__main__"):
        return "one of a notebook or of what was typed in"
    return f"{space!r}, under no name of a module"
