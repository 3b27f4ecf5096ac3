"""Tabulating: a dynamic program over remembered fragments, which counts what each can be unfolded to.

For a fragment and the outputs that are wanted of it, a *table* says in how many ways it can be unfolded, apart for each

- set of its inputs that the result then depends on (a substitution may ignore some of them): what is *wanted*,
- set of values of enclosing functions that it uses: what is *captured*,
- values of enclosing functions' hyperparameters that it used: what is *bound*.

Calls are taken in reverse, so that what nothing depends on is never counted. A hyperparameter is summed over
as soon as no earlier call can use it, so independent parts multiply, and shared ones are branched on.

An example. In ::

    def net(x):
        n = da.choice([1, 2], name="n")
        y = ops.Dense(units=da.choice([8, 16]))(x)          # call 1, of input 0
        return da.repeat(lambda: ops.Dense(units=da.choice([4, 5, 6])), n)(y)   # call 2, of call 1

the output wants call 2, so the table of `net` begins with one row, {wanted: call 2}, which counts 1. Call 2 becomes
one copy or two. The table of `repeat` at n = 1 has one row {wanted: input 0}, which counts 3, at n = 2 one of 9: these
are its *parts*. Joined to the row they give {wanted: call 1, bound: n = 1} with 3 and {wanted: call 1, bound: n = 2}
with 9. No call before this one uses `n`, so it is summed over: {wanted: call 1} with 12. Call 1 is an operation, whose
one part wants input 0 and binds `dense.units` to ANY value, since none makes a difference to the structure; summed
over, that stands for 2: {wanted: input 0} with 24. The sum of all rows, 24, is the size.

Each *stage*, which is what one call makes of the rows, remembers the *origins* of each row: the row before, the part
and what was summed over, and in how many ways. A *ticket*, which is a number below 24, walks back along them to
the values of its architecture. Where a module is called from several places, its hyperparameters are *exposed*: not
summed over inside, but bound in each place and summed over where the places are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from deep_arch.counting.exploring import MOST_RULES, Explorer
from deep_arch.counting.tables import ANY, Count, Endless, Key, Origin, Part, Table, Variable, join, plus, times
from deep_arch.errors import NotCountable
from deep_arch.language.dependence import roots
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.options import same
from deep_arch.language.program import Program
from deep_arch.language.values import Reference
from deep_arch.spaces.alternatives import Alternative, Alternatives, call_roots
from deep_arch.spaces.depths import ENDLESS, can_end
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.trampoline import Recursive, run

_MOST_ENTRIES: Final = 200_000

Ports = tuple[int | None, ...]
"""The wanted outputs of a substitution, None for its only one; the root wants all."""

Exposed = tuple[Fragment, str] | None
"""For the inside of a module that several places share: the home and path of its hyperparameters."""


class Tabulator:
    """Makes the table of a program within restrictions.

    Raises:
        Endless: there are infinitely many architectures.
        NotCountable: too many hyperparameters are shared, or functions nest without end.
    """

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self._program, self._restrictions = program, restrictions
        self._alternatives = Alternatives(program, restrictions)
        self._explorer = Explorer(program, restrictions)
        self._tables: dict[Any, Table | None] = {}

    def table(self) -> Table:
        """Return the table of the whole program."""
        root = self._program.root
        found: Table = run(self._tabulate(Place(root, "", None), (None,) * len(root.outputs), None))
        return found

    def _tabulate(self, place: Place, ports: Ports, exposed: Exposed) -> Recursive[Table]:
        """Return the table of the fragment at a place, of which some outputs are wanted."""
        most = self._restrictions.max_depth
        memory = (place.fragment, ports, None if most is None else most - place.depth, place.prefix, exposed)
        if memory in self._tables:
            found = self._tables[memory]
            if found is None:
                raise Endless
            return found
        self._tables[memory] = None  # in progress: meeting it again is a cycle
        table = Table(place)
        rows = self._stage(table, None, self._beginning(place, ports, exposed))
        last_users = self._last_users(place.fragment) if exposed is None else {}
        for call in reversed(place.fragment.calls):
            origins: list[tuple[Key, Origin]] = yield self._joined(place, call, rows, exposed)
            over = last_users.get(call.index, ())
            rows = self._stage(table, call, [self._sum(place, o, over) for o in origins] if over else origins)
        if exposed is None:
            left = {v for key in rows for v, _ in key.bound if v.home is place.fragment}
            rest = sorted(left, key=lambda variable: variable.path)  # sets have another order in each process
            origins = [(key, (key, None, (), count)) for key, count in rows.items()]
            rows = self._stage(table, None, [self._sum(place, o, rest) for o in origins])
        table.rows = rows
        self._tables[memory] = table
        return table

    def _beginning(self, place: Place, ports: Ports, exposed: Exposed) -> list[tuple[Key, Origin]]:
        """Return the row that wants the outputs, and what the configuration of the fragment uses."""
        used = [h for h in roots(place.fragment.config.values()) if not self._alternatives.left_open(place, h)]
        outputs = _wanted_outputs(place.fragment, ports)
        key = _asked(place.fragment, outputs, _bound(place.fragment, dict.fromkeys(used, ANY), exposed))
        return [(key, (key, None, (), 1))]

    def _joined(
        self, place: Place, call: Call, rows: dict[Key, Count], exposed: Exposed
    ) -> Recursive[list[tuple[Key, Origin]]]:
        """Return each row joined with each way to unfold a call, where it wants that one."""
        parts: dict[Ports, list[Part]] = {}
        origins: list[tuple[Key, Origin]] = []
        for key, count in rows.items():
            wanted = tuple(sorted([p for i, p in key.wanted if i == call.index], key=_port_order))
            if not wanted:
                origins.append((key, (key, None, (), count)))
                continue
            if wanted not in parts:
                parts[wanted] = yield self._parts(place, call, wanted, exposed)
            rest = frozenset([value for value in key.wanted if value[0] != call.index])
            for part in parts[wanted]:
                bound = join(key.bound, part.key.bound)
                if bound is not None:
                    joined = Key(rest | part.key.wanted, key.captured | part.key.captured, bound)
                    origins.append((joined, (key, part, (), times(count, part.ways))))
        return origins

    def _stage(self, table: Table, call: Call | None, origins: Iterable[tuple[Key, Origin]]) -> dict[Key, Count]:
        """Add up rows that have become the same, and remember how each came about."""
        stage: dict[Key, list[Origin]] = {}
        rows: dict[Key, Count] = {}
        for key, origin in origins:
            stage.setdefault(key, []).append(origin)
            rows[key] = plus(rows.get(key, 0), origin[3])
        if len(rows) > _MOST_ENTRIES:
            raise NotCountable(
                f"{table.place.fragment.where()}: too many hyperparameters are shared between parts to count them "
                f"together.\n  Got {len(rows)} combinations.\n"
                "  Make hyperparameters inside the function that uses them, or fix some."
            )
        table.stages.append(stage)
        table.calls.append(call)
        return rows

    # --- hyperparameters -----------------------------------------------------------------------------------------

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
                    first[_variable(user, fragment)] = call.index
        by_call: dict[int, list[Variable]] = {}
        for variable, index in sorted(first.items(), key=lambda item: item[0].path):
            by_call.setdefault(index, []).append(variable)
        return by_call

    def _sum(self, place: Place, origin: tuple[Key, Origin], over: Iterable[Variable]) -> tuple[Key, Origin]:
        """Sum over hyperparameters that nothing else uses: a value that makes no difference stands for all of them."""
        key, (before, part, summed, count) = origin
        values = dict(key.bound)
        for variable in over:
            if variable in values:
                value = values.pop(variable)
                count = times(count, self._ways(place, variable, value))
                summed = (*summed, (variable, value))
        return key._replace(bound=frozenset(values.items())), (before, part, summed, count)

    def _ways(self, place: Place, variable: Variable, value: int) -> Count:
        """Return how many values a hyperparameter stands for that is summed over."""
        if value != ANY:
            return 1
        is_fixed = place.prefix is not None and f"{place.prefix}{variable.path}" in self._restrictions.fixed
        return 1 if is_fixed else self._alternatives.domain(variable.hyperparameter).size

    # --- parts ---------------------------------------------------------------------------------------------------

    def _parts(self, place: Place, call: Call, ports: Ports, exposed: Exposed) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which some outputs are wanted."""
        alternatives, used = self._alternatives, self._alternatives.decided(place, call)
        if not alternatives.unfolds(place, call):
            bound = _bound(place.fragment, dict.fromkeys(used, ANY), exposed)
            return [Part(_asked(place.fragment, call.inputs, bound), 1, None, None)]
        if alternatives.endless(place, call):
            raise Endless
        if call.module.order_immaterial:
            parts: list[Part] = []
            for alternative in alternatives.of(place, call):
                parts += yield self._alternative(place, call, ports, exposed, alternative, dict.fromkeys(used, ANY))
            row = parts[0].row if len(parts) == 1 else None
            if row is not None and len(row.wanted) == len(call.inputs):
                return parts  # every part always uses its input, so the order makes no difference
        all_parts: list[Part] = []
        fixed = alternatives.fixed(place, used)
        values: dict[Independent, list[Any]] = {}
        for alternative in alternatives.of(place, call, every_order=True):
            values = values or {h: list(alternatives.domain(h).values()) for h in used if h not in fixed}
            binding = alternative.binding
            positions = {h: _position(values[h], v) if h in values else ANY for h, v in binding.items()}
            all_parts += yield self._alternative(place, call, ports, exposed, alternative, positions)
        return all_parts

    def _alternative(
        self,
        place: Place,
        call: Call,
        ports: Ports,
        exposed: Exposed,
        alternative: Alternative,
        positions: dict[Independent, int],
    ) -> Recursive[list[Part]]:
        """Return the parts of one alternative, one for each row of its table."""
        inner = alternative.place
        if self._restrictions.max_depth is None:
            if call.module.deepens and not can_end(inner.fragment, ENDLESS):
                return []
            if inner.depth > MOST_RULES:  # the same rule at ever longer addresses is never met again
                raise Endless
        if inner.prefix is not None and not self._matters(inner):
            inner = inner._replace(prefix=None)
        table: Table = yield self._tabulate(inner, ports, _exposed_inside(place, call, inner.fragment, exposed))
        own, fragment = _bound(place.fragment, positions, exposed), place.fragment
        parts: list[Part] = []
        for row, count in table.rows.items():
            bound = join(own, frozenset([(_exposed(v, fragment, exposed), p) for v, p in row.bound]))
            if bound is not None:
                asked = _asked(fragment, [call.inputs[i] for i, _ in row.wanted], bound)
                local = [Reference(0, i, port) for owner, i, port in row.captured if owner is fragment]
                captured = frozenset([c for c in row.captured if c[0] is not fragment])
                wanted = asked.wanted | _asked(fragment, local, bound).wanted
                parts.append(Part(Key(wanted, asked.captured | captured, bound), count, table, row))
        return parts

    def _matters(self, place: Place) -> bool:
        """Return whether a restriction of the space can tell this place from others."""
        fixed, users = self._restrictions.fixed, self._explorer.users
        if self._restrictions.predicate or any(address.startswith(place.prefix or "") for address in fixed):
            return True
        if not fixed or place.fragment not in users:  # another order of what stands in any
            return bool(fixed)
        return any(
            isinstance(user, Module) or (self._alternatives.is_fixed(user) and user.owner is not place.fragment)
            for user in users[place.fragment]
        )


