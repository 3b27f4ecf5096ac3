"""Regions: the calls of a graph that a scan runs at each step, one inside another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from deep_arch.language.scans import Enter, Exit, Scan
from deep_arch.language.specs import Spec
from deep_arch.spaces.frames import Frame
from deep_arch.spaces.graph import Graph, GraphCall


@dataclass(frozen=True, slots=True)
class Region:
    """One scan in a graph.

    Attributes:
        enter, exit: the calls between which it stands.
        body: what it runs at each step, in topological order, with the scans inside it.
        captured: the ids of the values from around it that it reads, which are the same at each step.
    """

    enter: GraphCall
    exit: GraphCall
    body: tuple[Item, ...]
    captured: tuple[int, ...]

    @property
    def address(self) -> str:
        """The address of the scan's module."""
        return self.enter.module_address.rpartition("/")[0]

    @property
    def carry(self) -> int:
        """The number of states."""
        return int(self.enter.module.arguments["carry"])

    @property
    def reverse(self) -> bool:
        """Whether time runs from the last frame to the first."""
        return bool(self.exit.module.arguments["reverse"])

    @property
    def states(self) -> tuple[int, ...]:
        """The ids of the states in the body."""
        return self.enter.outputs[1 : 1 + self.carry]

    @property
    def frames(self) -> tuple[int, ...]:
        """The ids of the frames in the body."""
        return self.enter.outputs[1 + self.carry :]

    @property
    def given(self) -> tuple[int, ...]:
        """The ids of the new states, and of what a step gives besides."""
        return self.exit.inputs[1 + self.carry :]


Item: TypeAlias = "GraphCall | Region"
"""A call, or a scan with all that is in it."""


def has_regions(graph: Graph) -> bool:
    """Return whether there are scans in a graph."""
    return any(isinstance(call.node.call.module, Enter) for call in graph.calls)


def nested(graph: Graph) -> tuple[Item, ...]:
    """Return the calls of a graph in topological order, those of each scan as one region where it ends."""
    if not has_regions(graph):
        return tuple(graph.calls)
    items: dict[int, list[Item]] = {_OUTSIDE: []}
    entries: dict[int, GraphCall] = {}
    around = _Around()
    for call in graph.calls:
        scan = around.of(call.node.frame)
        if isinstance(call.template, Enter):
            assert scan is not None, "an entry stands in its scan"
            entries[id(scan.env)], items[id(scan.env)] = call, []
        elif isinstance(call.template, Exit):
            assert scan is not None, "an exit stands in its scan"
            body = tuple(items.pop(id(scan.env)))
            items[_key(around.of(scan.caller))].append(_region(entries.pop(id(scan.env)), call, body))
        else:
            items[_key(scan)].append(call)
    return tuple(items[_OUTSIDE])


def calls_in(items: Iterable[Item]) -> Iterator[GraphCall]:
    """Yield the calls in the order in which they run first, but for those where scans begin and end."""
    for item in items:
        if isinstance(item, Region):
            yield from calls_in(item.body)
        else:
            yield item


class Repetitions:
    """How often each call of a graph runs, which is asked in the order of the calls."""

    def __init__(self, graph: Graph) -> None:
        self._around = _Around() if has_regions(graph) else None
        self._times: dict[int, int] = {_OUTSIDE: 1}

    def of(self, call: GraphCall, specs: Sequence[Spec]) -> int:
        """Return how often a call runs, from the specs of all values up to it; 0 for an entry, which does nothing."""
        if self._around is None:
            return 1
        scan = self._around.of(call.node.frame)
        if scan is None or not isinstance(call.template, Enter | Exit):
            return self._times[_key(scan)]
        outer = self._times[_key(self._around.of(scan.caller))]
        if isinstance(call.template, Exit):
            return outer
        self._times[id(scan.env)] = outer * specs[call.outputs[0]].shape[-1]
        return 0


_OUTSIDE = 0


def _key(scan: Frame | None) -> int:
    return _OUTSIDE if scan is None else id(scan.env)


class _Around:
    """The innermost scan around each frame, remembered."""

    def __init__(self) -> None:
        self._known: dict[int, Frame | None] = {}

    def of(self, frame: Frame | None) -> Frame | None:
        path: list[int] = []
        while frame is not None and id(frame.env) not in self._known:
            path.append(id(frame.env))
            if frame.call is not None and isinstance(frame.call.module, Scan):
                break
            frame = frame.caller
        found = None if frame is None else self._known.get(id(frame.env), frame)
        self._known.update(dict.fromkeys(path, found))
        return found


def _region(enter: GraphCall, exit: GraphCall, body: tuple[Item, ...]) -> Region:
    made = {i for item in body for i in outputs_of(item)} | set(enter.outputs)
    used = [i for item in body for i in inputs_of(item)] + [*exit.inputs]
    return Region(enter, exit, body, tuple(dict.fromkeys([i for i in used if i not in made])))


def outputs_of(item: Item) -> tuple[int, ...]:
    """Return the ids of what a call or a scan gives."""
    return item.exit.outputs if isinstance(item, Region) else item.outputs


def inputs_of(item: Item) -> tuple[int, ...]:
    """Return the ids of what a call takes, or a scan: first states, sequences, and what its body reads besides."""
    return (*item.enter.inputs, *item.captured) if isinstance(item, Region) else item.inputs
