"""Graphs: what an architecture's calls and values look like to a backend, a searcher or a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deep_arch.domains import Domain
from deep_arch.fragments import Slot
from deep_arch.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.modules import Module
from deep_arch.unfolding import UNSET, Frame, Node, Unfolding, up


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call that a hyperparameter gives.

    Attributes:
        name: the argument's name.
        address: the hyperparameter's address.
        value: its value, or UNSET.
        domain: where its value comes from; None for a dependent one.
        parents: what a dependent one is computed from: addresses and plain values.
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


class GraphCall:
    """One call of a module in an architecture's graph.

    Attributes:
        address: unique; the second call of a tied module ends in `@1`.
        module_address: equal for the calls of one module, which share its parameters.
        inputs, outputs: ids of values.
    """

    __slots__ = ("__dict__", "_node", "_root", "address", "inputs", "module_address", "outputs")

    def __init__(
        self, node: Node, root: Frame, address: str, module_address: str, inputs: tuple[int, ...], outputs: range
    ) -> None:
        self._node, self._root = node, root
        self.address, self.module_address = address, module_address
        self.inputs, self.outputs = inputs, tuple(outputs)

    @property
    def template(self) -> Module:
        """The module as it was written, with its hyperparameters."""
        return self._node[0].module

    @property
    def is_open(self) -> bool:
        """Whether the call is a substitution that is not unfolded yet, or an argument has no value."""
        return self.template.substitution or any(value is UNSET for value in self._node[2])

    @cached_property
    def module(self) -> Module:
        """The module with values for its hyperparameters."""
        return self.template.resolved(self._node[2])

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments that hyperparameters give."""
        return tuple(_arguments(self._node[0], self._node[1], self._root))

    def __repr__(self) -> str:
        return f"<{self.address}: {self.template.base_name}{self.inputs} -> {self.outputs}>"


def _arguments(call: Any, frame: Frame, root: Frame) -> Iterator[Argument]:
    for (name, _), slot in zip(call.module.open_arguments, call.arguments, strict=True):
        yield describe(name, slot, frame, root)


def describe(name: str, slot: Slot, frame: Frame, root: Frame) -> Argument:
    """Return the hyperparameter in a slot as an argument called `name`."""
    owner = up(frame, slot.levels, root)
    hyperparameter: Hyperparameter = owner.fragment.hyperparameters[slot.index]
    address = owner.prefix + owner.fragment.suffixes[slot.index]
    value = owner.values[slot.index] if slot.index < len(owner.values) else UNSET
    if isinstance(hyperparameter, Independent):
        return Argument(name, address, value, hyperparameter.domain)
    assert isinstance(hyperparameter, Dependent), "a hyperparameter is independent or dependent"
    parents = tuple([_parent(p, frame, root) for p in hyperparameter.parents])
    return Argument(name, address, value, None, parents, hyperparameter.symbol)


def _parent(parent: Any, frame: Frame, root: Frame) -> Any:
    if not isinstance(parent, Hyperparameter):
        return parent
    return describe("", frame.fragment.slot_of(parent), frame, root)


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
        inputs: the names of the inputs.
        output_names: the names of the outputs.
        outputs: the ids of the outputs.
        calls: in topological order.
        groups: the substitutions that are unfolded, outer ones first.
    """

    def __init__(self, unfolding: Unfolding) -> None:
        self._unfolding = unfolding
        root = self._root = unfolding.frames[""]
        self.inputs = root.fragment.program.input_names
        self.calls: list[GraphCall] = []
        ids = {i: i for i in range(len(self.inputs))}
        uses: Counter[str] = Counter()
        for node in unfolding.nodes:
            call, frame, _, inputs, first, n = node
            home = up(frame, call.home, root).prefix + call.name if call.home else frame.prefix + call.name
            address = f"{home}@{uses[home]}" if uses[home] else home
            uses[home] += 1
            start = len(ids)
            ids.update((first + k, start + k) for k in range(n))
            renamed = tuple([ids[i] for i in inputs])
            self.calls.append(GraphCall(node, root, address, home, renamed, range(start, start + n)))
        self.outputs = tuple([ids[i] for i in unfolding.outputs])
        names = root.fragment.output_names
        several = len(names) != len(self.outputs)
        self.output_names = tuple(f"output_{i}" for i in range(len(self.outputs))) if several else names
        self.n_values = len(ids)

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
                arguments = tuple(_arguments(frame.call, frame.caller, self._root))
                address = prefix.removesuffix(frame.fragment.ending)
                groups.append(Group(address, prefix, frame.call.module, arguments))
        return tuple(groups)

    @cached_property
    def config(self) -> dict[str, Argument | Any]:
        """What `config` attached: name to argument, or to the plain value."""
        return {
            prefix + key: describe(key, frame.fragment.slot_of(value), frame, self._root)
            if isinstance(value, Hyperparameter)
            else value
            for prefix, frame in self._unfolding.frames.items()
            for key, value in frame.fragment.config.items()
        }

    def __len__(self) -> int:
        return len(self.calls)

    def __repr__(self) -> str:
        return f"<graph of {len(self.calls)} calls, {len(self.inputs)} inputs, {len(self.outputs)} outputs>"
