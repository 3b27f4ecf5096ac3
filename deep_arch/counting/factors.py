"""Factors: counts that depend on the values of shared hyperparameters, multiplied and added without listing them.

A *term* is a product of factors, and a *factor* a sum over what some hyperparameters are: from each combination of sets
of their values to the ways in which the rest can be decided then. Hyperparameters that never meet in one place stand in
factors apart, and values with the same effect in one set, so a space is counted without going through all combinations
of its shared values. Summing over a hyperparameter multiplies only the factors that it stands in (variable elimination,
Dechter, Bucket elimination, 1999).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from deep_arch.counting.ways import NONE, ONE, Variable, Ways, either, product

ANY: Final = -1
"""The set of all values of a hyperparameter, as a mask with all bits set."""


Binding = frozenset[tuple[Variable, int]]
"""Sets of values, as masks of their positions, of the hyperparameters that are used; what is not used is left out."""

FREE: Final[Binding] = frozenset()


class TooLarge(Exception):
    """More combinations of values than can be gone through."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        super().__init__()
        self.variables = sorted(variables, key=lambda variable: variable.path)


class Budget:
    """How much work is left before a space is too large to count."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, work: int, factors: Iterable[Factor]) -> None:
        """Take off some work.

        Raises:
            TooLarge: nothing is left.
        """
        self._left -= work
        if self._left < 0:
            raise TooLarge({variable for factor in factors for variable in factor.variables})


class Factor:
    """Ways by binding; a binding that is not there has none.

    Attributes:
        variables: those of all bindings.
    """

    __slots__ = ("entries", "variables")

    def __init__(self, entries: dict[Binding, Ways]) -> None:
        self.entries = entries
        self.variables = frozenset([variable for binding in entries for variable, _ in binding])


class Term(NamedTuple):
    """A product of ways that depend on nothing else and of factors."""

    ways: Ways
    factors: tuple[Factor, ...]

    @property
    def size(self) -> int:
        """How many bindings there are in its factors, and one more."""
        return 1 + sum([len(factor.entries) for factor in self.factors])


UNIT: Final = Term(ONE, ())


class Gated(NamedTuple):
    """A term that counts where some hyperparameters have some values."""

    gate: Binding
    term: Term

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Those of the term, and the gate as one."""
        return (*self.term.factors, Factor({self.gate: ONE}))


def join(a: Binding, b: Binding) -> Binding | None:
    """Return what both bind, or None where no value is in both."""
    if not a or not b:
        return a or b
    joined = dict(a)
    for variable, mask in b:
        both = joined[variable] = joined.get(variable, ANY) & mask
        if not both:
            return None
    return frozenset(joined.items())


def _joined(a: Factor, b: Factor, budget: Budget) -> Factor:
    """Return the product of two factors: only what agrees on the variables of both is gone through."""
    both = a.variables & b.variables
    width = 1 + len(a.variables | b.variables)
    entries: dict[Binding, list[Ways]] = {}
    others = _by_shared(b, both)
    for shared, some in _by_shared(a, both).items():
        for other, more in others.items():
            common = join(shared, other)
            budget.spend(width * (1 if common is None else len(some) * len(more)), (a, b))
            if common is not None:
                for own, ways in some:
                    for rest, further in more:
                        entries.setdefault(common | own | rest, []).append(product(ways, further))
    return Factor({binding: either(found) for binding, found in entries.items()})


def _by_shared(factor: Factor, shared: frozenset[Variable]) -> dict[Binding, list[tuple[Binding, Ways]]]:
    """Return the entries of a factor by what they bind of some variables, with what they bind of the others."""
    if not shared:
        return {FREE: list(factor.entries.items())}
    groups: dict[Binding, list[tuple[Binding, Ways]]] = {}
    for binding, ways in factor.entries.items():
        of_both = frozenset([bound for bound in binding if bound[0] in shared])
        groups.setdefault(of_both, []).append((binding - of_both, ways))
    return groups


def multiply(a: Term, b: Term, budget: Budget) -> Term:
    """Return the product of two terms; a factor whose variables are all in another is multiplied into it."""
    if b is UNIT or a is UNIT:
        return a if b is UNIT else b
    factors = a.factors
    for factor in b.factors:
        for i, other in enumerate(factors):
            if factor.variables <= other.variables or other.variables <= factor.variables:
                factors = (*factors[:i], _joined(other, factor, budget), *factors[i + 1 :])
                break
        else:
            factors = (*factors, factor)
    return Term(product(a.ways, b.ways), factors)


def add(terms: Sequence[Term], budget: Budget) -> Term:
    """Return the sum of some terms: factors that all of them have stay, the others are multiplied out."""
    if len(terms) == 1:
        return terms[0]
    in_all = {id(factor) for factor in terms[0].factors}
    in_all.intersection_update(*[map(id, term.factors) for term in terms])
    entries: dict[Binding, list[Ways]] = {}
    for term in terms:
        rest = _multiplied_out(term.ways, [f for f in term.factors if id(f) not in in_all], budget)
        for binding, ways in rest.entries.items():
            entries.setdefault(binding, []).append(ways)
    added = Factor({binding: either(found) for binding, found in entries.items()})
    common = Term(ONE, tuple([factor for factor in terms[0].factors if id(factor) in in_all]))
    return multiply(common, _term(added), budget)


def _term(factor: Factor) -> Term:
    """Return a factor as a term; it depends on nothing where it has no variables."""
    return Term(ONE, (factor,)) if factor.variables or not factor.entries else Term(factor.entries[FREE], ())


