"""Loops: a body, a model of its own, that runs once for each frame of its sequences."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedClassDecorator=false, reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras

from deep_arch.backends.build_plan import BuildItem, BuildLoop
from deep_arch.backends.keras_backend.context import Names
from deep_arch.backends.specs import native_shape, time_axis
from deep_arch.language.specs import Spec

_registered: Any = keras.saving.register_keras_serializable(package="deep_arch")
_ops: Any = keras.ops

_MOST_UNROLLED: Final = 64
"""Steps that JAX compiles one by one, which run faster; more are a loop, which compiles faster."""


@_registered
class Loop(keras.layers.Layer):  # type: ignore[misc]
    """A body along the time axis of its sequences; see `da.scan`.

    Args:
        body: a model from states, frames, and what it reads besides, to new states and results.
        carry: the number of states.
        axes: where time stands in each sequence.
        result_axes: where time stands in each sequence of results.
        reverse: whether time runs from the last frame to the first.
    """

    def __init__(
        self, body: Any, carry: int, axes: Sequence[int], result_axes: Sequence[int], reverse: bool, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.body, self.carry, self.reverse = body, carry, reverse
        self.axes, self.result_axes = tuple(axes), tuple(result_axes)

    def call(self, inputs: Sequence[Any], training: Any = None) -> Any:
        """Map states, sequences, and what the body reads besides, to last states and sequences."""
        end = self.carry + len(self.axes)
        states, sequences, captured = inputs[: self.carry], inputs[self.carry : end], inputs[end:]

        def step(states: Sequence[Any], frames: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            given = [*states, *frames, *captured]
            found = self.body(given if len(given) > 1 else given[0], training=training)
            found = list(found) if isinstance(found, (list, tuple)) else [found]
            return found[: self.carry], found[self.carry :]

        length = sequences[0].shape[self.axes[0]]
        # What a body changes, such as moving means and the state of its dropout, cannot change inside a compiled loop.
        is_jax = keras.config.backend() == "jax"  # on TensorFlow, Keras scans only what gives as much as it carries
        looped = is_jax and length > _MOST_UNROLLED and not self.body.non_trainable_variables
        return [*(self._looped if looped else self._unrolled)(step, list(states), sequences, length)]

    def _unrolled(self, step: Any, states: list[Any], sequences: Sequence[Any], length: int) -> list[Any]:
        rows = [_ops.unstack(x, length, axis) for x, axis in zip(sequences, self.axes, strict=True)]
        steps: list[list[Any]] = []
        for frames in zip(*[row[::-1] for row in rows] if self.reverse else rows, strict=True):
            states, results = step(states, frames)
            steps.append(results)
        if self.reverse:
            steps.reverse()
        return [
            *states,
            *[_ops.stack(r, axis) for r, axis in zip(zip(*steps, strict=True), self.result_axes, strict=True)],
        ]

    def _looped(self, step: Any, states: list[Any], sequences: Sequence[Any], length: int) -> list[Any]:
        rows = [_ops.moveaxis(x, axis, 0) for x, axis in zip(sequences, self.axes, strict=True)]
        states, results = _ops.scan(step, states, rows, length, self.reverse)
        return [*states, *[_ops.moveaxis(r, 0, axis) for r, axis in zip(results, self.result_axes, strict=True)]]

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        body = keras.saving.serialize_keras_object(self.body)
        own = {"carry": self.carry, "axes": self.axes, "result_axes": self.result_axes, "reverse": self.reverse}
        return {**super().get_config(), "body": body, **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loop:
        """Return the layer that a configuration tells of."""
        return cls(**{**config, "body": keras.saving.deserialize_keras_object(config["body"])})


Write = Callable[[Sequence[BuildItem], dict[int, Any]], None]
"""Writes steps, and gives a dict what they give by id."""


def call_loop(loop: BuildLoop, names: Names, specs: Sequence[Spec], given: Sequence[Any], write: Write) -> list[Any]:
    """Call the layer of a scan, which is made once for each body that its module has, and return its outputs."""
    key = f"{loop.path} {_signature(loop, specs)}"
    if key not in names.loops:
        names.loops[key] = _made(loop, names, specs, write)
    return list(names.loops[key](list(given)))


def _made(loop: BuildLoop, names: Names, specs: Sequence[Spec], write: Write) -> Loop:
    region = loop.region
    inside = {
        i: keras.Input(native_shape(specs[i]), dtype=specs[i].dtype, name=names.claim(f"{loop.path}.value_{n}"))
        for n, i in enumerate((*region.states, *region.frames, *region.captured))
    }
    values = dict(inside)
    write(loop.items, values)
    inputs, outputs = [*inside.values()], [values[i] for i in region.given]
    body = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=names.claim(f"{loop.path}.body"))
    sequences = region.enter.inputs[region.carry :]
    results = region.exit.outputs[region.carry :]
    axes, result_axes = ([time_axis(specs[i]) for i in ids] for ids in (sequences, results))
    return Loop(body, region.carry, axes, result_axes, region.reverse, name=names.claim(loop.path))


def _signature(loop: BuildLoop, specs: Sequence[Spec]) -> list[Any]:
    """Return what tells the bodies of one module apart, which shapes may decide on."""
    region = loop.region
    inputs = [specs[i] for i in (*region.states, *region.frames, *region.captured)]
    inner = [
        _signature(item, specs) if isinstance(item, BuildLoop) else (item.module_address, item.specs)
        for item in loop.items
    ]
    return [inputs, *inner]
