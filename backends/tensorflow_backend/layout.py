"""The two orders of axes: neutral (batch, channels, *spatial), and TensorFlow's own (batch, *spatial, channels)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from deep_arch.language.specs import Spec


def native_shape(spec: Spec) -> tuple[int, ...]:
    """Return the axes of a spec in TensorFlow's order, without batch.

    Example:
        >>> native_shape(Spec((3, 32, 64)))
        (32, 64, 3)
    """
    return (*spec.shape[1:], *spec.shape[:1])


def neutral_spec(shape: tuple[int, ...], dtype: str) -> Spec:
    """Return the spec of axes in TensorFlow's order, without batch.

    Example:
        >>> neutral_spec((32, 64, 3), "float32").shape
        (3, 32, 64)
    """
    return Spec((*shape[-1:], *shape[:-1]), dtype)


def channels_first(x: Any, spec: Spec) -> Any:
    """Bring (batch, *spatial, channels), of a value of this spec, into the neutral order."""
    if spec.rank < 2:
        return x
    if _one_line(spec):
        return tf.reshape(x, (-1, *spec.shape))
    return tf.transpose(x, (0, spec.rank, *range(1, spec.rank)))


def channels_last(x: Any, spec: Spec) -> Any:
    """Bring the neutral order into (batch, *spatial, channels)."""
    if spec.rank < 2:
        return x
    if _one_line(spec):
        return tf.reshape(x, (-1, *native_shape(spec)))
    return tf.transpose(x, (0, *range(2, spec.rank + 1), 1))


def _one_line(spec: Spec) -> bool:
    """Whether both orders hold the numbers alike, so that nothing need move."""
    return spec.channels == 1 or math.prod(spec.spatial) == 1
