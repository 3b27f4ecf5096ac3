"""Graphs: what an architecture's calls and values look like to a backend, a searcher or a drawing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from deep_arch.language.domains import Domain
from deep_arch.language.fragment import Call
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.modules import Module
from deep_arch.language.values import UNSET, Slot
from deep_arch.spaces.frames import Frame, Node, Unfolding, named
from deep_arch.spaces.place import module_address, slot_address, up


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call that a hyperparameter gives.

    Attributes:
        name: the argument's name.
        address: the hyperparameter's address.
        value: its value, or UNSET.
        domain: where its value comes from; None for a dependent one.
        parents: what a dependent one is computed from: arguments and plain values.
        symbol: the function of a dependent one.
    """

    name: str
    address: str
    value: Any
    domain: Domain | None
    parents: tuple[Any, ...] = ()
    symbol: str = ""

    @property
    def is_open(self) -> bool:
        """Whether there is no value yet."""
        return self.value is UNSET


class _Shared:
    """What the calls of one graph have in common. They hold this and not the graph, which would be a cycle."""

    __slots__ = ("__dict__", "nodes", "resolved")

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.resolved: dict[int, Module] = {}

    @cached_property
    def module_addresses(self) -> list[str]:
        """The addresses of the modules that are called, in the order of the calls."""
        return [module_address(up(node.frame, node.call.home), node.call) for node in self.nodes]

    @cached_property
    def addresses(self) -> list[str]:
        """The addresses of the calls, in their order."""
        uses: Counter[str] = Counter()
        addresses: list[str] = []
        for address in self.module_addresses:
            addresses.append(f"{address}@{uses[address]}" if uses[address] else address)
            uses[address] += 1
        return addresses


class GraphCall(NamedTuple):
    """One call of a module in an architecture's graph."""

    shared: _Shared
    node: Node
    position: int

    @property
    def address(self) -> str:
        """A name that no other call of the graph has; the second call of a tied module ends in `@1`."""
        return self.shared.addresses[self.position]

    @property
    def module_address(self) -> str:
        """The module's name, equal for all calls of one module, which share its parameters."""
        return self.shared.module_addresses[self.position]

    @property
    def prefix(self) -> str:
        """What the addresses of the function begin with in which the call stands."""
        return self.node.frame.prefix

    @property
    def inputs(self) -> tuple[int, ...]:
        """The ids of the values that the module is called on."""
        return self.node.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """The ids of the values that the call gives."""
        return tuple(range(self.node.first, self.node.first + self.node.n_outputs))

    @property
    def template(self) -> Module:
        """The module as it was written, with its hyperparameters."""
        return self.node.call.module

    @property
    def is_open(self) -> bool:
        """Whether the call is a substitution that is not unfolded yet, or an argument has no value."""
        return self.template.substitution or any(value is UNSET for value in self.node.values)

    @property
    def module(self) -> Module:
        """The module with values for its hyperparameters."""
        resolved = self.shared.resolved.get(self.position)
        if resolved is None:
            resolved = self.shared.resolved[self.position] = self.template.resolved(self.node.values)
        return resolved

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments that hyperparameters give."""
        return tuple(_arguments(self.node.call, self.node.frame))

    def __repr__(self) -> str:
        return f"<{self.address}: {self.template.base_name}{self.inputs} -> {self.outputs}>"


def _arguments(call: Call, frame: Frame) -> Iterator[Argument]:
    for (name, _), slot in zip(call.module.open_arguments, call.arguments, strict=True):
        yield describe(name, slot, frame)


def describe(name: str, slot: Slot, frame: Frame) -> Argument:
    """Return the hyperparameter in a slot as an argument called `name`."""
    owner = up(frame, slot.levels)
    hyperparameter: Hyperparameter = owner.fragment.hyperparameters[slot.place]
    address = slot_address(owner, slot.place)
    value = owner.values[slot.place] if slot.place < len(owner.values) else UNSET
    if isinstance(hyperparameter, Independent):
        return Argument(name, address, value, hyperparameter.domain)
    assert isinstance(hyperparameter, Dependent), "a hyperparameter is independent or dependent"
    parents = tuple([_parent(p, frame) for p in hyperparameter.parents])
    return Argument(name, address, value, None, parents, hyperparameter.symbol)


def _parent(parent: Any, frame: Frame) -> Any:
    if not isinstance(parent, Hyperparameter):
        return parent
    return describe("", frame.fragment.slot_of(parent), frame)


@dataclass(frozen=True, slots=True)
class Group:
    """A substitution that is unfolded: its address, the module, and the arguments that decided it.

    Everything inside has an address that begins with `prefix`.
    """

    address: str
    prefix: str
    module: Module
    arguments: tuple[Argument, ...]


class Graph:
    """The calls of an architecture and the values between them.

    Values have ids: the inputs come first, then the outputs of the calls in topological order.

    Attributes:
        outputs: the ids of the outputs.
        calls: in topological order.
        groups: the substitutions that are unfolded, outer ones first.
    """

    def __init__(self, unfolding: Unfolding) -> None:
        self._unfolding = unfolding
        self.root = unfolding.frames[""]
        self.outputs = unfolding.outputs
        shared = _Shared(unfolding.nodes)
        self.calls = named(GraphCall, zip(itertools.repeat(shared), unfolding.nodes, itertools.count()))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.root.fragment.program.input_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs."""
        names = self.root.fragment.output_names
        if len(names) != len(self.outputs):  # the function returned the whole result of a call with several outputs
            return tuple(f"output_{i}" for i in range(len(self.outputs)))
        return names

    @property
    def outputs_are_named(self) -> bool:
        """Whether the space's function returned a dict, as which the outputs of a built model come back."""
        return self.root.fragment.outputs_are_named

    @property
    def n_values(self) -> int:
        """The number of values, inputs included."""
        return len(self.inputs) + sum(node.n_outputs for node in self._unfolding.nodes)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Pairs of addresses: a call or input, and a call that takes what it gives; outputs by their names."""
        source = self.sources
        edges = [(source[i], call.address) for call in self.calls for i in call.inputs]
        return edges + [(source[i], name) for i, name in zip(self.outputs, self.output_names, strict=True)]

    @property
    def sources(self) -> list[str]:
        """What each value comes from, by id: the name of an input, or the address of a call."""
        return [*self.inputs, *[call.address for call in self.calls for _ in call.outputs]]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        groups: list[Group] = []
        for prefix, frame in self._unfolding.frames.items():
            if frame.call is not None and frame.caller is not None:
                arguments = tuple(_arguments(frame.call, frame.caller))
                address = prefix.removesuffix(frame.fragment.ending)
                groups.append(Group(address, prefix, frame.call.module, arguments))
        return tuple(groups)

    @cached_property
    def config(self) -> dict[str, Argument | Any]:
        """What `config` attached: name to argument, or to the plain value."""
        return {
            prefix + key: describe(key, frame.fragment.slot_of(value), frame)
            if isinstance(value, Hyperparameter)
            else value
            for prefix, frame in self._unfolding.frames.items()
            for key, value in frame.fragment.config.items()
        }

    def __len__(self) -> int:
        return len(self.calls)

    def __repr__(self) -> str:
        return f"<graph of {len(self.calls)} calls, {len(self.inputs)} inputs, {len(self.outputs)} outputs>"
