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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.counting.boxes import boxes
from deep_arch.counting.exploring import MOST_RULES, Explorer
from deep_arch.counting.factors import (
    ANY,
    UNIT,
    Binding,
    Budget,
    Factor,
    Gated,
    Term,
    Variable,
    add,
    gated,
    multiply,
    sum_over,
    total,
)
from deep_arch.counting.ways import ONE, Chosen, Count, Endless, Inside, Ways, either
from deep_arch.language.dependence import roots
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.language.values import Reference
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.depths import ENDLESS, can_end
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.trampoline import Recursive, run

MOST_WORK: Final = 3_000_000
"""Combinations of values that are joined before a space is too large to count: some seconds."""

Captured = tuple[Fragment, int, int | None]
"""A value of an enclosing function, by index and port."""

Ports = tuple[int | None, ...]
"""The wanted outputs of a substitution, None for its only one; the root wants all."""

Exposed = tuple[Fragment, str] | None
"""For the inside of a module that several places share: the home and path of its hyperparameters."""


class Structure(NamedTuple):
    """What a row of a table depends on.

    Attributes:
        wanted: values of the fragment, as a mask of their numbers.
        captured: values of enclosing functions.
    """

    wanted: int
    captured: frozenset[Captured]


Rows = dict[Structure, Term]


class Part(NamedTuple):
    """One way to unfold a call: what it asks of the fragment, where its gate holds."""

    structure: Structure
    gated: Gated


