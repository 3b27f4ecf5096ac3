"""Values of other libraries, none of which is imported: their numbers as Python's own, their arrays by what they hold.

What they are is read from their types, as NumPy's, PyTorch's, TensorFlow's, JAX's, SciPy's and pandas' are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NamedTuple

PLAIN: Final = frozenset((int, str, float, bool, type(None)))
"""The types of what JSON holds as it is; most values are of one, so they are looked for first."""

FAILURES: Final = (TypeError, ValueError, RuntimeError, AttributeError)
"""What libraries raise where a value does not have what is asked of it, such as a truth value."""

_ONES: Final = (bool, int, float, complex, str, bytes)


def unboxed(value: Any) -> Any:
    """Return a scalar of NumPy as the Python value that it holds; also inside tuples, lists and dicts.

    Example:
        >>> import numpy as np
        >>> unboxed((np.int64(3), np.float64(0.5), np.bool_(True), np.str_("same")))
        (3, 0.5, True, 'same')
    """
    return _deep(value, _unboxed)


def plain(value: Any) -> Any:
    """Return what `unboxed` does, and an array or tensor of one number, without axes, as that number.

    Example:
        >>> import numpy as np
        >>> plain([np.array(3), np.array([3])])
        [3, array([3])]
    """
    return _deep(value, _plain)


def as_int(value: Any) -> int | None:
    """Return an integer, of whatever library, as an int; None for what is none, booleans among it."""
    value = plain(value)
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except FAILURES:
        return None


def _deep(value: Any, convert: Callable[[Any], Any]) -> Any:
    kind = value.__class__
    if kind in PLAIN:
        return value
    if kind is tuple or kind is list:
        items = [_deep(item, convert) for item in value]
        if all(map(operator.is_, items, value)):
            return value
        return tuple(items) if kind is tuple else items
    if kind is dict:
        made = {_deep(key, convert): _deep(item, convert) for key, item in value.items()}
        return value if all(map(operator.is_, made.values(), value.values())) else made
    return convert(value)


def _unboxed(value: Any) -> Any:
    kind = value.__class__  # asked in place of the value, which may answer to any name
    is_scalar = hasattr(kind, "dtype") and hasattr(kind, "item") and not hasattr(kind, "__setitem__")
    return _item(value) if is_scalar else value


def _plain(value: Any) -> Any:
    kind = value.__class__
    if not hasattr(kind, "dtype") or not hasattr(kind, "shape"):
        return value
    try:
        return _item(value) if tuple(value.shape) == () else value
    except FAILURES:  # one that holds nothing yet, or text of TensorFlow
        return value


def _item(value: Any) -> Any:
    kind = getattr(value.dtype, "kind", "")
    if kind in ("m", "M"):  # times, which would become ints of whatever unit
        return value
    one = value.item() if hasattr(value, "item") else value.numpy().item()
    if type(one) in _ONES:
        return one
    return complex(one) if kind == "c" else float(one) if kind == "f" else value  # of more than 64 bits


class Contents(NamedTuple):
    """What an array or table holds: equal for equal ones, whatever their layout in memory.

    Attributes:
        dtype: the type of its elements, as text.
        shape: its axes.
        data: its elements in order, as bytes or as text.
    """

    dtype: str
    shape: tuple[Any, ...]
    data: bytes | str


def is_array(value: Any) -> bool:
    """Return whether a value is an array, a tensor or a table: what may have an `==` without a truth value."""
    kind = value.__class__
    if kind in PLAIN or kind is tuple or kind is list or kind is dict or isinstance(value, type):
        return False
    return any(hasattr(kind, mark) for mark in ("dtype", "tocoo", "dense_shape", "iloc")) or kind is memoryview


def contents(value: Any) -> Contents | None:
    """Return what an array, tensor or table holds, or None for what is none or does not tell."""
    if not is_array(value):
        return None
    try:
        return _contents(value, type(value))
    except FAILURES:  # symbolic, or like an array in name only
        return None


def _contents(value: Any, kind: Any) -> Contents:
    shape = tuple(value.shape)
    if hasattr(kind, "iloc"):  # pandas
        columns = [column for _, column in value.items()] if hasattr(kind, "columns") else [value]
        names = value.columns.tolist() if hasattr(kind, "columns") else [value.name]
        held = [[str(column.dtype), *column.tolist()] for column in columns]
        return Contents(kind.__name__, shape, _text([value.index.tolist(), names, held]))
    if hasattr(kind, "tocoo"):  # SciPy
        sparse = value.tocoo(copy=True)
        sparse.sum_duplicates()
        sparse.eliminate_zeros()
        places = sparse.coords if hasattr(sparse, "coords") else (sparse.row, sparse.col)
        return Contents(f"sparse {sparse.dtype}", shape, _text([sparse.data, *places]))
    if hasattr(kind, "dense_shape"):  # sparse tensors of TensorFlow
        return Contents(f"sparse {value.dtype}", shape, _text([value.values, value.indices]))
    dtype = str(value.format if kind is memoryview else value.dtype)
    if hasattr(kind, "todense"):  # sparse ones of JAX
        value = value.todense()
    if hasattr(kind, "detach"):  # PyTorch
        value = value.detach().to_dense().cpu().resolve_conj().resolve_neg()
    return Contents(dtype, shape, _data(value))


def _data(value: Any) -> bytes | str:
    if not hasattr(value, "tobytes"):
        try:
            value = value.numpy() if hasattr(value, "numpy") else value.tolist()  # of a tensor, or of an index
        except (TypeError, RuntimeError):  # of a type that NumPy does not have
            value = value.tolist()
    objects = getattr(getattr(value, "dtype", None), "hasobject", False) or hasattr(value, "filled")  # or masked
    return (
        value.tobytes()
        if hasattr(value, "tobytes") and not objects
        else _text(getattr(value, "tolist", lambda: value)())
    )


def _text(value: Any) -> str:
    """Return everything that nested lists hold, arrays inside too."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"  # pyright: ignore[reportUnknownArgumentType]
    return repr(contents(value) or value)