def _asked(fragment: Fragment, references: Iterable[Reference], bound: frozenset[tuple[Variable, int]]) -> Key:
    """Return the row that wants these values of a fragment and of those around it."""
    wanted: set[tuple[int, int | None]] = set()
    captured: set[tuple[Fragment, int, int | None]] = set()
    for levels, index, port in references:
        if levels == 0:
            wanted.add((index, port))
        else:
            captured.add((fragment.owner_at(levels), index, port))
    return Key(frozenset(wanted), frozenset(captured), bound)


def _bound(fragment: Fragment, positions: dict[Independent, int], exposed: Exposed) -> frozenset[tuple[Variable, int]]:
    """Return hyperparameters bound to positions of their domains, or to ANY."""
    variables = [(_variable(h, fragment), position) for h, position in positions.items()]
    return frozenset([(_exposed(variable, fragment, exposed), position) for variable, position in variables])


def _variable(hyperparameter: Independent, user: Fragment) -> Variable:
    slot = user.slot_of(hyperparameter)
    owner = user.owner_at(slot.levels)
    return Variable(owner, owner.suffixes[slot.place], hyperparameter)


def _exposed(variable: Variable, fragment: Fragment, exposed: Exposed) -> Variable:
    """Return the variable as it is known outside of a module that several places share."""
    if exposed is None or variable.home is not fragment:
        return variable
    return Variable(exposed[0], exposed[1] + variable.path, variable.hyperparameter)


def _exposed_inside(place: Place, call: Call, inner: Fragment, exposed: Exposed) -> Exposed:
    """Return where the hyperparameters inside of a call are known outside, if several places share its module."""
    home = place.fragment.owner_at(call.home)
    path = call.name + inner.ending
    if exposed is not None and home is place.fragment:
        return exposed[0], exposed[1] + path
    return (home, path) if call.module.shared else None


def _port_order(port: int | None) -> int:
    return -1 if port is None else port


def _position(values: Sequence[Any], value: Any) -> int:
    return next(i for i, v in enumerate(values) if same(v, value))


def _wanted_outputs(fragment: Fragment, ports: tuple[int | None, ...]) -> tuple[Reference, ...]:
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
