"""Smallest: the fewest applications of rules with which parts of a space can end.

What several parts share, a hyperparameter or a module, is decided once: values are tried together for all parts that
use them, and a module counts for one part. Where these are too many to try, or something may be ignored in the end, the
number is a bound from below: what it leaves out cannot end, and what it lets through may not, in rare spaces.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotCountable
from deep_arch.language.domains import Domain, part_of
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.options import content_key
from deep_arch.language.program import Program
from deep_arch.language.values import Reference
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.liveness import Ports, wanted_outputs
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.trampoline import Recursive, run

WHOLE: Final[Ports] = (None,)
"""All outputs."""

_MOST_TOGETHER: Final = 2_000
"""Combinations of shared values that are tried for one number."""

_MOST_LEVELS: Final = 3_000
"""Nested functions without a rule between them; more is taken for recursion that has no end."""


class Needed(NamedTuple):
    """What is known of a call that is needed, whatever is decided.

    Attributes:
        users: the hyperparameters and shared modules that it uses, here or further in.
        ports: those of its outputs that are needed.
    """

    users: frozenset[Any]
    ports: Ports


class Used(NamedTuple):
    """What is known of a fragment of which some outputs are needed, whatever is decided in it.

    Attributes:
        calls: the calls of substitutions that it needs.
        outer: what is used in it, or further in, of enclosing functions.
        inputs: whether it needs each of its inputs.
    """

    calls: Mapping[Call, Needed]
    outer: frozenset[Any]
    inputs: bool


class Item(NamedTuple):
    """A call that is still to be unfolded.

    Attributes:
        place: where its function stands.
        ports: those of its outputs that are needed.
        keys: what it uses, each with what tells it from others of the same name elsewhere.
    """

    place: Place
    call: Call
    ports: Ports
    keys: Mapping[Any, Hashable]


class Smallest:
    """The fewest applications of rules in parts of a program within restrictions."""

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self.alternatives = Alternatives(program, restrictions)
        self._root = Place(program.root, "", None)
        self._restrictions = restrictions
        self._used: dict[Any, Used] = {}
        self._sizes: dict[Any, float] = {}
        self._parts: dict[Any, Domain] = {}

    def whole(self) -> float:
        """Return the size of the smallest program; infinity where there is none."""
        return run(self._size(self._root, WHOLE, {}))

    def used(self, place: Place, ports: Ports) -> Used:
        """Return what is known of the fragment at a place of which these outputs are needed."""
        found = self._used.get(self._memory(place, ports))
        return run(self._look(place, ports)) if found is None else found

    def least(self, items: Sequence[Item], known: Mapping[Hashable, Any]) -> float:
        """Return the fewest applications with which all items can end where some of what they use is known."""
        return run(self._least(items, known))

    def part(self, domain: Domain, values: Sequence[Any]) -> Domain:
        """Return the domain of some values of another, the same one for the same values; the whole for none and all."""
        if not values or len(values) == domain.size:
            return domain
        key = (domain, tuple(map(content_key, values)))
        if key not in self._parts:
            self._parts[key] = part_of(domain, values)
        return self._parts[key]

    # --- what is used ------------------------------------------------------------------------------------------------

    def _memory(self, place: Place, ports: Ports) -> tuple[Fragment, int, str | None, Ports]:
        return place.fragment, place.depth, place.prefix if self._restrictions.at_places else None, ports

    def _look(self, place: Place, ports: Ports) -> Recursive[Used]:
        memory = self._memory(place, ports)
        if memory not in self._used:
            if place.fragment.level > _MOST_LEVELS:
                raise _endless(place)
            self._used[memory] = yield self._looked(place, _Wanted(wanted_outputs(place.fragment, ports)))
        return self._used[memory]

    def _looked(self, place: Place, wanted: _Wanted) -> Recursive[Used]:
        """Follow the outputs of a fragment back, as far as calls need their inputs for certain."""
        fragment, calls, outer = place.fragment, dict[Call, Needed](), set[Any]()
        for call in reversed(fragment.live_calls):
            ports = wanted.ports(call.index)
            needs_inputs = True
            if call.module.substitution:
                users, needs_inputs = yield self._look_inside(place, call, ports or WHOLE)
                outer |= {user for user in users if user.owner is not fragment}
                if ports:
                    calls[call] = Needed(users, ports)
            if ports and needs_inputs:
                wanted.add(call.inputs)
        inputs = all(map(wanted.ports, range(fragment.n_inputs)))
        return Used(dict(reversed(calls.items())), frozenset(outer), inputs)

    def _look_inside(self, place: Place, call: Call, ports: Ports) -> Recursive[tuple[frozenset[Any], bool]]:
        """Return what a call uses, here and further in, and whether it needs its inputs in any case."""
        users: set[Any] = {*call_roots(call), *([call.module] if call.module.shared else [])}
        if not self.alternatives.unfolds(place, call):
            return frozenset(users), True
        if self.alternatives.endless(place, call):
            return frozenset(users), False
        needs_inputs = True
        for alternative in self.alternatives.of(place, call):
            inner: Used = yield self._look(alternative.place, ports)
            users |= inner.outer
            needs_inputs = needs_inputs and inner.inputs
        return frozenset(users), needs_inputs

    # --- sizes -------------------------------------------------------------------------------------------------------

    def _size(self, place: Place, ports: Ports, given: Mapping[Any, Any]) -> Recursive[float]:
        """Return the size of the smallest thing that the fragment at a place can become."""
        used: Used = yield self._look(place, ports)
        given = {user: given[user] for user in used.outer if user in given}
        memory = (*self._memory(place, ports), frozenset([(user, content_key(value)) for user, value in given.items()]))
        if memory not in self._sizes:
            items = [
                Item(place, call, needed.ports, {user: user for user in needed.users})
                for call, needed in used.calls.items()
            ]
            self._sizes[memory] = yield self._least(items, given)
        return self._sizes[memory]

    def _least(self, items: Sequence[Item], known: Mapping[Any, Any]) -> Recursive[float]:
        sizes: list[float] = []
        for values in self._together(items, known):
            total, decided = 0.0, {**known, **values}
            for item in items:
                given = {user: decided[key] for user, key in item.keys.items() if key in decided}
                total += yield self._size_of_call(item, given)
                if total == math.inf:
                    break
                decided.update([(key, True) for user, key in item.keys.items() if not isinstance(user, Independent)])
            sizes.append(total)
        return min(sizes, default=math.inf)

    def _size_of_call(self, item: Item, given: Mapping[Any, Any]) -> Recursive[float]:
        place, call = item.place, item.call
        if call.module in given or not self.alternatives.unfolds(place, call):
            return 0.0  # what is shared counts elsewhere, and what stays open does not count
        if self.alternatives.endless(place, call):
            return float(call.module.deepens)
        binding = {h: value for h, value in given.items() if isinstance(h, Independent)}
        least = math.inf
        for alternative in self.alternatives.of(place, call, given=binding):
            inside: float = yield self._size(alternative.place, item.ports, {**given, **alternative.binding})
            least = min(least, inside)
        return least + call.module.deepens

    def _together(self, items: Sequence[Item], known: Mapping[Any, Any]) -> Iterator[dict[Any, Any]]:
        """Yield the values of what several items use and is not known; one without values where they are too many."""
        counts = Counter([key for item in items for key in item.keys.values()])
        shared: dict[Any, list[Any]] = {}
        for item in items if len(items) > 1 else ():
            for user, key in item.keys.items():
                if counts[key] > 1 and key not in known and key not in shared and isinstance(user, Independent):
                    values = self._listed(item.place, user)
                    if values:
                        shared[key] = values
        if math.prod(map(len, shared.values())) > _MOST_TOGETHER:
            shared = {}
        for together in itertools.product(*shared.values()):
            yield dict(zip(shared, together, strict=True))

    def _listed(self, place: Place, hyperparameter: Independent) -> list[Any]:
        if hyperparameter.parents or self.alternatives.left_open(place, hyperparameter):
            return []
        fixed = self.alternatives.fixed(place, [hyperparameter])
        if fixed:
            return [*fixed.values()]
        domain = self.alternatives.domain(hyperparameter, place=place)
        return [*domain.values()] if domain.size <= _MOST_TOGETHER else []


class _Wanted:
    """The values of a fragment that are needed, by index, with the outputs that are taken of each."""

    def __init__(self, outputs: Iterable[Reference]) -> None:
        self._ports: dict[int, dict[int | None, None]] = {}
        self.add(outputs)

    def add(self, references: Iterable[Reference]) -> None:
        for reference in references:
            if reference.levels == 0:
                self._ports.setdefault(reference.place, {})[reference.port] = None

    def ports(self, index: int) -> Ports:
        ports = self._ports.get(index, {})
        return WHOLE if None in ports else tuple(sorted([port for port in ports if port is not None]))


def _endless(place: Place) -> NotCountable:
    return NotCountable(
        f"{place.fragment.where()[:200]}: functions nest without end.\n"
        f"  Got {place.fragment.level} functions, each inside the one before.\n"
        "  Decorate the recursive function with @da.rule, so that a limit ends it."
    )
