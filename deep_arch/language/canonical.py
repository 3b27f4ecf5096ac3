"""Texts of values that are the same in every process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import pickle
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from deep_arch.language.foreign import contents
from deep_arch.language.qualified import qualified_name


def digest(*parts: object) -> str:
    """Return a short text that is equal for equal texts of the parts, in every process."""
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def canonical(value: Any, within: tuple[int, ...] = ()) -> str:
    """Return a text for an argument that is the same in every process."""
    if id(value) in within:
        return f"again {within[::-1].index(id(value))}"  # a function or object that leads back to itself
    inner = (*within, id(value))
    return _canonical(value, lambda part: canonical(part, inner))


def _canonical(value: Any, canonical: Callable[[Any], str]) -> str:
    if value is None or value.__class__ in (bool, int, float, str, bytes):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, functools.partial):
        return digest("partial", canonical(value.func), canonical(value.args), canonical(value.keywords))
    if inspect.ismethod(value):
        return digest("method", canonical(value.__func__), canonical(value.__self__))
    if isinstance(value, Mapping):
        items = sorted((canonical(k), canonical(v)) for k, v in value.items())  # pyright: ignore[reportUnknownVariableType]
        return "{" + ",".join(f"{k}:{v}" for k, v in items) + "}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(canonical, value))})"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, set | frozenset):
        return f"set({','.join(sorted(map(canonical, value)))})"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, type) or inspect.isroutine(value):
        return _function(value, canonical)
    if (held := contents(value)) is not None:  # an array, whose repr leaves out what is long
        data = held.data if isinstance(held.data, bytes) else held.data.encode()
        return f"{held.dtype}{held.shape}{hashlib.blake2b(data).hexdigest()}"
    shown = repr(value)
    if "..." in shown:
        with contextlib.suppress(Exception):  # what cannot be pickled is told by what it shows
            return f"{type(value).__qualname__}:{hashlib.blake2b(pickle.dumps(value, protocol=4)).hexdigest()}"
    if " at 0x" not in shown and "<function" not in shown:
        return f"{type(value).__qualname__}:{shown}"
    state = getattr(value, "__dict__", None)
    return digest("object", canonical(type(value)), canonical(state) if state else "")


def _function(value: Any, canonical: Callable[[Any], str]) -> str:
    """Return what a function or class is as far as it can be named; local ones and lambdas also by their code."""
    name = qualified_name(value)
    if "<" not in name:
        return name
    if isinstance(value, type):
        members = {k: v for k, v in vars(value).items() if callable(v) or (k.isidentifier() and k[:2] != "__")}
        return digest(name, canonical(members), *[canonical(base) for base in value.__bases__ if base is not object])
    code = getattr(value, "__code__", None)
    if code is None:
        return name
    cells = [canonical(cell.cell_contents) for cell in value.__closure__ or ()]
    return digest(name, _code(code, canonical), cells, canonical(value.__defaults__), canonical(value.__kwdefaults__))


def _code(code: CodeType, canonical: Callable[[Any], str]) -> str:
    constants = [_code(c, canonical) if inspect.iscode(c) else canonical(c) for c in code.co_consts]
    return digest(code.co_code.hex(), constants, code.co_names)
