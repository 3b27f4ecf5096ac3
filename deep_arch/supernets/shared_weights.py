"""Shared weights: every weight of a space once, at the largest shape that any architecture gives it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch, is_kind, wrong_kind
from deep_arch.language.domains import Domain, Numeric, Real
from deep_arch.language.fragment import Call
from deep_arch.language.holes import HOLE, is_hole
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Operation, Wrapped, weights_of
from deep_arch.language.selection import Select
from deep_arch.language.specs import Inputs, Spec
from deep_arch.language.values import Late
from deep_arch.language.weights import Axis, Role, Weight
from deep_arch.measures.settling import computed
from deep_arch.measures.shapes import apply_rule, input_specs
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.positions import Share, shared_address
from deep_arch.spaces.space import SearchSpace
from deep_arch.supernets.algebra import JointValues, Row
from deep_arch.supernets.walking import Plans, Site, Walker

Specs = frozenset[Spec]

_MOST_COMBINATIONS: Final = 4_096
"""Joint shapes of a call's inputs that are looked at; more are merged pair by pair."""

_MOST_SHAPES: Final = 256
"""Shapes of one value that are kept: the largest, the smallest, and some between."""

_MOST_LISTED: Final = 4_096
"""Values of a number that are looked at one by one; of more only some, with both ends."""

_MOST_ADDRESSES: Final = 1_000_000

_MOST_ORDERS: Final = 24
"""Orders that are walked one by one; of more only those that begin with each part."""


@dataclass(slots=True)
class SharedWeight:
    """One weight of a super-network.

    Attributes:
        address: of the module that holds it.
        name: of the weight, neutral.
        key: what tells it apart from weights of that name with which it shares nothing, such as those of another shape.
        weight: at the largest shape.
        dtype: of the operation's first input.
        operation: one that holds it.
    """

    address: str
    name: str
    key: Hashable
    weight: Weight
    dtype: str
    operation: Any


@dataclass
class SharedWeights:
    """What the architectures of a space share.

    Attributes:
        weights: by module address, and for each by name and key.
        widest: the channels of each input of the module at an address, where it is widest.
        decisions: the domain of every hyperparameter that some architecture reaches, by address.
        config: the names that `da.config` attached.
    """

    weights: dict[str, dict[tuple[str, Hashable], SharedWeight]] = field(default_factory=dict[str, Any])
    widest: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    decisions: dict[str, Domain] = field(default_factory=dict[str, Domain])

    @property
    def parameters(self) -> int:
        """How many trained numbers there are."""
        return sum([shared.weight.size for shared in self if shared.weight.trained])

    def __iter__(self) -> Iterator[SharedWeight]:
        return itertools.chain.from_iterable([held.values() for held in self.weights.values()])


Native = Callable[[Any, str, tuple[Spec, ...]], Mapping[str, Weight] | None]
"""Returns the weights, by a framework's own names, of an operation that lowers itself; None for any other."""

AsNative = Callable[[Wrapped], Any]


def shared_weights(
    space: SearchSpace,
    inputs: Inputs,
    native: Native | None = None,
    as_native: AsNative | None = None,
    share: Share = None,
) -> SharedWeights:
    """Return every weight that some architecture of a space holds, at the largest shape that any gives it.

    Args:
        space: whose architectures share the weights.
        inputs: one spec, or one for each of the space's inputs by name.
        native: asks a framework what modules hold that know it.
        as_native: makes of what `da.wrap` gave what the backend's own `wrap` gives.
        share: "position" where arguments of one place are shared by all alternatives, or a function of an address; see
            `deep_arch.spaces.positions`.

    Raises:
        NotSpecified: the sub-space leaves hyperparameters open.
        NotSupported: a real number decides structure or shapes, or there is too much to hold.
        NotCountable: recursion without a limit.
        ShapeMismatch, BadArgument: no architecture fits these inputs.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> net = da.space(lambda x: ops.Dense(da.choice([8, 16]))(ops.Dense(da.choice([2, 4]))(x)))
        >>> shared = shared_weights(net, da.vector(3))
        >>> shared.parameters, [each.weight.shape for each in shared]
        (96, [(3, 4), (4,), (4, 16), (16,)])
    """
    check_space(space, "shared_weights")
    shared = shared_address(space, share, "shared_weights")
    specs = input_specs(space.inputs, space.name, inputs)
    algebra = _Largest(native, as_native)
    walker = Walker(space, algebra, _Every(space, algebra.shared.decisions), Plans(), shared)
    walker.outputs([frozenset([spec]) for spec in specs])
    return algebra.shared


