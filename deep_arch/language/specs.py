"""Shapes of inputs, in the order that belongs to no framework: (channels, *spatial), without batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.language.foreign import plain

_BYTES = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
}


@dataclass(frozen=True, slots=True)
class Spec:
    """The shape of one value without its batch axis, channels first, and the type of its elements.

    Raises:
        BadArgument: an axis is not a positive int, or the dtype is unknown.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    vocabulary: int | None = None

    def __post_init__(self) -> None:
        if type(self.shape) is not tuple or not all(type(n) is int for n in self.shape):
            axes: Any = self.shape if hasattr(self.shape, "__iter__") else (self.shape,)
            object.__setattr__(self, "shape", tuple([plain(n) for n in axes]))
        if not all(type(n) is int and n > 0 for n in self.shape):
            raise BadArgument(
                f"Spec: every axis must be a positive int.\n  Got {self.shape!r}.\n"
                "  Leave the batch axis out; give sizes as in da.image(channels=3, height=32, width=32)."
            )
        if type(self.dtype) is not str:
            object.__setattr__(self, "dtype", _name_of(self.dtype))
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", plain(self.vocabulary))
        if self.dtype not in _BYTES:
            raise BadArgument(f"Spec: dtype must be one of {', '.join(_BYTES)}.\n  Got {self.dtype!r}.")

    @property
    def channels(self) -> int:
        """The size of the channel axis; 1 for a scalar."""
        return self.shape[0] if self.shape else 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes after the channels."""
        return self.shape[1:]

    @property
    def rank(self) -> int:
        """The number of axes, batch not counted."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements of one example."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """The bytes of one example."""
        return self.size * _BYTES[self.dtype]

    def with_shape(self, *shape: int) -> Spec:
        """Return the spec of the same dtype with another shape."""
        return Spec(shape, self.dtype)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.shape))})" + ("" if self.dtype == "float32" else f" {self.dtype}")


def _name_of(dtype: Any) -> Any:
    """Return what a library's own type of elements is called: np.float32, np.dtype("float32"), torch.float32."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype).rpartition(".")[2]
    return name if name in _BYTES else dtype


Inputs = Spec | Mapping[str, Spec]
"""One spec for a space with one input, or a mapping from the names of the inputs to their specs."""


def image(channels: int, height: int, width: int, dtype: str = "float32") -> Spec:
    """Return the spec of an image: (channels, height, width)."""
    return Spec((channels, height, width), dtype)


def vector(features: int, dtype: str = "float32") -> Spec:
    """Return the spec of a vector: (features,)."""
    return Spec((features,), dtype)


def sequence(length: int, features: int, dtype: str = "float32") -> Spec:
    """Return the spec of a sequence of vectors: (features, length), the features being the channels."""
    return Spec((features, length), dtype)


def tokens(length: int, vocabulary: int | None = None) -> Spec:
    """Return the spec of a sequence of int64 tokens: (length,), each below `vocabulary` where it is given."""
    return Spec((length,), "int64", vocabulary)


def tensor(*shape: int, dtype: str = "float32") -> Spec:
    """Return the spec of any tensor: (channels, *spatial)."""
    return Spec(shape, dtype)
