"""What flows along the edges of a space with every alternative kept: the interface of a walk's algebra."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from deep_arch.language.fragment import Call
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.scans import Enter, Exit


class Row(NamedTuple):
    """One joint value of the decisions of a call.

    Attributes:
        weight: the product of the relaxed decisions' weights; None where none is relaxed.
        binding: the values of the hyperparameters.
        given: those of the relaxed ones, by address.
        parts: the position and the weight of each relaxed one, by address.
    """

    weight: Any
    binding: dict[Independent, Any]
    given: dict[str, Any]
    parts: dict[str, tuple[int, Any]]


JointValues = tuple[Any, tuple[Any, ...], dict[str, tuple[int, Any]]]
"""The weight, or None; the values of a call's arguments; and the `Row.parts` that these come from."""


class Algebra(Protocol):
    """What flows along the edges of a space: one value for each output, in a tuple where there are several."""

    def key(self, value: Any) -> Hashable:
        """Return what is equal for values that are the same."""
        ...

    def leaf(
        self, call: Call, address: str, rows: Sequence[JointValues], inputs: Any, measured: Any, along: Sequence[Any]
    ) -> Any:
        """Return what an operation gives at joint values of its arguments.

        Args:
            call, address: the operation.
            rows: the joint values.
            inputs: what it is called on.
            measured: what its arguments read shapes of.
            along: the sequences of the scans around it, where `counts_calls`.
        """
        ...

    def selected(
        self, call: Call, address: str, values: tuple[Any, ...], measured: Sequence[Any]
    ) -> Sequence[tuple[Any, int]]:
        """Return the weights and positions of the inputs that shapes may select."""
        ...

    def mix(self, found: Sequence[tuple[Any, Any]], address: str) -> Any:
        """Return what alternatives give together, each with a weight or None."""
        ...

    def walked(self, call: Call, address: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the joint values of a substitution's decisions to walk, which stand for all."""
        ...


class Loop(Protocol):
    """A scan that runs step by step.

    Attributes:
        steps: for each step, in the order of time, what its body is given: states and frames.
    """

    steps: Iterable[Sequence[Any]]

    def take(self, given: Sequence[Any]) -> None:
        """Take the new states of a step, and what it gives besides."""
        ...

    def results(self) -> tuple[Any, ...]:
        """Return the last states, and the sequences of what the steps gave."""
        ...


class StepByStep(Protocol):
    """An algebra of which scans run their bodies at each step; those of others are walked once."""

    def loop(self, address: str, enter: Enter, exit: Exit, inputs: Sequence[Any]) -> Loop:
        """Return the loop of a scan with such first states and sequences."""
        ...
