"""Choice points: what a searcher sees of a hyperparameter that waits for a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deep_arch.language.domains import Domain
from deep_arch.language.holes import Holed


@dataclass(frozen=True, slots=True)
class ChoicePoint:
    """A hyperparameter that waits for a value.

    Attributes:
        address: its stable name in the space.
        domain: the values that it can take here.
        tag: the word that the user gave it, for predicates.
        values: address to value, for what has been assigned before it.
        depth: how many applications of rules are nested around it, where a super-network asks; 0 elsewhere.
    """

    address: str
    domain: Domain
    tag: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)
    depth: int = field(default=0, compare=False, repr=False)

    @property
    def has_hole(self) -> bool:
        """Whether it may be at a hole, "hole", which is no value of its domain; see `or_`."""
        return isinstance(self.domain, Holed)

    @property
    def name(self) -> str:
        """The last part of the address: the module's name and the argument's, or the name that the user gave."""
        return self.address.rpartition("/")[2]
