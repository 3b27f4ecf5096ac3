"""Alternatives: what a call can unfold to at a place, over the values of the hyperparameters that decide it.

Whoever walks a space with all alternatives kept, to count it, to see what ends in time, takes them from here: what
`fix` decided, what `where` leaves open and `without` takes out, the grid of `discretize`, the depth of `limit`, and
which calls unfold to the same parts in any order, stand in one place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotCountable
from deep_arch.language.dependence import domain_at, evaluate, roots
from deep_arch.language.domains import REJECTED, Choice, Domain, Numeric
from deep_arch.language.fragment import Call
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.program import Program
from deep_arch.language.substitution import Substitution
from deep_arch.spaces.finding import expanded, find
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions

Binding = Mapping[Independent, Any]
"""The values of the independent hyperparameters that decide a call."""

MANY: Final = 50_000
"""Combinations of values that are still listed."""

ANY: Final = -1
"""In place of a position in the domain: a value that was given, or one that stands for all."""

_NOTHING: Final[Binding] = MappingProxyType({})


class Alternative(NamedTuple):
    """One thing that a call can become.

    Attributes:
        binding: the values that decide it.
        positions: where they stand in their domains, in the order of `call_roots`.
        place: that of what it unfolds to.
    """

    binding: Binding
    positions: tuple[int, ...]
    place: Place


def call_roots(call: Call) -> list[Independent]:
    """Return the independent hyperparameters that decide a call's arguments."""
    return roots(h for _, h in call.module.open_arguments)


