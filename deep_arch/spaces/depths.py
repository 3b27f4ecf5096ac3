"""Depths: which alternatives of a recursive space can end within a number of nested applications of rules."""

from __future__ import annotations

import math

from deep_arch.language.domains import Domain, part_of
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.spaces.alternatives import Alternatives, call_roots
from deep_arch.spaces.place import Place, Standing
from deep_arch.spaces.trampoline import Recursive, run

ENDLESS = 1000
"""A depth at which a rule that can end at all has ended: more rules than a grammar has."""


def can_end(fragment: Fragment, remaining: int) -> bool:
    """Return whether a fragment can be unfolded with at most `remaining` more nested applications of rules."""
    return run(_can_end(fragment, remaining))


def _can_end(fragment: Fragment, remaining: int) -> Recursive[bool]:
    memory = fragment.program.endings
    key = (fragment, remaining)
    if key not in memory:
        ends = True
        for call in fragment.live_calls:
            if call.module.substitution and not (yield _call_can_end(fragment, call, {}, remaining)):
                ends = False
                break
        memory[key] = ends
    return memory[key]


def _call_can_end(fragment: Fragment, call: Call, fixed: dict[Independent, object], remaining: int) -> Recursive[bool]:
    remaining -= call.module.deepens
    if remaining < 0:
        return False
    place, anything = Place(fragment, None, None), Alternatives(fragment.program)
    if anything.endless(place, call):
        return True
    for alternative in anything.of(place, call, given=fixed):
        if (yield _can_end(alternative.place.fragment, remaining)):
            return True
    return False


def offered(max_depth: int, hyperparameter: Independent, place: Standing) -> Domain:
    """Return the domain without the values with which a call of the same function cannot end in time."""
    domain, hyperparameter, fragment = hyperparameter.domain, hyperparameter.made, place.fragment
    remaining = max_depth - place.depth
    memory = fragment.program.offers
    key = (hyperparameter, domain, remaining)
    if key not in memory:
        calls = [c for c in fragment.live_calls if c.module.substitution and hyperparameter in call_roots(c)]
        narrowed = domain  # stored only when it is settled: other threads read it
        if calls and not any(c.module.order_immaterial for c in calls) and domain.size != math.inf:
            values = list(domain.values())
            ending = [v for v in values if all(_ends(fragment, c, hyperparameter, v, remaining) for c in calls)]
            if ending and len(ending) < len(values):
                narrowed = part_of(domain, ending)
        memory[key] = narrowed
    return memory[key]


def _ends(fragment: Fragment, call: Call, hyperparameter: Independent, value: object, remaining: int) -> bool:
    return run(_call_can_end(fragment, call, {hyperparameter: value}, remaining))
