"""The types that values have in Keras, whose backend is one of several."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import keras

from deep_arch.errors import NotSupported
from deep_arch.language.specs import Spec


def native_dtype(spec: Spec, where: str) -> str:
    """Return the type that a value has in Keras.

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