class Found(NamedTuple):
    """What a call becomes at some values: the fragment, and the rows as the calling fragment sees them."""

    binding: Mapping[Independent, Any]
    fragment: Fragment
    rows: Rows


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
        self.budget = Budget(MOST_WORK)
        self._tables: dict[Any, Rows | None] = {}
        self._variables: dict[tuple[Fragment, str, Independent], Variable] = {}
        self._numbers: dict[Fragment, _Numbers] = {}

    def ways(self) -> Ways:
        """Return the ways to unfold the whole program."""
        root = self._program.root
        rows: Rows = run(self._tabulate(Place(root, "", None), (None,) * len(root.outputs), None))
        return either([total(term) for term in rows.values()])

    def _tabulate(self, place: Place, ports: Ports, exposed: Exposed) -> Recursive[Rows]:
        """Return the table of the fragment at a place, of which some outputs are wanted."""
        most, fragment = self._restrictions.max_depth, place.fragment
        memory = (fragment, ports, None if most is None else most - place.depth, place.prefix, exposed)
        if memory in self._tables:
            found = self._tables[memory]
            if found is None:
                raise Endless
            return found
        self._tables[memory] = None  # in progress: meeting it again is a cycle
        rows = self._beginning(place, ports, exposed)
        last_users = self._last_users(fragment) if exposed is None else {}
        for call in reversed(fragment.calls):
            numbers = self._numbers[fragment].of_call(call.index)
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
        asked = self.asked(place.fragment, _wanted_outputs(place.fragment, ports))
        return {asked: gated([Gated(gate, UNIT) for gate in self._used(place, used, exposed)], self.budget)}

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
                ports = self._numbers[place.fragment].ports(call.index, wanted)
                parts[wanted] = yield self._parts(place, call, ports, exposed)
            rest = structure.wanted ^ wanted
            joined: dict[Structure, list[Gated]] = {}
            for part in parts[wanted]:
                asked, captured = part.structure
                both = Structure(rest | asked, structure.captured | captured)
                joined.setdefault(both, []).append(part.gated)
            self.budget.spend(len(parts[wanted]), (f for part in parts[wanted] for f in part.gated.factors))
            for both, some in joined.items():
                found.setdefault(both, []).append(multiply(term, gated(some, self.budget), self.budget))
        return {structure: add(terms, self.budget) for structure, terms in found.items()}

    # --- hyperparameters -----------------------------------------------------------------------------------------

    def _variable(self, hyperparameter: Independent, user: Fragment, exposed: Exposed) -> Variable:
        """Return a hyperparameter as it is known outside of the module, shared by several places, that it is in."""
        slot = user.slot_of(hyperparameter)
        home = user.owner_at(slot.levels)
        leading = tuple([self._variable(h, user, exposed) for h in roots(hyperparameter.parents)])
        known = self._variable_at(home, home.suffixes[slot.place], hyperparameter, leading)
        return known if exposed is None else self._seen_outside(known, user, exposed)

    def _variable_at(
        self, home: Fragment, path: str, hyperparameter: Independent, leading: tuple[Variable, ...]
    ) -> Variable:
        key = (home, path, hyperparameter)
        if key not in self._variables:
            tied = bool(leading) or hyperparameter in self._explorer.leading
            self._variables[key] = Variable(home, path, hyperparameter, leading, tied)
        return self._variables[key]

    def _seen_outside(self, variable: Variable, fragment: Fragment, exposed: tuple[Fragment, str]) -> Variable:
        """Return a hyperparameter as it is known outside of a shared module, if the fragment there made it."""
        if variable.home is not fragment:
            return variable
        leading = tuple([self._seen_outside(v, fragment, exposed) for v in variable.leading])
        return self._variable_at(exposed[0], exposed[1] + variable.path, variable.hyperparameter, leading)

    def _last_users(self, fragment: Fragment) -> dict[int, list[Variable]]:
        """Return by call the own hyperparameters that no earlier call uses, so that they can be summed over there."""
        users = self._explorer.users
        first: dict[Variable, int] = {}
        for call in reversed(fragment.calls):
            used: set[Any] = set(call_roots(call))
            for inner in self._explorer.inner.get(call, ()):
                used |= users.get(inner, set())
            for user in used:
                if isinstance(user, Independent) and user.owner is fragment:
                    first[self._variable(user, fragment, None)] = call.index
        by_call: dict[int, list[Variable]] = {}
        for variable, index in sorted(first.items(), key=lambda item: item[0].path):
            by_call.setdefault(index, []).append(variable)
        return by_call

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
            summed[structure] = sum_over(term, own, self._chosen_at(place), self.budget)
        return summed

    def _chosen_at(self, place: Place) -> Callable[[Variable, int, Binding], Ways]:
        def chosen(variable: Variable, mask: int, bound: Binding) -> Ways:
            if mask != ANY:
                return Chosen(variable, mask, mask.bit_count())
            fixed = self._restrictions.fixed
            if fixed and place.prefix is not None and f"{place.prefix}{variable.path}" in fixed:
                return Chosen(variable, ANY, 1)
            return Chosen(
                variable,
                ANY,
                self._alternatives.domain(variable.hyperparameter, self._some(place, variable, bound)).size,
            )

        return chosen

    def _some(self, place: Place, variable: Variable, bound: Binding) -> dict[Independent, Any]:
        """Return some values of what a domain depends on: all in one binding give domains of one size."""
        values: dict[Independent, Any] = {}
        masks = dict(bound) if variable.leading else {}
        for leading in variable.leading:
            address = leading.address(place)
            if address in self._restrictions.fixed:
                values[leading.hyperparameter] = self._restrictions.fixed[address]
            else:
                domain, mask = self._alternatives.domain(leading.hyperparameter, values), masks[leading]
                values[leading.hyperparameter] = domain.at((mask & -mask).bit_length() - 1)
        return values

    def _used(self, place: Place, used: Sequence[Independent], exposed: Exposed) -> list[Binding]:
        """Return the gates of what uses hyperparameters whatever their values are.

        There is more than one gate where the size of a domain depends on the values of others.
        """
        fragment = place.fragment
        variables = [self._variable(h, fragment, exposed) for h in used]
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
                sizes[i][whole[:i]] = 1 if h in fixed else self._alternatives.domain(h, binding).size
            found.append((whole, None))
        return [_gate(variables, box) for box, _ in boxes(found, sizes)]

    # --- parts ---------------------------------------------------------------------------------------------------

    def _parts(self, place: Place, call: Call, ports: Ports, exposed: Exposed) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which some outputs are wanted."""
        alternatives, fragment = self._alternatives, place.fragment
        if not alternatives.unfolds(place, call):
            asked = self.asked(fragment, call.inputs)
            gates = self._used(place, alternatives.decided(place, call), exposed)
            return [Part(asked, Gated(gate, UNIT)) for gate in gates]
        if alternatives.endless(place, call):
            raise Endless
        if not alternatives.lies_within(place, call):
            return []
        decisive = tuple(call_roots(call))
        if call.module.nested:
            found = yield self._repeated(place, call, ports, exposed)
            return self._together(place, call, decisive, found, exposed)
        if call.module.order_immaterial:
            [first] = alternatives.of(place, call)
            rows: Rows = yield self._inside(place, call, ports, exposed, first.place)
            if len(rows) == 1 and next(iter(rows)).wanted == (1 << len(call.inputs)) - 1:
                rows = self._outside(fragment, call, rows, exposed)
                only = {first.positions: Found(first.binding, first.place.fragment, rows)}
                return self._together(place, call, decisive, only, exposed)
            # Where some part ignores its input, the order makes a difference.
        found: dict[tuple[int, ...], Found] = {}
        for binding, positions, inner in alternatives.of(place, call, every_order=True):
            rows = yield self._inside(place, call, ports, exposed, inner)
            found[positions] = Found(binding, inner.fragment, self._outside(fragment, call, rows, exposed))
        return self._together(place, call, decisive, found, exposed)

    def _inside(self, place: Place, call: Call, ports: Ports, exposed: Exposed, inner: Place) -> Recursive[Rows]:
        """Return the table of what a call becomes; nothing of what cannot end."""
        if self._restrictions.max_depth is None:
            if call.module.deepens and not can_end(inner.fragment, ENDLESS):
                return {}
            if inner.depth > MOST_RULES:  # the same rule at ever longer addresses is never met again
                raise Endless
        inside = _exposed_inside(place, call, inner.fragment, exposed)
        rows: Rows = yield self._tabulate(self._merged(inner), ports, inside)
        return rows

    def _repeated(
        self, place: Place, call: Call, ports: Ports, exposed: Exposed
    ) -> Recursive[dict[tuple[int, ...], Found]]:
        """Return what a call of copies in a row becomes: n copies are the first n of the most that there are."""
        found: dict[tuple[int, ...], Found] = {}
        longest, times = self._alternatives.longest(place, call)
        inside = _exposed_inside(place, call, longest.place.fragment, exposed)
        copies = _Copies(self, self._merged(longest.place), inside)
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
            asked = self.asked(fragment, taken)
            further = frozenset([value for value in structure.captured if value[0] is not fragment])
            key = Structure(asked.wanted, asked.captured | further)
            term = term if exposed is None else self._renamed(term, fragment, exposed)
            seen[key] = add([seen[key], term], self.budget) if key in seen else term
        return seen

    def _renamed(self, term: Term, fragment: Fragment, exposed: Exposed) -> Term:
        """Return a term with a fragment's own hyperparameters as they are known outside of a shared module."""

        def renamed(binding: Binding) -> Binding:
            return frozenset([(self._seen_outside(v, fragment, exposed), mask) for v, mask in binding])

        factors = [Factor({renamed(b): ways for b, ways in factor.entries.items()}) for factor in term.factors]
        return Term(term.ways, tuple(factors))

    def _together(
        self,
        place: Place,
        call: Call,
        decisive: tuple[Independent, ...],
        found: dict[tuple[int, ...], Found],
        exposed: Exposed,
    ) -> list[Part]:
        """Return the parts of what a call becomes, those with the same effect as one."""
        variables = [self._variable(h, place.fragment, exposed) for h in decisive]
        by_effect: dict[Any, list[tuple[int, ...]]] = {}
        for positions, each in found.items():
            self.budget.spend(sum([term.size for term in each.rows.values()]), _factors(each.rows))
            if each.rows:
                by_effect.setdefault(_effect(each.rows), []).append(positions)
        numbered = [(positions, i) for i, some in enumerate(by_effect.values()) for positions in some]
        found_boxes = boxes(numbered, self._sizes(found, decisive)) if numbered else []
        parts: list[Part] = []
        entered = [_entered(call, decisive, {p: found[p] for p in some}) for some in by_effect.values()]
        for box, effect in found_boxes:
            gate = _gate(variables, box)
            parts += [Part(structure, Gated(gate, term)) for structure, term in entered[effect].items()]
        return parts

    def _sizes(
        self, found: dict[tuple[int, ...], Found], decisive: tuple[Independent, ...]
    ) -> list[Mapping[tuple[int, ...], int | float]]:
        """Return for each of some hyperparameters the size of its domain by the positions of those before it."""
        sizes: list[dict[tuple[int, ...], int | float]] = []
        for i, h in enumerate(decisive):
            if h.parents:
                sizes.append({p[:i]: self._alternatives.domain(h, each.binding).size for p, each in found.items()})
            else:
                size = self._alternatives.domain(h).size
                sizes.append({p[:i]: size for p in found})
        return sizes

    def asked(self, fragment: Fragment, references: Iterable[Reference]) -> Structure:
        """Return what wants these values of a fragment and of those around it."""
        numbers = self._numbers.get(fragment) or self._numbers.setdefault(fragment, _Numbers(fragment))
        wanted, captured = 0, set[Captured]()
        for levels, index, port in references:
            if levels == 0:
                wanted |= 1 << numbers.of(index, port)
            else:
                captured.add((fragment.owner_at(levels), index, port))
        return Structure(wanted, frozenset(captured))

    def _merged(self, place: Place) -> Place:
        """Return a place without its address, if no restriction of the space can tell it from others."""
        fixed, users = self._restrictions.fixed, self._explorer.users
        if place.prefix is None or self._restrictions.predicate:
            return place
        if any(address.startswith(place.prefix) for address in fixed):
            return place
        if not fixed:
            return place._replace(prefix=None)
        if place.fragment not in users:  # another order of what stands in any
            return place
        matters = any(
            isinstance(user, Module) or (self._alternatives.is_fixed(user) and user.owner is not place.fragment)
            for user in users[place.fragment]
        )
        return place if matters else place._replace(prefix=None)

    def parts(self, place: Place, call: Call, wanted: int, exposed: Exposed) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which the outputs with some numbers are wanted."""
        return self._parts(place, call, self._numbers[place.fragment].ports(call.index, wanted), exposed)


class _Numbers:
    """The numbers of a fragment's values: their index, and further ones for those of several outputs."""

    def __init__(self, fragment: Fragment) -> None:
        self._next = fragment.n_slots
        self._of_index: dict[int, dict[int | None, int]] = {}

    def of(self, index: int, port: int | None) -> int:
        """Return the number of a value."""
        if port is None:
            return index
        ports = self._of_index.setdefault(index, {})
        if port not in ports:
            ports[port], self._next = self._next, self._next + 1
        return ports[port]

    def of_call(self, index: int) -> int:
        """Return the numbers of what a call gives, as a mask."""
        mask = 1 << index
        for number in self._of_index.get(index, {}).values():
            mask |= 1 << number
        return mask

    def ports(self, index: int, wanted: int) -> Ports:
        """Return which outputs of a call are among some values."""
        found: list[int | None] = [None] if wanted >> index & 1 else []
        several = self._of_index.get(index, {})
        return (
            *found,
            *sorted([port for port, number in several.items() if port is not None and wanted >> number & 1]),
        )


