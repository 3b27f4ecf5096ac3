"""Architectures: a search space at some values, partial or fully specified."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from deep_arch.errors import AlreadyAssigned, BadArgument, NotAssignable, NotSpecified, is_kind, wrong_kind
from deep_arch.language.depending import Depending
from deep_arch.language.holes import HOLE, Holed, may_have_hole
from deep_arch.language.hyperparameters import Dependent, Independent
from deep_arch.language.options import content_key, same
from deep_arch.language.specs import Inputs, Spec
from deep_arch.language.values import UNSET
from deep_arch.spaces.attached import Attached
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.frames import Choose, Frame, Unfolding
from deep_arch.spaces.graph import Graph
from deep_arch.spaces.liveness import certain_addresses
from deep_arch.spaces.place import slot_address

if TYPE_CHECKING:
    import networkx

    from deep_arch.measures.costs import Cost
    from deep_arch.programs.applications import Application, Subtree
    from deep_arch.spaces.space import SearchSpace


class Architecture:
    """A search space at some values.

    An architecture never changes: `assign` gives another one. Two are equal when their spaces and values are.

    Attributes:
        space: the space that it belongs to.
        values: address to value, all that distinguishes it from others of its space.
    """

    def __init__(self, space: SearchSpace, unfolding: Unfolding) -> None:
        self.space = space
        self.values: Mapping[str, Any] = unfolding.values
        self._unfolding = unfolding
        self._graph: Graph | None = None

    @property
    def unassigned(self) -> tuple[ChoicePoint, ...]:
        """The hyperparameters that wait for a value, in the space's fixed order."""
        return self.space.choice_points(self._unfolding)

    @property
    def waiting(self) -> Mapping[str, Depending]:
        """Address to what the domain will be, for hyperparameters whose domain depends on unassigned ones."""
        waiting = self._unfolding.waiting.items()
        return {address: h.depending for address, (h, _) in waiting if h.depending is not None}

    @property
    def is_specified(self) -> bool:
        """Whether every hyperparameter has a value, so that a backend can build the architecture."""
        return not self._unfolding.open

    @property
    def holes(self) -> tuple[str, ...]:
        """The addresses of choices that are at their holes; none in a program. See `or_`."""
        values = self.values
        if not may_have_hole(values.values()):
            return ()
        frames = self._unfolding.frames.values()
        holed = {
            slot_address(frame, slot)
            for frame in frames
            for slot, h in enumerate(frame.fragment.hyperparameters)
            if isinstance(h, Independent) and isinstance(h.domain, Holed)
        }
        return tuple([address for address, value in values.items() if value == HOLE and address in holed])

    @property
    def graph(self) -> Graph:
        """The calls and edges."""
        if self._graph is None:  # functools.cached_property takes a lock on Python 3.10 and 3.11
            self._graph = Graph(self._unfolding)
        return self._graph

    @property
    def config(self) -> Mapping[str, Any]:
        """The values that `da.config` attached, by name; without those that are open.

        What a part attached is called `part/name`, and found by the `name` alone where that is unambiguous.
        """
        config = self._unfolding.config
        return Attached({k: v for k, v in config.items() if v is not UNSET} if config else config)

    @property
    def structure(self) -> set[str]:
        """The addresses of open hyperparameters that the outputs depend on whatever the others become.

        Empty where no substitution waits to be unfolded: then every open hyperparameter is such.
        """
        if not any(node.call.module.substitution for node in self._unfolding.nodes):
            return set()
        return certain_addresses(self._unfolding).intersection(self._unfolding.open)

    def assign(self, hyperparameter: ChoicePoint | str, value: Any) -> Architecture:
        """Return the architecture with one more value, and with everything that follows from it.

        Raises:
            ValueOutsideDomain: the hyperparameter cannot take the value.
            AlreadyAssigned: it has a value.
            MissingValues: its domain depends on a hyperparameter that has none.
            NotAssignable: it is a dependent one.
            UnknownAddress: it is not in the space.
            UnreachedAddress: it is in the space, but not reached with these values.
            DependentFailed: the function of a dependent hyperparameter raised.
        """
        address = hyperparameter.address if isinstance(hyperparameter, ChoicePoint) else hyperparameter
        if not is_kind(address, str):
            raise BadArgument(
                f"assign: expected an address, or one of `unassigned`.\n  Got {address!r} ({type(address).__name__}).\n"
                "  Write partial.assign(partial.unassigned[0], value)."
            )
        if address in self.values:
            raise AlreadyAssigned(
                f"{address}: has the value {self.values[address]!r} and gets no second one.\n  Got {value!r}.\n"
                "  An architecture never changes: assign to the state before, or use space.at with other values."
            )
        if address not in self._unfolding.open and address not in self._unfolding.waiting:
            raise self._not_open(address, value)
        # What was assigned before may be needed no more, if the value decides that nothing depends on it.
        return Architecture(self.space, self.space.replay({**self.values, address: value}, required=[address]))

    def completed(self) -> Architecture:
        """Return the architecture in which every open choice that has a hole is at it: the relaxation of what is open.

        So a partial program has a shape, a cost and a model. A program is completed as it is.

        Raises:
            NotSpecified: something stays open that has no hole.

        References:
            Shah et al., "Learning Differentiable Programs with Admissible Neural Heuristics", 2020, section 4.
        """
        found = Architecture(self.space, self.space.unfold(_filling(self.values)))
        if missing := found.unassigned:
            raise _has_no_hole(missing)
        return found

    def _not_open(self, address: str, value: Any) -> Exception:
        for frame in self._unfolding.frames.values():
            for slot, hyperparameter in enumerate(frame.fragment.hyperparameters):
                if isinstance(hyperparameter, Dependent) and slot_address(frame, slot) == address:
                    return NotAssignable(
                        f"{address}: a dependent hyperparameter cannot be assigned; it is computed from others.\n"
                        f"  Got {value!r}.\n  Assign what it depends on."
                    )
        return self.space.no_such_address(address, [*self.values, *self._unfolding.open])

    def applications(self) -> tuple[Application, ...]:
        """Return where rules are applied (see `rule`), outer applications first."""
        from deep_arch.programs.applications import applications

        return applications(self._unfolding)

    def subtree(self, address: Application | str) -> Subtree:
        """Return the values below an application of a rule, by address as seen from there, as `graft` takes them.

        Raises:
            UnknownAddress: no rule is applied there.
            ScopeError: what stands there depends on more than the rule and plain arguments.
        """
        from deep_arch.programs.applications import subtree

        return subtree(self._unfolding, address)

    def graft(self, address: Application | str, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture with other values below an application of a rule, and all other values as they are.

        What a rule unfolds to depends on the rule and its arguments alone, so a subtree may stand wherever the same
        rule is applied to the same arguments, in this architecture or another.

        Args:
            address: of the application, or one of `applications()`.
            values: by address as seen from there; of a specified architecture, all of them.

        Raises:
            UnknownAddress: no rule is applied there, or it leads to no hyperparameter that is given a value.
            UnreachedAddress: a value is given that the others do not lead to.
            BadArgument: the values are those of a subtree of another rule, or other arguments.
            ScopeError: what stands there depends on more than the rule and plain arguments.
            ValueOutsideDomain: a hyperparameter cannot take its value, or not within the sub-space's limits.
            MissingValues: a specified architecture would become partial.

        Example:
            >>> import deep_arch as da
            >>> from deep_arch import ops
            >>> @da.rule
            ... def expr():
            ...     two = lambda x: ops.Add()(expr()(x), expr()(x))
            ...     return da.or_({"relu": ops.ReLU, "tanh": ops.Tanh, "sum": two})
            >>> relu = da.space(lambda x: expr()(x)).at({"expr/or.which": "relu"})
            >>> grown = relu.graft("expr", {"or.which": "sum", "or[sum]/expr_1/or.which": "tanh",
            ...                             **relu.subtree("expr").below("or[sum]/expr")})
            >>> [call.module.base_name for call in grown.graph.calls]
            ['relu', 'tanh', 'add']
            >>> grown.graft("expr", grown.subtree("expr/or[sum]/expr_1")).values
            {'expr/or.which': 'tanh'}
        """
        from deep_arch.programs.grafting import grafted

        return grafted(self, self._unfolding, address, values)

    def fingerprint(self) -> str:
        """Return a text that is equal for graphs that compute the same, up to order and renaming.

        Branches of a commutative operation may be swapped, modules renamed, dead code added. Configuration counts,
        since it decides what training makes of the graph. Stable across processes.

        Raises:
            NotSpecified: the architecture is partial.
        """
        from deep_arch.measures.fingerprints import fingerprint

        return fingerprint(self.graph)

    def value_specs(self, inputs: Inputs) -> tuple[Spec, ...]:
        """Return the spec of each value of `settled(inputs)`, by id; that is the graph where no shape decides anything.

        Raises:
            ShapeMismatch: an operation does not fit its inputs.
            NotSpecified: something is not decided yet.
        """
        from deep_arch.measures.shapes import infer

        return infer(self.settled(inputs), self._input_specs(inputs))

    def settled(self, inputs: Inputs) -> Graph:
        """Return the graph as it is built for such inputs, where formulas of shapes have values.

        Of parts between which shapes decide, as for `da.residual(fn, project=...)`, it has those that are used.

        Raises:
            DependentFailed: the function of a formula raised.
            InvalidDomain: a formula of shapes names no alternative.
            ShapeMismatch: an operation does not fit its inputs.
            NotSpecified: something is not decided yet.
        """
        from deep_arch.measures.settling import settled

        return settled(self.graph, self._input_specs(inputs))

    def _input_specs(self, inputs: Inputs) -> list[Spec]:
        from deep_arch.measures.shapes import input_specs

        return input_specs(self.graph.inputs, self.space.name, inputs)

    def shapes(self, inputs: Inputs) -> dict[str, tuple[int, ...] | tuple[tuple[int, ...], ...]]:
        """Return address to output shape, (channels, *spatial) without batch; a tuple of shapes for several outputs.

        Raises:
            ShapeMismatch: an operation does not fit its inputs.
            NotSpecified: something is not decided yet.
        """
        from deep_arch.measures.shapes import infer

        graph = self.settled(inputs)
        specs = infer(graph, self._input_specs(inputs))
        shapes = {call.address: tuple(specs[i].shape for i in call.outputs) for call in graph.calls}
        return {address: s[0] if len(s) == 1 else s for address, s in shapes.items()}

    def cost(self, inputs: Inputs) -> Cost:
        """Return parameters, multiply-accumulates and bytes of activations for one example, without any framework.

        Numbers that a model holds and no optimizer changes, such as running means, are counted apart.
        """
        from deep_arch.measures.costs import total

        return total(self.graph, self._input_specs(inputs))

    def summary(self, inputs: Inputs | None = None) -> str:
        """Return a table of the calls; with `inputs`, also their shapes, parameters and multiply-accumulates.

        Of a program the table has paths, classes and arguments, and no inputs are needed.
        Where a shape does not fit, the table ends at the failing module and says why.
        """
        from deep_arch.measures.summaries import summarize

        specs = None if inputs is None else self._input_specs(inputs)
        return summarize(self.space.name, self.graph, specs, self.config, self.unassigned, self.waiting)

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """Return the graph for networkx: nodes by address, edges with the positions of inputs as `position`."""
        from deep_arch.measures.networkx_graph import to_networkx

        return to_networkx(self.graph, self.space.name)

    def to_json(self) -> str:
        """Return the values as JSON text."""
        return self.space.written(self.values)

    @staticmethod
    def from_json(text: str, space: SearchSpace) -> Architecture:
        """Return the architecture of `space` that `to_json` wrote.

        Raises:
            BadArgument: the text is not what `to_json` writes.
            ValueOutsideDomain, UnknownAddress, UnreachedAddress: the values are not of this space.
        """
        if not is_kind(text, str):
            raise wrong_kind("from_json", "the text that Architecture.to_json writes", text, "Pass a str.")
        try:
            written = json.loads(text)["values"]
            values = dict(written)
        except (ValueError, KeyError, TypeError) as error:
            raise BadArgument(
                f"from_json: expected the text that Architecture.to_json writes.\n  Got {text[:80]!r}: {error}."
            ) from error
        return Architecture(space, space.replay(space.decoded(values)))

    def render(self, path: str | PathLike[str] | None = None, **options: Any) -> str:
        """Draw the architecture into a file, by its ending SVG, PNG, PDF or DOT, and return the DOT text.

        Raises:
            MissingDependency: the graphviz package, or its program `dot`, is not installed.
        """
        from deep_arch.visualization.dot import render

        return render(self, path, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from deep_arch.visualization.dot import mimebundle

        return mimebundle(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Architecture):
            return NotImplemented
        if self.space.program.fn is not other.space.program.fn or self.values.keys() != other.values.keys():
            return False
        return all(same(value, other.values[address]) for address, value in self.values.items())

    def __hash__(self) -> int:
        return hash((id(self.space.program.fn), frozenset([(k, content_key(v)) for k, v in self.values.items()])))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.space, dict(self.values))

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in list(self.values.items())[:6])
        more = ", ..." if len(self.values) > 6 else ""
        waiting = "" if self.is_specified else f"; {len(self._unfolding.open)} unassigned"
        return f"<{self.space.name}: {shown}{more}{waiting}>"


def _filling(values: Mapping[str, Any]) -> Choose:
    """Return what an unfolding asks for values, which answers with holes where there are none."""

    def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
        return values.get(address, HOLE if isinstance(hyperparameter.domain, Holed) else UNSET)

    return choose


def _has_no_hole(missing: Sequence[ChoicePoint]) -> NotSpecified:
    listed = ", ".join([point.address for point in missing[:5]])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return NotSpecified(
        f"{missing[0].address}: is open, and has no hole to complete it with; it must be {missing[0].domain}.\n"
        f"  Got no value for {listed}{more}.\n"
        "  Assign it before, or give the choice a hole: da.or_(..., hole=fn), where fn decides nothing itself."
    )


def _restore(space: SearchSpace, values: Mapping[str, Any]) -> Architecture:
    return Architecture(space, space.replay(values))
