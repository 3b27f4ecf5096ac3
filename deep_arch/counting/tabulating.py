"""Tabulating: a dynamic program over remembered fragments, which counts what each can be unfolded to.

For a fragment and the outputs that are wanted of it, a *table* says in how many ways it can be unfolded, apart for each
*structure*: the set of its inputs that the result then depends on (a substitution may ignore some of them), and the set
of values of enclosing functions that it uses. The ways are a *term* (see `factors`): they depend on the values of
enclosing functions' hyperparameters that it used.

Calls are taken in reverse, so that what nothing depends on is never counted. A hyperparameter is summed over as soon as
no earlier call can use it, so independent parts multiply.

An example. In ::

    def net(x):
        n = da.choice([1, 2], name="n")
        y = ops.Dense(units=da.choice([8, 16]))(x)          # call 1, of input 0
        return da.repeat(lambda: ops.Dense(units=da.choice([4, 5, 6])), n)(y)   # call 2, of call 1

the output wants call 2, so the table of `net` begins with one row, {wanted: call 2}, whose term is one way. Call 2
becomes one copy or two. The table of `repeat` at n = 1 has one row {wanted: input 0} of 3 ways, at n = 2 one of 9.
These are its *parts*, each with a gate: {n = 1} and {n = 2}. Joined to the row they give {wanted: call 1} with a
factor {n = 1: 3, n = 2: 9}. No call before this one uses `n`, so it is summed over: {wanted: call 1} in 12 ways. Call 1
is an operation, whose one part wants input 0 and uses any value of `dense.units`, since none makes a difference to the
structure; summed over, these are 2: {wanted: input 0} in 24 ways. The sum of all rows, 24, is the size.

Where a call becomes the same at several values of what decides it (the same inputs wanted and values used, in as many
ways), these are one value: their parts have one gate, a set of values. Where a module is called from several places,
its hyperparameters are *exposed*: not summed over inside, but in the function that made it, where the places are
joined.
"""

from __future__ import annotations

from typing import Any, Final

from deep_arch.counting.copies import Copies
from deep_arch.counting.effects import Found, Part, parts_of
from deep_arch.counting.exploring import MOST_RULES, Explorer
from deep_arch.counting.factors import ANY, UNIT, Budget, Gated, Term, add, gated, multiply, sum_over, total
from deep_arch.counting.structures import Rows, Structure, Structures, set_bits
from deep_arch.counting.variables import Exposed, Variables, gate_of
from deep_arch.counting.ways import Applied, Endless, Variable, Ways, either
from deep_arch.language.dependence import roots
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.language.values import Reference
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.depths import ENDLESS, can_end
from deep_arch.spaces.liveness import Ports, wanted_outputs
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.trampoline import Recursive, run

MOST_WORK: Final = 10_000_000
"""Hyperparameters in combinations of values that are joined before a space is too large to count: some seconds."""


