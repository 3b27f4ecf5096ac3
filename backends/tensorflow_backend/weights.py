"""Weights of a TensorFlow model under their neutral names, whose layouts are TensorFlow's own."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from deep_arch.backends.tensorflow_backend.model import Model, check_built
from deep_arch.backends.weights import check_weights

Array = npt.NDArray[Any]


def get_weights(model: Model) -> dict[str, Array]:
    """Return copies of all weights, moving statistics included, by neutral name and in the order of the calls.

    Names and layouts are those of `da.Weight`, the same in every backend: what this returns can be given to the
    `set_weights` of another. Variables of wrapped modules go by the attributes that hold them. NumPy has no bfloat16,
    which comes as float32.

    Raises:
        BadArgument: `tensorflow_backend.build` did not return the model.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.backends import tensorflow_backend
        >>> net = da.space(lambda x: ops.Conv2D(8, kernel_size=3)(x))
        >>> model = tensorflow_backend.build(net.at({}), da.image(channels=3, height=32, width=32))
        >>> {name: weight.shape for name, weight in tensorflow_backend.get_weights(model).items()}
        {'conv2d.kernel': (3, 3, 3, 8), 'conv2d.bias': (8,)}
    """
    check_built(model, "get_weights")
    return {name: _array(variable) for name, variable in model.weights.items()}


def set_weights(model: Model, weights: Mapping[str, Any]) -> None:
    """Give a model other weights, such as those that `get_weights` returned for the same architecture, in any backend.

    Raises:
        BadArgument: `tensorflow_backend.build` did not return the model, a name is missing, or belongs to no weight.
        ShapeMismatch: an array has another shape than the weight.
    """
    check_built(model, "set_weights")
    shapes: dict[str, Any] = {name: tuple(variable.shape) for name, variable in model.weights.items()}
    check_weights(shapes, weights, "tensorflow_backend")
    for name, variable in model.weights.items():
        variable.assign(np.asarray(weights[name]).astype(variable.dtype.as_numpy_dtype))


def _array(variable: tf.Variable) -> Array:
    tensor = tf.cast(variable, tf.float32) if variable.dtype == tf.bfloat16 else variable
    return np.array(tensor.numpy())  # a copy, for on a CPU it may be the tensor's own memory
