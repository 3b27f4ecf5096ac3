"""A space with every alternative of its relaxed decisions kept, as one graph: what a drawing of it starts from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from deep_arch.language.modules import Module, Operation
from deep_arch.language.specs import Spec
from deep_arch.spaces.frames import Node, Unfolding
from deep_arch.spaces.mixtures import Mixture


class Mixed(Operation):
    """Adds what alternatives give, by their weights."""

    commutative = True

    def shape(self, *given: Spec) -> Spec:
        return given[0]


class Forked(Operation):
    """Gives its input to each alternative."""

    def shape(self, x: Spec) -> Spec:
        return x


class Passing(Module):
    """Stands for an alternative that has no module, so that it is seen."""


class Branch(NamedTuple):
    """One alternative of a relaxed decision.

    Attributes:
        text: its values, as a reader knows them.
        weight: of the alternative, 0 where it is not active.
        given: the weight as it was given.
        key: what the addresses inside begin with, without the last slash.
        address: of the substitution.
    """

    text: str
    weight: float
    given: float
    key: str
    address: str

    @property
    def marked(self) -> bool:
        """Whether addresses tell what is inside this alternative."""
        return self.key != self.address


@dataclass
class Relaxed:
    """A space with every alternative of its relaxed decisions kept.

    Attributes:
        unfolding: of which some nodes are `Forked`, `Mixed` and `Passing`.
        mixtures: the relaxed decisions that it holds, by address.
        reach: how much of each node reaches the outputs, by the id of its first value: the weights on the way, 1 where
            nothing on it is relaxed.
        branches: the alternatives that a node joins, or that it stands for, by the id of its first value.
        marked: the alternatives whose addresses tell them, by key.
    """

    unfolding: Unfolding
    mixtures: dict[str, Mixture] = field(default_factory=dict[str, Mixture])
    reach: dict[int, float] = field(default_factory=dict[int, float])
    branches: dict[int, tuple[Branch, ...]] = field(default_factory=dict[int, "tuple[Branch, ...]"])
    marked: dict[str, Branch] = field(default_factory=dict[str, Branch])


def pruned(relaxed: Relaxed) -> Relaxed:
    """Return it without the nodes that no output depends on, and its values numbered without gaps."""
    unfolding = relaxed.unfolding
    needed = Counter(unfolding.outputs)
    for node in reversed(unfolding.nodes):
        if any(i in needed for i in range(node.first, node.first + node.n_outputs)):
            needed[node.first] += 0
            needed.update(node.inputs)
    ids = {i: i for i in range(unfolding.frames[""].fragment.n_inputs)}
    next_id, nodes = len(ids), list[Node]()
    for node in unfolding.nodes:
        if node.first not in needed:
            continue
        if isinstance(node.call.module, Forked) and needed[node.first] < 2:  # there is nothing to fork
            ids[node.first] = ids[node.inputs[0]]
            relaxed.reach.pop(node.first, None)
        else:
            start = next_id
            ids.update((node.first + i, start + i) for i in range(node.n_outputs))
            nodes.append(node._replace(inputs=tuple([ids[i] for i in node.inputs]), first=start))
            next_id += node.n_outputs
    unfolding.nodes, unfolding.outputs = nodes, tuple([ids[i] for i in unfolding.outputs])
    relaxed.reach = {ids[i]: part for i, part in relaxed.reach.items() if i in ids}
    relaxed.branches = {ids[i]: branches for i, branches in relaxed.branches.items() if i in ids}
    return relaxed
