"""What a built model is: a tf.Module that walks the steps of an architecture."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from deep_arch.backends.build_plan import as_returned
from deep_arch.backends.specs import native_shape
from deep_arch.errors import BadArgument, ShapeMismatch, is_kind, nearest
from deep_arch.language.specs import Spec
from deep_arch.measures.module_names import ModuleNames


@dataclass(frozen=True, slots=True)
class Instruction:
    """What runs one step.

    Attributes:
        lower: called on the tensors of `inputs`, in inference or in training.
        inputs: ids of the values that it takes.
        outputs: ids of the values that it gives.
        last: ids of the values that nothing takes after it.
    """

    lower: Mapping[bool, Callable[..., Any]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorProgram:
    """What a model runs. TensorFlow does not look into it for variables: they stand in the model's `weights`.

    Attributes:
        inputs: the spec of each input, by name.
        instructions: the steps in topological order.
        outputs: the id of the value of each output, by name.
        named: whether the outputs are returned as a dict.
        again: builds such a model once more.
    """

    inputs: Mapping[str, Spec]
    instructions: tuple[Instruction, ...]
    outputs: tuple[tuple[str, int], ...]
    named: bool
    again: Callable[[], Model]


def run(instructions: Iterable[Instruction], values: dict[int, Any], training: bool) -> None:
    """Run steps in a row, from the values that are there by id to those that are needed after them."""
    for instruction in instructions:
        results = instruction.lower[training](*[values[i] for i in instruction.inputs])
        values.update(zip(instruction.outputs, results if isinstance(results, tuple) else (results,), strict=True))
        for i in instruction.last:  # else all of them would fill the memory at once
            del values[i]


def known(x: Any, spec: Spec) -> Any:
    """Return a tensor whose sizes a graph knows, but for the batch: what comes from outside may have lost them."""
    return x if x.shape[1:].is_fully_defined() else tf.ensure_shape(x, (None, *native_shape(spec)))


class Model(tf.Module):  # type: ignore[misc]
    """An architecture with weights, called as model(x, training=False) or by the names of its inputs.

    Attributes:
        inputs: the names of the inputs, in order.
        outputs: the names of the outputs, in order.
        weights: the variables by neutral name, in the order of the calls.
        natives: the wrapped modules, by the neutral names of their places.
        generator: what dropout and noise draw from.
        serve: the model in inference, as a tf.function from tensors to outputs by name; what tf.saved_model.save saves.
    """

    def __init__(
        self,
        name: str,
        program: TensorProgram,
        weights: Mapping[str, tf.Variable],
        natives: Mapping[str, Any],
        generator: tf.random.Generator,
    ) -> None:
        super().__init__(name)
        self.weights = dict(weights)
        self.natives = {path: native for path, native in natives.items() if isinstance(native, tf.Module)}
        self.generator = generator
        self._program = program
        self.inputs, self.outputs = tuple(program.inputs), tuple(name for name, _ in program.outputs)
        names = ModuleNames(frozenset(("self",)))  # TensorFlow takes ASCII names only, and no input called self
        signature = [
            tf.TensorSpec((None, *native_shape(spec)), spec.dtype, names.path(name))
            for name, spec in program.inputs.items()
        ]
        self.serve = tf.function(self._served, input_signature=signature)

    def __call__(self, /, *inputs: Any, training: bool = False, **by_name: Any) -> Any:
        """Return the output, a tuple of several, or a dict of them, for tensors (batch, *spatial, channels).

        Raises:
            BadArgument: an input is missing or unknown, or `training` is no bool.
            ShapeMismatch: an input has another shape than its spec.
        """
        values = self._values(inputs, training, by_name)
        outputs = [values[i] for _, i in self._program.outputs]
        return as_returned(outputs, self.outputs if self._program.named else None)

    def __deepcopy__(self, memo: Any) -> Model:
        """Return a model with the same numbers in variables of its own."""
        other = self._program.again()
        for name, variable in other.weights.items():
            variable.assign(self.weights[name])
        other.generator.reset(self.generator.state)
        return other

    def _served(self, *inputs: Any) -> dict[str, Any]:
        values = self._values(inputs, False, {})
        return {name: tf.identity(values[i], name) for name, i in self._program.outputs}

    def _values(self, inputs: tuple[Any, ...], training: bool, by_name: Mapping[str, Any]) -> dict[int, Any]:
        if training is not True and training is not False:
            raise BadArgument(
                f"{self.name}: training must be True or False, as the graph of a model differs between the two.\n"
                f"  Got {training!r} ({type(training).__name__}).\n  Give a bool; a tf.function then traces both."
            )
        values = dict(enumerate(self._bound(inputs, by_name)))
        run(self._program.instructions, values, training)
        return values

    def _bound(self, inputs: tuple[Any, ...], by_name: Mapping[str, Any]) -> list[Any]:
        """Return the tensors of the inputs in order."""
        specs = self._program.inputs
        given = dict(zip(specs, inputs, strict=False))
        unknown = [name for name in by_name if name not in specs or name in given]
        given.update(by_name)
        if unknown or len(inputs) > len(specs) or len(given) < len(specs):
            hint = nearest(unknown[0], specs) if unknown else ""
            raise BadArgument(
                f"{self.name}: expected each of the inputs {', '.join(specs)} once, in order or by name.\n"
                f"  Got {len(inputs)} in order, and {', '.join(by_name) or 'none'} by name.\n"
                f"  Call the model with one tensor for each input of its space.{hint}"
            )
        return [self._tensor(name, spec, given[name]) for name, spec in specs.items()]

    def _tensor(self, name: str, spec: Spec, x: Any) -> Any:
        x = tf.convert_to_tensor(x, spec.dtype)
        expected = (None, *native_shape(spec))
        if not x.shape.is_compatible_with(expected):
            raise ShapeMismatch(
                f"{self.name}: input {name} must be (batch, *spatial, channels): {expected}.\n  Got {tuple(x.shape)}.\n"
                "  Move the channels last, or build the model for this shape."
            )
        return known(x, spec)


def check_built(model: Model, asker: str) -> None:
    """Raise BadArgument where the TensorFlow backend did not build a model."""
    if is_kind(model, Model):
        return
    raise BadArgument(
        f"tensorflow_backend.{asker}: expected a model that tensorflow_backend.build returned.\n"
        f"  Got {type(model).__name__}.\n  A SavedModel that was loaded is no such model; keep the one that was saved."
    )
