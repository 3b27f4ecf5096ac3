"""Settling: a graph whose formulas of shapes have values, and whose alternatives are chosen by them.

What the outputs need is followed back from them, so of several alternatives only the chosen one is looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from deep_arch.errors import DeepArchError, DependentFailed, ShapeMismatch
from deep_arch.language.hyperparameters import Dependent
from deep_arch.language.modules import Module
from deep_arch.language.options import same
from deep_arch.language.selection import Select
from deep_arch.language.specs import Spec
from deep_arch.language.values import Late
from deep_arch.measures.shapes import apply_rule, check_decided
from deep_arch.spaces.frames import Node
from deep_arch.spaces.graph import Graph, GraphCall

Rule = Callable[[Module, str, tuple[Spec, ...]], tuple[Spec, ...]]
"""From a module, its address and its inputs to its outputs, such as `apply_rule`."""


class Settled(NamedTuple):
    """What came of settling a graph.

    Attributes:
        graph: as it is built: without formulas, selections, and what only those needed. If a call failed, what was
            settled before.
        failed: the call that has no shape, if there is one.
        error: why.
    """

    graph: Graph
    failed: GraphCall | None = None
    error: DeepArchError | None = None


def settled(graph: Graph, specs: Sequence[Spec], rule: Rule = apply_rule) -> Graph:
    """Return a graph as it is built for inputs of such specs; itself if no shape decides anything in it.

    Raises:
        DependentFailed: the function of a formula raised.
        InvalidDomain: a formula names none of the alternatives.
        NotSpecified, NotSupported, ShapeMismatch, BadArgument: see `shapes.infer`.
    """
    found = settle(graph, specs, rule)
    if found.error is not None:
        raise found.error
    return found.graph


def settle(graph: Graph, specs: Sequence[Spec], rule: Rule = apply_rule) -> Settled:
    """Return a graph as it is built for inputs of such specs, as far as it has shapes."""
    if not any(call.measured for call in graph.calls):
        return Settled(graph)
    settling = _Settling(graph, specs, rule)
    try:
        for call in settling.demanded():
            settling.failed = call
            settling.settle(call)
    except DeepArchError as error:
        return Settled(settling.result(whole=False), settling.failed, error)
    return Settled(settling.result(whole=True))


def argument_values(call: GraphCall, specs: Sequence[Spec]) -> tuple[Any, ...]:
    """Return the values of a call's open arguments, where the values whose shapes it measures have such specs.

    Raises:
        DependentFailed: the function of a formula raised.
    """
    measured = dict(zip(call.template.measures, specs, strict=False))  # a settled call measures nothing any more
    names = [name for name, _ in call.template.open_arguments]
    return tuple(
        [
            _computed(f"{call.address}.{name}", value, measured) if isinstance(value, Late) else value
            for name, value in zip(names, call.node.values, strict=True)
        ]
    )


def _computed(where: str, formula: Late, measured: Mapping[Any, Spec]) -> Any:
    def compute(dependent: Dependent, arguments: list[Any]) -> Any:
        try:
            return dependent.fn(*arguments)
        except Exception as error:
            shapes = ", ".join(map(str, measured.values()))
            raise DependentFailed(
                f"{where}: the function of a formula raised {type(error).__name__}: {error}.\n"
                f"  Got {dependent.symbol}({', '.join(map(repr, arguments))}) from the shapes {shapes}.\n"
                "  Let the function take every shape that arrives here."
            ) from error

    return formula.fold(lambda shape: shape.fn(measured[shape]), compute)


class _Settling:
    """A graph while it is settled.

    Attributes:
        failed: the call that is being settled.
    """

    def __init__(self, graph: Graph, specs: Sequence[Spec], rule: Rule) -> None:
        self.failed: GraphCall | None = None
        self._graph, self._rule = graph, rule
        self._specs = dict(enumerate(specs))
        self._giver = {i: call for call in graph.calls for i in call.outputs}
        self._modules: dict[int, tuple[tuple[Any, ...], Module]] = {}
        self._ties: dict[str, tuple[GraphCall, tuple[Any, ...]]] = {}
        self._chosen: dict[int, int] = {}  # from what a selection gives to what it selects

    def demanded(self) -> Iterator[GraphCall]:
        """Yield what is to be settled, each time that it has what it waits for: backward from the outputs."""
        todo = [*reversed(self._graph.outputs)]
        while todo:
            if todo[-1] in self._specs:
                todo.pop()
                continue
            call = self._giver[todo[-1]]
            yield call
            todo += [i for i in reversed(self._waits_for(call)) if i not in self._specs]

    def _waits_for(self, call: GraphCall) -> Sequence[int]:
        if call.is_open:
            return call.node.inputs  # what lies before it is settled first, as far as that goes
        if call.position not in self._modules:
            return call.measured
        chosen = self._chosen.get(call.outputs[0])
        return call.inputs if chosen is None else [chosen]

    def settle(self, call: GraphCall) -> None:
        """Give a call the values of its arguments, then its outputs their specs, as soon as these can be told."""
        if not self._is_ready(call):
            return
        check_decided(call)
        if call.position not in self._modules:
            values = argument_values(call, [self._specs[i] for i in call.measured])
            module = call.template.resolved(values)
            self._modules[call.position] = values, module
            if isinstance(module, Select):
                self._chosen[call.outputs[0]] = call.inputs[module.position(call.address)]
            elif call.measured:
                self._check_tie(call, values)
        if self._is_ready(call):
            taken = tuple([self._specs[i] for i in self._waits_for(call)])
            _, module = self._modules[call.position]
            given = taken if isinstance(module, Select) else self._rule(module, call.address, taken)
            self._specs.update(zip(call.outputs, given, strict=True))

    def _check_tie(self, call: GraphCall, values: tuple[Any, ...]) -> None:
        """Raise ShapeMismatch where one module would have other arguments than at its first call."""
        first, had = self._ties.setdefault(call.module_address, (call, values))
        for (name, _), before, value in zip(call.template.open_arguments, had, values, strict=True):
            if not same(before, value):
                raise ShapeMismatch(
                    f"{call.address}: is the same module as {first.address}, so its arguments have to be the same.\n"
                    f"  Got {name}={value!r} from the shapes here, and {before!r} there.\n"
                    "  Give both calls inputs of such shapes that they agree, or make a module for each."
                )

    def _is_ready(self, call: GraphCall) -> bool:
        return all(i in self._specs for i in self._waits_for(call))

    def result(self, whole: bool) -> Graph:
        """Return the graph of what is settled: the whole of what the outputs need, or all that has shapes so far."""
        graph = self._graph
        ids = {i: i for i in range(len(graph.inputs))}
        nodes: list[Node] = []
        for call in self._needed() if whole else self._known():
            if not isinstance(call.template, Select):
                start = len(ids)
                ids.update(zip(call.outputs, itertools.count(start)))
                values, _ = self._modules[call.position]
                inputs = tuple([ids[self._source(i)] for i in call.inputs])
                nodes.append(call.node._replace(values=values, inputs=inputs, first=start))
        outputs = tuple([ids[self._source(i)] for i in graph.outputs]) if whole else ()
        return graph.having(nodes, outputs)

    def _source(self, value: int) -> int:
        while value in self._chosen:
            value = self._chosen[value]
        return value

    def _known(self) -> Iterator[GraphCall]:
        return (call for call in self._graph.calls if call.outputs[0] in self._specs)

    def _needed(self) -> list[GraphCall]:
        wanted = {self._source(i) for i in self._graph.outputs}
        needed: list[GraphCall] = []
        for call in reversed(self._graph.calls):
            if not wanted.isdisjoint(call.outputs):
                needed.append(call)
                wanted.update(self._source(i) for i in call.inputs)
        return needed[::-1]
