"""Specs in the order of axes of the frameworks that have the channels last: TensorFlow and Keras."""

from __future__ import annotations

from deep_arch.language.specs import Spec


def native_shape(spec: Spec) -> tuple[int, ...]:
    """Return the axes of a spec in the framework's order, without batch.

    Example:
        >>> native_shape(Spec((3, 32, 64)))
        (32, 64, 3)
    """
    return (*spec.shape[1:], *spec.shape[:1])


def neutral_spec(shape: tuple[int, ...], dtype: str) -> Spec:
    """Return the spec of axes in the framework's order, without batch.

    Example:
        >>> neutral_spec((32, 64, 3), "float32").shape
        (3, 32, 64)
    """
    return Spec((*shape[-1:], *shape[:-1]), dtype)
