"""The Keras backend as tests use it, on whatever backend Keras runs: TensorFlow, PyTorch or JAX."""

# Keras and the frameworks below it are not typed throughout.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingModuleSource=false, reportMissingTypeStubs=false

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np

from deep_arch.backends.keras_backend.weights import named_variables, shape_of
from deep_arch.testing.parity import Array, Arrays, BackendRunner, channels_first, channels_last, listed


class Task(NamedTuple):
    """What gradients are asked of: a model, arrays by input name, the names of those of floats, and the rest."""

    model: Any
    arrays: dict[str, Array]
    floats: list[str]
    variables: list[Any]
    cotangents: list[Array]
    training: bool


class KerasRunner(BackendRunner):
    """Run models of the Keras backend on arrays of NumPy."""

    module: ClassVar[str] = "deep_arch.backends.keras_backend"

    def named(self, model: Any, arrays: Arrays) -> dict[str, Array]:
        outputs = model(_in_order(model, _last(arrays)), training=False)
        return {name: channels_first(np.array(keras.ops.convert_to_numpy(y))) for name, y in outputs.items()}

    def run(self, model: Any, arrays: Arrays, training: bool = False) -> list[Array]:
        call = _in_jax if keras.config.backend() == "jax" else _outputs
        outputs = call(model, _last(arrays), training)
        return [channels_first(np.array(keras.ops.convert_to_numpy(y))) for y in outputs]

    def gradients(
        self, model: Any, arrays: Arrays, cotangents: Sequence[Array], training: bool = False
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        trained = {name: variable for name, variable in named_variables(model).items() if variable.trainable}
        floats = [name for name, x in arrays.items() if np.issubdtype(x.dtype, np.floating)]
        task = Task(
            model, _last(arrays), floats, list(trained.values()), [channels_last(c) for c in cotangents], training
        )
        by_input, by_weight = _GRADIENTS[keras.config.backend()](task)
        return (
            {name: channels_first(np.array(g)) for name, g in zip(floats, by_input, strict=True)},
            {
                name: np.array(g).reshape(shape_of(name, v))
                for (name, v), g in zip(trained.items(), by_weight, strict=True)
            },
        )


def _last(arrays: Arrays) -> dict[str, Array]:
    return {name: np.ascontiguousarray(channels_last(x)) for name, x in arrays.items()}


def _outputs(model: Any, by_name: Mapping[str, Any], training: bool) -> list[Any]:
    return listed(model(_in_order(model, by_name), training=training))


def _in_order(model: Any, by_name: Mapping[str, Any]) -> Any:
    given = [by_name[x.name] for x in model.inputs]
    return given if len(given) > 1 else given[0]


def _tensorflow(task: Task) -> Sequence[Any]:
    import tensorflow as tf

    tensors = {name: tf.constant(x) for name, x in task.arrays.items()}
    by = [[tensors[name] for name in task.floats], [v.value for v in task.variables]]
    with tf.GradientTape() as tape:
        tape.watch(by[0])
        outputs = _outputs(task.model, tensors, task.training)
        loss = [tf.reduce_sum(y * c) for y, c in zip(outputs, task.cotangents, strict=True)]
    gradients: Any = tape.gradient(loss, by, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tuple([tf.convert_to_tensor(g).numpy() for g in group] for group in gradients)


def _torch(task: Task) -> Sequence[Any]:
    import torch

    tensors = {
        name: torch.tensor(x, requires_grad=name in task.floats)  # a copy, whose gradient is its own
        for name, x in task.arrays.items()
    }
    parameters = [v.value for v in task.variables]
    for parameter in parameters:
        parameter.grad = None
    outputs = _outputs(task.model, tensors, task.training)
    losses = [(y * torch.tensor(c)).sum() for y, c in zip(outputs, task.cotangents, strict=True)]
    loss: Any = torch.stack(losses).sum()
    if loss.requires_grad:
        loss.backward()
    by = [tensors[name] for name in task.floats], parameters
    zero = torch.zeros_like
    return tuple([(zero(x) if x.grad is None else x.grad).detach().numpy() for x in group] for group in by)


def _in_jax(model: Any, by_name: Mapping[str, Any], training: bool) -> list[Any]:
    """Compile a whole model: one by one, JAX would compile each operation for each shape."""
    import jax

    call: Any = jax.jit(functools.partial(model.stateless_call, training=training))
    result, updated = call(*_state(model), _in_order(model, by_name))
    _update(model, updated)
    return listed(result)


def _jax(task: Task) -> Sequence[Any]:
    import jax

    model = task.model

    def loss(floats: list[Any], trained: list[Any], frozen: list[Any]) -> Any:
        arrays = {**task.arrays, **dict(zip(task.floats, floats, strict=True))}
        result, updated = model.stateless_call(trained, frozen, _in_order(model, arrays), training=task.training)
        outputs = listed(result)
        return sum((y * c).sum() for y, c in zip(outputs, task.cotangents, strict=True)), updated

    gradient: Any = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    (by_input, by_weight), updated = gradient([task.arrays[name] for name in task.floats], *_state(model))
    _update(model, updated)
    by_variable = {id(v): g for v, g in zip(model.trainable_variables, by_weight, strict=True)}
    return by_input, [by_variable[id(v)] for v in task.variables]


def _state(model: Any) -> tuple[list[Any], list[Any]]:
    return [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]


def _update(model: Any, values: Sequence[Any]) -> None:
    for variable, value in zip(model.non_trainable_variables, values, strict=True):
        variable.assign(value)


_GRADIENTS: Mapping[str, Callable[[Task], Sequence[Any]]] = {
    "tensorflow": _tensorflow,
    "torch": _torch,
    "jax": _jax,
}
