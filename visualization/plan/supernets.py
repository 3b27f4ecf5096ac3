"""From a space and mixtures to what a drawing of the super-network shows."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from deep_arch.language.specs import Inputs
from deep_arch.measures.naming import NAMELESS, Names
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Argument, Graph, Group
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.space import SearchSpace
from deep_arch.visualization.plan.drawing import Box, Drawing, Edge, Heading, Row, Share
from deep_arch.visualization.plan.lists import frame_lists
from deep_arch.visualization.plan.nesting import group_key
from deep_arch.visualization.plan.planning import Planner
from deep_arch.visualization.plan.relaxed import Branch, Forked, Mixed, Passing, Relaxed
from deep_arch.visualization.plan.relaxing import relax
from deep_arch.visualization.plan.shapes import Shapes, known_shapes
from deep_arch.visualization.plan.wording import option_text, weight_text

MOST_SHARES: Final = 8
"""Values of a relaxed decision that are listed; of more only the heaviest."""

_CERTAIN: Final = 1 - 1e-9


def plan_supernet(space: SearchSpace, mixtures: Mapping[str, Any], inputs: Inputs | None = None) -> Drawing:
    """Return what a drawing of a super-network shows: every alternative of what is relaxed, with its weight.

    Args:
        space: whose architectures share the super-network.
        mixtures: address to a `Mixture` or a value; what is not among them stays open.
        inputs: the specs of the inputs, to show shapes as far as they are known.

    Raises:
        BadArgument, UnknownAddress, ValueOutsideDomain, NotCountable: see `render_supernet`.
    """
    relaxed = relax(space, mixtures)
    architecture = Architecture(space, relaxed.unfolding)
    shapes = known_shapes(architecture.graph, space.name, inputs)
    return frame_lists(_SupernetPlanner(architecture, architecture.graph, shapes, relaxed).drawing())


class _SupernetPlanner(Planner):
    def __init__(self, architecture: Architecture, graph: Graph, shapes: Shapes, relaxed: Relaxed) -> None:
        self._relaxed = relaxed
        super().__init__(architecture, graph, shapes)

    def _state(self) -> str:
        n_open = len(self._relaxed.unfolding.open) + len(self._relaxed.unfolding.waiting)
        counts = {"relaxed": len(self._relaxed.mixtures), "decided": len(self._architecture.values), "open": n_open}
        return "super-network, " + ", ".join([f"{n} {kind}" for kind, n in counts.items() if n or kind == "relaxed"])

    def _find_ties(self) -> dict[str, int]:
        joined = {c.module_address for c in self._graph.calls if isinstance(c.template, Forked | Mixed | Passing)}
        kept = [address for address in super()._find_ties() if address not in joined]
        return {address: i for i, address in enumerate(kept)}

    # --- frames ------------------------------------------------------------------------------------------------

    def _find_groups(self) -> dict[str, Group]:
        """Return the expanded substitutions, of which one that is relaxed counts once, whatever its alternatives."""
        found: dict[str, Group] = {}
        for group in self._graph.groups:
            key = group_key(group)
            if key in self._relaxed.marked:
                found.setdefault(group.address, replace(group, prefix=group.address))
            else:
                found[key] = group
        return found

    def _places(self) -> Container[str]:
        return {*self._groups, *self._relaxed.marked}

    def _headings(self) -> dict[str, Heading]:
        # Alternatives show their weights themselves.
        joined = {each[0].address for each in self._relaxed.branches.values() if len(each) > 1}
        headings: dict[str, Heading] = {}
        for group in self._graph.groups:
            key = group_key(group)
            branch = self._relaxed.marked.get(key)
            headings.setdefault(group.address if branch is not None else key, self._around(group, joined))
            if branch is not None:
                headings[key] = _branch_heading(branch)
        return headings

    def _around(self, group: Group, joined: Container[str]) -> Heading:
        heading = self._heading(group)
        if group.address not in joined:
            return heading
        return replace(heading, rows=tuple([replace(row, shares=()) for row in heading.rows]))

    # --- rows and boxes ----------------------------------------------------------------------------------------

    def _row(self, name: str, argument: Argument, names: Names = NAMELESS, whole: bool = False) -> Row:
        row = super()._row(name, argument, names, whole)
        mixture = self._relaxed.mixtures.get(argument.address)
        if mixture is None:
            return row
        if argument.address in self._apart and not whole:
            return replace(row, kind="relaxed")
        return Row("relaxed", name, argument.address, shares_of(mixture, names))

    def _modules(self) -> Iterator[Box]:
        for call, box in zip(self._graph.calls, super()._modules(), strict=True):
            branches = self._relaxed.branches.get(call.outputs[0], ())
            weight = self._weight(call.outputs[0])
            if isinstance(call.template, Mixed):
                yield Box(box.key, "mixed", "+", _sum_text(branches), branches[0].address, weight=weight)
            elif isinstance(call.template, Forked):
                address = call.module_address.removesuffix("<")
                yield Box(box.key, "forked", "·", f"{address}: to each alternative", address, weight=weight)
            elif isinstance(call.template, Passing):
                (branch,) = branches
                headings = () if branch.marked else (_branch_heading(branch),)
                tip = f"{branch.address}: {branch.text} gives what it is given"
                yield Box(box.key, "empty", "", tip, box.cluster, "unchanged", headings=headings, weight=weight)
            else:
                yield replace(box, weight=weight)

    def _weight(self, i: int) -> float | None:
        reach = self._relaxed.reach.get(i, 1.0)
        return None if reach >= _CERTAIN else reach

    # --- edges -------------------------------------------------------------------------------------------------

    def _data(self) -> Iterator[Edge]:
        flows = self._flows()
        for edge in super()._data():
            label, weight = next(flows)
            yield replace(edge, label=label or edge.label, weight=weight)

    def _flows(self) -> Iterator[tuple[str, float | None]]:
        """Yield the label and weight of each line between boxes, in their order."""
        relaxed, reach = self._relaxed, dict.fromkeys(range(self._graph.n_values), 1.0)
        for call in self._graph.calls:
            first = relaxed.reach.get(call.outputs[0], 1.0)
            reach.update(dict.fromkeys(call.outputs, first))
        for call in self._graph.calls:
            here = reach[call.outputs[0]]
            if not isinstance(call.template, Mixed):
                yield from [("", _uncertain(min(here, reach[i]))) for i in call.inputs]
                continue
            for i, branch in zip(call.inputs[:: len(call.outputs)], relaxed.branches[call.outputs[0]], strict=True):
                told = branch.marked or (i in relaxed.branches and relaxed.branches[i] == (branch,))
                label = weight_text(branch.given) if told else f"{branch.text}: {weight_text(branch.given)}"
                yield from [(label, here * branch.weight)] * len(call.outputs)
        yield from [("", _uncertain(reach[i])) for i in self._graph.outputs]


def shares_of(mixture: Mixture, names: Names = NAMELESS, most: int = MOST_SHARES) -> tuple[Share, ...]:
    """Return the values of a mixture with their weights; of many the heaviest, and one share for the rest."""
    active = {*mixture.active}
    shares = [
        Share(option_text(value, names), weight, i in active)
        for i, (value, weight) in enumerate(zip(mixture.values, mixture.numbers, strict=True))
    ]
    if len(shares) <= most:
        return tuple(shares)
    heaviest = sorted(range(len(shares)), key=lambda i: -shares[i].weight)[: most - 1]
    rest = [share for i, share in enumerate(shares) if i not in heaviest]
    others = Share(f"{len(rest)} others", sum([share.weight for share in rest]), any(share.active for share in rest))
    return (*[shares[i] for i in sorted(heaviest)], others)


def _branch_heading(branch: Branch) -> Heading:
    return Heading(branch.text, (Row("relaxed", "", "", (Share("", branch.given, branch.weight > 0),)),))


def _sum_text(branches: Sequence[Branch]) -> str:
    parts = [f"{branch.given:.3g} · {branch.text}" for branch in branches]
    return f"{branches[0].address}: {' + '.join(parts)}"


def _uncertain(weight: float) -> float | None:
    return None if weight >= _CERTAIN else weight