class _Copies:
    """The tables of the first n of some copies one after another, each made from that of one fewer."""

    def __init__(self, tabulator: Tabulator, place: Place, exposed: Exposed) -> None:
        self._tabulator, self._place, self._exposed = tabulator, place, exposed
        self._known: dict[tuple[int, int], Rows] = {}

    def first(self, n: int, ports: Ports) -> Recursive[Rows]:
        """Return the table of the first `n` copies, of which some outputs are wanted."""
        fragment = self._place.fragment
        several = fragment.n_inputs > 1
        wanted = range(fragment.n_inputs) if None in ports else [port for port in ports if port is not None]
        if n == 0:
            outputs = [Reference(0, i) for i in wanted]
        else:
            outputs = [Reference(0, fragment.calls[n - 1].index, i if several else None) for i in wanted]
        return self._first(n, self._tabulator.asked(fragment, outputs).wanted)

    def _first(self, n: int, wanted: int) -> Recursive[Rows]:
        if not n or not wanted:
            return {Structure(wanted, frozenset()): UNIT}
        if (n, wanted) not in self._known:
            tabulator, budget = self._tabulator, self._tabulator.budget
            parts: list[Part] = yield tabulator.parts(
                self._place, self._place.fragment.calls[n - 1], wanted, self._exposed
            )
            together: dict[Structure, list[Gated]] = {}
            for part in parts:
                together.setdefault(part.structure, []).append(part.gated)
            found: dict[Structure, list[Term]] = {}
            for structure, some in together.items():
                term = gated(some, budget)
                before: Rows = yield self._first(n - 1, structure.wanted)
                for (rest, captured), others in before.items():
                    both = Structure(rest, captured | structure.captured)
                    found.setdefault(both, []).append(multiply(others, term, budget))
            self._known[n, wanted] = {structure: add(terms, budget) for structure, terms in found.items()}
        return self._known[n, wanted]


