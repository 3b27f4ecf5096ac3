"""Settling: a graph whose formulas of shapes have values, and whose alternatives are chosen by them.

What is asked for is followed back from the outputs, so of several alternatives only the chosen one is looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from deep_arch.errors import DeepArchError, ShapeMismatch
from deep_arch.language.fragment import of_argument
from deep_arch.language.modules import Module
from deep_arch.language.options import same
from deep_arch.language.selection import Select
from deep_arch.language.specs import Spec
from deep_arch.language.values import Late
from deep_arch.measures.shapes import apply_rule, check_decided
from deep_arch.spaces.frames import Node
from deep_arch.spaces.graph import Graph, GraphCall, having

Rule = Callable[[Module, str, tuple[Spec, ...]], tuple[Spec, ...]]
"""From a module, its address and its inputs to its outputs, such as `apply_rule`."""


class Settled(NamedTuple):
    """What came of settling a graph and inferring its shapes.

    Attributes:
        graph: as it is built: without formulas, selections, and what only those needed. If a call failed, what has
            shapes.
        failed: the call that has no shape, if there is one.
        error: why.
    """

    graph: Graph
    failed: GraphCall | None = None
    error: DeepArchError | None = None


def settled(graph: Graph, specs: Sequence[Spec], rule: Rule = apply_rule) -> Graph:
    """Return a graph as it is built for inputs of such specs; itself if no shape decides anything in it.

    Only what formulas need is inferred.

    Raises:
        DependentFailed: the function of a formula raised.
        InvalidDomain: a formula names none of the alternatives.
        NotSpecified, NotSupported, ShapeMismatch, BadArgument: see `shapes.infer`.
    """
    return _Settling(graph, specs, rule).whole() if _is_open_to_shapes(graph) else graph


def settle(graph: Graph, specs: Sequence[Spec]) -> Settled:
    """Return a graph as it is built for inputs of such specs, as far as it has shapes."""
    if not _is_open_to_shapes(graph):
        return Settled(graph)
    settling = _Settling(graph, specs, apply_rule)
    try:
        settling.infer(graph.outputs)
        return Settled(settling.whole())
    except DeepArchError as error:
        return Settled(settling.so_far(), settling.at, error)


def _is_open_to_shapes(graph: Graph) -> bool:
    return any(call.measured for call in graph.calls)


def argument_values(call: GraphCall, specs: Sequence[Spec]) -> tuple[Any, ...]:
    """Return the values of a call's open arguments, where the values whose shapes it measures have such specs.

    Raises:
        DependentFailed: the function of a formula raised.
    """
    return computed(call.template, call.address, call.node.values, specs)


def computed(module: Module, address: str, values: Sequence[Any], specs: Sequence[Spec]) -> tuple[Any, ...]:
    """Return the values of a module's open arguments, where the values whose shapes it measures have such specs."""
    measured = dict(zip(module.measures, specs, strict=False))  # a settled call measures nothing any more
    names = [name for name, _ in module.open_arguments]
    return tuple(
        [
            _computed(of_argument(address, name), value, measured) if isinstance(value, Late) else value
            for name, value in zip(names, values, strict=True)
        ]
    )


def _computed(where: str, formula: Late, measured: Mapping[Any, Spec]) -> Any:
    where = f"{where}, from the shapes {', '.join(map(str, measured.values()))}"
    return formula.fold(
        lambda shape: shape.fn(measured[shape]), lambda dependent, arguments: dependent.call(arguments, where)
    )


