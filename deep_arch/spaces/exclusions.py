"""Exclusions: alternatives that a sub-space does without, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deep_arch.errors import InvalidDomain
from deep_arch.language.domains import REJECTED, Domain, part_of
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.options import same
from deep_arch.spaces.choice_points import ChoicePoint

MOST_VALUES = 50_000
"""Values of a domain that are gone through, to see which are left."""


@dataclass(frozen=True)
class Exclusion:
    """Values that are taken out of some domains.

    Attributes:
        key: of which hyperparameters: their address, name or tag, where `*` stands for any text; None for all.
        values: what is taken out.
        predicate: tells in place of these what is taken out; None where they do.
    """

    key: str | None
    values: tuple[Any, ...] = ()
    predicate: Callable[[ChoicePoint, Any], bool] | None = None

    @property
    def address(self) -> str | None:
        """The address, where the key is one of a single place."""
        return self.key if self.key is not None and "/" in self.key else None

    def concerns(self, hyperparameter: Independent, address: str | None) -> bool:
        """Return whether a hyperparameter at an address is meant; of None it is not known where it stands."""
        if self.key is None or self.key == address:
            return True
        pattern = ".*".join(map(re.escape, self.key.split("*")))
        return any(re.fullmatch(pattern, word) for word in (local_name(hyperparameter), hyperparameter.tag) if word)

    def takes(self, point: ChoicePoint, value: Any) -> bool:
        """Return whether a value is taken out."""
        if self.predicate is not None:
            return self.predicate(point, value)
        return any(same(value, taken) for taken in map(point.domain.accept, self.values) if taken is not REJECTED)


class Without:
    """All that a sub-space does without, which remembers what it leaves of each domain."""

    def __init__(self, exclusions: tuple[Exclusion, ...]) -> None:
        self.exclusions = exclusions
        self.addresses = frozenset([e.address for e in exclusions if e.address is not None])
        self._left: dict[Any, Domain] = {}

    def left(self, hyperparameter: Independent, domain: Domain, address: str | None) -> Domain:
        """Return what is left of the domain of a hyperparameter.

        Raises:
            InvalidDomain: nothing is.
        """
        key = hyperparameter.made, domain, address if address in self.addresses else None
        if key not in self._left:
            self._left[key] = self._what_is_left(hyperparameter, domain, address)
        return self._left[key]

    def _what_is_left(self, hyperparameter: Independent, domain: Domain, address: str | None) -> Domain:
        concerned = [e for e in self.exclusions if e.concerns(hyperparameter, address)]
        if not concerned or domain.size > MOST_VALUES:
            return domain
        name = local_name(hyperparameter)
        point = ChoicePoint(name, domain, hyperparameter.tag)
        left = [v for v in domain.values() if not any(exclusion.takes(point, v) for exclusion in concerned)]
        if not left:
            raise InvalidDomain(
                f"{address or name}: nothing is left of {domain}.\n  Got a sub-space without all of its values.\n"
                "  Leave one of them in, or take out the alternative that leads here as well."
            )
        return domain if len(left) == domain.size else part_of(domain, left)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Without) and self.exclusions == other.exclusions

    def __hash__(self) -> int:
        return hash(tuple([exclusion.key for exclusion in self.exclusions]))

    def __reduce__(self) -> tuple[Any, ...]:
        return Without, (self.exclusions,)

    def __str__(self) -> str:
        return ", ".join([f"without {_shown(exclusion)}" for exclusion in self.exclusions])


def _shown(exclusion: Exclusion) -> str:
    if exclusion.predicate is not None:
        return "..."
    values = ", ".join(map(repr, exclusion.values))
    return values if exclusion.key is None else f"{exclusion.key}: {values}"


def local_name(hyperparameter: Independent) -> str:
    """Return the last part of the addresses of a hyperparameter, which is the same wherever it stands."""
    return hyperparameter.made.text.rpartition("/")[2]
