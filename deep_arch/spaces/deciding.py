"""Deciding: an architecture out of the answers to one question for each hyperparameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import ValueOutsideDomain
from deep_arch.language.domains import REJECTED
from deep_arch.spaces.choice_points import ChoicePoint

if TYPE_CHECKING:
    from deep_arch.language.hyperparameters import Independent
    from deep_arch.spaces.frames import Choose, Frame

Pick = Callable[[ChoicePoint], Any]
"""From a hyperparameter that waits for a value to a value of its domain."""

_new: Final = ChoicePoint.__new__
_set_address, _set_domain, _set_tag, _set_values = (
    vars(ChoicePoint)[name].__set__ for name in ("address", "domain", "tag", "values")
)
# A frozen dataclass looks each of these up again for every object that it makes, which takes twice the time, and
# searches make one for each hyperparameter of each proposal.


def asking(pick: Pick, fixed: Mapping[str, Any]) -> Choose:
    """Return what an unfolding asks for values, which asks `pick` and accepts what it answers.

    Args:
        pick: what decides.
        fixed: the values that the space fixes, which `pick` sees from the beginning.
    """
    so_far = dict(fixed)
    seen = MappingProxyType(so_far)

    def choose(hyperparameter: Independent, address: str, _frame: Frame) -> Any:
        domain = hyperparameter.domain
        point = _new(ChoicePoint)
        _set_address(point, address)
        _set_domain(point, domain)
        _set_tag(point, hyperparameter.tag)
        _set_values(point, seen)
        picked = pick(point)
        so_far[address] = value = domain.accept(picked)
        if value is REJECTED:
            raise _picked_outside(point, picked, pick)
        return value

    return choose


def _picked_outside(point: ChoicePoint, picked: Any, pick: Pick) -> ValueOutsideDomain:
    return ValueOutsideDomain(
        f"{point.address}: {picked!r} is not {point.domain}.\n"
        f"  Got {picked!r} ({type(picked).__name__}) from {_named(pick)}.\n"
        "  Let it return a value of point.domain, such as point.domain.draw(rng)."
    )


def _named(pick: Pick) -> str:
    """Return what the user calls a function, a method such as `Mine.choose`, or another thing that can be called."""
    name = getattr(pick, "__name__", None)
    owner = getattr(pick, "__self__", None)
    if name is None:
        return repr(pick)
    return name if owner is None else f"{type(owner).__name__}.{name}"
