"""Asynchronous successive halving (ASHA), which never waits."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_function
from deep_arch.searchers.parts.rungs import DrawValues, Rung, draw_at_random, rung_budgets
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class AsynchronousHalving(Searcher):
    """Give what is among the best `1 / eta` of its rung `eta` times the budget, or else begin something new.

    It promotes as soon as it can, from the highest rung that has something to promote, so that no worker waits for
    another. Failed trials count as the worst of their rung.

    Args:
        min_budget, max_budget: of a trial, in your own unit such as epochs. The rungs have the budgets `max_budget`,
            `max_budget / eta`, ..., down to what is not below `min_budget`, rounded down if both are ints.
        eta: how many configurations compete for one place in the next rung.
        draw: makes new configurations.

    Raises:
        BadArgument: budgets that are no numbers with 0 < min_budget <= max_budget, or an `eta` that is no int above 1.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import AsynchronousHalving
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> search = da.search(net, AsynchronousHalving(max_budget=9), trials=14, seed=0)
        >>> for trial in search:
        ...     trial.tell((1000 - abs(trial.values["dense.units"] - 420)) * (1 - 0.9**trial.budget))
        >>> [trial.budget for trial in search.trials]
        [1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 3, 9, 1]

    References:
        Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar, A system for massively parallel hyperparameter
        tuning (MLSys 2020), algorithm 2.
    """

    n_objectives: int | None = 1

    def __init__(
        self, min_budget: float = 1, max_budget: float = 81, eta: int = 3, draw: DrawValues = draw_at_random
    ) -> None:
        self.budgets: Final = rung_budgets(self, min_budget, max_budget, eta)
        self.eta: Final = eta
        check_function(self, draw=draw)
        self.draw: Final = draw

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with empty rungs."""
        super().start(space, rng)
        self._rungs = [Rung(budget) for budget in self.budgets]
        self._budget = self.budgets[0]

    def ask(self) -> Values:
        """Propose what can be promoted, from the highest rung, or else something new."""
        for below, rung in reversed(list(zip(self._rungs, self._rungs[1:], strict=False))):
            if below.has_promotable(self.eta):
                return self._give(rung, below.promote())
        return self._give(self._rungs[0], self.draw(self.space, self.rng))

    def propose(self, values: Values) -> Values:
        """Let what the user has in mind begin in the lowest rung."""
        return self._give(self._rungs[0], super().propose(values))

    def _give(self, rung: Rung, values: Values) -> Values:
        self._budget = rung.budget
        return rung.give(values)

    def budget(self, values: Values) -> float:
        """Return the budget of the rung that the latest proposal entered."""
        return self._budget

    def tell(self, trial: FinishedTrial) -> None:
        """Take a result into its rung."""
        for rung in self._rungs:
            rung.take(trial)

    def state_dict(self) -> dict[str, Any]:
        """Return the rungs."""
        return {**super().state_dict(), "rungs": [rung.state_dict(self.encode) for rung in self._rungs]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the rungs."""
        super().load_state_dict(state)
        for rung, told in zip(self._rungs, state["rungs"], strict=True):
            rung.load_state_dict(told, self.decode)
