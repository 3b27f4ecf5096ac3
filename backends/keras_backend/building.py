"""Building: a functional keras.Model out of a specified architecture."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Generator, Sequence
from typing import Any

import keras

from deep_arch.backends.base import seed_number
from deep_arch.backends.build_plan import BuildItem, BuildLoop, BuildPlan, build_plan, given_by, taken_by
from deep_arch.backends.initial import draw_weights
from deep_arch.backends.keras_backend.context import Emitter, Lowering, Names
from deep_arch.backends.keras_backend.dtypes import native_dtype
from deep_arch.backends.keras_backend.loops import call_loop
from deep_arch.backends.keras_backend.lowerings import LOWERINGS
from deep_arch.backends.keras_backend.weights import CALLS, named_variables
from deep_arch.backends.keras_backend.wrapped import KerasModule
from deep_arch.backends.lowerings import lowering, results
from deep_arch.backends.specs import native_shape
from deep_arch.language.specs import Inputs
from deep_arch.measures.module_names import identifier
from deep_arch.spaces.architecture import Architecture

_EXAMPLE = """Give the class a method `to_keras(self, emit, specs, *tensors)` that returns the tensor of its output,
  such as `return emit.layer(keras.layers.ReLU, *tensors)`, or make the module with keras_backend.wrap(a_class)."""

_FRAMES = 8  # of Python for one call: a lowering writes fewer layers and functions than that, one after another


def build(architecture: Architecture, inputs: Inputs, seed: int | None = None) -> keras.Model:
    """Return a specified architecture as a functional Keras model with new weights.

    The model takes the array of the space's input, or of several inputs a list in their order or a dict by name, and
    returns what the space's function does: an array, a list of several, or a dict of them. Arrays are
    (batch, *spatial, channels), whatever Keras's own setting. Layers are named after addresses: that of
    `repeat[1]/conv2d` is `repeat_1-conv2d`, on every machine. Modules that were called several times share one layer.
    Models compile, train, save, load and draw as those written by hand.

    An operation of your own is lowered by its method `to_keras(emit, specs, *tensors)`, which is asked before the table
    in `keras_backend.lowerings`: see `Lowering` and `Emitter`.

    Args:
        architecture: what to build.
        inputs: one spec, or one for each of the space's inputs by name.
        seed: what weights and dropout are drawn from, which leaves the global generators as they were. None takes a
            seed from the generator that `keras.utils.set_random_seed` governs.

    Raises:
        DeepArchError: what `deep_arch.backends.base.Backend.build` lists.
        NotSupported: a type that Keras's backend does not have.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: da.repeat(lambda: ops.Conv2D(da.choice([8, 16]), 3), 2)(x))
        >>> model = build(net.sample(seed=0), da.image(channels=3, height=32, width=32), seed=0)
        >>> model.output_shape[:3], [layer.name for layer in model.layers]
        ((None, 32, 32), ['x', 'repeat_0-conv2d', 'repeat_1-conv2d'])
    """
    number = seed_number(seed, "keras_backend")
    todo = build_plan(architecture, inputs, "keras_backend", KerasModule.of)
    names = Names(todo.inputs, random.getrandbits(63) if number is None else number, number is not None)
    given = [
        keras.Input(native_shape(spec), dtype=native_dtype(spec, name), name=name)
        for name, spec in zip(todo.inputs, todo.specs, strict=False)
    ]
    with _state_kept():
        outputs = _write(todo, names, given)
    with _deep(len(names.layers) + len(todo.steps)):
        model = keras.Model(
            given[0] if len(given) == 1 else given,
            returned if isinstance(returned := todo.returned(outputs), dict) or len(outputs) == 1 else outputs,
            name=identifier(architecture.space.name),
        )
    setattr(model, CALLS, tuple(names.layers))
    variables = named_variables(model)
    for name, array in draw_weights(todo, names.seed, own="to_keras").items():
        variables[name].assign(array.reshape(variables[name].shape))
    return model


def _write(todo: BuildPlan, names: Names, given: list[Any]) -> list[Any]:
    """Call the layers of every step, and return the outputs."""

    def write(items: Sequence[BuildItem], tensors: dict[int, Any]) -> None:
        for item in items:
            taken = [tensors[i] for i in taken_by(item)]
            if isinstance(item, BuildLoop):
                found = call_loop(item, names, todo.specs, taken, write)
            else:
                lower: Lowering = lowering(item, LOWERINGS, "to_keras", "keras_backend", _EXAMPLE)
                found = [*results(item, lower(Emitter(names, item), item.specs, *taken), keras.KerasTensor, "to_keras")]
            tensors |= zip(given_by(item), found, strict=True)

    tensors = dict(enumerate(given))
    write(todo.items, tensors)
    return [tensors[i] for i in todo.outputs]


@contextlib.contextmanager
def _deep(n_calls: int) -> Generator[None, None, None]:
    """Let Keras, which follows a model from its outputs by recursion, do so for models of any depth."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + _FRAMES * n_calls)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextlib.contextmanager
def _state_kept() -> Generator[None, None, None]:
    """Leave Python's generator, from which Keras draws, as it was."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