def check_space(space: Any, asker: str) -> None:
    """Raise BadArgument for what is no space."""
    if not is_kind(space, SearchSpace):
        raise wrong_kind(
            asker, "a search space", space, "Give the space itself, da.space(fn), not an architecture of it."
        )


class _Every:
    """Decides nothing: every value of each decision is kept."""

    def __init__(self, space: SearchSpace, decisions: dict[str, Domain]) -> None:
        self._restrictions, self._decisions = space.restrictions, decisions

    def __call__(self, hyperparameter: Independent, address: str, site: Site) -> Any:
        restrictions, domain = self._restrictions, hyperparameter.domain
        if restrictions.fixes(address, domain):
            return restrictions.fixed[address]
        if not restrictions.keeps(address, hyperparameter):
            raise NotSpecified(
                f"{address}: a super-network holds every alternative, and this sub-space leaves it open for good.\n"
                "  Got a space of `where`.\n  Make the super-network of the whole space, or fix what is left open."
            )
        self._decisions.setdefault(address, restrictions.narrowed(hyperparameter, domain, address))
        offered = restrictions.offered(hyperparameter, site)
        values = (*looked_at(offered), *([HOLE] if is_hole(offered, HOLE) else []))
        return values[0] if len(values) == 1 else Mixture(values, (None,) * len(values))


def looked_at(domain: Domain) -> tuple[Any, ...]:
    """Return the values of a domain; of very many numbers some, with both ends."""
    if isinstance(domain, Real):
        return domain.low, domain.at_unit(0.5), domain.high
    if domain.size <= _MOST_LISTED or not isinstance(domain, Numeric):
        return tuple(itertools.islice(domain.values(), 50_001))
    return tuple(dict.fromkeys([domain.at_unit(i / 64) for i in range(64)] + [domain.at_unit(1.0)]))