def _multiplied_out(ways: Ways, factors: Iterable[Factor], budget: Budget) -> Factor:
    whole = Factor({FREE: ways})
    for factor in factors:
        whole = _joined(whole, factor, budget)
    return whole


def gated(some: Sequence[Gated], budget: Budget) -> Term:
    """Return the sum of terms that count at different values: no two gates have a combination of values in common.

    Since of two gates at most one holds, their sum is the product of sums over the factors that belong together:
    (g a b + h c d) = (g a + h c) (g b + h d). So what stands apart inside stays apart.
    """
    if len(some) == 1 and not some[0].gate:
        return some[0].term
    by_gate: dict[Binding, list[Term]] = {}
    for gate, term in some:
        by_gate.setdefault(gate, []).append(term)
    terms = {gate: add(found, budget) for gate, found in by_gate.items()}
    loose = FREE.union(*terms).intersection(*terms)
    loose = frozenset([bound for bound in loose if not bound[0].tied])
    result = Term(ONE, tuple([Factor({frozenset([bound]): ONE}) for bound in _ordered(loose)]))
    if len(terms) == 1:
        [(gate, term)] = terms.items()
        held = Term(ONE, (Factor({gate - loose: ONE}),) if gate - loose else ())
        return multiply(multiply(result, held, budget), term, budget)
    gates = {gate - loose: term for gate, term in terms.items()}
    result = multiply(result, Term(ONE, (Factor({gate: term.ways for gate, term in gates.items()}),)), budget)
    for together in _groups([factor for term in gates.values() for factor in term.factors]):
        entries: dict[Binding, Ways] = {}
        for gate, term in gates.items():
            inner = _multiplied_out(ONE, [factor for factor in term.factors if id(factor) in together], budget)
            for binding, ways in _joined(Factor({gate: ONE}), inner, budget).entries.items():
                entries[binding] = ways
        result = multiply(result, Term(ONE, (Factor(entries),)), budget)
    return result


def _ordered(binding: Binding) -> list[tuple[Variable, int]]:
    """Return a binding in an order that is the same in every process."""
    return sorted(binding, key=lambda bound: (bound[0].home.level, bound[0].path, bound[1]))


def _groups(factors: Sequence[Factor]) -> list[set[int]]:
    """Return the ids of factors that are linked by their variables, one group after another."""
    groups: list[tuple[set[Variable], set[int]]] = []
    for factor in factors:
        linked = [group for group in groups if not group[0].isdisjoint(factor.variables)]
        variables = set(factor.variables).union(*[group[0] for group in linked])
        ids = {id(factor)}.union(*[group[1] for group in linked])
        groups = [group for group in groups if group not in linked]
        groups.append((variables, ids))
    return [ids for _, ids in groups]


def sum_over(
    term: Term, variables: Iterable[Variable], choose: Callable[[Variable, int, Binding], Ways], budget: Budget
) -> Term:
    """Return a term with some variables summed over.

    Args:
        term: the term.
        variables: what is summed over, each where the term uses it.
        choose: gives the ways to choose a variable from a mask, where the others are bound so.
        budget: for the work.
    """
    left = set(variables)
    users = _users(term.factors, left)
    while users:
        highest = max(variable.rank for variable in users)  # a domain depends on values that are summed over later
        for variable in _in_order(users, highest):
            if variable not in users or (len(users[variable]) > 1 and variable is not _cheapest(users, highest)):
                continue  # joined with another meanwhile, or better joined after others
            mine = users.pop(variable)
            others = tuple([factor for factor in term.factors if variable not in factor.variables])
            summed = _summed(_multiplied_out(ONE, mine, budget), variable, choose)
            term = multiply(Term(term.ways, others), _term(summed), budget)
            changed = [*mine, *[factor for factor in term.factors if factor not in others]]
            for other in set[Variable]().union(*[factor.variables for factor in changed]) & users.keys():
                users[other] = [factor for factor in term.factors if other in factor.variables]
    return term


def _users(factors: Iterable[Factor], variables: set[Variable]) -> dict[Variable, list[Factor]]:
    users: dict[Variable, list[Factor]] = {}
    for factor in factors:
        for variable in factor.variables & variables:
            users.setdefault(variable, []).append(factor)
    return users


def _in_order(users: dict[Variable, list[Factor]], rank: int) -> list[Variable]:
    """Return the variables of a rank, those in one factor first."""
    return sorted([v for v in users if v.rank == rank], key=lambda v: (len(users[v]) > 1, _size(users[v]), v.path))


def _cheapest(users: dict[Variable, list[Factor]], rank: int) -> Variable:
    return min([v for v in users if v.rank == rank], key=lambda v: (_size(users[v]), v.path))


def _size(factors: list[Factor]) -> int:
    """Return how many bindings the product of some factors has at most."""
    return math.prod([len(factor.entries) for factor in factors])


def total(term: Term) -> Ways:
    """Return the ways of a term that depends on nothing; none where one of its factors has no binding left."""
    assert not any(factor.variables for factor in term.factors), "everything was summed over"
    return NONE if term.factors else term.ways


def _summed(factor: Factor, variable: Variable, choose: Callable[[Variable, int, Binding], Ways]) -> Factor:
    entries: dict[Binding, list[Ways]] = {}
    for binding, ways in factor.entries.items():
        masks = [mask for bound, mask in binding if bound is variable]
        rest = binding
        if masks:
            rest = frozenset([bound for bound in binding if bound[0] is not variable])
            ways = product(choose(variable, masks[0], rest), ways)
        entries.setdefault(rest, []).append(ways)
    return Factor({binding: either(found) for binding, found in entries.items()})
