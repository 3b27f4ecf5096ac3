"""Specs as Keras has them: (*spatial, channels), and the types of its backend."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

import keras

from deep_arch.errors import NotSupported
from deep_arch.language.specs import Spec


def native_shape(spec: Spec) -> tuple[int, ...]:
    """Return a shape without batch in Keras's order.

    Example:
        >>> native_shape(Spec((3, 32, 16)))
        (32, 16, 3)
    """
    return (*spec.shape[1:], *spec.shape[:1])


def neutral_spec(tensor: Any) -> Spec:
    """Return the spec of a symbolic array, whose sizes are all known but for the batch."""
    shape = tuple(tensor.shape[1:])
    return Spec((*shape[-1:], *shape[:-1]), tensor.dtype)


def native_dtype(spec: Spec, where: str) -> str:
    """Return the type that a value has in Keras, whose backend is one of several.

    Raises:
        NotSupported: Keras would silently compute in float32.
    """
    backend = keras.config.backend()
    if spec.dtype == "float64" and backend != "tensorflow":
        raise NotSupported(
            f"{where}: Keras computes in float64 on TensorFlow only.\n  Got {spec}, and Keras on {backend}.\n"
            "  Set KERAS_BACKEND=tensorflow before keras is imported, use float32, or build with another backend."
        )
    return "int32" if spec.dtype == "int64" and backend == "jax" else spec.dtype  # JAX has no int64 of its own accord
