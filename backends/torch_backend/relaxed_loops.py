"""Relaxed loops: scans in a relaxed run, whose bodies have several alternatives at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from deep_arch.backends.torch_backend.frames import frames, stacked
from deep_arch.backends.torch_backend.kernels import spec_of
from deep_arch.backends.torch_backend.relaxed_values import Val, applied
from deep_arch.measures.shapes import apply_rule


class RelaxedLoop:
    """A scan in a relaxed run: what its body's alternatives give is added at each step, new states too.

    So a body is relaxed as any function is. dPads lets each body of a fold run by itself, and adds last states.

    References:
        Liu, Simonyan and Yang, DARTS (ICLR 2019), section 3.2, whose recurrent cells are relaxed so.
    """

    def __init__(
        self, address: str, enter: Any, exit: Any, inputs: Sequence[Val], merged: Callable[[Any], Val]
    ) -> None:
        self._address, self._exit, self._merged = address, exit, merged
        tensors = [applied(value) for value in inputs]
        self._states, self._sequences = tensors[: enter.carry], tensors[enter.carry :]
        self._given: list[list[Tensor]] = []
        apply_rule(enter, f"{address}/enter", tuple(map(spec_of, tensors)))

    @property
    def steps(self) -> Iterator[Sequence[Val]]:
        """What the body is given; see `deep_arch.supernets.algebra.Loop`."""
        for each in frames(self._sequences, self._exit.reverse):
            yield [Val(tensor) for tensor in (*self._states, *each)]

    def take(self, given: Sequence[Any]) -> None:
        """Take what a step gives."""
        tensors = [applied(self._merged(value)) for value in given]
        if not self._given:
            specs = tuple(map(spec_of, (self._sequences[0], *self._states, *tensors)))
            apply_rule(self._exit, f"{self._address}/exit", specs)
        n = len(self._states)
        self._states = tensors[:n]
        self._given.append(tensors[n:])

    def results(self) -> tuple[Val, ...]:
        """Return the last states, and sequences."""
        return tuple([Val(tensor) for tensor in (*self._states, *stacked(self._given, self._exit.reverse))])
