"""Bytecode: what a compiled function reads and binds, for messages about functions that run later than written."""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import linecache
import warnings
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any


@functools.lru_cache(maxsize=10_000)
def names(code: CodeType) -> tuple[str, ...]:
    """Return the names of globals, and of attributes, that some code or a function inside it uses."""
    found = dict.fromkeys(code.co_names)
    for inner in _inside(code):
        found |= dict.fromkeys(names(inner))
    return tuple(found)


def reads_global(code: CodeType, name: str) -> bool:
    """Return whether some code, or a function inside it, reads a global."""
    reads = any(i.opname in ("LOAD_GLOBAL", "LOAD_NAME") and i.argval == name for i in dis.get_instructions(code))
    return reads or any(reads_global(inner, name) for inner in _inside(code))


def binds(code: CodeType, name: str) -> bool:
    """Return whether some code, or a function inside it, binds a variable of a function around it, or a global."""
    kinds = "STORE_DEREF" if name in code.co_freevars else "", "STORE_GLOBAL"
    own = any(i.opname in kinds and i.argval == name for i in dis.get_instructions(code))
    return own or any(binds(inner, name) for inner in _inside(code))


def where_bound(name: str, fn: FunctionType) -> str:
    """Return the file and lines that bind a variable that `fn` uses, or an empty text where they are not found."""
    is_global = name not in fn.__code__.co_freevars
    for root in _outermost(fn):
        for outer in _path(root, fn.__code__)[1:]:
            if outer.co_name == "<module>" if is_global else name in outer.co_cellvars:
                starts = list(dis.findlinestarts(outer))
                stores = [i.offset for i in dis.get_instructions(outer) if _is_store(i, name)]
                lines = {max(start for start in starts if start[0] <= at)[1] for at in stores}
                return f"{filename(outer)}:{', '.join(map(str, sorted(filter(None, lines))))}" if stores else ""
    return ""


def filename(code: CodeType) -> str:
    """Return the name of the file that some code comes from, without its folder."""
    return code.co_filename.replace("\\", "/").rpartition("/")[2]


def is_rebound_between(name: str, made: FunctionType, used_by: FunctionType) -> bool:
    """Return whether the innermost loop that makes `made` also binds a variable, as far as is known.

    The code that makes it is looked for among what is running, and in the function's file. Binding a constant, or a
    function that has no default arguments, does not count, as it is the same each time.

    Args:
        name: of the variable.
        made: a function of which there are several.
        used_by: the function that uses the variable: the same, or one that it leads to.
    """
    for root in _outermost(made):
        for outer in _path(root, made.__code__)[1:2]:
            if _path(outer, used_by.__code__) and _share_a_loop(outer, made.__code__, name):
                return True
    return False


def _outermost(fn: FunctionType) -> Iterator[CodeType]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
    path = fn.__code__.co_filename
    lines = linecache.getlines(path, fn.__globals__)  # also of the cells of a notebook
    with contextlib.suppress(SyntaxError, ValueError):
        yield _compiled("".join(lines), path)


@functools.lru_cache(maxsize=16)
def _compiled(text: str, path: str) -> CodeType:
    """Return the code of a file, whose functions are often looked for one after another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(text, path, "exec", dont_inherit=True)


def _path(root: CodeType, code: CodeType) -> list[CodeType]:
    """Return how to get from `code` to `root`, from the inside out; nothing where it is not inside."""
    if root == code:
        return [code]
    for inner in _inside(root):
        if path := _path(inner, code):
            return [*path, root]
    return []


def _share_a_loop(code: CodeType, made: CodeType, name: str) -> bool:
    instructions = list(dis.get_instructions(code))
    ends: dict[int, int] = {}
    for jump in instructions:
        if (jump.opcode in dis.hasjrel or jump.opcode in dis.hasjabs) and jump.argval < jump.offset:
            ends[jump.argval] = max(jump.offset, ends.get(jump.argval, 0))
    stores = [i.offset for n, i in enumerate(instructions) if _is_store(i, name) and not _is_constant(instructions, n)]
    for at in [i.offset for i in instructions if inspect.iscode(i.argval) and i.argval == made]:
        loops = [(start, end) for start, end in ends.items() if start <= at <= end]
        start, end = min(loops, key=lambda loop: loop[1] - loop[0], default=(0, -1))
        if any(start <= store <= end for store in stores):
            return True
    return False


def _is_store(instruction: dis.Instruction, name: str) -> bool:
    return instruction.opname in ("STORE_DEREF", "STORE_GLOBAL", "STORE_NAME") and instruction.argval == name


def _is_constant(instructions: list[dis.Instruction], store: int) -> bool:
    at = store - 1
    while instructions[at].opname == "SET_FUNCTION_ATTRIBUTE" and not _has_defaults(instructions[at]):
        at -= 1  # Python 3.13 sets what 3.12 makes a function with
    made = instructions[at].opname == "MAKE_FUNCTION" and (at < store - 1 or not _has_defaults(instructions[at]))
    return made or instructions[at].opname == "LOAD_CONST"


def _has_defaults(instruction: Any) -> bool:
    return bool((instruction.arg or 0) & 3)


def _inside(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if inspect.iscode(constant)]
