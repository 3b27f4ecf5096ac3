"""Bytecode: what a compiled function reads and binds, for messages about functions that run later than written."""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import itertools
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
    return any(i.opname in ("LOAD_GLOBAL", "LOAD_NAME") and i.argval == name for i in _instructions(code))


def binds(code: CodeType, name: str) -> bool:
    """Return whether some code, or a function inside it, binds a variable of a function around it, or a global."""
    return any(_is_store(i, name) for i in _instructions(code))


def is_rebound_between(name: str, fn: FunctionType) -> bool:
    """Return whether a variable that `fn` uses is bound in the same loop as `fn` is made, as far as is known.

    The code that made the function is looked for among what is running, and in the function's file. Binding a constant,
    or a function that has no default arguments, does not count, as it is the same each time.
    """
    for root in _outermost(fn):
        path = _path(root, fn.__code__)
        for inner, outer in itertools.pairwise(path):
            if _share_a_loop(outer, inner, name):
                return True
            if name in outer.co_cellvars:
                break
        if path:
            return False
    return False


def _outermost(fn: FunctionType) -> Iterator[CodeType]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
    filename = fn.__code__.co_filename
    lines = linecache.getlines(filename, fn.__globals__)  # also of the cells of a notebook
    with contextlib.suppress(SyntaxError, ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield compile("".join(lines), filename, "exec", dont_inherit=True)


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
    jumps = [i for i in instructions if i.opcode in dis.hasjrel or i.opcode in dis.hasjabs]
    loops = [(jump.argval, jump.offset) for jump in jumps if jump.argval < jump.offset]
    makes = [i.offset for i in instructions if inspect.iscode(i.argval) and i.argval == made]
    stores = [i.offset for n, i in enumerate(instructions) if _is_store(i, name) and not _is_constant(instructions, n)]
    return any(
        any(start <= at <= end for at in makes) and any(start <= at <= end for at in stores) for start, end in loops
    )


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


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for inner in _inside(code):
        yield from _instructions(inner)


def _inside(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if inspect.iscode(constant)]
