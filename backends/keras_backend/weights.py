"""The arrays of a Keras model by neutral names.

Keras's layouts are the neutral ones. Names are read off the layers, so that they are the same for a model that was
saved and loaded.
"""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from deep_arch.backends.keras_backend.context import path_of
from deep_arch.backends.keras_backend.loops import Loop
from deep_arch.backends.weights import check_weights
from deep_arch.errors import BadArgument

Array = npt.NDArray[Any]

CALLS = "deep_arch_calls"
"""The attribute of a model that was just built which holds the paths of its layers in the order of the calls."""

_RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
_COUNT = re.compile(r"_\d+\Z")


def get_weights(model: keras.Model) -> dict[str, Array]:
    """Return copies of the arrays of a model that `build` made, by neutral names and in neutral layouts.

    They come in the order of the calls; those of a model that was saved and loaded, in the order of its layers. Weights
    of wrapped layers have the names and layouts that the layer gives them, but for the numbers that Keras counts up in
    the whole process, which begin anew in each layer.

    Raises:
        BadArgument: it is no Keras model.
    """
    check_model(model, "get_weights")
    return {name: _array(v).reshape(shape_of(name, v)) for name, v in named_variables(model).items()}


def set_weights(model: keras.Model, weights: Mapping[str, Any]) -> None:
    """Give a model the arrays that `get_weights` returned, here or in another framework.

    Raises:
        BadArgument: it is no Keras model, a name is missing, or belongs to no weight, or has no array of numbers.
        ShapeMismatch: an array has another shape.
    """
    check_model(model, "set_weights")
    variables = named_variables(model)
    check_weights({name: shape_of(name, v) for name, v in variables.items()}, weights, "keras_backend")
    for name, variable in variables.items():
        variable.assign(np.asarray(weights[name]).reshape(variable.shape))


def check_model(model: Any, asker: str) -> None:
    """Raise BadArgument where there is no Keras model."""
    if not isinstance(model, keras.Model):
        raise BadArgument(
            f"keras_backend.{asker}: expected a model that keras_backend.build returned.\n"
            f"  Got {type(model).__name__}.\n  Use the {asker} of the backend that built it."
        )


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Return the variables of a model by neutral name."""
    calls: tuple[str, ...] = getattr(model, CALLS, ())
    order = {path: i for i, path in enumerate(calls)}
    layers = sorted(_layers(model), key=lambda layer: order.get(path_of(layer), len(order)))
    return {f"{path_of(layer)}.{name}": variable for layer in layers for name, variable in _named(layer)}


def _layers(model: keras.Model) -> Iterator[Any]:
    """Yield the layers of a model, and those in the bodies of its loops in place of the loops."""
    for layer in model.layers:
        if isinstance(layer, Loop):
            yield from _layers(layer.body)
        else:
            yield layer


def shape_of(name: str, variable: Any) -> tuple[int, ...]:
    """Return the neutral shape of a variable: slopes that are shared by all cells have no axes for the cells."""
    shape = tuple(variable.shape)
    return shape[-1:] if name.endswith(".alpha") and set(shape[:-1]) <= {1} else shape


def _array(variable: Any) -> Array:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's, from NumPy 2
        return np.array(keras.ops.convert_to_numpy(variable.value))


def _named(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables of a layer by names that do not depend on what else was made in the process."""
    names = _Uncounted()
    for variable in layer.weights:
        *parts, last = variable.path.removeprefix(f"{layer.name}/").split("/")
        if isinstance(layer, _RECURRENT):
            parts = []  # the layer's only cell
        yield names.name(parts, last), variable


class _Uncounted:
    """Names within one layer: `dense_17` and `dense_18` become `dense` and `dense_1`."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def name(self, parts: Sequence[str], last: str) -> str:
        """Return the name of a variable from that of the parts that hold it, and its own."""
        parent = ""
        for part in parts:
            if (parent, part) not in self._names:
                self._names[parent, part] = self._claimed(f"{parent}{_COUNT.sub('', part)}") + "."
            parent = self._names[parent, part]
        return self._claimed(parent + (_COUNT.sub("", last) if last.startswith("variable_") else last))

    def _claimed(self, name: str) -> str:
        candidates = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
        free = next(candidate for candidate in candidates if candidate not in self._taken)
        self._taken.add(free)
        return free
