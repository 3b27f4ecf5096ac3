"""The two orders of axes: neutral (batch, channels, *spatial), and TensorFlow's own (batch, *spatial, channels)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from deep_arch.backends.specs import native_shape
from deep_arch.language.specs import Spec


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
