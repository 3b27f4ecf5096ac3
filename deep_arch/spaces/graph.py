"""Graphs: what an architecture's calls and values look like to a backend, a searcher or a drawing."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from deep_arch.language.depending import Depending
from deep_arch.language.domains import Domain
from deep_arch.language.formulas import ShapeOf
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
        value: its value, or UNSET, or a `Late` where it is computed from shapes that are not known yet.
        domain: where its value comes from; None for a dependent one. A `Depending` where it depends on open ones.
        parents: what a dependent one is computed from, or a domain depends on: arguments and plain values.
        symbol: the function of a dependent one.
        needs_shapes: whether it is a formula of shapes.
    """

    name: str
    address: str
    value: Any
    domain: Domain | Depending | None
    parents: tuple[Any, ...] = ()
    symbol: str = ""
    needs_shapes: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is no value yet."""
        return self.value is UNSET

    @property
    def waits_for(self) -> list[str]:
        """The addresses of what has to be assigned so that there is a value."""
        found: dict[str, None] = {}
        todo: list[Any] = [self]
        while todo:
            argument = todo.pop()
            if isinstance(argument, Argument):
                if argument.is_open and argument.domain is not None:
                    found[argument.address] = None
                todo += reversed(argument.parents)
        return list(found)


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
    def sources(self) -> list[str]:
        """What each value comes from, by id: the name of an input, or the address of a call."""
        names = self.nodes[0].frame.fragment.program.input_names if self.nodes else ()
        given = zip(self.addresses, self.nodes, strict=True)
        return [*names, *[address for address, node in given for _ in range(node.n_outputs)]]

    def nearby(self, source: str, prefix: str) -> str:
        """Return the source of a value without what it shares with a prefix, where no other source is called so."""
        while not source.startswith(prefix) or source.startswith("[", len(prefix)):
            prefix = "".join(prefix.rstrip("/").rpartition("/")[:2])
        short = source.removeprefix(prefix)
        return source if short in self.names else short

    @cached_property
    def names(self) -> frozenset[str]:
        """The sources of all values."""
        return frozenset(self.sources)

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
        return self.node.inputs[: self.node.call.n_inputs]

    @property
    def measured(self) -> tuple[int, ...]:
        """The ids of the values whose shapes its arguments are computed from; none where they are computed."""
        return self.node.inputs[self.node.call.n_inputs :]

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
        if not self.template.measures:
            return tuple(_arguments(self.node.call, self.node.frame))
        given = [self.shared.nearby(self.shared.sources[i], self.prefix) for i in self.measured]
        names: dict[Hyperparameter, str] = dict(zip(self.template.measures, given, strict=False))
        arguments = _arguments(self.node.call, self.node.frame, names)
        return tuple([replace(a, value=value) for a, value in zip(arguments, self.node.values, strict=True)])

    def __repr__(self) -> str:
        return f"<{self.address}: {self.template.base_name}{self.inputs} -> {self.outputs}>"


_NO_NAMES: Final[Mapping[Hyperparameter, str]] = MappingProxyType({})


class _Name(str):
    """The name of a value, which formulas show without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _arguments(call: Call, frame: Frame, names: Mapping[Hyperparameter, str] = _NO_NAMES) -> Iterator[Argument]:
    for (name, _), slot in zip(call.module.open_arguments, call.arguments, strict=True):
        yield describe(name, slot, frame, names)


def describe(name: str, slot: Slot, frame: Frame, names: Mapping[Hyperparameter, str] = _NO_NAMES) -> Argument:
    """Return the hyperparameter in a slot as an argument called `name`.

    Args:
        name: of the argument.
        slot: of the hyperparameter, as seen from the frame.
        frame: of the call.
        names: of the values whose shapes it is computed from.
    """
    owner = up(frame, slot.levels)
    hyperparameter: Hyperparameter = owner.fragment.hyperparameters[slot.place]
    address = slot_address(owner, slot.place)
    value = owner.values[slot.place] if slot.place < len(owner.values) else UNSET
    assert isinstance(hyperparameter, Independent | Dependent), "there are no other hyperparameters"
    parents = tuple([_parent(p, frame, names) for p in hyperparameter.parents])
    if isinstance(hyperparameter, Independent):
        return Argument(name, address, value, _domain(hyperparameter, parents, address), parents)
    if isinstance(hyperparameter, ShapeOf):
        parents = (_Name(names.get(hyperparameter, "")),)
    return Argument(name, address, value, None, parents, hyperparameter.symbol, hyperparameter.needs_shapes)


def _domain(hyperparameter: Independent, parents: Sequence[Any], address: str) -> Domain | Depending:
    depending = hyperparameter.depending
    if depending is None:
        return hyperparameter.domain
    given = [p.value if isinstance(p, Argument) else p for p in parents]
    return depending if any(value is UNSET for value in given) else depending.at(given, address)


def _parent(parent: Any, frame: Frame, names: Mapping[Hyperparameter, str]) -> Any:
    if not isinstance(parent, Hyperparameter):
        return parent
    return describe("", frame.fragment.slot_of(parent), frame, names)


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
        return self.calls[0].shared.sources if self.calls else [*self.inputs]

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


def having(graph: Graph, nodes: Sequence[Node], outputs: tuple[int, ...]) -> Graph:
    """Return a graph of the same architecture that has some of its nodes, with other inputs and values.

    A substitution of which no node is left is left out.
    """
    before: Unfolding = graph._unfolding  # pyright: ignore[reportPrivateUsage]
    unfolding = copy.copy(before)
    unfolding.nodes, unfolding.outputs = [*nodes], outputs
    emptied = _standing_in(before.nodes) - _standing_in(nodes)
    unfolding.frames = {p: f for p, f in before.frames.items() if p == "" or id(f.env) not in emptied}
    return Graph(unfolding)


def _standing_in(nodes: Iterable[Node]) -> set[int]:
    """Return the frames around some nodes, by the identity of what they hold."""
    found: set[int] = set()
    for node in nodes:
        frame: Frame | None = node.frame
        while frame is not None and id(frame.env) not in found:
            found.add(id(frame.env))
            frame = frame.caller
    return found
