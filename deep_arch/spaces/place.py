"""Places: where a fragment stands in an architecture, and the rule of addresses.

A fragment stands wherever a substitution unfolds to it. The address of what belongs to it is the prefix of the place
and its name there; a module or hyperparameter that an enclosing function made is addressed where that one stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from deep_arch.language.values import Slot

if TYPE_CHECKING:
    from deep_arch.language.fragment import Call, Fragment
    from deep_arch.language.hyperparameters import Hyperparameter


class Standing(Protocol):
    """Where a fragment stands: a place, or one with more, such as a frame with values."""

    @property
    def fragment(self) -> Fragment:
        """The fragment."""
        ...

    @property
    def prefix(self) -> str | None:
        """What the addresses inside begin with."""
        ...

    @property
    def parent(self) -> Any:
        """Where the enclosing function stands, which is of the same kind; None for the outermost."""
        ...

    @property
    def depth(self) -> int:
        """How many applications of rules are nested around it."""
        ...


_Standing = TypeVar("_Standing", bound=Standing)


class Place(NamedTuple):
    """One place where a fragment stands.

    Walkers of all alternatives stand at places; a walk along one path has `unfolding.Frame`, a place with values.

    Attributes:
        prefix: what the addresses inside begin with, such as `repeat[1]/`; None where it makes no difference, so
            that what stands at many such places can be looked at once.
        parent: the place of the enclosing function.
        depth: how many applications of rules are nested around it.
    """

    fragment: Fragment
    prefix: str | None
    parent: Place | None
    depth: int = 0

    def up(self, levels: int) -> Place:
        """Return the place of the fragment that many levels up; the outermost for ROOT."""
        return up(self, levels)

    def address_of(self, hyperparameter: Hyperparameter) -> str | None:
        """Return the address of a hyperparameter of this function or an enclosing one; None without a prefix."""
        return self.slot_address(self.fragment.slot_of(hyperparameter))

    def slot_address(self, slot: Slot) -> str | None:
        """Return the address of the hyperparameter in a slot, as seen from here; None without a prefix."""
        home = self.up(slot.levels)
        return None if home.prefix is None else slot_address(home, slot.place)

    def inside(self, call: Call, fragment: Fragment) -> Place:
        """Return the place of a fragment that a call made here unfolds to."""
        home = self.up(call.home)
        prefix = None if home.prefix is None else module_address(home, call) + fragment.ending
        return Place(fragment, prefix, self.up(call.lexical), self.depth + call.module.deepens)


def up(place: _Standing, levels: int) -> _Standing:
    """Return the place or frame of the fragment that many levels up; the outermost for ROOT."""
    while levels and place.parent is not None:  # ROOT is -1, and never gets to 0
        place, levels = place.parent, levels - 1
    return place


def slot_address(home: Standing, slot: int) -> str:
    """Return the address of a hyperparameter of the fragment that stands at `home`, by its slot."""
    return f"{home.prefix}{home.fragment.suffixes[slot]}"


def module_address(home: Standing, call: Call) -> str:
    """Return the address of a called module, which the fragment that stands at `home` made."""
    return f"{home.prefix}{call.name}"


def below(address: str, place: str) -> bool:
    """Return whether an address is that of a place or of what stands in it, which may end in its slash.

    Example:
        >>> below("expr/or.which", "expr"), below("expr_1/or.which", "expr"), below("expr/or.which", "expr/")
        (True, False, True)
    """
    return address.startswith(place) and (place[-1:] in ("", "/") or address[len(place) :][:1] in ("", ".", "[", "/"))
