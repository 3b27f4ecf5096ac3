"""From an architecture to what its drawing shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping
from typing import Any

from deep_arch.language.modules import Module
from deep_arch.language.part_modules import Listed, Maker
from deep_arch.language.scans import Enter, Exit, Scan
from deep_arch.language.specs import Inputs
from deep_arch.measures.formulas import last_part
from deep_arch.measures.naming import (
    NAMELESS,
    Names,
    candidate_names,
    choosing_name,
    input_names,
    names_by_address,
    shown_path,
)
from deep_arch.measures.settling import settle
from deep_arch.measures.shapes import input_specs
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Argument, Graph, GraphCall, Group
from deep_arch.symbolic.networks import NetworkInput, Taken
from deep_arch.visualization.plan.absences import join_marks
from deep_arch.visualization.plan.changes import ROOT, Changes
from deep_arch.visualization.plan.clusters import Arrangement, arrange, first_inside
from deep_arch.visualization.plan.drawing import Box, BoxKind, Drawing, Edge, Heading, Row, RowKind, described
from deep_arch.visualization.plan.lists import frame_lists
from deep_arch.visualization.plan.nesting import call_place, enclosing, group_key
from deep_arch.visualization.plan.shapes import Shapes, known_shapes, shape_text
from deep_arch.visualization.plan.sharing import User, find_apart
from deep_arch.visualization.plan.wording import argument_text, constants, operation_name, value_text


def plan_drawing(architecture: Architecture, inputs: Inputs | None = None, changes: Changes | None = None) -> Drawing:
    """Return what a drawing of `architecture` shows.

    Args:
        architecture: partial or fully specified.
        inputs: the specs of the inputs, to show shapes as far as they are known, and what they decide.
        changes: what of a program is different from the one that it is compared with.

    Raises:
        BadArgument: an input without a spec, or a spec without an input.
    """
    graph = architecture.graph
    if inputs is not None:
        found = settle(graph, input_specs(graph.inputs, architecture.space.name, inputs))
        graph = graph if found.error else found.graph
    shapes = known_shapes(graph, architecture.space.name, inputs)
    return frame_lists(Planner(architecture, graph, shapes, changes).drawing())


def _call_key(call: GraphCall) -> str:
    return f"call {call.address}"


def _hyperparameter_key(address: str) -> str:
    return f"hyperparameter {address}"


def _config_key(place: str) -> str:
    return f"config {place}"


def _group_target(key: str) -> str:
    return f"group {key}"


class Planner:
    """Makes a drawing of a graph; `supernets` extends it."""

    def __init__(
        self, architecture: Architecture, graph: Graph, shapes: Shapes, changes: Changes | None = None
    ) -> None:
        self._changes = changes
        self._architecture, self._graph, self._shapes = architecture, graph, shapes
        self._names = names_by_address(graph)
        self._domains = {point.address: point.domain for point in architecture.unassigned}
        self._groups = self._find_groups()
        self._configs = self._config_by_place()
        self._ties = self._find_ties()
        self._apart = find_apart([*self._users()])

    def drawing(self) -> Drawing:
        boxes = [*self._ports("input"), *self._hyperparameters(), *self._modules(), *self._config_boxes()]
        scans = {key for key, group in self._groups.items() if isinstance(group.module, Scan)}
        arrangement = arrange(self._headings(), boxes, scans)
        follows = join_marks(arrangement, self._graph)
        edges = [*self._dependences(arrangement), *self._data(), *self._absent(follows), *self._tied(), *self._back()]
        name, outputs = self._architecture.space.name, self._ports("output")
        drawn = (*arrangement.boxes.values(), *outputs)
        return Drawing(name, self._state(), drawn, tuple(edges), tuple(arrangement.clusters))

    def _find_groups(self) -> dict[str, Group]:
        return {group_key(group): group for group in self._graph.groups}

    def _places(self) -> Container[str]:
        """Return the keys of the frames that may be drawn."""
        return self._groups

    def _headings(self) -> dict[str, Heading]:
        """Return what stands above each expanded substitution, outer ones first."""
        return {key: self._heading(group) for key, group in self._groups.items()}

    def _state(self) -> str:
        if self._changes is not None:
            return f"{self._changes.n} changes" if self._changes.n != 1 else "1 change"
        assigned = len(self._architecture.values)
        if self._architecture.is_specified:
            return f"fully specified, {assigned} assigned"
        waiting = f", {n} waiting for these" if (n := len(self._architecture.waiting)) else ""
        return f"{assigned} assigned, {len(self._architecture.unassigned)} open{waiting}"

    # --- hyperparameters ---------------------------------------------------------------------------------------

    def _config_by_place(self) -> dict[str, dict[str, Any]]:
        places: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in self._graph.config.items():
            place, _, name = key.rpartition("/")
            places[place][name] = value
        return places

    def _users(self) -> Iterator[User]:
        """Yield what takes hyperparameters; the further calls of a tied module take nothing new."""
        seen: set[str] = set()
        for call in self._graph.calls:
            if call.module_address not in seen:
                seen.add(call.module_address)
                yield User(_call_key(call), tuple([(a.name, a) for a in call.arguments]))
        for key, group in self._groups.items():
            yield User(_group_target(key), tuple([(a.name, a) for a in group.arguments]))
        for place, entries in self._configs.items():
            arguments = [(name, value) for name, value in entries.items() if isinstance(value, Argument)]
            yield User(_config_key(place), tuple(arguments))

    def _row(self, name: str, argument: Argument, names: Names = NAMELESS, whole: bool = False) -> Row:
        """Return a line for a hyperparameter: `whole` where it is drawn, a reference where it is drawn apart."""
        domain = None if argument.domain is None else self._domains.get(argument.address, argument.domain)
        kind: RowKind = "dependent" if domain is None else "open" if argument.is_open else "assigned"
        separate = argument.address in self._apart and not whole
        return Row(kind, argument_text(name, argument, domain, separate, names), argument.address)

    def _rows(self, module: Module, arguments: tuple[Argument, ...]) -> tuple[Row, ...]:
        names = candidate_names(module)
        return tuple([self._row(self._name_in(module, argument), argument, names) for argument in arguments])

    def _name_in(self, module: Module, argument: Argument) -> str:
        return argument.name if argument.address in self._apart else choosing_name(argument, module)

    def _heading(self, group: Group) -> Heading:
        plain = tuple([Row("constant", text) for text in constants(group.module)])
        return Heading(operation_name(group.module), self._rows(group.module, group.arguments) + plain)

    # --- boxes -------------------------------------------------------------------------------------------------

    def _ports(self, kind: Any) -> Iterator[Box]:
        graph = self._graph
        names, ids = (
            (graph.inputs, range(len(graph.inputs))) if kind == "input" else (graph.output_names, graph.outputs)
        )
        for name, i in zip(names, ids, strict=True):
            yield Box(f"{kind} {name}", kind, name, tip=f"{kind} {name}", shapes=self._shapes_of((i,)))

    def _hyperparameters(self) -> Iterator[Box]:
        for address, apart in self._apart.items():
            names = self._names.get(address, {})
            row = self._row(last_part(address), apart.argument, names, whole=True)
            detail = "" if apart.has_lines else f"used in {len(apart.targets)} places"
            place = enclosing(address, self._places())
            yield Box(
                _hyperparameter_key(address), "hyperparameter", "", _tip(address, row), place, detail, rows=(row,)
            )

    def _modules(self) -> Iterator[Box]:
        for call in self._graph.calls:
            module = call.template
            place = self._place_in_program(call)
            changed = {} if self._changes is None else self._changes.arguments.get(place, {})
            rows = self._rows(module, call.arguments)
            rows += tuple([Row("changed", f"{name}: {text}") for name, text in changed.items()])
            misfit = self._shapes.misfits.get(call.address, "")
            yield Box(
                key=_call_key(call),
                kind=_kind(module),
                title=_title(module),
                tip=_tip(call.address, *rows, *_constant_rows(module)) + (f"\n{misfit}" if misfit else ""),
                cluster=call_place(call),
                detail="" if isinstance(module, Enter | Exit) else ", ".join(constants(module, changed)),
                caption="" if isinstance(module, Enter | Exit) else shown_path(call.address),
                rows=rows,
                shapes=self._shapes_of(call.outputs[1:] if isinstance(module, Enter) else call.outputs),
                misfit=bool(misfit),
                tie=self._ties.get(call.module_address),
                listed=isinstance(module, Listed),
                change="" if self._changes is None else self._changes.marks.get(place, ""),
            )

    def _place_in_program(self, call: GraphCall) -> str:
        return ROOT if self._graph.outputs[:1] == call.outputs[:1] else shown_path(call.address)

    def _config_boxes(self) -> Iterator[Box]:
        for place, entries in self._configs.items():
            rows = [
                self._row(name, value)
                if isinstance(value, Argument)
                else Row("constant", f"{name} = {value_text(value)}")
                for name, value in entries.items()
            ]
            yield Box(_config_key(place), "config", "config", _tip(place, *rows), place, rows=tuple(rows))

    def _shapes_of(self, ids: tuple[int, ...]) -> str:
        specs = [self._shapes.specs[i] for i in ids]
        return ", ".join([shape_text(spec) for spec in specs if spec is not None])

    # --- edges -------------------------------------------------------------------------------------------------

    def _value_sources(self) -> list[tuple[str, str]]:
        """Return the box that gives each value, by id, and the value's position where the box gives several."""
        sources = [(f"input {name}", "") for name in self._graph.inputs]
        for call in self._graph.calls:
            several = len(call.outputs) > 1
            hidden = int(isinstance(call.template, Enter))  # what stands for the length, of which a reader sees nothing
            sources += [(_call_key(call), str(i - hidden) if several else "") for i in range(len(call.outputs))]
        return sources

    def _data(self) -> Iterator[Edge]:
        sources = self._value_sources()
        for call in self._graph.calls:
            ordered = len(call.inputs) > 1 and not getattr(call.template, "commutative", False)
            names = input_names(call.template) if isinstance(call.template, Maker) else {}
            hidden = 1 + call.template.arguments["carry"] if isinstance(call.template, Exit) else 0
            for position, i in enumerate(call.inputs[hidden:]):
                tail, mark = sources[i]
                head_mark = str(position) if ordered and position not in names else ""
                yield Edge(tail, _call_key(call), "data", mark, head_mark, label=names.get(position, ""))
        for i, name in zip(self._graph.outputs, self._graph.output_names, strict=True):
            yield Edge(sources[i][0], f"output {name}", "data", sources[i][1])

    def _dependences(self, arrangement: Arrangement) -> Iterator[Edge]:
        parents = {cluster.key: cluster.parent for cluster in arrangement.clusters}
        # A line to a cluster is a line to a box inside that is cut off at the frame.
        first = first_inside(arrangement.boxes.values(), parents)
        for address, apart in self._apart.items():
            tail = _hyperparameter_key(address)
            for parent in apart.parents:
                yield Edge(_hyperparameter_key(parent), tail, "depends")
            for target in apart.targets if apart.has_lines else ():
                if not target.startswith("group "):
                    yield Edge(tail, target, "depends")
                    continue
                shown = arrangement.shown[target.removeprefix("group ")]
                if shown in first:
                    yield Edge(tail, first[shown], "depends", cluster=shown)
                else:
                    yield Edge(tail, shown, "depends")

    def _absent(self, follows: Mapping[str, tuple[int, ...]]) -> Iterator[Edge]:
        sources = self._value_sources()
        for mark, taken in follows.items():
            for i in dict.fromkeys(taken):
                yield Edge(sources[i][0], mark, "absent")

    def _back(self) -> Iterator[Edge]:
        """Yield the way of the states from the end of each step to the beginning of the next."""
        for call in self._graph.calls:
            if isinstance(call.template, Exit) and call.template.arguments["carry"]:
                yield Edge(_call_key(call), self._value_sources()[call.inputs[0]][0], "back")

    def _find_ties(self) -> dict[str, int]:
        calls = Counter(call.module_address for call in self._graph.calls)
        return {address: i for i, address in enumerate(a for a, n in calls.items() if n > 1)}

    def _tied(self) -> Iterator[Edge]:
        last: dict[str, str] = {}
        for call in self._graph.calls:
            address = call.module_address
            if address in self._ties:
                if address in last:
                    yield Edge(last[address], _call_key(call), "tied", tie=self._ties[address])
                last[address] = _call_key(call)


def _kind(module: Module) -> BoxKind:
    if isinstance(module, NetworkInput):
        return "input"
    if isinstance(module, Taken):
        return "output"
    if isinstance(module, Enter | Exit):
        return "bar"
    return "substitution" if module.substitution else "module"


def _title(module: Module) -> str:
    if isinstance(module, Enter):
        return "states, frames" if module.arguments["carry"] else "frames"
    if isinstance(module, Exit):
        given = ["last states"] * bool(module.arguments["carry"]) + ["all steps"] * bool(module.arguments["n_results"])
        return ", ".join(given) + (" in reverse" if module.arguments["reverse"] is True else "")
    return module.base_name if isinstance(module, NetworkInput) else operation_name(module)


def _constant_rows(module: Module) -> list[Row]:
    return [Row("constant", text) for text in constants(module)]


def _tip(address: str, *rows: Row) -> str:
    return "\n".join([address, *map(described, rows)])
