"""Counting: the number of architectures of a space, exactly, and drawing one of them uniformly.

A dynamic program over remembered fragments. For a fragment and the outputs that are wanted of it, a *table*
says in how many ways it can be unfolded, apart for each

- set of its inputs that the result then depends on (a substitution may ignore some of them),
- set of values of enclosing functions that it captures,
- values of enclosing functions' hyperparameters that it used.

Calls are taken in reverse, so that what nothing depends on is never counted. A hyperparameter is summed over
as soon as no earlier call can use it, so independent parts multiply, and shared ones are branched on.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from deep_arch.counting.tables import ANY, Count, Key, Origin, Part, Run, Variable, join, plus, sum_counts, times
from deep_arch.counting.tickets import Draw, Ticket
from deep_arch.errors import NotCountable
from deep_arch.language.dependence import roots
from deep_arch.language.domains import Choice, Domain, Numeric
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.modules import Module
from deep_arch.language.options import same
from deep_arch.language.values import Reference
from deep_arch.spaces.alternatives import MANY, bindings, call_roots, expand, find
from deep_arch.spaces.depths import ENDLESS, can_end
from deep_arch.spaces.trampoline import Recursive, run

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace

_MOST_LEVELS: Final = 3_000
"""Nested substitutions without a rule between them; more is taken for recursion that has no end."""

_MOST_RULES: Final = 1_000
"""Nested applications of rules, none of them met before, in a space without a limit; more is taken for arguments that
grow without end."""

_MOST_ENTRIES: Final = 200_000


class _Endless(Exception):
    """A rule that leads back to itself, or an interval: there are infinitely many architectures."""


class Counter:
    """Counts the architectures of a space, and draws from them."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.restrictions = space.restrictions
        self.runs: dict[Any, Run | None] = {}
        self.users: dict[Fragment, set[Any]] = {}
        self.settled: dict[Independent, Any] = {}  # of the root
        self.fixed: dict[Independent, list[Any]] = {}  # of other fragments, at some places or at all
        self.left_out: set[Independent] = set()
        self._top: Run | None = None
        self._lock = threading.RLock()

    def size(self) -> Count:
        """Return the number of architectures."""
        with self._lock:
            try:
                return sum_counts(self._root().table.values())
            except _Endless:
                return math.inf

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return the values of an architecture, each architecture equally likely.

        Raises:
            NotCountable: there are infinitely many, or none.
        """
        if (total := self.size()) in (0, math.inf):
            raise NotCountable(
                f"{self.space.name}: drawing uniformly over the architectures needs a finite space that is not empty.\n"
                f"  Got a space of {total} architectures.\n"
                "  Limit recursion with space.limit(max_depth=...), turn real numbers into a grid with "
                "space.discretize(levels=...), or draw uniformly over the choices."
            )
        return self._walk(Draw(rng))

    def at(self, index: int) -> dict[str, Any]:
        """Return the values of the architecture number `index`, from 0 to `size()` - 1."""
        self.size()
        return self._walk(Ticket(index))

    def _walk(self, ticket: Draw) -> dict[str, Any]:
        """Return the values of the architecture that the ticket leads to, going back through the tables."""
        values: dict[str, Any] = {}
        top = self._root()
        todo = [(top, ticket.pick(list(top.table.items())), "")]
        while todo:
            place, row, prefix = todo.pop()
            for stage, call in zip(reversed(place.stages), reversed(place.calls), strict=True):
                origins = stage[row]
                row, part, summed, _ = ticket.pick([(origin, origin[3]) for origin in origins])
                for variable, value in summed:
                    address = prefix + variable.path
                    values[address] = self._value(variable, value, address, ticket)
                if part is not None and part.run is not None and part.row is not None and call is not None:
                    above = prefix if call.home == 0 else None
                    if above is not None:
                        todo.append((part.run, part.row, above + call.name + part.run.fragment.ending))
        return values

    def _value(self, variable: Variable, value: int, address: str, ticket: Draw) -> Any:
        domain = self._domain(variable.hyperparameter)
        if address in self.restrictions.fixed:
            return self.restrictions.fixed[address]
        if value == ANY:
            return domain.at(ticket.below(int(domain.size)))  # each counts the same, also on a log scale
        return next(v for i, v in enumerate(domain.values()) if i == value)

    def _domain(self, hyperparameter: Independent) -> Domain:
        return self.restrictions.narrowed(hyperparameter.domain)

    # --- exploring: which hyperparameters does what stands behind a call use? --------------------------------

    def _root(self) -> Run:
        if self._top is not None:
            return self._top
        program = self.space.program
        self._settle(program.root)
        self.runs.clear()  # what an error or an interrupt left in progress
        self._explore(program.root)
        depth = self.restrictions.max_depth
        found = run(self._run(program.root, (None,) * len(program.root.outputs), depth, "", None, None, 0))
        self._top = found
        return found

    def _settle(self, root: Fragment) -> None:
        """Note which hyperparameters the space's restrictions decide, and which of the root's they leave out."""
        for h, address in zip(root.hyperparameters, root.suffixes, strict=True):
            if isinstance(h, Independent) and address in self.restrictions.fixed:
                self.settled[h] = self.restrictions.fixed[address]
            elif isinstance(h, Independent) and not self.restrictions.keeps(address, h):
                self.left_out.add(h)
        for address, value in self.restrictions.fixed.items():
            for h in find(root.program, address):
                if h not in self.settled:
                    self.fixed.setdefault(h, []).append(value)

    def _explore(self, root: Fragment) -> None:
        """Unfold everything once, and note for each fragment which enclosing hyperparameters are used inside."""
        callers: dict[Fragment, set[Fragment]] = {root: set()}
        depth = self.restrictions.max_depth
        best: dict[Fragment, int] = {root: 0}
        todo = [(root, 0, 0)]
        while todo:
            fragment, depth_here, level = todo.pop()
            if level > _MOST_LEVELS or (depth is None and depth_here > _MOST_RULES):
                raise NotCountable(
                    f"{fragment.where()[:200]}: functions nest without end.\n"
                    f"  Got {max(level, depth_here)} substitutions or rules, each inside the one before.\n"
                    "  Decorate the recursive function with @da.rule, so that it is known to be the same function "
                    "again, and give it arguments that do not grow."
                )
            self.users.setdefault(fragment, self._own_users(fragment))
            for call in fragment.calls:
                deeper = depth_here + call.module.deepens
                if not call.module.substitution or (depth is not None and deeper > depth):
                    continue
                for inner in self._inner(fragment, call):
                    callers.setdefault(inner, set()).add(fragment)
                    if inner not in best or deeper < best[inner]:
                        best[inner] = deeper
                        todo.append((inner, deeper, 0 if call.module.deepens else level + 1))
        changed = list(callers)
        while changed:
            inner = changed.pop()
            passed = {user for user in self.users[inner] if _home(user) is not inner}
            for caller in callers[inner]:
                if not passed <= self.users[caller]:
                    self.users[caller] |= passed
                    changed.append(caller)

    def _own_users(self, fragment: Fragment) -> set[Any]:
        used: set[Any] = {h for call in fragment.calls for h in call_roots(call)}
        used.update(roots(fragment.config.values()))
        used.update(call.module for call in fragment.calls if call.module.shared and call.module.substitution)
        return used

    def _inner(self, fragment: Fragment, call: Call) -> Iterator[Fragment]:
        decisive, settled = call_roots(call), self.settled
        if any(h in self.left_out for h in decisive):
            return
        if any(self._explored(h).size == math.inf for h in decisive if h not in settled):
            raise _Endless
        if call.module.order_immaterial:
            yield expand(fragment, call, {h: settled.get(h) or next(self._domain(h).values()) for h in decisive})
            return
        for binding in bindings(decisive, fragment.where(call.module), settled, self._explored):
            yield expand(fragment, call, binding)

    def _explored(self, hyperparameter: Independent) -> Domain:
        """Return the values that count somewhere: a fixed number need not be on the grid, or alone can be listed."""
        domain, fixed = self._domain(hyperparameter), self.fixed.get(hyperparameter)
        if not fixed or not isinstance(hyperparameter.domain, Numeric):
            return domain
        return Choice(dict.fromkeys([*fixed, *(domain.values() if domain.size <= MANY else ())]))

    # --- tables ----------------------------------------------------------------------------------------------

    def _run(
        self,
        fragment: Fragment,
        ports: tuple[int | None, ...],
        depth: int | None,
        prefix: str | None,
        exposed: tuple[Fragment, str] | None,
        outer: Run | None,
        nested: int,
    ) -> Recursive[Run]:
        """Return the table of a fragment of which some outputs are wanted.

        Args:
            ports: the wanted outputs of a substitution, None for its only one; the root wants all.
            depth: applications of rules that are left, or None for no limit.
            prefix: where the fragment stands, in spaces whose restrictions go by address.
            exposed: for the inside of a module that several places share: the home and path of its hyperparameters,
                which are not summed over before all these places are joined.
            outer: the run of the fragment that it stands in.
            nested: how many rules that is inside of.
        """
        memory = (fragment, ports, depth, prefix, exposed)
        if memory in self.runs:
            found = self.runs[memory]
            if found is None:
                raise _Endless
            return found
        self.runs[memory] = None  # in progress: meeting it again is a cycle
        this = Run(fragment, prefix, outer, nested)
        table: dict[Key, Count] = {self._start(this, ports): 1}
        table = self._stage(this, None, self._with_config(this, table, exposed))
        last_users = self._last_users(fragment) if exposed is None else {}
        for call in reversed(fragment.calls):
            parts: dict[tuple[int | None, ...], list[Part]] = {}
            origins: list[tuple[Key, Origin]] = []
            for key, count in table.items():
                wanted = tuple(sorted([p for i, p in key.wanted if i == call.index], key=_port_order))
                if not wanted:
                    origins.append((key, (key, None, (), count)))
                    continue
                if wanted not in parts:
                    parts[wanted] = yield self._parts(this, call, wanted, depth, exposed)
                rest = frozenset([value for value in key.wanted if value[0] != call.index])
                for part in parts[wanted]:
                    bound = join(key.bound, part.key.bound)
                    if bound is not None:
                        joined = Key(rest | part.key.wanted, key.captured | part.key.captured, bound)
                        origins.append((joined, (key, part, (), times(count, part.ways))))
            over = last_users.get(call.index, ())
            table = self._stage(this, call, [self._sum(this, o, over) for o in origins] if over else origins)
        if exposed is None:
            left = {v for key in table for v, _ in key.bound if v.home is fragment}
            rest_over = sorted(left, key=lambda variable: variable.path)  # sets have another order in each process
            origins = [(key, (key, None, (), count)) for key, count in table.items()]
            table = self._stage(this, None, [self._sum(this, o, rest_over) for o in origins])
        this.table = table
        self.runs[memory] = this
        return this

    def _start(self, this: Run, ports: tuple[int | None, ...]) -> Key:
        return self._ask(this, _wanted_outputs(this.fragment, ports), frozenset())

    def _ask(self, this: Run, references: Iterable[Reference], bound: frozenset[tuple[Variable, int]]) -> Key:
        """Return the row that wants these values of a fragment and of those around it."""
        wanted: set[tuple[int, int | None]] = set()
        captured: set[tuple[Fragment, int, int | None]] = set()
        for levels, index, port in references:
            if levels == 0:
                wanted.add((index, port))
            else:
                captured.add((this.fragment.owner_at(levels), index, port))
        return Key(frozenset(wanted), frozenset(captured), bound)

    def _stage(self, this: Run, call: Call | None, origins: Iterable[tuple[Key, Origin]]) -> dict[Key, Count]:
        """Add up rows that have become the same, and remember how each came about."""
        stage: dict[Key, list[Origin]] = {}
        table: dict[Key, Count] = {}
        for key, origin in origins:
            stage.setdefault(key, []).append(origin)
            table[key] = plus(table.get(key, 0), origin[3])
        if len(table) > _MOST_ENTRIES:
            raise NotCountable(
                f"{this.fragment.where()}: too many hyperparameters are shared between parts to count them together.\n"
                f"  Got {len(table)} combinations.\n"
                "  Make hyperparameters inside the function that uses them, or fix some."
            )
        this.stages.append(stage)
        this.calls.append(call)
        return table

    def _with_config(
        self, this: Run, table: dict[Key, Count], exposed: tuple[Fragment, str] | None
    ) -> list[tuple[Key, Origin]]:
        used = [h for h in roots(this.fragment.config.values()) if not self._left_open(this, h)]
        bound = self._bound(this, used, exposed)
        return [(key._replace(bound=bound), (key, None, (), count)) for key, count in table.items()]

    def _last_users(self, fragment: Fragment) -> dict[int, list[Variable]]:
        """Return by call the own hyperparameters that no earlier call uses, so that they can be summed over there."""
        first: dict[Variable, int] = {}
        for call in reversed(fragment.calls):
            used: set[Any] = set(call_roots(call))
            if call.module.substitution:
                for inner in self._known_inner(fragment, call):
                    used |= self.users[inner]
            for user in used:
                if isinstance(user, Independent) and _home(user) is fragment:
                    first[self._variable(user, fragment)] = call.index
        by_call: dict[int, list[Variable]] = {}
        for variable, index in sorted(first.items(), key=lambda item: item[0].path):
            by_call.setdefault(index, []).append(variable)
        return by_call

    def _known_inner(self, fragment: Fragment, call: Call) -> list[Fragment]:
        return [inner for inner in self._inner(fragment, call) if inner in self.users]

    def _variable(self, hyperparameter: Independent, user: Fragment) -> Variable:
        owner = _home(hyperparameter) or user.program.root
        return Variable(owner, owner.suffixes[user.slot_of(hyperparameter).place], hyperparameter)

    def _bound(
        self, this: Run, used: list[Independent], exposed: tuple[Fragment, str] | None
    ) -> frozenset[tuple[Variable, int]]:
        return frozenset([(self._exposed(self._variable(h, this.fragment), this, exposed), ANY) for h in used])

    def _exposed(self, variable: Variable, this: Run, exposed: tuple[Fragment, str] | None) -> Variable:
        """Return the variable as it is known outside of a module that several places share."""
        if exposed is None or variable.home is not this.fragment:
            return variable
        return Variable(exposed[0], exposed[1] + variable.path, variable.hyperparameter)

    def _parts(
        self,
        this: Run,
        call: Call,
        ports: tuple[int | None, ...],
        depth: int | None,
        exposed: tuple[Fragment, str] | None,
    ) -> Recursive[list[Part]]:
        """Return the ways to unfold a call of which some outputs are wanted."""
        fragment, module = this.fragment, call.module
        used = [h for h in call_roots(call) if not self._left_open(this, h)]
        if not module.substitution or len(used) < len(call_roots(call)):
            return [Part(self._ask(this, call.inputs, self._bound(this, used, exposed)), 1, None, None)]
        if depth is not None and depth < module.deepens:
            return []
        left = depth if depth is None else depth - module.deepens
        settled = self._settled_at(this, used)
        if any(self._domain(h).size == math.inf for h in used if h not in settled):
            raise _Endless
        if module.order_immaterial:
            binding = {h: settled.get(h) or next(self._domain(h).values()) for h in used}
            positions = dict.fromkeys(used, ANY)
            parts: list[Part] = yield self._alternative(this, call, ports, left, exposed, binding, positions)
            row = parts[0].row if len(parts) == 1 else None
            if row is not None and len(row.wanted) == len(call.inputs):
                return parts  # every part always uses its input, so the order makes no difference
        all_parts: list[Part] = []
        places: dict[Independent, list[Any]] = {}
        for binding in bindings(used, fragment.where(module), settled, self._domain):
            places = places or {h: list(self._domain(h).values()) for h in used if h not in settled}
            positions = {h: _position(places[h], v) if h in places else ANY for h, v in binding.items()}
            all_parts += yield self._alternative(this, call, ports, left, exposed, binding, positions)
        return all_parts

    def _alternative(
        self,
        this: Run,
        call: Call,
        ports: tuple[int | None, ...],
        left: int | None,
        exposed: tuple[Fragment, str] | None,
        binding: dict[Independent, Any],
        positions: dict[Independent, int],
    ) -> Recursive[list[Part]]:
        inner = expand(this.fragment, call, binding)
        if call.module.deepens and left is None and not can_end(inner, ENDLESS):
            return []
        nested = this.nested + call.module.deepens
        if left is None and nested > _MOST_RULES:  # the same rule at ever longer addresses is never met again
            raise _Endless
        home = this.fragment.owner_at(call.home)
        path = call.name + inner.ending
        inner_exposed = (home, path) if call.module.shared else None
        if exposed is not None and home is this.fragment:
            inner_exposed = (exposed[0], exposed[1] + path)
        prefix = None
        if this.prefix is not None:
            above = self._prefix_of(home, this) + path
            prefix = above if self._matters(above, inner) else None
        found: Run = yield self._run(inner, ports, left, prefix, inner_exposed, this, nested)
        own = frozenset(
            [(self._exposed(self._variable(h, this.fragment), this, exposed), p) for h, p in positions.items()]
        )
        parts: list[Part] = []
        for row, count in found.table.items():
            bound = join(own, frozenset([(self._exposed(v, this, exposed), p) for v, p in row.bound]))
            if bound is not None:
                asked = self._ask(this, [call.inputs[i] for i, _ in row.wanted], bound)
                local = [Reference(0, i, port) for owner, i, port in row.captured if owner is this.fragment]
                captured = frozenset([c for c in row.captured if c[0] is not this.fragment])
                key = Key(asked.wanted | self._ask(this, local, bound).wanted, asked.captured | captured, bound)
                parts.append(Part(key, count, found, row))
        return parts

    def _sum(self, this: Run, origin: tuple[Key, Origin], over: Iterable[Variable]) -> tuple[Key, Origin]:
        """Sum over hyperparameters that nothing else uses: a value that makes no difference stands for all of them."""
        key, (before, part, summed, count) = origin
        values = dict(key.bound)
        for variable in over:
            if variable in values:
                value = values.pop(variable)
                count = times(count, self._ways(this, variable, value))
                summed = (*summed, (variable, value))
        return key._replace(bound=frozenset(values.items())), (before, part, summed, count)

    # --- restrictions ----------------------------------------------------------------------------------------

    def _matters(self, prefix: str, inner: Fragment) -> bool:
        """Return whether a restriction of the space can tell this place from others."""
        where, fixed = self.restrictions.predicate, self.restrictions.fixed
        if where is not None or any(address.startswith(prefix) for address in fixed):
            return True
        if not fixed or inner not in self.users:  # another order of what stands in any
            return bool(fixed)
        return any(isinstance(u, Module) or (u in self.fixed and _home(u) is not inner) for u in self.users[inner])

    def _ways(self, this: Run, variable: Variable, value: int) -> Count:
        """Return how many values a hyperparameter stands for that is summed over."""
        is_fixed = this.prefix is not None and this.prefix + variable.path in self.restrictions.fixed
        return self._domain(variable.hyperparameter).size if value == ANY and not is_fixed else 1

    def _settled_at(self, this: Run, used: list[Independent]) -> dict[Independent, Any]:
        """Return what `fix` decided of the hyperparameters that are used at a place."""
        if this.prefix is None:
            return self.settled
        addresses = {h: self._address(h, this) for h in used}
        fixed = self.restrictions.fixed
        return {**self.settled, **{h: fixed[address] for h, address in addresses.items() if address in fixed}}

    def _address(self, hyperparameter: Independent, this: Run) -> str:
        variable = self._variable(hyperparameter, this.fragment)
        return self._prefix_of(variable.home, this) + variable.path

    def _left_open(self, this: Run, hyperparameter: Independent) -> bool:
        """Return whether `where` leaves a hyperparameter out."""
        if self.restrictions.predicate is None:
            return False
        address = self._address(hyperparameter, this)
        return address not in self.restrictions.fixed and not self.restrictions.keeps(address, hyperparameter)

    @staticmethod
    def _prefix_of(home: Fragment, this: Run) -> str:
        """Return the prefix of an enclosing fragment, the innermost place of it around this one."""
        place = this
        while place.fragment is not home and place.outer is not None:
            place = place.outer
        return place.prefix or ""


def _port_order(port: int | None) -> int:
    return -1 if port is None else port


def _position(values: list[Any], value: Any) -> int:
    return next(i for i, v in enumerate(values) if same(v, value))


def _home(user: Hyperparameter | Module) -> Any:
    """Return the fragment that made a hyperparameter or module; None for one made outside every function."""
    return user.owner


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
