"""What a lowering writes with: the layers and functions of one operation in a functional Keras model."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeAlias

import keras

from deep_arch.backends.build_plan import BuildStep
from deep_arch.errors import BadArgument

Tensor: TypeAlias = Any
"""A `keras.KerasTensor`: a symbolic array (batch, *spatial, channels)."""

Lowered: TypeAlias = "Tensor | tuple[Tensor, ...]"

Lowering: TypeAlias = Callable[..., Lowered]
"""Called as lowering(op, emit, specs, *tensors): a resolved operation, an `Emitter`, the inputs' specs and tensors.

It returns the tensor of the output, or one for each output. Every tensor is (batch, *spatial, channels).
"""


class Names:
    """The layers of one model by name, and names that no other layer has.

    A layer is named after its neutral path, with "-" for dots, which Keras on torch refuses. No part of a path holds
    "-", so that `path_of` reads the path back; what an input's name takes away gets a "-" at its end.

    Attributes:
        layers: what was made so far, by neutral path.
        loops: the layers of scans, by path and body.
        seed: what the model's randomness is derived from.
        seeded: whether the user gave it.
    """

    def __init__(self, inputs: Iterable[str], seed: int, seeded: bool) -> None:
        self._taken = set(inputs)
        self.layers: dict[str, Any] = {}
        self.loops: dict[str, Any] = {}
        self.seed = seed
        self.seeded = seeded

    def claim(self, path: str) -> str:
        """Return a name for what has this path."""
        name = path.replace(".", "-")
        while name in self._taken:
            name += "-"
        self._taken.add(name)
        return name


def path_of(layer: Any) -> str:
    """Return the neutral path that a layer is named after."""
    name: str = layer.name
    return name.rstrip("-").replace("-", ".")


class Emitter:
    """Write one call of an operation into a model.

    Attributes:
        address: of the call.
        path: the neutral path of the operation's module, such as `repeat_1.conv2d`.
        dtype: the type of its weights and of what it computes with.
        sizes_vary: whether the same module is also called on inputs of another shape, so that nothing which
            depends on their spatial sizes may be fixed in its layers.
        ranks_vary: whether it is also called on inputs with another number of axes, which most layers of Keras refuse.
        seed: what its layers draw from; None leaves it to Keras.
    """

    def __init__(self, names: Names, step: BuildStep) -> None:
        self._names = names
        self.address = step.address
        self.path = step.path
        self.dtype = step.dtype
        self.sizes_vary = step.sizes_vary
        self.ranks_vary = step.ranks_vary
        self._own = hasattr(step.module, "to_keras")
        number = zlib.crc32(f"{names.seed} {step.path}".encode()) >> 1  # which fits the int32 of some backends
        self.seed = number if names.seeded else None
        random.seed(number)  # which Keras draws from where it is given no seed; `build` restores its state

    def layer(self, factory: Callable[..., Any], *tensors: Any, name: str = "", **options: Any) -> Any:
        """Call a layer, which `factory` makes the first time that the operation's module is called.

        Args:
            factory: called as factory(name=..., dtype=...), such as a class of layers or a functools.partial of one.
            tensors: what the layer is called on.
            name: tells the layers of one operation apart; empty where there is only one.
            options: other arguments of the layer's `call`.
        """
        path = f"{self.path}.{name}" if name else self.path
        if path in self._names.layers:
            return self._names.layers[path](*tensors, **options)
        layer = self._names.layers[path] = factory(name=self._names.claim(path), dtype=self.dtype)
        with contextlib.nullcontext() if self._own else _undrawn(layer):
            return layer(*tensors, **options)

    def adopt(self, make: Callable[[], Any]) -> Any:
        """Return the layer of the operation's module, which `make` makes the first time without a name."""
        if self.path not in self._names.layers:
            layer = make()
            for path, other in self._names.layers.items():
                if layer is other:
                    raise BadArgument(
                        f"{self.address}: expected a layer of its own.\n  Got {layer!r}, which {path} holds already.\n"
                        "  Wrap a function that makes a new layer each time, or call one module from both places."
                    )
            layer.name = self._names.claim(self.path)
            self._names.layers[self.path] = layer
        return self._names.layers[self.path]

    def function(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of `keras.ops`, which the model records as one step of its own."""
        result = function(*args, **kwargs)
        first = result[0] if isinstance(result, list) else result
        # Keras names functions by counting them in the whole process, which may be the name of an input or layer.
        first._keras_history.operation.name = self._names.claim(f"{self.path}.{function.__name__}")
        return result


@contextlib.contextmanager
def _undrawn(layer: Any) -> Generator[None]:
    """Begin a layer with zeros, where other numbers take their place at once: JAX would compile each draw."""
    holder = getattr(layer, "cell", layer)
    kept = {name: value for name, value in vars(holder).items() if name.endswith("_initializer")}
    try:
        for name in kept:
            setattr(holder, name, keras.initializers.Zeros())
        yield
    finally:
        for name, initializer in kept.items():
            setattr(holder, name, initializer)
