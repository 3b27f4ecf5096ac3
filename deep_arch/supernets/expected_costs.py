"""Expected costs of a relaxed state, exactly: the sum over architectures of probability times cost.

The space is walked once with all active alternatives kept. Each call that is met has the event that the outputs need
it, and its inputs have cases, a spec for each outcome of the decisions that it depends on. No architecture is drawn or
listed, and only sums and products of weights are formed, so that what results carries their gradients.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from deep_arch.errors import MissingValues, NotSupported, ShapeMismatch, ValueOutsideDomain, is_kind, wrong_kind
from deep_arch.language.domains import REJECTED, Domain
from deep_arch.language.fragment import Call
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Wrapped
from deep_arch.language.scans import Enter
from deep_arch.language.selection import Select
from deep_arch.language.specs import Inputs, Spec
from deep_arch.language.values import Late
from deep_arch.measures.settling import computed
from deep_arch.measures.shapes import apply_rule, input_specs
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.positions import Share, shared_address
from deep_arch.spaces.space import SearchSpace
from deep_arch.supernets.algebra import Row
from deep_arch.supernets.events import ALWAYS, Conjunction, Odds, Outcome, both, merged
from deep_arch.supernets.shared_weights import check_space
from deep_arch.supernets.walking import Plans, Site, Walker

_MOST_CASES: Final = 50_000

Latency = Callable[[str, Any, tuple[Spec, ...]], Any]
"""From the address of a module, the module with values, and the specs of its inputs to a number."""


@dataclass(frozen=True)
class ExpectedCost:
    """What the architectures of a relaxed state cost on average, for one example.

    Attributes:
        parameters: trained numbers; tied ones count once.
        macs: multiply-accumulates of one forward pass.
        activation_bytes: bytes of all that the calls give.
        non_trainable: numbers that a model holds and no optimizer changes.
        latency: the sum of what the given function says; 0 without one.
    """

    parameters: Any = 0.0
    macs: Any = 0.0
    activation_bytes: Any = 0.0
    non_trainable: Any = 0.0
    latency: Any = 0.0


Decision = Callable[[Independent, str, Site], Any]


def expected_cost(
    space: SearchSpace,
    inputs: Inputs,
    mixtures: Mapping[str, Any],
    latency: Latency | None = None,
    as_native: Callable[[Wrapped], Any] | None = None,
    decide: Decision | None = None,
    share: Share = None,
) -> ExpectedCost:
    """Return what the architectures of a relaxed state cost on average.

    Args:
        space: whose decisions are relaxed, each drawn by its weights, independently of the others.
        inputs: one spec, or one for each of the space's inputs by name.
        mixtures: address to `da.Mixture` or to a value, for every decision that is reached. Weights of active positions
            are brought to a sum of 1.
        latency: what one call takes, such as a look-up in a table.
        as_native: makes of what `da.wrap` gave what the backend's own `wrap` gives.
        decide: decides in place of `mixtures`.
        share: as in `deep_arch.supernets.shared_weights.shared_weights`.

    Raises:
        MissingValues: a decision that is reached has neither.
        NotSupported: too many decisions are entangled.
        ShapeMismatch: an operation that its inputs do not fit.

    Example:
        Of 8 or 16 units on 4 features, with as many weights and MACs:

        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: ops.Dense(da.choice([8, 16]), use_bias=False)(x))
        >>> cost = expected_cost(net, da.vector(4), {"dense.units": da.Mixture((8, 16), (0.75, 0.25))})
        >>> cost.parameters, cost.macs
        (40.0, 40.0)

    References:
        Wan et al., FBNetV2 (CVPR 2020), section 3.3, whose effective shapes are exact for one decision at a time.
    """
    check_space(space, "expected_cost")
    if not is_kind(mixtures, Mapping):
        raise wrong_kind(
            "expected_cost", "mixtures or values by address", mixtures, "Write {address: da.Mixture(...)}."
        )
    specs = input_specs(space.inputs, space.name, inputs)
    decisions = _Decisions(space, mixtures, decide)
    algebra = _Expected(as_native, decisions.weights)
    walker = Walker(space, algebra, decisions, Plans(), shared_address(space, share, "expected_cost"))
    outputs = walker.outputs([algebra.given(spec) for spec in specs])
    return algebra.cost(outputs, Odds(decisions.weights), latency)


class _Decisions:
    """Decides by mixtures, whose weights stand for outcomes while the space is walked."""

    def __init__(self, space: SearchSpace, mixtures: Mapping[str, Any], decide: Decision | None) -> None:
        self._restrictions, self._mixtures, self._decide = space.restrictions, mixtures, decide
        self.weights: list[Sequence[Any]] = []
        self._known: dict[tuple[str, Domain], Any] = {}

    def __call__(self, hyperparameter: Independent, address: str, site: Site) -> Any:
        restrictions, domain = self._restrictions, hyperparameter.domain
        if restrictions.fixes(address, domain):
            return restrictions.fixed[address]
        key = address, restrictions.offered(hyperparameter, site)
        if key not in self._known:
            self._known[key] = self._made(hyperparameter, address, site, key[1])
        return self._known[key]

    def _made(self, hyperparameter: Independent, address: str, site: Site, offered: Domain) -> Any:
        decision = self._mixtures.get(address) if self._decide is None else self._decide(hyperparameter, address, site)
        if decision is None and address not in self._mixtures:
            raise MissingValues(
                f"{address}: this relaxed state reaches it, and has no decision for it.\n  Got none.\n"
                "  Give it a value or a da.Mixture: every alternative of a mixture has decisions of its own."
            )
        if not isinstance(decision, Mixture):
            value = hyperparameter.domain.accept(decision)
            if value is REJECTED:
                raise _outside(address, decision, hyperparameter.domain)
            return value
        active = [i for i in decision.active if offered.accept(decision.values[i]) is not REJECTED]
        if not active or sum([decision.numbers[i] for i in active]) == 0:
            raise _outside(address, decision, offered)
        total = sum([decision.weights[i] for i in active[1:]], start=decision.weights[active[0]])
        variable = len(self.weights)
        self.weights.append([decision.weights[i] / total for i in active])
        outcomes = [Outcome(frozenset([(variable, i)])) for i in range(len(active))]
        return Mixture(tuple([decision.values[i] for i in active]), outcomes)


def _outside(address: str, decision: Any, domain: Domain) -> ValueOutsideDomain:
    return ValueOutsideDomain(
        f"{address}: {decision!r} has nothing that can be taken here.\n  Got {decision!r}, where {domain} is offered.\n"
        "  Give a value of the domain, or a mixture with weight on such."
    )


class _Case(NamedTuple):
    holds: Conjunction
    spec: Spec


class _Term(NamedTuple):
    """An operation in one case: the specs that it takes and gives, and how often scans around it run it."""

    holds: Conjunction
    module: Any
    specs: tuple[Spec, ...]
    given: tuple[Spec, ...]
    times: int


class _Node:
    """What one call gives, or what one of several alternatives does.

    Attributes:
        cases: the specs of one output, which exclude one another.
        sources: what is needed where this is, each where a conjunction holds.
        terms: the operation in each case of its arguments and inputs.
        address: of the module.
    """

    __slots__ = ("address", "cases", "needed", "number", "sources", "terms")

    def __init__(self, number: int, sources: Sequence[tuple[Conjunction, _Node]], address: str = "") -> None:
        self.number, self.sources, self.address = number, sources, address
        self.cases: list[list[_Case]] = []
        self.terms: list[_Term] = []
        self.needed: set[Conjunction] = set()


class _Value:
    """One output of a node; no tuple, which is what several are."""

    __slots__ = ("node", "port")

    def __init__(self, node: _Node, port: int) -> None:
        self.node, self.port = node, port

    @property
    def cases(self) -> list[_Case]:
        return self.node.cases[self.port]


class _Expected:
    """The algebra of costs: values are outputs of nodes."""

    counts_calls = True

    def __init__(self, as_native: Callable[[Wrapped], Any] | None, weights: Sequence[Sequence[Any]]) -> None:
        self._as_native, self._weights = as_native, weights
        self._nodes: list[_Node] = []

    def _node(self, sources: Sequence[tuple[Conjunction, _Node]], address: str = "") -> _Node:
        node = _Node(len(self._nodes), sources, address)
        self._nodes.append(node)
        return node

    def given(self, spec: Spec) -> _Value:
        """Return an input."""
        node = self._node(())
        node.cases = [[_Case(ALWAYS, spec)]]
        return _Value(node, 0)

    # --- the algebra ---------------------------------------------------------------------------------------------

    def key(self, value: Any) -> Hashable:
        several: Any = value if value.__class__ is tuple else (value,)
        return tuple([(each.node.number, each.port) for each in several])

    def walked(self, call: Call, address: str, rows: Sequence[Row]) -> Sequence[Row]:
        return rows

    def leaf(
        self, call: Call, address: str, rows: Any, inputs: Sequence[Any], measured: Sequence[Any], along: Sequence[Any]
    ) -> Any:
        sources = [(ALWAYS, value.node) for value in inputs]
        node = self._node(sources, address)
        n_outputs = 0
        found: list[tuple[Conjunction, tuple[Spec, ...]]] = []
        for outcome, values, _ in rows:
            holds = ALWAYS if outcome is None else outcome.holds
            for joint, specs in _joint(holds, [value.cases for value in (*inputs, *measured, *along)], address):
                taken, rest = specs[: len(inputs)], specs[len(inputs) : len(inputs) + len(measured)]
                times = math.prod([spec.shape[-1] for spec in specs[len(inputs) + len(measured) :]])
                times = 0 if isinstance(call.module, Enter) else times
                late = any(isinstance(value, Late) for value in values)
                module: Any = call.module.resolved(computed(call.module, address, values, rest) if late else values)
                if type(module) is Wrapped and self._as_native is not None:
                    module = self._as_native(module)
                given = apply_rule(module, address, taken)
                node.terms.append(_Term(joint, module, taken, given, times))
                found.append((joint, given))
                n_outputs = len(given)
        node.cases = [self._simpler([_Case(holds, given[i]) for holds, given in found]) for i in range(n_outputs)]
        return _Value(node, 0) if n_outputs == 1 else tuple([_Value(node, i) for i in range(n_outputs)])

    def selected(self, call: Call, address: str, values: Any, measured: Sequence[Any]) -> Sequence[Any]:
        found: list[tuple[Outcome, int]] = []
        for holds, specs in _joint(ALWAYS, [value.cases for value in measured], address):
            module: Any = call.module.resolved(computed(call.module, address, values, specs))
            assert isinstance(module, Select), "only selections select"
            found.append((Outcome(holds), module.position(address)))
        return found if len({position for _, position in found}) > 1 else [(None, found[0][1])]

    def mix(self, found: Sequence[tuple[Any, Any]], address: str) -> Any:
        rows: list[tuple[_Value, ...]] = [r if isinstance(r, tuple) else (r,) for _, r in found]
        if len({len(row) for row in rows}) != 1:
            raise ShapeMismatch(f"{address}: alternatives give different numbers of values.")
        outcomes = [ALWAYS if weight is None else weight.holds for weight, _ in found]
        mixed = tuple([self._mixed(outcomes, parts) for parts in zip(*rows, strict=True)])
        return mixed[0] if len(mixed) == 1 else mixed

    def _mixed(self, outcomes: Sequence[Conjunction], parts: Sequence[_Value]) -> _Value:
        node = self._node([(outcome, part.node) for outcome, part in zip(outcomes, parts, strict=True)])
        cases = [
            _Case(joint, case.spec)
            for outcome, part in zip(outcomes, parts, strict=True)
            for case in part.cases
            if (joint := both(outcome, case.holds)) is not None
        ]
        node.cases = [self._simpler(cases)]
        return _Value(node, 0)

    def _simpler(self, cases: Sequence[_Case]) -> list[_Case]:
        """Return cases without the decisions that they do not depend on."""
        by_spec: defaultdict[Spec, list[Conjunction]] = defaultdict(list)
        for case in cases:
            by_spec[case.spec].append(case.holds)
        if len(by_spec) == 1:
            return [_Case(ALWAYS, cases[0].spec)]
        return [
            _Case(holds, spec)
            for spec, each in by_spec.items()
            for holds in sorted(merged(each, self._weights), key=sorted)
        ]

    # --- costs ---------------------------------------------------------------------------------------------------

    def cost(self, outputs: Iterable[_Value], odds: Odds, latency: Latency | None) -> ExpectedCost:
        """Return the expected cost of what the outputs need."""
        for value in outputs:
            value.node.needed.add(ALWAYS)
        for node in reversed(self._nodes):
            needed = odds.simplified(node.needed)
            node.needed = set(needed)
            for holds, source in node.sources:
                source.needed.update([j for each in needed if (j := both(each, holds)) is not None])
        macs: Any = 0.0
        n_bytes: Any = 0.0
        taken: Any = 0.0
        held: defaultdict[tuple[str, int, int], set[Conjunction]] = defaultdict(set)
        for node in self._nodes:
            for holds, module, specs, given, times in node.terms:
                event = odds.simplified([j for each in node.needed if (j := both(each, holds)) is not None])
                if not event:
                    continue
                probability = odds.of(event)
                macs = macs + probability * (times * module.macs(*specs))
                n_bytes = n_bytes + probability * (times * sum([spec.n_bytes for spec in given]))
                if latency is not None:
                    taken = taken + probability * (times * latency(node.address, module, specs))
                held[node.address, module.parameters(*specs), module.non_trainable(*specs)] |= event
        trained: Any = 0.0
        others: Any = 0.0
        for (_, n_trained, n_others), events in held.items():
            if n_trained or n_others:
                probability = odds.of(odds.simplified(events))
                trained, others = trained + probability * n_trained, others + probability * n_others
        return ExpectedCost(trained, macs, n_bytes, others, taken)


def _joint(
    holds: Conjunction, cases: Sequence[Sequence[_Case]], address: str
) -> list[tuple[Conjunction, tuple[Spec, ...]]]:
    """Return the cases that several values have together."""
    found: list[tuple[Conjunction, tuple[Spec, ...]]] = [(holds, ())]
    for each in cases:
        found = [
            (joint, (*specs, case.spec))
            for before, specs in found
            for case in each
            if (joint := both(before, case.holds)) is not None
        ]
        if len(found) > _MOST_CASES:
            raise NotSupported(
                f"{address}: too many sizes come together here to weigh them all.\n"
                f"  Got more than {_MOST_CASES:,}.\n  Relax fewer widths, or fix some."
            )
    return found
