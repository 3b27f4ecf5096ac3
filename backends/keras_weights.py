"""The arrays of a Keras model by neutral names.

Keras's layouts are the neutral ones. Names are read off the layers, so that they are the same for a model that was
saved and loaded.
"""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from deep_arch.backends.base import check_weights
from deep_arch.backends.keras_emitter import path_of

Array = npt.NDArray[Any]

CALLS = "deep_arch_calls"
"""The attribute of a model that was just built which holds the paths of its layers in the order of the calls."""


def get_weights(model: keras.Model) -> dict[str, Array]:
    """Return copies of the arrays of a model that `build` made, by neutral names and in neutral layouts.

    They come in the order of the calls; those of a model that was saved and loaded, in the order of its layers. Weights
    of wrapped layers have the names and layouts that the layer gives them.
    """
    return {name: _array(v).reshape(shape_of(name, v)) for name, v in named_variables(model).items()}


def set_weights(model: keras.Model, weights: Mapping[str, Any]) -> None:
    """Give a model the arrays that `get_weights` returned, here or in another framework.

    Raises:
        BadArgument: a name is missing, or belongs to no weight.
        ShapeMismatch: an array has another shape.
    """
    variables = named_variables(model)
    check_weights({name: shape_of(name, v) for name, v in variables.items()}, weights, "keras_backend")
    for name, variable in variables.items():
        variable.assign(np.asarray(weights[name]).reshape(variable.shape))


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Return the variables of a model by neutral name."""
    calls: tuple[str, ...] = getattr(model, CALLS, ())
    order = {path: i for i, path in enumerate(calls)}
    layers = sorted(model.layers, key=lambda layer: order.get(path_of(layer), len(order)))
    return {f"{path_of(layer)}.{name}": variable for layer in layers for name, variable in _named(layer)}


def shape_of(name: str, variable: Any) -> tuple[int, ...]:
    """Return the neutral shape of a variable: slopes that are shared by all cells have no axes for the cells."""
    shape = tuple(variable.shape)
    return shape[-1:] if name.endswith(".alpha") and set(shape[:-1]) <= {1} else shape


def _array(variable: Any) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's, from NumPy 2
        return np.array(keras.ops.convert_to_numpy(variable.value))


def _named(layer: Any) -> Iterator[tuple[str, Any]]:
    for variable in layer.weights:
        parts = variable.path.removeprefix(f"{layer.name}/").split("/")
        yield ".".join(parts[-1:] if isinstance(layer, keras.layers.RNN) else parts), variable
