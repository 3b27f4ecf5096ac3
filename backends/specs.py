"""Specs in the order of axes of the frameworks that have the channels last: TensorFlow and Keras."""

from __future__ import annotations

from typing import Any

from deep_arch.language.specs import Spec


def native_shape(spec: Spec) -> tuple[int, ...]:
    """Return the axes of a spec in the framework's order, without batch.

    Example:
        >>> native_shape(Spec((3, 32, 64)))
        (32, 64, 3)
    """
    return (*spec.shape[1:], *spec.shape[:1])


def native_axis(axis: int) -> int:
    """Return where an axis of a spec stands in the framework's order, with batch.

    Example:
        >>> native_axis(0), native_axis(1)
        (-1, 1)
    """
    return axis or -1


def time_axis(sequence: Spec) -> int:
    """Return where the last axis of a spec, the time of a sequence, stands in the framework's order, with batch.

    Example:
        >>> time_axis(Spec((3, 100))), time_axis(Spec((100,)))
        (1, 1)
    """
    return max(1, sequence.rank - 1)


def placed(part: slice, axis: int) -> tuple[Any, ...]:
    """Return the index that takes a part of an array along an axis of its spec.

    Example:
        >>> placed(slice(3), 1)
        (slice(None, None, None), slice(None, 3, None))
    """
    return (slice(None),) * axis + (part,) if axis else (..., part)


def neutral_spec(shape: tuple[int, ...], dtype: str) -> Spec:
    """Return the spec of axes in the framework's order, without batch.

    Example:
        >>> neutral_spec((32, 64, 3), "float32").shape
        (3, 32, 64)
    """
    return Spec((*shape[-1:], *shape[:-1]), dtype)
