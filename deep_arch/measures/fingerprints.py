"""Fingerprints: texts that are equal for graphs that compute the same, up to order and renaming.

Each node gets a colour from its operation, its arguments and the colours of its inputs, so that equal colours
mean equal expressions. Where several nodes with parameters or randomness of their own have one colour, they may
still differ in what they are joined to: colours are then refined by the neighbours on both sides until they are
stable (Weisfeiler and Leman, 1968). Refinement alone cannot tell some graphs apart whose ambiguous part has
cycles, so there each node of the smallest ambiguous class is singled out in turn, and all the results count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotSpecified
from deep_arch.language.canonical import canonical, digest
from deep_arch.language.domains import Choice
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.modules import Module, Operation, Wrapped
from deep_arch.language.program import expansion_key
from deep_arch.language.selection import Select
from deep_arch.language.values import UNSET, Late
from deep_arch.ops import Add, Identity, Zero
from deep_arch.spaces.graph import Argument, Graph, GraphCall


def fingerprint(graph: Graph) -> str:
    """Return the fingerprint of a graph.

    Raises:
        NotSpecified: something in it has no value yet.
    """
    config = {k: v.value if isinstance(v, Argument) else v for k, v in graph.config.items()}
    if any(call.is_open for call in graph.calls) or any(value is UNSET for value in config.values()):
        raise _not_specified(graph)
    return digest(_graph(graph), *[f"{key}={canonical(value)}" for key, value in sorted(config.items())])


def _not_specified(graph: Graph) -> NotSpecified:
    arguments = [argument for call in graph.calls for argument in call.arguments]
    arguments += [value for value in graph.config.values() if isinstance(value, Argument)]
    waiting = dict.fromkeys(address for argument in arguments for address in argument.waits_for)
    return NotSpecified(
        f"{graph.root.fragment.program.name}: a partial architecture has no fingerprint.\n"
        f"  Got no value for {', '.join([*waiting][:5])}.\n"
        "  Assign the rest or take architecture.completed(), or compare the values of partial architectures."
    )


class _Canonical:
    """The nodes of a graph without what computes nothing, and with equal stateless nodes made one."""

    def __init__(self, graph: Graph) -> None:
        self.labels: list[str] = []
        self.commutative: list[bool] = []
        self.inputs: list[tuple[int, ...]] = []  # nodes; several outputs of a node are nodes of their own
        self.ties: dict[str, list[int]] = {}
        self._merged: dict[tuple[str, tuple[int, ...]], int] = {}
        place = {i: self._add(f"input {i}", ()) for i in range(len(graph.inputs))}
        for call in graph.calls:
            self._add_call(call, place)
        self.outputs = tuple([place[i] for i in graph.outputs])
        self._drop_unused()

    def _add(self, label: str, inputs: tuple[int, ...], commutative: bool = False) -> int:
        self.labels.append(label)
        self.inputs.append(inputs)
        self.commutative.append(commutative)
        return len(self.labels) - 1

    def _add_call(self, call: GraphCall, place: dict[int, int]) -> None:
        kind = kind_of(call)
        inputs = tuple([place[i] for i in (*call.inputs, *call.measured)])
        if kind.is_identity:
            place[call.outputs[0]] = inputs[0]
            return
        key = (kind.label, tuple(sorted(inputs)) if kind.commutative else inputs)
        node = self._merged.get(key) if kind.stateless else None
        if node is None:
            node = self._merged[key] = self._add(key[0], key[1], kind.commutative)
            if not kind.stateless:
                self.ties.setdefault(call.module_address, []).append(node)
        several = len(call.outputs) > 1
        for port, value in enumerate(call.outputs):
            key = (f"output {port}", (node,))
            if several and key not in self._merged:
                self._merged[key] = self._add(*key)
            place[value] = self._merged[key] if several else node

    def _drop_unused(self) -> None:
        self.live: set[int] = set(self.outputs)
        for node in range(len(self.labels) - 1, -1, -1):
            if node in self.live:
                self.live.update(self.inputs[node])
        self.groups = [[n for n in nodes if n in self.live] for nodes in self.ties.values()]

    def forward(self, colours: Mapping[int, str] | None = None) -> dict[int, str]:
        """Return a colour for each node: equal ones for equal expressions that start from equal `colours`."""
        given: dict[int, str] = {}
        for node in sorted(self.live):
            inputs = [given[i] for i in self.inputs[node]]
            own = colours[node] if colours else ""
            given[node] = digest(self.labels[node], own, *(sorted(inputs) if self.commutative[node] else inputs))
        return given

    def tied(self, colours: Mapping[int, str]) -> dict[int, str]:
        """Return the colours with those of the nodes that share their parameters mixed in."""
        given = dict(colours)
        for group in self.groups:
            if len(group) > 1:
                together = digest(*sorted(colours[n] for n in group))
                given.update({n: digest(colours[n], together) for n in group})
        return given

    def backward(self, colours: Mapping[int, str]) -> dict[int, str]:
        """Return the colours with those of the nodes that use each mixed in."""
        users: dict[int, list[str]] = {n: [] for n in self.live}
        for place, node in enumerate(self.outputs):
            users[node].append(f"output {place}")
        for node in sorted(self.live, reverse=True):
            for position, source in enumerate(self.inputs[node]):
                users[source].append(digest(colours[node], 0 if self.commutative[node] else position))
        return {n: digest(colours[n], *sorted(users[n])) for n in self.live}

    def refined(self, colours: dict[int, str]) -> dict[int, str]:
        """Return the colours refined by both sides until no class splits."""
        n_classes = 0
        while n_classes < len(set(colours.values())):
            n_classes = len(set(colours.values()))
            colours = self.backward(self.tied(self.forward(colours)))
        return colours

    def ambiguous_cycles(self, colours: Mapping[int, str]) -> list[int]:
        """Return the nodes that share their colour, if those that do are joined in a cycle."""
        counts = Counter(colours.values())
        ambiguous = sorted(n for n in self.live if counts[colours[n]] > 1)
        joined = [(n, i) for n in ambiguous for i in set(self.inputs[n])]
        joined += [(-1 - g, n) for g, group in enumerate(self.groups) if len(group) > 1 for n in group]
        parent: dict[int, int] = {}

        def top(n: int) -> int:
            while parent.get(n, n) != n:
                n = parent[n]
            return n

        for a, b in joined:
            if b in parent or counts[colours[b]] > 1:
                a, b = top(a), top(b)
                if a == b:
                    return self._fewest(ambiguous, colours)
                parent[a] = b
        return []

    def _fewest(self, nodes: list[int], colours: Mapping[int, str]) -> list[int]:
        """Return the nodes of the smallest class among those given: to single out each of one class is enough."""
        counts = Counter(colours[n] for n in nodes)
        colour = min(counts, key=lambda c: (counts[c], c))
        return [n for n in nodes if colours[n] == colour]


class Kind(NamedTuple):
    """What a call computes, as far as it can be told from the call alone.

    Attributes:
        label: equal for equal operations with equal arguments.
        sort: the operation's name, and a text that is equal if all arguments are equal that are no open numbers:
            constants and options count, what an interval, a range or a computation gives does not.
    """

    label: str
    sort: str
    is_identity: bool = False
    is_zero: bool = False
    is_sum: bool = False
    stateless: bool = False
    commutative: bool = False


_MOST_OPTIONS: Final = 64
"""Of more options each is no kind of call of its own."""

_MOST_KINDS: Final = 100_000
"""What a program remembers at most; real numbers among the arguments would make it grow without end."""


def kind_of(call: GraphCall) -> Kind:
    """Return what a specified call computes: equal labels for equal operations with equal arguments."""
    if call.template.measures:
        return _kind(call)  # what stands for a formula is made anew in each unfolding
    memory: dict[Any, Kind] = call.node.frame.fragment.program.kinds
    key = (call.template, expansion_key(call.node.values))
    kind = memory.get(key)
    if kind is None:
        if len(memory) >= _MOST_KINDS:
            memory.clear()
        kind = memory[key] = _kind(call)
    return kind


def _kind(call: GraphCall) -> Kind:
    module = call.template.resolved(tuple([_spelled(value, call) for value in call.node.values]))
    numbers = {name for name, h in call.template.open_arguments if not _is_choice(h)}
    return Kind(
        _label(module),
        f"{module.base_name} {_label(module, numbers)[:8]}",
        isinstance(module, Identity),
        isinstance(module, Zero),
        isinstance(module, Add),
        isinstance(module, Select) or (isinstance(module, Operation) and module.stateless),
        isinstance(module, Operation) and module.commutative and not call.measured,
    )


def _spelled(value: Any, call: GraphCall) -> Any:
    """Return a text for a formula of shapes, by the positions of what it measures; any other value as it is."""
    if not isinstance(value, Late):
        return value
    position: dict[Hyperparameter, int] = {measure: i for i, measure in enumerate(call.template.measures)}
    return value.fold(
        lambda shape: digest("shape", canonical(shape.fn), position[shape]),
        lambda dependent, given: digest("formula", canonical(dependent.fn), *map(canonical, given)),
    )


def _is_choice(hyperparameter: Hyperparameter) -> bool:
    """Return whether a hyperparameter has few enough options that each makes another kind of call."""
    if not isinstance(hyperparameter, Independent) or not issubclass(hyperparameter.kind, Choice):
        return False
    return hyperparameter.depending is not None or hyperparameter.domain.size <= _MOST_OPTIONS


def _label(module: Module, without: Collection[str] = ()) -> str:
    kind: Callable[..., Any] = module.factory if isinstance(module, Wrapped) else type(module)
    arguments = sorted((name, canonical(value)) for name, value in module.arguments.items() if name not in without)
    return digest(canonical(kind), *[f"{k}={v}" for k, v in arguments])


def _graph(graph: Graph) -> str:
    nodes = _Canonical(graph)
    colours = nodes.tied(nodes.forward())
    if len(set(colours.values())) == len(colours):
        return _sum_up(nodes, colours)
    colours = nodes.refined(colours)
    singled = [
        _sum_up(nodes, nodes.refined({**colours, node: digest(colours[node], "singled out")}))
        for node in nodes.ambiguous_cycles(colours)
    ]
    return digest(_sum_up(nodes, colours), *sorted(singled))


def _sum_up(nodes: _Canonical, colours: Mapping[int, str]) -> str:
    return digest(*sorted(colours.values()), "outputs", *[colours[n] for n in nodes.outputs])
