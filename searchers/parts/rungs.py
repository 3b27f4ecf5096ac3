"""Rungs: what successive halving and its kin share.

A rung holds the configurations that were given one budget; the best of them go on to the next, of a larger budget.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Callable, Mapping
from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import identity
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

DrawValues = Callable[[SearchSpace, random.Random], Values]
"""Makes a new configuration, for the lowest rung."""


def draw_at_random(space: SearchSpace, rng: random.Random) -> Values:
    """Draw each hyperparameter from its own domain."""
    return space.sample(rng).values


def rung_budgets(searcher: Searcher, min_budget: float, max_budget: float, eta: int) -> tuple[float, ...]:
    """Return `max_budget / eta**k` from the smallest up, of which none is below `min_budget`; ints for ints.

    Raises:
        BadArgument: a budget that is no number above 0, a `min_budget` above `max_budget`, or an `eta` below 2.
    """
    check_count(searcher, least=2, eta=eta)
    check_number(searcher, 0, min_budget=min_budget, max_budget=max_budget)
    if not 0 < min_budget <= max_budget:
        raise BadArgument(
            f"{type(searcher).__name__}: budgets have 0 < min_budget <= max_budget.\n"
            f"  Got min_budget={min_budget!r}, max_budget={max_budget!r}.\n"
            "  Write what training costs at least and at most, such as min_budget=1, max_budget=81 epochs."
        )
    n = 1
    while min_budget * eta**n <= max_budget * (1 + 1e-9):  # 0.1 * 3 is a little more than 0.3
        n += 1
    if isinstance(min_budget, int) and isinstance(max_budget, int):
        return tuple([max_budget // eta**k for k in reversed(range(n))])
    return tuple([max_budget / eta**k for k in reversed(range(n))])


class Rung:
    """Configurations that were given one budget: those that are out, and what came of the others.

    Attributes:
        budget: of each.
        out: proposals without a result; a configuration that was drawn twice stands here twice.
        waiting: the results, best first, that were not promoted: minus the gain, the order of arrival, the values.
        promoted: the same of those that went on, without values.
        n_told: how many results there are. Trials without scores count, and are worse than any other.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.out: dict[Any, list[Values]] = {}
        self.waiting: list[tuple[float, int, Values]] = []
        self.promoted: list[tuple[float, int]] = []
        self.n_told = 0

    def give(self, values: Values) -> Values:
        """Return values that are proposed with this rung's budget now."""
        self.out.setdefault(identity(values), []).append(values)
        return values

    def take(self, trial: FinishedTrial) -> None:
        """Take the result of a proposal that is out; others, such as one told twice, change nothing."""
        if trial.budget != self.budget or (key := identity(trial.values)) not in self.out:
            return
        values = self.out[key].pop()
        if not self.out[key]:
            del self.out[key]
        if trial.gains:
            bisect.insort(self.waiting, (-trial.gain, self.n_told, values))
        self.n_told += 1

    def has_promotable(self, eta: int) -> bool:
        """Return whether one of the best `1 / eta` was not promoted."""
        return bool(self.waiting) and bisect.bisect(self.promoted, self.waiting[0][:2]) < self.n_told // eta

    def promote(self) -> Values:
        """Return the best values that were not promoted, which are now."""
        gain, order, values = self.waiting.pop(0)
        bisect.insort(self.promoted, (gain, order))
        return values

    def state_dict(self, encode: Callable[[Values], str]) -> dict[str, Any]:
        """Return all that there is, as JSON can hold it."""
        out = [encode(values) for same in self.out.values() for values in same]
        waiting = [[gain, order, encode(values)] for gain, order, values in self.waiting]
        return {"out": out, "waiting": waiting, "promoted": self.promoted, "n_told": self.n_told}

    def load_state_dict(self, state: Mapping[str, Any], decode: Callable[[str], Values]) -> None:
        """Go on where `state_dict` was taken."""
        for text in state["out"]:
            self.give(decode(text))
        self.waiting = [(gain, order, decode(text)) for gain, order, text in state["waiting"]]
        self.promoted = [(gain, order) for gain, order in state["promoted"]]
        self.n_told = state["n_told"]
