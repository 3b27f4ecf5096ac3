"""Costs of a graph, without any framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deep_arch.language.foreign import unboxed
from deep_arch.language.modules import Operation, weights_of
from deep_arch.language.specs import Spec
from deep_arch.measures.settling import settled
from deep_arch.measures.shapes import infer
from deep_arch.spaces.graph import Graph, GraphCall
from deep_arch.spaces.regions import Repetitions


@dataclass(frozen=True, slots=True)
class Cost:
    """What an architecture costs for one example.

    Attributes:
        parameters: trained numbers; tied ones count once.
        macs: multiply-accumulates of one forward pass.
        activation_bytes: bytes of all that the calls give.
        non_trainable: numbers that a model holds and no optimizer changes, such as running means; tied ones count once.
    """

    parameters: int
    macs: int
    activation_bytes: int
    non_trainable: int = 0

    def times(self, n: int) -> Cost:
        """Return the cost of what runs n times with the same parameters."""
        return Cost(self.parameters, n * self.macs, n * self.activation_bytes, self.non_trainable)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.macs + other.macs,
            self.activation_bytes + other.activation_bytes,
            self.non_trainable + other.non_trainable,
        )


def cost_of(call: GraphCall, specs: tuple[Spec, ...]) -> Cost:
    """Return the cost of one call, whose parameters are counted whether or not they are tied."""
    taken = [specs[i] for i in call.inputs]
    module: Any = call.module
    n_bytes = sum(specs[i].n_bytes for i in call.outputs)
    trained, others = _held(module, taken)
    return Cost(unboxed(trained), unboxed(module.macs(*taken)), n_bytes, unboxed(others))


def _held(module: Any, taken: Sequence[Spec]) -> tuple[int, int]:
    """Return the numbers of trained parameters and of others."""
    kind = module.__class__
    counts_itself = getattr(kind, "parameters", None) is not Operation.parameters
    if counts_itself or kind.non_trainable is not Operation.non_trainable:
        return module.parameters(*taken), module.non_trainable(*taken)
    weights = weights_of(module, taken)  # once for both
    trained = sum([weight.size for weight in weights if weight.trained])
    return trained, sum([weight.size for weight in weights]) - trained


def total(graph: Graph, specs: Sequence[Spec]) -> Cost:
    """Return the cost of a graph for one example, from the specs of its inputs."""
    graph = settled(graph, specs)
    known = infer(graph, specs)
    parameters = macs = n_bytes = non_trainable = 0
    counted: set[str] = set()
    repetitions = Repetitions(graph)
    for call in graph.calls:
        cost = cost_of(call, known).times(repetitions.of(call, known))
        macs, n_bytes = macs + cost.macs, n_bytes + cost.activation_bytes
        if call.module_address not in counted:
            counted.add(call.module_address)
            parameters, non_trainable = parameters + cost.parameters, non_trainable + cost.non_trainable
    return Cost(parameters, macs, n_bytes, non_trainable)
