"""What a built model is: a tf.Module that walks the steps of an architecture, and its weights by neutral name."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from deep_arch.backends.names import ModuleNames
from deep_arch.backends.tensorflow_backend.layout import native_shape
from deep_arch.backends.weights import check_weights
from deep_arch.errors import BadArgument, ShapeMismatch, nearest
from deep_arch.language.specs import Spec

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Run:
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
class Program:
    """What a model runs. TensorFlow does not look into it for variables: they stand in the model's `weights`.

    Attributes:
        inputs: the spec of each input, by name.
        runs: the steps in topological order.
        outputs: the id of the value of each output, by name.
        again: builds such a model once more.
    """

    inputs: Mapping[str, Spec]
    runs: tuple[Run, ...]
    outputs: tuple[tuple[str, int], ...]
    again: Callable[[], Model]


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
        program: Program,
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
        """Return the output, or a tuple of several, for tensors (batch, *spatial, channels).

        Raises:
            BadArgument: an input is missing or unknown, or `training` is no bool.
            ShapeMismatch: an input has another shape than its spec.
        """
        values = self._values(inputs, training, by_name)
        outputs = tuple([values[i] for _, i in self._program.outputs])
        return outputs[0] if len(outputs) == 1 else outputs

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
        for run in self._program.runs:
            results = run.lower[training](*[values[i] for i in run.inputs])
            values.update(zip(run.outputs, results if isinstance(results, tuple) else (results,), strict=True))
            for i in run.last:  # else all of them would fill the memory at once
                del values[i]
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


def check_built(model: Model, asker: str) -> None:
    """Raise BadArgument where the TensorFlow backend did not build a model."""
    if isinstance(model, Model):  # pyright: ignore[reportUnnecessaryIsInstance]
        return
    raise BadArgument(
        f"tensorflow_backend.{asker}: expected a model that tensorflow_backend.build returned.\n"
        f"  Got {type(model).__name__}.\n  A SavedModel that was loaded is no such model; keep the one that was saved."
    )


def _array(variable: tf.Variable) -> Array:
    tensor = tf.cast(variable, tf.float32) if variable.dtype == tf.bfloat16 else variable
    return np.array(tensor.numpy())  # a copy, for on a CPU it may be the tensor's own memory
