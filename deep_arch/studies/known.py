"""Known configurations: values that the user has in mind, whole or in part, to be tried before a searcher proposes."""

from __future__ import annotations

import contextlib
import os.path
import random
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from deep_arch.errors import DeepArchError, MissingValues, UnreachedAddress, is_kind, wrong_kind
from deep_arch.language.options import same
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.finding import find
from deep_arch.spaces.space import MOST_ATTEMPTS

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


def known_values(space: SearchSpace, first: Any, rng: random.Random) -> list[Mapping[str, Any]]:
    """Return the values in known configurations, with what leads to them where that is left out.

    Raises:
        BadArgument: what is no list of configurations.
        UnknownAddress, UnreachedAddress, ValueOutsideDomain, ...: one is not of the space; the message says which.
    """
    if not is_kind(first, Iterable) or is_kind(first, str | Mapping):
        mend = "Write first=[{'n': 2}], with values by address, architectures or their JSON, trials."
        raise wrong_kind("search", "first to be a list of known configurations", first, mend)
    return [checked(space, given, f"first[{i}]", rng) for i, given in enumerate(first)]


def checked(space: SearchSpace, given: Any, which: str, rng: random.Random) -> Mapping[str, Any]:
    """Return the values in one known configuration, with what leads to them."""
    try:
        known: Any = Architecture.from_json(given, space) if is_kind(given, str) else given
        values: Any = known if is_kind(known, Mapping) else getattr(known, "values", known)
        with contextlib.suppress(MissingValues):  # what a domain depends on is looked for below
            space.fix(values)  # refuses what no architecture has
        _check_kept(space, values)
        return _with_what_leads_there(space, values, rng)
    except DeepArchError as error:
        raise type(error)(f"search: {which}: {error}") from error


def _check_kept(space: SearchSpace, values: Mapping[str, Any]) -> None:
    restrictions = space.restrictions
    for address in values if restrictions.predicate else ():
        if address not in restrictions.fixed and not any(
            restrictions.keeps(address, hyperparameter) for hyperparameter in find(space.program, address)
        ):
            raise UnreachedAddress(
                f"{address}: is left open by the sub-space that is searched, since `where` does not keep it.\n"
                f"  Got {values[address]!r} for it.\n  Leave it out, or search a space that decides it."
            )


def _with_what_leads_there(space: SearchSpace, values: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
    """Return the values, and those of other choices without which they are not all reached."""
    try:
        space.replay(values)
    except (UnreachedAddress, MissingValues):
        kept = dict(completed(space, values, rng))
        for address in [address for address in reversed(kept) if address not in values]:
            without = {other: value for other, value in kept.items() if other != address}
            try:
                space.replay(without, required=values)
            except (UnreachedAddress, MissingValues):
                continue
            kept = without
        return kept
    return dict(values)


def completed(space: SearchSpace, values: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
    """Return the values of an architecture that has these; what they leave open is drawn.

    Where what was drawn does not lead to all of them, one of its values is drawn anew, time and again, and what comes
    no less near is kept.

    Raises:
        UnreachedAddress, ValueOutsideDomain, TooDeep: none was found that has them all.
    """
    near: Mapping[str, Any] = {}
    for attempt in range(MOST_ATTEMPTS):
        deciding = _deciding(near, values)
        redrawn = rng.choice(deciding) if deciding else None
        found = near
        try:
            kept = {address: value for address, value in near.items() if address != redrawn}
            found = space.complete({**kept, **values}, rng).values
            return space.at({**found, **values}).values
        except DeepArchError:
            if attempt == MOST_ATTEMPTS - 1:
                raise
            near = max(found, near, key=lambda reached: _nearness(reached, values))
    raise AssertionError("the last attempt returns or raises")


def _deciding(reached: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return the addresses that may decide whether values are reached: those of the functions around them."""
    others = [address for address in reached if address not in values]
    missing = [address for address in values if address not in reached]
    around = [a for a in others if any(address.startswith(a[: a.rfind("/") + 1]) for address in missing)]
    return around or others


def _nearness(reached: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Return how far the addresses of values are followed, and have these values at their ends."""
    prefixes = [max([len(os.path.commonprefix([a, other])) for other in reached], default=0) for a in values]  # noqa: RUF071
    return sum(prefixes) + sum([a in reached and same(reached[a], value) for a, value in values.items()])
