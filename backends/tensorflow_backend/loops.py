"""Loops: a body that runs once for each frame of its sequences."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import tensorflow as tf

from deep_arch.backends.build_plan import BuildLoop
from deep_arch.backends.specs import native_shape, time_axis
from deep_arch.backends.tensorflow_backend.model import Instruction, run
from deep_arch.language.specs import Spec

_MOST_UNROLLED: Final = 64
"""Steps that a graph holds one by one, which is faster; more are a loop in the graph."""


class Loop:
    """A body along the time axis of its sequences; see `da.scan`."""

    def __init__(self, loop: BuildLoop, specs: Sequence[Spec], body: Sequence[Instruction], training: bool) -> None:
        region = loop.region
        self._body, self._training, self._reverse, self._length = tuple(body), training, region.reverse, loop.length
        self._inside, self._given = (*region.states, *region.frames, *region.captured), region.given
        self._carry, self._n_sequences = region.carry, len(region.frames)
        self._axes = [time_axis(specs[i]) for i in region.enter.inputs[self._carry :]]
        self._states = [specs[i] for i in region.states]
        self._results = [
            (specs[i], time_axis(specs[o])) for i, o in zip(region.given, region.exit.outputs, strict=True)
        ]
        self._results = self._results[self._carry :]

    def __call__(self, *given: Any) -> tuple[Any, ...]:
        """Return the last states, and what the steps give, from states, sequences, and what the body reads besides."""
        end = self._carry + self._n_sequences
        states, sequences, captured = given[: self._carry], given[self._carry : end], given[end:]
        if tf.executing_eagerly() or self._length <= _MOST_UNROLLED:
            return self._unrolled(states, sequences, captured)
        return self._looped(states, sequences, captured)

    def _step(self, states: Sequence[Any], frames: Sequence[Any], captured: Sequence[Any]) -> list[Any]:
        values = dict(zip(self._inside, (*states, *frames, *captured), strict=True))
        run(self._body, values, self._training)
        return [values[i] for i in self._given]

    def _unrolled(self, states: Sequence[Any], sequences: Sequence[Any], captured: Sequence[Any]) -> tuple[Any, ...]:
        rows = [tf.unstack(x, self._length, axis) for x, axis in zip(sequences, self._axes, strict=True)]
        steps: list[list[Any]] = []
        for frames in zip(*[row[::-1] for row in rows] if self._reverse else rows, strict=True):
            found = self._step(states, frames, captured)
            states = found[: self._carry]
            steps.append(found[self._carry :])
        if self._reverse:
            steps.reverse()
        stacked = [tf.stack(row, axis) for row, (_, axis) in zip(zip(*steps, strict=True), self._results, strict=True)]
        return (*states, *stacked)

    def _looped(self, states: Sequence[Any], sequences: Sequence[Any], captured: Sequence[Any]) -> tuple[Any, ...]:
        def step(t: Any, states: Any, arrays: Any) -> tuple[Any, ...]:
            at = self._length - 1 - t if self._reverse else t
            frames = [tf.gather(x, at, axis=axis) for x, axis in zip(sequences, self._axes, strict=True)]
            found = self._step(states, frames, captured)
            results = found[self._carry :]
            written = [array.write(at, x) for array, x in zip(arrays, results, strict=True)]
            return t + 1, tuple(found[: self._carry]), tuple(written)

        arrays = tuple([tf.TensorArray(spec.dtype, self._length) for spec, _ in self._results])
        shapes = tuple([tf.TensorShape((None, *native_shape(spec))) for spec in self._states])
        anything = tuple([tf.TensorShape(None) for _ in arrays])  # pyright: ignore[reportArgumentType]
        _, states, arrays = tf.while_loop(
            lambda t, *_: t < self._length,
            step,
            (0, tuple(states), arrays),
            shape_invariants=(tf.TensorShape(()), shapes, anything),
        )
        stacked = [_moved(array.stack(), spec, axis) for array, (spec, axis) in zip(arrays, self._results, strict=True)]
        return (*states, *stacked)


def _moved(stacked: Any, spec: Spec, axis: int) -> Any:
    """Bring (time, batch, ...) to where time stands in a sequence of frames of such a spec."""
    rank = spec.rank + 2
    stacked = tf.ensure_shape(stacked, (stacked.shape[0], None, *native_shape(spec)))
    return tf.transpose(stacked, (*range(1, axis + 1), 0, *range(axis + 1, rank)))
