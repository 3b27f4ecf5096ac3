"""Depths: which alternatives of a recursive space can end within a number of nested applications of rules."""

from __future__ import annotations

import math

from deep_arch.language.domains import Domain, part_of
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.place import Place, Standing
from deep_arch.spaces.restrictions import Restrictions
from deep_arch.spaces.trampoline import Recursive, run

ENDLESS = 1000
"""A depth at which a rule that can end at all has ended: more rules than a grammar has."""


def can_end(fragment: Fragment, remaining: int, restrictions: Restrictions) -> bool:
    """Return whether a fragment can be unfolded with at most `remaining` more nested applications of rules.

    Of the restrictions only `without` counts, where it goes by names.
    """
    return run(_can_end(fragment, remaining, Restrictions(excluded=restrictions.excluded)))


def _can_end(fragment: Fragment, remaining: int, within: Restrictions) -> Recursive[bool]:
    memory = fragment.program.endings
    key = (fragment, remaining, within.excluded)
    if key not in memory:
        ends = True
        for call in fragment.live_calls:
            if call.module.substitution and not (yield _call_can_end(fragment, call, {}, remaining, within)):
                ends = False
                break
        memory[key] = ends
    return memory[key]


def _call_can_end(
    fragment: Fragment, call: Call, fixed: dict[Independent, object], remaining: int, within: Restrictions
) -> Recursive[bool]:
    remaining -= call.module.deepens
    if remaining < 0:
        return False
    place, anything = Place(fragment, None, None), Alternatives(fragment.program, within)
    if anything.endless(place, call):
        return True
    for alternative in anything.of(place, call, given=fixed):
        if (yield _can_end(alternative.place.fragment, remaining, within)):
            return True
    return False


def offered(restrictions: Restrictions, hyperparameter: Independent, domain: Domain, place: Standing) -> Domain:
    """Return a domain without the values with which a call of the same function cannot end in time."""
    hyperparameter, fragment = hyperparameter.made, place.fragment
    remaining = (restrictions.deepest or 0) - place.depth
    memory, within = fragment.program.offers, Restrictions(excluded=restrictions.excluded)
    key = (hyperparameter, domain, remaining, within.excluded)
    if key not in memory:
        calls = [c for c in fragment.live_calls if c.module.substitution and hyperparameter in call_roots(c)]
        narrowed = domain  # stored only when it is settled: other threads read it
        if calls and not any(c.module.order_immaterial for c in calls) and domain.size != math.inf:
            values = list(domain.values())
            ending = [
                v for v in values if all(_ends(fragment, c, {hyperparameter: v}, remaining, within) for c in calls)
            ]
            if ending and len(ending) < len(values):
                narrowed = part_of(domain, ending)
        memory[key] = narrowed
    return memory[key]


def _ends(
    fragment: Fragment, call: Call, fixed: dict[Independent, object], remaining: int, within: Restrictions
) -> bool:
    return run(_call_can_end(fragment, call, fixed, remaining, within))