class _Largest:
    """Values are sets of specs, alternatives are joined."""

    skips = True

    def __init__(self, native: Native | None, as_native: AsNative | None) -> None:
        self.shared = SharedWeights()
        self._native, self._as_native = native, as_native
        self._seen: set[Any] = set()

    def key(self, value: Any) -> Hashable:
        return value  # type: ignore[no-any-return]

    def mix(self, found: Sequence[tuple[Any, Any]], address: str) -> Any:
        rows: list[tuple[Specs, ...]] = [result if isinstance(result, tuple) else (result,) for _, result in found]
        if len({len(row) for row in rows}) != 1:
            raise ShapeMismatch(
                f"{address}: expected as many values from each alternative.\n"
                f"  Got {', '.join([str(len(row)) for row in rows])}.\n"
                "  Let each function return as many as the others."
            )
        joined = tuple([_kept(frozenset[Spec]().union(*parts)) for parts in zip(*rows, strict=True)])
        return joined[0] if len(joined) == 1 else joined

    def walked(self, call: Call, address: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Return all, but of many orders only those that begin with each part: then each follows each."""
        for decided in rows[0].parts:
            if isinstance(self.shared.decisions.get(decided), Real):
                raise _real(address, decided, self.shared.decisions[decided])
        if not call.module.order_immaterial:
            return rows
        orders: dict[int, Any] = {
            i: value for i, row in enumerate(rows) for value in row.given.values() if isinstance(value, tuple)
        }
        if len(rows) <= _MOST_ORDERS or len(orders) != len(rows):
            return rows
        first: tuple[Any, ...] = orders[0]
        both = first, first[::-1]
        turned: set[Any] = {order[i:] + order[:i] for order in both for i in range(len(first))}
        return [row for i, row in enumerate(rows) if orders[i] in turned]

    def selected(self, call: Call, address: str, values: tuple[Any, ...], measured: Sequence[Specs]) -> Sequence[Any]:
        found: dict[int, None] = {}
        for specs in itertools.product(*measured):
            module: Any = call.module.resolved(computed(call.module, address, values, specs))
            assert isinstance(module, Select), "only selections select"
            found[module.position(address)] = None
        return [(None, position) for position in found]

    def leaf(
        self, call: Call, address: str, rows: Sequence[JointValues], inputs: Any, measured: Any, along: Sequence[Any]
    ) -> Any:
        found: list[tuple[Any, Any]] = []
        error: Exception | None = None
        before: list[dict[str, tuple[int, Any]]] = []
        for _, values, parts in rows:
            try:
                result = self._at(call, address, values, inputs, measured)
            except (ShapeMismatch, BadArgument) as raised:
                error = error or raised
                continue
            found.append((None, result))
            before.append(parts)
        if not found:
            assert error is not None, "there is at least one row"
            raise error
        self._check_real(call, address, before, [result for _, result in found])
        if len(self.shared.weights) > _MOST_ADDRESSES:
            raise NotSupported(
                f"{address[:200]}: too much for a super-network.\n  Got more than {_MOST_ADDRESSES:,} modules.\n"
                "  Limit recursion with space.limit(max_depth=...), or fix some decisions with space.fix."
            )
        return self.mix(found, address)

    def _check_real(self, call: Call, address: str, rows: Sequence[Mapping[str, Any]], results: Sequence[Any]) -> None:
        """Raise NotSupported where a real number decides a shape: only some of its values were looked at."""
        reals = [a for a in rows[0] if isinstance(self.shared.decisions.get(a), Real)]
        for decided in reals:
            by_others: dict[Any, set[Any]] = {}
            for parts, result in zip(rows, results, strict=True):
                others = tuple([(address, at) for address, (at, _) in parts.items() if address != decided])
                by_others.setdefault(others, set()).add(result)
            if any(len(different) > 1 for different in by_others.values()):
                names = [name for name, h in call.module.open_arguments if not isinstance(h, Independent)]
                where = f"{address}.{names[0]}" if names else address
                raise _real(where, decided, self.shared.decisions[decided])

    def _at(self, call: Call, address: str, values: tuple[Any, ...], inputs: Any, measured: Any) -> Any:
        """Return the specs that one operation gives."""
        late = any(isinstance(value, Late) for value in values)
        widths = [max([spec.channels for spec in specs]) for specs in inputs]
        widest = self.shared.widest.get(address, [])
        self.shared.widest[address] = [max(a, b) for a, b in itertools.zip_longest(widest, widths, fillvalue=0)]
        if not late and len(inputs) > 1 and math.prod(map(len, inputs)) > _MOST_COMBINATIONS:
            return self._pairwise(call, address, values, inputs)
        results: list[tuple[Spec, ...]] = []
        error: Exception | None = None
        known: dict[Any, Any] = {}
        for specs in _consistent(call, [*inputs, *measured]):
            taken, rest = specs[: len(inputs)], specs[len(inputs) :]
            try:
                arguments = computed(call.module, address, values, rest) if late else values
                key = arguments if late else None
                if key not in known:
                    known[key] = self._operation(call, arguments)
                results.append(self._held(known[key], address, taken))
            except (ShapeMismatch, BadArgument) as raised:
                error = error or raised
        if not results:
            assert error is not None, "no set is empty"
            raise error
        given = tuple([_kept(frozenset([r[i] for r in results])) for i in range(len(results[0]))])
        return given[0] if len(given) == 1 else given

    def _operation(self, call: Call, values: tuple[Any, ...]) -> Any:
        operation: Any = call.module.resolved(values)
        if type(operation) is Wrapped and self._as_native is not None:
            return self._as_native(operation)
        return operation

    def _held(self, operation: Any, address: str, specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
        """Take in what an operation holds on such inputs, and return its outputs."""
        given = apply_rule(operation, address, specs)
        weights = None if self._native is None else self._native(operation, address, specs)
        if weights is None and isinstance(operation, Operation):
            weights_of(operation, specs)
            weights = operation.weights(*specs)
        for name, weight in (weights or {}).items():
            self._take(operation, address, name, weight, specs)
        return given

    def _take(self, operation: Any, address: str, name: str, weight: Weight, specs: tuple[Spec, ...]) -> None:
        held = self.shared.weights.setdefault(address, {})
        dtype = specs[0].dtype if "float" in specs[0].dtype else "float32"
        key = kind_of(weight)
        known = held.get((name, key))
        if known is None:
            held[name, key] = SharedWeight(address, name, key, weight, dtype, operation)
        elif known.weight.shape != weight.shape:
            known.weight = larger(known.weight, weight)

    def _pairwise(self, call: Call, address: str, values: tuple[Any, ...], inputs: Sequence[Specs]) -> Any:
        """Join inputs from the left, where an operation on many is that on two, time and again."""
        operation = self._operation(call, values)
        if not hasattr(operation, "axis") and not getattr(operation, "commutative", False):
            raise NotSupported(
                f"{address}: too many shapes meet here to find what its weights need.\n"
                f"  Got {' x '.join([str(len(specs)) for specs in inputs])} of them.\n"
                "  Give what meets here fewer widths, or fix some with space.fix."
            )
        joined = inputs[0]
        for specs in inputs[1:]:
            found: set[Spec] = set()
            error: Exception | None = None
            for pair in itertools.product(joined, specs):
                try:
                    found.update(apply_rule(operation, address, pair))
                except ShapeMismatch as raised:
                    error = error or raised
            if not found and error is not None:
                raise error
            joined = _kept(frozenset(found))
        return joined


def _consistent(call: Call, sets: Sequence[Specs]) -> Iterator[tuple[Spec, ...]]:
    """Yield joint specs of a call's inputs, where what is one value has one spec."""
    first = {reference: i for i, reference in reversed([*enumerate(call.inputs)])}
    places = [first[reference] for reference in call.inputs]
    distinct = sorted(set(places))
    for specs in itertools.product(*[sets[i] for i in distinct]):
        by_place = dict(zip(distinct, specs, strict=True))
        yield tuple([by_place[i] for i in places])


def _kept(specs: Specs) -> Specs:
    """Return a set of specs, or of very many those that can be the largest and smallest, and some between."""
    if len(specs) <= _MOST_SHAPES:
        return specs
    listed = sorted(specs, key=lambda spec: (spec.spatial, spec.channels))
    ends = [group for _, g in itertools.groupby(listed, key=lambda s: s.spatial) if (group := [*g])]
    some = {spec for group in ends for spec in (group[0], group[-1])}
    return frozenset([*some, *listed[:: max(len(listed) // _MOST_SHAPES, 1)]])


def _real(address: str, decided: str, domain: Domain) -> NotSupported:
    return NotSupported(
        f"{address}: {decided} is a real number, and decides a structure or a shape here, so there is no end of "
        f"alternatives.\n  Got {domain}.\n  Leave some of its values: space.discretize(levels=...)."
    )


# --- kinds of weights ------------------------------------------------------------------------------------------------


def kind_of(weight: Weight) -> Hashable:
    """Return what weights of one name must have in common to be shared: roles, and the sizes that are fixed."""
    if weight.axes is None:
        return weight.shape
    return tuple([_kind(axis, size) for axis, size in zip(weight.axes, weight.shape, strict=True)])


def _kind(axis: Axis, size: int) -> Hashable:
    if isinstance(axis, str):
        return size if axis == "fixed" else axis if axis == "kernel" else ""
    return tuple([_kind(role, n) for role, n in axis])


def larger(a: Weight, b: Weight) -> Weight:
    """Return a weight that holds two of one kind."""
    assert a.axes is not None, "weights without roles are shared at one shape"
    assert b.axes is not None, "weights without roles are shared at one shape"
    shape: list[int] = []
    axes: list[Axis] = []
    for own, other, m, n in zip(a.axes, b.axes, a.shape, b.shape, strict=True):
        if isinstance(own, str) or isinstance(other, str):
            shape.append(max(m, n))
            axes.append(own)
        else:
            factors: tuple[tuple[Role, int], ...] = tuple(
                [(role, max(p, q)) for (role, p), (_, q) in zip(own, other, strict=True)]
            )
            shape.append(math.prod([size for _, size in factors]))
            axes.append(factors)
    return Weight(tuple(shape), a.initial, a.trained, tuple(axes))
