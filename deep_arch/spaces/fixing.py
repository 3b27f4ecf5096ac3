"""Fixing: the values that `fix` gives to some hyperparameters, checked against their domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deep_arch.errors import MissingValues
from deep_arch.language.dependence import domain_at, roots
from deep_arch.language.domains import REJECTED, Choice, Domain
from deep_arch.language.holes import is_hole, without_hole
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.options import same

if TYPE_CHECKING:
    from deep_arch.spaces.restrictions import Restrictions
    from deep_arch.spaces.space import SearchSpace


def with_fixed(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sub-space fixes, from address to value, when it fixes some values more.

    Raises:
        UnknownAddress, ValueOutsideDomain, MissingValues: see `SearchSpace.fix`.
    """
    from deep_arch.spaces.finding import find

    before = space.restrictions.fixed
    fixed, restrictions = dict(before), space.restrictions
    found = {address: find(space.program, address) for address in values}
    unknown = [address for address in values if not found[address]]
    if unknown:
        raise space.no_such_address(unknown[0], [p.address for p in space.start().unassigned])
    found = {**{address: find(space.program, address) for address in before}, **found}
    for address in sorted(values, key=lambda a: max(len(roots([h])) for h in found[a])):  # first what others depend on
        domains = [_domain(restrictions, h, address, fixed, found) for h in found[address]]
        if all(is_hole(domain, values[address]) for domain in domains):
            raise space.at_hole(address)
        accepted = [v for v in (without_hole(domain, values[address]) for domain in domains) if v is not REJECTED]
        if not accepted or (address in before and not same(accepted[0], before[address])):
            raise space.outside(
                Choice([before[address]]) if address in before else domains[0], address, values[address]
            )
        fixed[address] = accepted[0]
    return fixed


def _domain(
    restrictions: Restrictions,
    hyperparameter: Independent,
    address: str,
    fixed: Mapping[str, Any],
    found: Mapping[str, list[Independent]],
) -> Domain:
    """Return the domain of a hyperparameter where everything that it depends on is fixed."""
    here, given = _home(hyperparameter, address), dict[Independent, Any]()
    for root in roots(hyperparameter.parents):
        around = {_home(root, a): fixed[a] for a in fixed if root in found[a]}
        if root.owner is hyperparameter.owner:  # of the same function: at the same place
            around = {home: value for home, value in around.items() if home == here}
        homes = [home for home in around if here.startswith(home)]
        if not homes:
            raise MissingValues(
                f"{address}: is to be {hyperparameter.depending}, so it is fixed together with what that depends on.\n"
                f"  Got no fixed value for {root.text}.\n  Fix {root.text} as well."
            )
        given[root] = around[max(homes, key=len)]
    domain = domain_at(hyperparameter, given)
    excluded = restrictions.excluded
    return domain if excluded is None else excluded.left(hyperparameter, domain, address)


def _home(hyperparameter: Independent, address: str) -> str:
    """Return what the addresses begin with in the function that made a hyperparameter which has this address."""
    suffixes: list[str] = getattr(hyperparameter.owner, "suffixes", [])
    home = address.removesuffix(suffixes[hyperparameter.slot]).rstrip("/") if suffixes else ""
    return home and home + "/"