class _Settling:
    """A graph while it is settled, backward from what is asked for.

    Attributes:
        at: the call that was looked at last.
    """

    def __init__(self, graph: Graph, specs: Sequence[Spec], rule: Rule) -> None:
        self.at: GraphCall | None = None
        self._graph, self._rule = graph, rule
        self._specs = dict(enumerate(specs))
        self._giver = {i: call for call in graph.calls for i in call.outputs}
        self._modules: dict[int, tuple[tuple[Any, ...], Module]] = {}
        self._chosen: dict[int, int] = {}  # from what a selection gives to what it selects

    def infer(self, values: Sequence[int]) -> None:
        """Infer the specs of some values."""
        todo = [*reversed(values)]
        while todo:
            if todo[-1] in self._specs:
                todo.pop()
                continue
            call = self.at = self._giver[todo[-1]]
            missing = [i for i in self._waits_for(call) if i not in self._specs]
            todo += reversed(missing)
            if not missing and call.position not in self._modules:
                self._decide(call)
            elif not missing:
                self._measure(call)

    def _waits_for(self, call: GraphCall) -> Sequence[int]:
        """Return the values whose specs have to be known for the next step with a call."""
        if call.is_open:
            return call.node.inputs  # what lies before it is settled first, as far as that goes
        if call.position not in self._modules:
            return call.measured
        chosen = self._chosen.get(call.outputs[0])
        return call.inputs if chosen is None else [chosen]

    def _decide(self, call: GraphCall) -> None:
        """Give the arguments of a call their values, and choose what a selection gives."""
        check_decided(call)
        values = argument_values(call, [self._specs[i] for i in call.measured])
        module = call.template.resolved(values)
        self._modules[call.position] = values, module
        if isinstance(module, Select):
            self._chosen[call.outputs[0]] = call.inputs[module.position(call.address)]

    def _measure(self, call: GraphCall) -> None:
        """Give the outputs of a call their specs."""
        taken = tuple([self._specs[i] for i in self._waits_for(call)])
        _, module = self._modules[call.position]
        given = taken if isinstance(module, Select) else self._rule(module, call.address, taken)
        self._specs.update(zip(call.outputs, given, strict=True))

    # --- results -------------------------------------------------------------------------------------------------

    def whole(self) -> Graph:
        """Return the graph of what the outputs need."""
        needed: set[int] = set()
        todo = [*self._graph.outputs]
        while todo:
            call = self._giver.get(todo.pop())
            if call is not None and call.position not in needed:
                needed.add(call.position)
                if call.position not in self._modules:
                    self.infer(call.measured)
                    self._decide(call)
                todo += self._waits_for(call)
        calls = [call for call in self._graph.calls if call.position in needed]
        self._check_ties(calls)
        return self._of(calls, self._graph.outputs)

    def _check_ties(self, calls: Sequence[GraphCall]) -> None:
        """Raise ShapeMismatch where one module would have other arguments than at its first call."""
        first: dict[str, GraphCall] = {}
        for call in calls:
            if call.measured and call.outputs[0] not in self._chosen:
                before = first.setdefault(call.module_address, call)
                (had, _), (values, _) = self._modules[before.position], self._modules[call.position]
                for (name, _), old, new in zip(call.template.open_arguments, had, values, strict=True):
                    if not same(old, new):
                        self.at = call
                        raise ShapeMismatch(
                            f"{call.address}: is the same module as {before.address}, so it has the same arguments.\n"
                            f"  Got {name}={new!r} from the shapes here, and {old!r} there.\n"
                            "  Give both calls inputs with which these agree, or make a module for each."
                        )

    def so_far(self) -> Graph:
        """Return the graph of all that has a shape."""
        return self._of([call for call in self._graph.calls if call.outputs[0] in self._specs], ())

    def _of(self, calls: Sequence[GraphCall], outputs: Sequence[int]) -> Graph:
        ids = {i: i for i in range(len(self._graph.inputs))}
        nodes: list[Node] = []
        for call in calls:
            if call.outputs[0] not in self._chosen:
                start = len(ids)
                ids.update(zip(call.outputs, itertools.count(start)))
                values, _ = self._modules[call.position]
                inputs = tuple([ids[self._source(i)] for i in call.inputs])
                nodes.append(call.node._replace(values=values, inputs=inputs, first=start))
        return having(self._graph, nodes, tuple([ids[self._source(i)] for i in outputs]))

    def _source(self, value: int) -> int:
        while value in self._chosen:
            value = self._chosen[value]
        return value
