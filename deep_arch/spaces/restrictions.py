"""Restrictions: what a sub-space leaves open of its space."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deep_arch.language.domains import REJECTED, Domain, Real
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.values import UNSET
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.exclusions import Without
from deep_arch.spaces.frames import Choose, Frame
from deep_arch.spaces.place import Standing, slot_address, up


@dataclass(frozen=True, slots=True)
class Both:
    """The predicate that holds where two others hold."""

    first: Callable[[ChoicePoint], bool]
    second: Callable[[ChoicePoint], bool]

    def __call__(self, point: ChoicePoint) -> bool:
        return self.first(point) and self.second(point)


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What a sub-space leaves open of its space; false where that is everything.

    Attributes:
        fixed: address to value, for the hyperparameters that `fix` decided.
        predicate: tells which others `where` keeps, None for all.
        max_depth: the most nested applications of rules that `limit` allows, None for any number.
        max_size: the most applications of rules in all, None for any number.
        excluded: the alternatives that `without` takes out.
        levels: how many numbers `discretize` leaves of each interval, None for all.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    predicate: Callable[[ChoicePoint], bool] | None = None
    max_depth: int | None = None
    levels: int | None = None
    max_size: int | None = None
    excluded: Without | None = None

    def __bool__(self) -> bool:
        return bool(self.fixed or self.predicate or self.deepest is not None or self.levels or self.excluded)

    @property
    def deepest(self) -> int | None:
        """The most nested applications of rules that there can be: those around the innermost count, too."""
        limits = [limit for limit in (self.max_depth, self.max_size) if limit is not None]
        return min(limits, default=None)

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses at which a hyperparameter is restricted, and not elsewhere."""
        return frozenset(self.fixed) if self.excluded is None else self.excluded.addresses.union(self.fixed)

    @property
    def at_places(self) -> bool:
        """Whether places of one function may differ in what is left open."""
        return bool(self.predicate or self.addresses)

    def room(self, depth: int) -> int:
        """Return how many applications of rules there can be inside of so many that are nested."""
        return 0 if self.max_size is None else self.max_size - depth

    def __str__(self) -> str:
        parts = [
            f"fix {dict(self.fixed)!r}" if self.fixed else "",
            "where ..." if self.predicate else "",
            f"limit {self.max_depth}" if self.max_depth is not None else "",
            f"limit size {self.max_size}" if self.max_size is not None else "",
            f"discretize {self.levels}" if self.levels else "",
            str(self.excluded or ""),
        ]
        return ", ".join(filter(None, parts))

    def fixes(self, address: str | None, domain: Domain) -> bool:
        """Return whether `fix` decided what has an address and this whole domain, where it can take the value."""
        return address is not None and address in self.fixed and domain.accept(self.fixed[address]) is not REJECTED

    def keeps(self, address: str, hyperparameter: Independent) -> bool:
        """Return whether `where` keeps a hyperparameter that is not fixed; it is shown the whole domain."""
        return self.predicate is None or self.predicate(ChoicePoint(address, hyperparameter.domain, hyperparameter.tag))

    def narrowed(self, hyperparameter: Independent, domain: Domain, address: str | None) -> Domain:
        """Return what `discretize` and `without` leave of the domain of a hyperparameter.

        Args:
            hyperparameter: the hyperparameter.
            domain: all of its domain, at the values that it depends on.
            address: where it stands; None where that makes no difference.
        """
        if self.levels and isinstance(domain, Real):
            domain = _grid(domain, self.levels)
        return domain if self.excluded is None else self.excluded.left(hyperparameter, domain, address)

    def left(self, hyperparameter: Independent, place: Standing) -> Domain:
        """Return what `discretize` and `without` leave of the domain that a hyperparameter has at a place."""
        address = None
        if self.excluded is not None and self.excluded.addresses:
            slot = place.fragment.slot_of(hyperparameter.made)
            address = slot_address(up(place, slot.levels), slot.place)
        return self.narrowed(hyperparameter, hyperparameter.domain, address)

    def offered(self, hyperparameter: Independent, place: Standing) -> Domain:
        """Return the domain as `discretize` and `without` leave it, without what cannot end within the depth."""
        domain = self.left(hyperparameter, place)
        if self.deepest is None or isinstance(hyperparameter.domain, Real):
            return domain
        from deep_arch.spaces.depths import offered

        return offered(self, hyperparameter, domain, place)

    def around(self, choose: Choose, offered: Callable[[Independent, Frame], Domain] | None = None) -> Choose:
        """Return a `choose` that asks the given one for what is left open.

        Args:
            choose: what is asked.
            offered: gives the domain that it is asked to choose from; `self.offered` if left out.
        """
        offered = offered or self.offered

        def restricted(hyperparameter: Independent, address: str, frame: Frame) -> Any:
            if address in self.fixed and self.fixes(address, hyperparameter.domain):
                return self.fixed[address]
            if not self.keeps(address, hyperparameter):
                return UNSET
            narrowed = offered(hyperparameter, frame)
            if narrowed is not hyperparameter.domain:
                hyperparameter = hyperparameter.narrowed(narrowed)
            return choose(hyperparameter, address, frame)

        return restricted


@functools.lru_cache(maxsize=10_000)
def _grid(domain: Real, levels: int) -> Domain:
    return domain.grid(levels)
