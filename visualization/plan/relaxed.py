"""A space with every alternative of its relaxed decisions kept, as one graph: what a drawing of it starts from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from deep_arch.errors import NotSupported
from deep_arch.language.fragment import Call
from deep_arch.language.modules import Module, Operation
from deep_arch.language.specs import Spec
from deep_arch.spaces.frames import Node, Unfolding
from deep_arch.spaces.mixtures import Mixture


@dataclass(eq=False)
class _Standing(Operation):
    n: int = 1

    @property
    def n_outputs(self) -> int:
        return self.n

    def shape(self, *given: Spec) -> tuple[Spec, ...]:
        firsts = given[: self.n]
        if given != firsts * (len(given) // self.n):
            raise NotSupported(f"{self.base_name}: the alternatives differ in shape.")  # so it is not known
        return firsts


class Mixed(_Standing):
    """Adds what alternatives give, by their weights."""

    commutative = True


class Forked(_Standing):
    """Gives its input to each alternative."""


class Passing(_Standing):
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

    def joined(self, other: Branch) -> Branch:
        """Return this alternative with the weight of another that is the same."""
        return self._replace(weight=self.weight + other.weight, given=self.given + other.given)

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
    _ignore(relaxed)
    return relaxed


def _ignore(relaxed: Relaxed) -> None:
    """Let nothing of a node reach the outputs where only what weighs nothing takes it."""
    taken = {*relaxed.unfolding.outputs}
    for node in reversed(relaxed.unfolding.nodes):
        if taken.isdisjoint(range(node.first, node.first + node.n_outputs)):
            relaxed.reach[node.first] = 0.0
        if relaxed.reach.get(node.first, 1.0) > 0:
            branches = relaxed.branches.get(node.first, ()) if isinstance(node.call.module, Mixed) else ()
            weights = [branch.weight for branch in branches for _ in range(node.n_outputs)] or [1.0] * len(node.inputs)
            taken.update(i for i, weight in zip(node.inputs, weights, strict=True) if weight > 0)


def call_of(module: Module, name: str, home: int, index: int, n_inputs: int) -> Call:
    """Return a call that stands for no call of the space's."""
    call = Call(module, name, home, (), index)
    call.n_inputs = n_inputs
    return call
