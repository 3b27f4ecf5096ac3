"""Alternatives: what a call can unfold to at a place, over the values of the hyperparameters that decide it.

Whoever walks a space with all alternatives kept, to count it, to find an address, to see what ends in time, takes them
from here: what `fix` decided, what `where` leaves open, the grid of `discretize`, the depth of `limit`, and which calls
unfold to the same parts in any order, stand in one place.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from deep_arch.errors import DeepArchError, NotCountable
from deep_arch.language.dependence import evaluate, roots
from deep_arch.language.domains import Choice, Domain, Integer, Numeric, Real
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions

Binding = Mapping[Independent, Any]
"""The values of the independent hyperparameters that decide a call."""

MANY: Final = 1_000_000
"""Combinations of values that are still listed."""

_ENDS: Final = 100
"""Of longer domains only so many values, and the last if it is not far, are tried to find an address."""

_NOTHING: Final[Binding] = MappingProxyType({})


class Alternative(NamedTuple):
    """One thing that a call can become: the values that decide it, and the place of what it unfolds to."""

    binding: Binding
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
        for address, value in self.restrictions.fixed.items():
            for hyperparameter in find(program, address):
                self._somewhere.setdefault(hyperparameter, []).append(value)

    def is_fixed(self, hyperparameter: Independent) -> bool:
        """Return whether `fix` decided a hyperparameter at some place."""
        return hyperparameter in self._somewhere

    def left_open(self, place: Place, hyperparameter: Independent) -> bool:
        """Return whether `where` leaves a hyperparameter out at a place."""
        if self.restrictions.predicate is None:
            return False
        address = place.address_of(hyperparameter)
        if address is None or address in self.restrictions.fixed:
            return False
        return not self.restrictions.keeps(address, hyperparameter)

    def decided(self, place: Place, call: Call) -> list[Independent]:
        """Return the hyperparameters that decide a call, without those that stay open here."""
        return [h for h in call_roots(call) if not self.left_open(place, h)]

    def unfolds(self, place: Place, call: Call) -> bool:
        """Return whether a call is replaced here: it is a substitution, and nothing that decides it stays open."""
        return call.module.substitution and not any(self.left_open(place, h) for h in call_roots(call))

    def fixed(self, place: Place, hyperparameters: Iterable[Independent]) -> dict[Independent, Any]:
        """Return what `fix` decided of some hyperparameters here."""
        given = self.restrictions.fixed
        addresses = {h: place.address_of(h) for h in hyperparameters} if given else {}
        return {h: given[address] for h, address in addresses.items() if address is not None and address in given}

    def domain(self, hyperparameter: Independent) -> Domain:
        """Return the domain as `discretize` leaves it."""
        return self.restrictions.narrowed(hyperparameter.domain)

    def endless(self, place: Place, call: Call) -> bool:
        """Return whether infinitely many values decide what a call unfolds to."""
        decisive = self.decided(place, call)
        fixed = self.fixed(place, decisive)
        return any(self._possible(place, h).size == math.inf for h in decisive if h not in fixed)

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
        most = self.restrictions.max_depth
        if not self.unfolds(place, call) or (most is not None and place.depth + call.module.deepens > most):
            return
        decisive = call_roots(call)
        settled = {**self.fixed(place, decisive), **{h: given[h] for h in decisive if h in given}}
        if call.module.order_immaterial and not every_order:
            yield self._at(place, call, {h: settled.get(h) or next(self.domain(h).values()) for h in decisive})
            return
        domains = {h: self._possible(place, h) for h in decisive if h not in settled}
        if math.prod([domain.size for domain in domains.values()]) > MANY:
            raise NotCountable(
                f"{place.fragment.where(call.module)}: too many values decide what this unfolds to.\n"
                f"  Got {decisive!r}.\n"
                "  Use a smaller domain for what decides structure, or fix it with space.fix."
            )
        choices = [(settled[h],) if h in settled else tuple(domains[h].values()) for h in decisive]
        for binding in _bindings(decisive, choices):
            yield self._at(place, call, binding)

    def _at(self, place: Place, call: Call, binding: Binding) -> Alternative:
        return Alternative(binding, place.inside(call, _expanded(place, call.module, len(call.inputs), binding)))

    def _possible(self, place: Place, hyperparameter: Independent) -> Domain:
        domain, fixed = self.domain(hyperparameter), self._somewhere.get(hyperparameter)
        if not self._anywhere or not fixed or not isinstance(hyperparameter.domain, Numeric):
            return domain
        if place.address_of(hyperparameter) is not None:
            return domain
        # A fixed number need not be on the grid, and alone it can be listed where an interval cannot.
        return Choice(dict.fromkeys([*fixed, *(domain.values() if domain.size <= MANY else ())]))


def _bindings(decisive: Sequence[Independent], choices: Sequence[Sequence[Any]]) -> Iterator[Binding]:
    for values in itertools.product(*choices):
        yield dict(zip(decisive, values, strict=True))


def _expanded(place: Place, module: Any, n_inputs: int, binding: Binding) -> Fragment:
    values = tuple([evaluate(h, binding) for _, h in module.open_arguments])
    fragment = place.fragment
    return fragment.program.expand(module, values, n_inputs, fragment.where(module))


# --- towards an address ---------------------------------------------------------------------------------------------


def find(program: Program, address: Any) -> list[Independent]:
    """Return the independent hyperparameters that have an address, one for each way in which it is reached."""
    found: dict[Independent, None] = {}
    todo = [(program.root, address)] if isinstance(address, str) else []
    seen: set[tuple[int, str]] = set()
    while todo:
        fragment, rest = todo.pop()
        if (id(fragment), rest) in seen:
            continue
        seen.add((id(fragment), rest))
        for suffix, hyperparameter in zip(fragment.suffixes, fragment.hyperparameters, strict=True):
            if suffix == rest and isinstance(hyperparameter, Independent):
                found[hyperparameter] = None
        for lead, inner in _towards(fragment, rest):
            todo.append((inner, rest[len(lead) :]))
    return list(found)


def _towards(fragment: Fragment, rest: str) -> Iterator[tuple[str, Fragment]]:
    """Yield what the modules made in a fragment unfold to, with what addresses inside begin with here.

    A module is called here or further in, and its address begins here, so this goes by modules and not by calls.
    """
    n_inputs = {id(call.module): len(call.inputs) for call in fragment.calls}
    for module, name in fragment.named_modules():
        if module.substitution and rest.startswith(name):
            for inner in _some(Place(fragment, None, None), module, n_inputs.get(id(module), 1)):
                if rest.startswith(name + inner.ending):
                    yield name + inner.ending, inner


def _some(place: Place, module: Module, n_inputs: int) -> Iterator[Fragment]:
    """Yield what a module unfolds to, as far as that can be listed: long domains at their ends."""
    decisive = roots(h for _, h in module.open_arguments)
    for binding in itertools.islice(_bindings(decisive, [_ends(h.domain) for h in decisive]), 1000):
        with contextlib.suppress(DeepArchError):  # values that do not fit lead nowhere
            yield _expanded(place, module, n_inputs, binding)


def _ends(domain: Domain) -> list[Any]:
    if isinstance(domain, Real):
        return [domain.low, domain.high]
    first = list(itertools.islice(domain.values(), _ENDS))
    return [*first, domain.high] if isinstance(domain, Integer) and _ENDS < domain.size <= MANY // 100 else first


def has_address(program: Program, address: str) -> bool:
    """Return whether some architecture reaches an address."""
    return bool(find(program, address))
