"""Brackets: rounds of successive halving, one after the other, as plain halving and Hyperband run them."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_function
from deep_arch.searchers.parts.rungs import DrawValues, Rung, rung_budgets
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

Bracket = tuple[int, Sequence[float]]
"""How many configurations begin, and the budgets of the rungs from the lowest."""


class BracketSearcher(Searcher):
    """Runs brackets in turn, again and again: the best `1 / eta` of each rung go on to the next.

    A rung waits until all of its results are told: meanwhile `ask` gives None.

    Args:
        min_budget, max_budget: between them lie the budgets `max_budget / eta**k` of the rungs.
        eta: how many configurations compete for one place in the next rung.
        draw: makes new configurations.
    """

    n_objectives: int | None = 1

    def __init__(self, min_budget: float, max_budget: float, eta: int, draw: DrawValues) -> None:
        self.budgets: Final = rung_budgets(self, min_budget, max_budget, eta)
        self.eta: Final = eta
        check_function(self, draw=draw)
        self.draw: Final = draw

    @abstractmethod
    def brackets(self) -> Sequence[Bracket]:
        """Return the brackets that are run in turn."""

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with the first bracket."""
        super().start(space, rng)
        self._begin(0)

    def _begin(self, bracket: int) -> None:
        self._bracket, self._level = bracket, 0
        self._n_to_draw, budgets = self.brackets()[bracket]
        self._to_give: deque[Values] = deque()
        self._rung = Rung(budgets[0])

    def ask(self) -> Values | None:
        """Propose the next configuration of the rung, or None while it waits for results."""
        while not (self._n_to_draw or self._to_give):
            if self._rung.out:
                return None
            self._climb()
        if self._to_give:
            return self._rung.give(self._to_give.popleft())
        self._n_to_draw -= 1
        return self._rung.give(self.draw(self.space, self.rng))

    def propose(self, values: Values) -> Values:
        """Let what the user has in mind begin in the first bracket, in the place of what would be drawn."""
        self._n_to_draw = max(0, self._n_to_draw - 1)
        return self._rung.give(super().propose(values))

    def _climb(self) -> None:
        """Let the best of a rung that is complete go on; after the last rung, begin the next bracket."""
        done, brackets = self._rung, self.brackets()
        _, budgets = brackets[self._bracket]
        self._level += 1
        if self._level == len(budgets) or not done.waiting:
            self._begin((self._bracket + 1) % len(brackets))
        else:
            n = min(max(1, done.n_told // self.eta), len(done.waiting))
            self._to_give.extend([done.promote() for _ in range(n)])
            self._rung = Rung(budgets[self._level])

    def budget(self, values: Values) -> float:
        """Return the budget of the rung."""
        return self._rung.budget

    def tell(self, trial: FinishedTrial) -> None:
        """Take a result of the rung."""
        self._rung.take(trial)

    def state_dict(self) -> dict[str, Any]:
        """Return where the search stands in which bracket."""
        return {
            **super().state_dict(),
            "bracket": self._bracket,
            "level": self._level,
            "n_to_draw": self._n_to_draw,
            "to_give": [self.encode(values) for values in self._to_give],
            "rung": self._rung.state_dict(self.encode),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on within a bracket."""
        super().load_state_dict(state)
        self._begin(state["bracket"])
        self._level, self._n_to_draw = state["level"], state["n_to_draw"]
        self._to_give.extend(map(self.decode, state["to_give"]))
        self._rung = Rung(self.brackets()[self._bracket][1][self._level])
        self._rung.load_state_dict(state["rung"], self.decode)
