"""Variables: the hyperparameters of a space as counting knows them, and the values that they are summed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from deep_arch.counting.boxes import boxes
from deep_arch.counting.exploring import Explorer
from deep_arch.counting.factors import ANY, Binding, Factor, Term
from deep_arch.counting.ways import ONE, Applied, Chosen, Endless, Variable, Ways
from deep_arch.language.dependence import domain_at, roots
from deep_arch.language.domains import Choice
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions

Exposed = tuple[Fragment, str] | None
"""For the inside of a module that several places share: the home and path of its hyperparameters."""


APPLICATION: Final = Independent(Choice(("applied",)), name="applied")
"""In place of a hyperparameter: whether a rule is applied somewhere."""


class Variables:
    """The hyperparameters of a space, each one variable for all who know it by the same address."""

    def __init__(self, explorer: Explorer, alternatives: Alternatives, restrictions: Restrictions) -> None:
        self._explorer, self._alternatives, self._restrictions = explorer, alternatives, restrictions
        self._known: dict[Any, Variable] = {}

    def of(self, hyperparameter: Independent, user: Fragment, exposed: Exposed) -> Variable:
        """Return a hyperparameter as it is known outside of the module, shared by several places, that it is in."""
        slot = user.slot_of(hyperparameter)
        home = user.owner_at(slot.levels)
        leading = tuple([self.of(h, user, exposed) for h in roots(hyperparameter.parents)])
        known = self._at(home, home.suffixes[slot.place], hyperparameter, leading)
        return known if exposed is None else self.seen_outside(known, user, exposed)

    def _at(self, home: Fragment, path: str, hyperparameter: Independent, leading: tuple[Variable, ...]) -> Variable:
        key = (home, path, hyperparameter, leading)
        if key not in self._known:
            tied = bool(leading) or hyperparameter in self._explorer.leading
            self._known[key] = Variable(home, path, hyperparameter, leading, tied)
        return self._known[key]

    def seen_outside(self, variable: Variable, fragment: Fragment, exposed: tuple[Fragment, str]) -> Variable:
        """Return a hyperparameter as it is known outside of a shared module, if the fragment there made it."""
        leading = tuple([self.seen_outside(v, fragment, exposed) for v in variable.leading])
        if variable.home is fragment:
            return self._at(exposed[0], exposed[1] + variable.path, variable.hyperparameter, leading)
        return (
            variable
            if leading == variable.leading
            else self._at(variable.home, variable.path, variable.hyperparameter, leading)
        )

    def applied(self, place: tuple[Fragment, str]) -> Variable:
        """Return what stands for an application of a rule in a module that several places share.

        It is chosen, in one way, where one of them at least reaches the application, which counts once then.
        """
        return self._at(*place, APPLICATION, ())

    def renamed(self, term: Term, fragment: Fragment, exposed: tuple[Fragment, str]) -> Term:
        """Return a term with a fragment's own hyperparameters as they are known outside of a shared module."""

        def outside(binding: Binding) -> Binding:
            return frozenset([(self.seen_outside(v, fragment, exposed), mask) for v, mask in binding])

        factors = [Factor({outside(b): ways for b, ways in factor.entries.items()}) for factor in term.factors]
        return Term(term.ways, tuple(factors))

    def exposed_inside(self, place: Place, call: Call, inner: Fragment, exposed: Exposed) -> Exposed:
        """Return where the hyperparameters inside of a call are known outside, if several places share its module."""
        home = place.fragment.owner_at(call.home)
        path = call.name + inner.ending
        if exposed is not None and home is place.fragment:
            return exposed[0], exposed[1] + path
        if not call.module.shared or (exposed is None and self._explorer.stands_once(call.module)):
            return None
        return home, path

    def last_users(self, fragment: Fragment) -> dict[int, list[Variable]]:
        """Return by call the own hyperparameters that no earlier call uses, so that they can be summed over there."""
        users = self._explorer.users
        first: dict[Variable, int] = {}
        for call in reversed(fragment.calls):
            used: set[Any] = set(call_roots(call))
            for inner in self._explorer.inner.get(call, ()):
                used |= users.get(inner, set())
            for user in used:
                if isinstance(user, Independent) and user.owner is fragment:
                    first[self.of(user, fragment, None)] = call.index
        by_call: dict[int, list[Variable]] = {}
        for variable, index in sorted(first.items(), key=lambda item: item[0].path):
            by_call.setdefault(index, []).append(variable)
        return by_call

    def chosen_at(self, place: Place) -> Callable[[Variable, int, Binding], Ways]:
        """Return what gives the ways to choose hyperparameters that belong to a place."""

        most = self._restrictions.room(place.depth)

        def chosen(variable: Variable, mask: int, bound: Binding) -> Ways:
            if variable.hyperparameter is APPLICATION:
                return Applied(ONE, most)
            if mask != ANY:
                return Chosen(variable, mask, mask.bit_count())
            whole = domain_at(variable.hyperparameter, self._some(place, variable, bound))
            address = variable.address(place)
            if self._restrictions.fixes(address, whole):
                return Chosen(variable, ANY, 1)
            return Chosen(variable, ANY, self._restrictions.narrowed(variable.hyperparameter, whole, address).size)

        return chosen

    def _some(self, place: Place, variable: Variable, bound: Binding) -> dict[Independent, Any]:
        """Return some values of what a domain depends on: all in one binding give domains of one size."""
        values: dict[Independent, Any] = {}
        masks = dict(bound) if variable.leading else {}
        for leading in variable.leading:
            address, whole = leading.address(place), domain_at(leading.hyperparameter, values)
            if address is not None and self._restrictions.fixes(address, whole):
                values[leading.hyperparameter] = self._restrictions.fixed[address]
            else:
                domain, mask = self._restrictions.narrowed(leading.hyperparameter, whole, address), masks[leading]
                values[leading.hyperparameter] = domain.at((mask & -mask).bit_length() - 1)
        return values

    def used(self, place: Place, used: Sequence[Independent], exposed: Exposed) -> list[Binding]:
        """Return the gates of what uses hyperparameters whatever their values are.

        There is more than one gate where the size of a domain depends on the values of others.
        """
        fragment = place.fragment
        variables = [self.of(h, fragment, exposed) for h in used]
        if not any(variable.rank for variable in variables):
            return [frozenset([(variable, ANY) for variable in variables])]
        leading = {h for each in used for h in roots(each.parents)}
        listed = [h for h in used if h in leading]
        fixed = self._alternatives.fixed(place, used)
        if self._alternatives.any_endless(place, listed):
            raise Endless
        found: list[tuple[tuple[int, ...], None]] = []
        sizes: list[dict[tuple[int, ...], int | float]] = [{} for _ in used]
        for binding, positions in self._alternatives.combinations(place, listed, fixed, fragment.where()):
            at = dict(zip(listed, positions, strict=True))
            whole = tuple([at.get(h, ANY) for h in used])
            for i, h in enumerate(used):
                sizes[i][whole[:i]] = 1 if h in fixed else self._alternatives.domain(h, binding, place).size
            found.append((whole, None))
        return [gate_of(variables, box) for box, _ in boxes(found, sizes)]


def gate_of(variables: Sequence[Variable], box: Sequence[int]) -> Binding:
    """Return the gate at which variables are in a box."""
    return frozenset(zip(variables, box, strict=True))