def _factors(rows: Rows) -> Iterator[Factor]:
    return (factor for term in rows.values() for factor in term.factors)


def _effect(rows: Rows) -> Any:
    """Return what is equal for tables that count the same."""
    return frozenset(
        [
            (structure, term.ways.count, tuple([_counts(factor) for factor in term.factors]))
            for structure, term in rows.items()
        ]
    )


def _counts(factor: Factor) -> frozenset[tuple[Binding, Count]]:
    return frozenset([(binding, ways.count) for binding, ways in factor.entries.items()])


def _entered(call: Call, decisive: tuple[Independent, ...], found: dict[tuple[int, ...], Found]) -> Rows:
    """Return the rows of what a call becomes at values with one effect, with the way to each."""
    if call.module.order_immaterial and len(found) == 1:
        decisive, found = (), dict(zip([()], found.values(), strict=True))

    def inside(pick: Callable[[Rows], Ways]) -> Ways:
        ways = {positions: (each.fragment, pick(each.rows)) for positions, each in found.items()}
        return ONE if all(within is ONE for _, within in ways.values()) else Inside(call, decisive, ways)

    def constant(structure: Structure) -> Ways:
        return inside(lambda rows: rows[structure].ways)

    def entry(structure: Structure, i: int, binding: Binding) -> Ways:
        return inside(lambda rows: rows[structure].factors[i].entries[binding])

    return {
        structure: Term(
            constant(structure),
            tuple([Factor({b: entry(structure, i, b) for b in f.entries}) for i, f in enumerate(term.factors)]),
        )
        for structure, term in next(iter(found.values())).rows.items()
    }


def _gate(variables: Sequence[Variable], box: Sequence[int]) -> Binding:
    return frozenset(zip(variables, box, strict=True))


def set_bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _exposed_inside(place: Place, call: Call, inner: Fragment, exposed: Exposed) -> Exposed:
    """Return where the hyperparameters inside of a call are known outside, if several places share its module."""
    home = place.fragment.owner_at(call.home)
    path = call.name + inner.ending
    if exposed is not None and home is place.fragment:
        return exposed[0], exposed[1] + path
    return (home, path) if call.module.shared else None


def _wanted_outputs(fragment: Fragment, ports: Ports) -> tuple[Reference, ...]:
    """Return the outputs of a fragment that are wanted."""
    outputs = fragment.outputs
    if fragment.parent is None or None in ports:
        return outputs
    if (
        len(outputs) == 1
        and outputs[0].port is None
        and outputs[0].place >= fragment.owner_at(outputs[0].levels).n_inputs
    ):
        return tuple([outputs[0]._replace(port=port) for port in ports])
    return tuple([outputs[port] for port in ports if port is not None and port < len(outputs)])
