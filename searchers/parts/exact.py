"""Exact keys: what is equal for values that nothing can tell apart."""

from __future__ import annotations

import pickle
from collections.abc import Hashable
from typing import Any, Final

from deep_arch.errors import BadArgument
from deep_arch.searchers.parts.answers import NoAnswer, Partial

_PLAIN: Final = frozenset([int, str, bytes, type(None), NoAnswer])
"""Types of values that stand for themselves; all others stand with their type, so that 1, True and 1.0 differ."""


def exact(value: Any) -> Hashable:
    """Return a key for a value: equal keys have equal values of equal types, all the way inside.

    Floats are told apart by their bits but for those of NaN, so that 0.0 is not -0.0; arrays by type, shape and
    content; dicts also by the order of their keys. What has no better key is equal where it is pickled alike.

    Raises:
        BadArgument: a value that can neither be hashed nor pickled.
    """
    kind = value.__class__
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is Partial:
        kind, value = tuple, (*value,)
    if kind is tuple and _PLAIN.issuperset(map(type, value)):
        return value  # type: ignore[no-any-return]  # other keys that are tuples begin with a class
    if kind is tuple or kind is list:
        return (kind, *map(exact, value))
    if kind is float or kind is complex:
        return kind, repr(value)
    if kind is dict:
        return (kind, *[(exact(k), exact(v)) for k, v in value.items()])
    if kind is set or kind is frozenset:
        return kind, frozenset(map(exact, value))
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):  # of NumPy
        content = exact(value.tolist()) if value.dtype.hasobject else value.tobytes()
        return kind, str(value.dtype), value.shape, content
    return kind, value if _is_hashable(value) else _pickled(value)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise BadArgument(
            f"exact: expected answers that can be compared.\n  Got {value!r} ({type(value).__name__}), which can "
            f"neither be hashed nor pickled: {error}.\n  Give its class __eq__ and __hash__, or return a tuple."
        ) from error