class Alternatives:
    """What the calls of a program can become within restrictions.

    Args:
        program: the program.
        restrictions: of the space; none if left out.
        anywhere: whether a place without a prefix stands for all places of its fragment: what `fix` decides at some
            address is then among the values.
    """

    def __init__(self, program: Program, restrictions: Restrictions | None = None, anywhere: bool = False) -> None:
        self.restrictions = restrictions or Restrictions()
        self._anywhere = anywhere
        self._somewhere: dict[Independent, list[Any]] = {}
        excluded = self.restrictions.excluded
        addresses = () if excluded is None else sorted(excluded.addresses)
        self._narrowed = {hyperparameter for address in addresses for hyperparameter in find(program, address)}
        for address, value in self.restrictions.fixed.items():
            for hyperparameter in find(program, address):
                self._somewhere.setdefault(hyperparameter, []).append(value)

    def differs(self, hyperparameter: Independent) -> bool:
        """Return whether `fix` decided a hyperparameter at some place, or `without` took from it there alone."""
        return hyperparameter in self._somewhere or hyperparameter in self._narrowed

    def left_open(self, place: Place, hyperparameter: Independent) -> bool:
        """Return whether `where` leaves a hyperparameter out at a place, or one that its domain depends on."""
        if self.restrictions.predicate is None:
            return False
        addresses = [(place.address_of(h), h) for h in roots([hyperparameter])]
        fixed = self.restrictions.fixed
        return any(a is not None and a not in fixed and not self.restrictions.keeps(a, h) for a, h in addresses)

    def decided(self, place: Place, call: Call) -> list[Independent]:
        """Return the hyperparameters that decide a call, without those that stay open here."""
        return [h for h in call_roots(call) if not self.left_open(place, h)]

    def unfolds(self, place: Place, call: Call) -> bool:
        """Return whether a call is replaced here by what there is something to decide in.

        It is a substitution, not declared to be closed, and nothing that decides it stays open.
        """
        module = call.module
        if not module.substitution or module.closed:
            return False
        return self.restrictions.predicate is None or not any(self.left_open(place, h) for h in call_roots(call))

    def fixed(self, place: Place, hyperparameters: Iterable[Independent]) -> dict[Independent, Any]:
        """Return what `fix` decided of some hyperparameters here."""
        given: dict[Independent, Any] = {}
        for hyperparameter in hyperparameters if self.restrictions.fixed else ():
            address = place.address_of(hyperparameter)
            if address is not None and address in self.restrictions.fixed:
                known = all(root in given for root in roots(hyperparameter.parents))  # which are fixed as well
                if known and self.restrictions.fixes(address, domain_at(hyperparameter, given)):
                    given[hyperparameter] = self.restrictions.fixed[address]
        return given

    def domain(self, hyperparameter: Independent, binding: Binding = _NOTHING, place: Place | None = None) -> Domain:
        """Return the domain where others have these values, as `discretize` and `without` leave it at a place."""
        address = None if place is None else place.address_of(hyperparameter)
        return self.restrictions.narrowed(hyperparameter, domain_at(hyperparameter, binding), address)

    def endless(self, place: Place, call: Call) -> bool:
        """Return whether infinitely many values decide what a call unfolds to."""
        return self.any_endless(place, call_roots(call))

    def any_endless(self, place: Place, hyperparameters: Sequence[Independent]) -> bool:
        """Return whether one of some hyperparameters can have infinitely many values, and is not left open."""
        first = self.fixed(place, hyperparameters)
        for hyperparameter in hyperparameters:
            if hyperparameter not in first:
                domain = self._possible(place, hyperparameter, first)
                if domain.size == math.inf:
                    return not self.left_open(place, hyperparameter)
                first[hyperparameter] = domain.at(0)
        return False

    def of(
        self, place: Place, call: Call, given: Binding = _NOTHING, every_order: bool = False
    ) -> Iterator[Alternative]:
        """Yield what a call becomes at a place; nothing if it stays as it is, or lies too deep.

        Args:
            place: where the call's fragment stands.
            call: a call of that fragment.
            given: values that are decided already.
            every_order: whether orders of the same parts are told apart; else one stands for all.

        Raises:
            NotCountable: too many values decide it, or infinitely many.
        """
        if self.lies_within(place, call):
            for binding, positions in self.bindings(place, call, given, every_order):
                yield self.at(place, call, binding, positions)

    def lies_within(self, place: Place, call: Call) -> bool:
        """Return whether a call unfolds at a place, and not too deep."""
        most = self.restrictions.deepest
        return self.unfolds(place, call) and (most is None or place.depth + call.module.deepens <= most)

    def at(self, place: Place, call: Call, binding: Binding, positions: tuple[int, ...]) -> Alternative:
        """Return what a call becomes at a place and these values."""
        inner = place.inside(call, expanded(place.fragment, call.module, len(call.inputs), binding))
        return Alternative(binding, positions, inner)

    def bindings(
        self, place: Place, call: Call, given: Binding = _NOTHING, every_order: bool = False
    ) -> Iterator[tuple[Binding, tuple[int, ...]]]:
        """Yield the values that can decide a call at a place, with their positions; see `of`."""
        decisive = call_roots(call)
        settled = {**self.fixed(place, decisive), **{h: given[h] for h in decisive if h in given}}
        if call.module.order_immaterial and not every_order:
            first: dict[Independent, Any] = {}
            for h in decisive:
                first[h] = settled[h] if h in settled else self.domain(h, first, place).at(0)
            yield first, (ANY,) * len(decisive)
            return
        yield from self.combinations(place, decisive, settled, place.fragment.where(call.module))

    def longest(
        self, place: Place, call: Call
    ) -> tuple[Alternative, list[tuple[tuple[Binding, tuple[int, ...]], int]]]:
        """Return what a call of nested copies becomes with the most of them, and how many there are at which values."""
        times, module = call.module.arguments["times"], call.module
        assert isinstance(module, Substitution), "nested copies are a substitution"
        counts = [(each, evaluate(times, each[0])) for each in self.bindings(place, call)]
        for n in dict.fromkeys([n for _, n in counts]):
            module.label({"times": n}, place.fragment.where(module))
        (binding, positions), _ = max(counts, key=lambda each: each[1])
        return self.at(place, call, binding, positions), counts

    def combinations(
        self, place: Place, hyperparameters: Sequence[Independent], settled: Binding, where: str
    ) -> Iterator[tuple[Binding, tuple[int, ...]]]:
        """Yield all values of some hyperparameters, of which those that others' domains depend on come first.

        Raises:
            NotCountable: too many.
        """
        plain = [h for h in hyperparameters if h not in settled and not h.parents]
        if math.prod([self._possible(place, h, _NOTHING).size for h in plain]) > MANY:
            raise _too_many(hyperparameters, where)
        n_listed = 0
        todo: list[tuple[Binding, tuple[int, ...]]] = [({}, ())]
        while todo:
            binding, positions = todo.pop()
            if len(positions) == len(hyperparameters):
                yield binding, positions
                continue
            hyperparameter = hyperparameters[len(positions)]
            if hyperparameter in settled:
                todo.append(({**binding, hyperparameter: settled[hyperparameter]}, (*positions, ANY)))
                continue
            domain = self._possible(place, hyperparameter, binding)
            n_listed += int(min(domain.size, MANY + 1))
            if n_listed > MANY:
                raise _too_many(hyperparameters, where)
            values = list(enumerate(domain.values()))
            todo += [({**binding, hyperparameter: value}, (*positions, i)) for i, value in reversed(values)]

    def _possible(self, place: Place, hyperparameter: Independent, binding: Binding) -> Domain:
        domain, whole = self.domain(hyperparameter, binding, place), domain_at(hyperparameter, binding)
        fixed = [v for v in self._somewhere.get(hyperparameter, ()) if whole.accept(v) is not REJECTED]
        if not self._anywhere or not fixed or not isinstance(whole, Numeric):
            return domain
        if place.address_of(hyperparameter) is not None:
            return domain
        # A fixed number need not be on the grid, and alone it can be listed where an interval cannot.
        return Choice(dict.fromkeys([*fixed, *(domain.values() if domain.size <= MANY else ())]))


def _too_many(hyperparameters: Sequence[Independent], where: str) -> NotCountable:
    return NotCountable(
        f"{where}: too many values decide what this unfolds to.\n"
        f"  Got more than {MANY:,} combinations of {listed_names(hyperparameters)}.\n"
        "  Use smaller domains for what decides structure, or fix some with space.fix. If the function decides nothing "
        "more than these, whatever they are, say so: da.substitute(fn, closed=True, ...)."
    )


def listed_names(hyperparameters: Iterable[Independent]) -> str:
    """Return the first of some hyperparameters as text, for messages."""
    shown = [repr(h) for h in hyperparameters]
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