class Tabulator:
    """Makes the table of a program within restrictions.

    Raises:
        Endless: there are infinitely many architectures.
        NotCountable: functions nest without end.
        TooLarge: too many hyperparameters decide together.
    """

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self._program, self._restrictions = program, restrictions
        self._alternatives = Alternatives(program, restrictions)
        self._explorer = Explorer(program, restrictions)
        self._budget = Budget(MOST_WORK)
        self._tables: dict[Any, Rows | None] = {}
        self._variables = Variables(self._explorer, self._alternatives, restrictions)
        self._structures = Structures()

    def ways(self) -> Ways:
        """Return the ways to unfold the whole program."""
        root = self._program.root
        rows: Rows = run(self._tabulate(Place(root, "", None), (None,) * len(root.outputs), None))
        return either([total(term) for term in rows.values()])

    def _tabulate(self, place: Place, ports: Ports, exposed: Exposed) -> Recursive[Rows]:
        """Return the table of the fragment at a place, of which some outputs are wanted."""
        most, fragment = self._restrictions.deepest, place.fragment
        memory = (fragment, ports, None if most is None else most - place.depth, place.prefix, exposed)
        if memory in self._tables:
            found = self._tables[memory]
            if found is None:
                raise Endless
            return found
        self._tables[memory] = None  # in progress: meeting it again is a cycle
        rows = self._beginning(place, ports, exposed)
        last_users = self._variables.last_users(fragment) if exposed is None else {}
        for call in reversed(fragment.calls):
            numbers = self._structures.numbers(fragment).of_call(call.index)
            if any(structure.wanted & numbers for structure in rows):
                rows = yield self._joined(place, call, numbers, rows, exposed)
                if call.index in last_users:
                    rows = self._summed(place, rows, last_users[call.index])
        if exposed is None:
            rows = self._summed(place, rows, None)
        self._tables[memory] = rows
        return rows

    def _beginning(self, place: Place, ports: Ports, exposed: Exposed) -> Rows:
        """Return the row that wants the outputs, and what the configuration of the fragment uses."""
        used = [h for h in roots(place.fragment.config.values()) if not self._alternatives.left_open(place, h)]
        asked = self._structures.asked(place.fragment, wanted_outputs(place.fragment, ports))
        return {asked: gated([Gated(gate, UNIT) for gate in self._variables.used(place, used, exposed)], self._budget)}

    def _joined(self, place: Place, call: Call, numbers: int, rows: Rows, exposed: Exposed) -> Recursive[Rows]:
        """Return each row joined with each way to unfold a call, where it wants that one."""
        parts: dict[int, list[Part]] = {}
        found: dict[Structure, list[Term]] = {}
        for structure, term in rows.items():
            wanted = structure.wanted & numbers
            if not wanted:
                found.setdefault(structure, []).append(term)
                continue
            if wanted not in parts:
                ports = self._structures.numbers(place.fragment).ports(call.index, wanted)
                parts[wanted] = yield self._parts(place, call, ports, exposed)
            rest = structure.wanted ^ wanted
            joined: dict[Structure, list[Gated]] = {}
            for part in parts[wanted]:
                asked, captured = part.structure
                both = Structure(rest | asked, structure.captured | captured)
                joined.setdefault(both, []).append(part.gated)
            self._budget.spend(len(parts[wanted]), (f for part in parts[wanted] for f in part.gated.factors))
            for both, some in joined.items():
                found.setdefault(both, []).append(multiply(term, gated(some, self._budget), self._budget))
        return {structure: add(terms, self._budget) for structure, terms in found.items()}

    def _summed(self, place: Place, rows: Rows, over: list[Variable] | None) -> Rows:
        """Return rows summed over hyperparameters that nothing else uses, None for all that are left."""
        summed: Rows = {}
        for structure, term in rows.items():
            used = {variable for factor in term.factors for variable in factor.variables}
            own = {variable for variable in used if variable.home is place.fragment}
            if over is not None:
                own.intersection_update(over)
                # What is exposed is summed over at the end, and then what its domain depends on is still to be known.
                own.difference_update(*[variable.leading for variable in used - own])
            summed[structure] = sum_over(term, own, self._variables.chosen_at(place), self._budget) if own else term
        return summed

    def _parts(self, place: Place, call: Call, ports: Ports, exposed: Exposed) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which some outputs are wanted."""
        alternatives, fragment = self._alternatives, place.fragment
        if not alternatives.unfolds(place, call):
            asked = self._structures.asked(fragment, call.inputs)
            gates = self._variables.used(place, alternatives.decided(place, call), exposed)
            return [Part(asked, Gated(gate, UNIT)) for gate in gates]
        if alternatives.endless(place, call):
            raise Endless
        if not alternatives.lies_within(place, call):
            return []
        found: dict[tuple[int, ...], Found] = {}
        if call.module.nested:
            found = yield self._repeated(place, call, ports, exposed)
            return self._together(place, call, found, exposed)
        if call.module.order_immaterial:
            [first] = alternatives.of(place, call)
            rows: Rows = yield self._inside(place, call, ports, exposed, first.place)
            if len(rows) == 1 and next(iter(rows)).wanted == (1 << len(call.inputs)) - 1:
                rows = self._outside(fragment, call, rows, exposed)
                only = {first.positions: Found(first.binding, first.place.fragment, rows)}
                return self._together(place, call, only, exposed)
            # Where some part ignores its input, the order makes a difference.
        for binding, positions, inner in alternatives.of(place, call, every_order=True):
            rows = yield self._inside(place, call, ports, exposed, inner)
            rows = self._outside(fragment, call, rows, exposed)
            found[positions] = Found(binding, inner.fragment, self._applied(place, call, inner, rows, exposed))
        return self._together(place, call, found, exposed)

    def _inside(self, place: Place, call: Call, ports: Ports, exposed: Exposed, inner: Place) -> Recursive[Rows]:
        """Return the table of what a call becomes; nothing of what cannot end."""
        if self._restrictions.deepest is None:
            if call.module.deepens and not can_end(inner.fragment, ENDLESS, self._restrictions):
                return {}
            if inner.depth > MOST_RULES:  # the same rule at ever longer addresses is never met again
                raise Endless
        inside = self._variables.exposed_inside(place, call, inner.fragment, exposed)
        rows: Rows = yield self._tabulate(self._merged(inner), ports, inside)
        return rows

    def _repeated(
        self, place: Place, call: Call, ports: Ports, exposed: Exposed
    ) -> Recursive[dict[tuple[int, ...], Found]]:
        """Return what a call of copies in a row becomes: n copies are the first n of the most that there are."""
        found: dict[tuple[int, ...], Found] = {}
        longest, times = self._alternatives.longest(place, call)
        inside = self._variables.exposed_inside(place, call, longest.place.fragment, exposed)
        copies = Copies(self._merged(longest.place), inside, self._structures, self._parts_of, self._budget)
        for (binding, positions), n in times:
            rows: Rows = yield copies.first(n, ports)
            rows = self._outside(place.fragment, call, rows, exposed)
            found[positions] = Found(binding, longest.place.fragment, rows)
        return found

    def _outside(self, fragment: Fragment, call: Call, rows: Rows, exposed: Exposed) -> Rows:
        """Return the table of what a call becomes as the fragment sees it in which the call stands."""
        seen: Rows = {}
        for structure, term in rows.items():
            taken = [call.inputs[i] for i in set_bits(structure.wanted)]
            taken += [Reference(0, i, port) for owner, i, port in structure.captured if owner is fragment]
            asked = self._structures.asked(fragment, taken)
            further = frozenset([value for value in structure.captured if value[0] is not fragment])
            key = Structure(asked.wanted, asked.captured | further)
            term = term if exposed is None else self._variables.renamed(term, fragment, exposed)
            seen[key] = add([seen[key], term], self._budget) if key in seen else term
        return seen

    def _applied(self, place: Place, call: Call, inner: Place, rows: Rows, exposed: Exposed) -> Rows:
        """Return the table of what a call becomes with the application of a rule that it is, where those count."""
        if self._restrictions.max_size is None or not call.module.deepens:
            return rows
        shared = self._variables.exposed_inside(place, call, inner.fragment, exposed)
        if shared is None:
            most = self._restrictions.room(place.depth)
            whole = {structure: Term(Applied(term.ways, most), term.factors) for structure, term in rows.items()}
            return {structure: term for structure, term in whole.items() if term.ways.count != 0}
        gate = gate_of([self._variables.applied(shared)], [ANY])
        return {structure: gated([Gated(gate, term)], self._budget) for structure, term in rows.items()}

    def _together(self, place: Place, call: Call, found: dict[tuple[int, ...], Found], exposed: Exposed) -> list[Part]:
        """Return the parts of what a call becomes, those with the same effect as one."""
        decisive = tuple(call_roots(call))
        variables = [self._variables.of(h, place.fragment, exposed) for h in decisive]
        return parts_of(call, decisive, variables, found, self._sizes(place, found, decisive), self._budget)

    def _sizes(
        self, place: Place, found: dict[tuple[int, ...], Found], decisive: tuple[Independent, ...]
    ) -> list[dict[tuple[int, ...], int | float]]:
        """Return for each of some hyperparameters the size of its domain by the positions of those before it."""
        sizes: list[dict[tuple[int, ...], int | float]] = []
        for i, h in enumerate(decisive):
            if h.parents:
                sizes.append(
                    {p[:i]: self._alternatives.domain(h, each.binding, place).size for p, each in found.items()}
                )
            else:
                size = self._alternatives.domain(h, place=place).size
                sizes.append({p[:i]: size for p in found})
        return sizes

    def _merged(self, place: Place) -> Place:
        """Return a place without its address, if no restriction of the space can tell it from others."""
        addresses, users = self._restrictions.addresses, self._explorer.users
        if place.prefix is None or self._restrictions.predicate:
            return place
        if any(address.startswith(place.prefix) for address in addresses):
            return place
        if not addresses:
            return place._replace(prefix=None)
        if place.fragment not in users:  # another order of what stands in any
            return place
        matters = any(
            isinstance(user, Module) or (self._alternatives.differs(user) and user.owner is not place.fragment)
            for user in users[place.fragment]
        )
        return place if matters else place._replace(prefix=None)

    def _parts_of(self, place: Place, call: Call, wanted: int, exposed: Exposed) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which the outputs with some numbers are wanted."""
        return self._parts(place, call, self._structures.numbers(place.fragment).ports(call.index, wanted), exposed)
