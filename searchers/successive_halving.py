"""Successive halving: many configurations with a small budget, few with a large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deep_arch.searchers.parts.brackets import Bracket, BracketSearcher
from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.rungs import DrawValues, draw_at_random


class SuccessiveHalving(BracketSearcher):
    """Give all configurations the smallest budget, the best `1 / eta` of them `eta` times as much, and so on.

    Once the largest budget is spent, it begins anew with other configurations. A rung waits until all of its results
    are told; `AsynchronousHalving` never waits. Failed trials count as the worst of their rung.

    Args:
        min_budget, max_budget: of a trial, in your own unit such as epochs. The rungs have the budgets `max_budget`,
            `max_budget / eta`, ..., down to what is not below `min_budget`, rounded down if both are ints.
        eta: how many configurations compete for one place in the next rung.
        configurations: how many begin; None for as many as leave one for the largest budget.
        draw: makes new configurations.

    Raises:
        BadArgument: budgets that are no numbers with 0 < min_budget <= max_budget, or a count that is none.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import SuccessiveHalving
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> search = da.search(net, SuccessiveHalving(max_budget=9), trials=13, seed=0)
        >>> for trial in search:
        ...     trial.tell((1000 - abs(trial.values["dense.units"] - 420)) * (1 - 0.9**trial.budget))
        >>> [trial.budget for trial in search.trials]
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9]
        >>> search.trials[-1].continues
        9

    References:
        Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter optimization (AISTATS 2016),
        figure 1.
    """

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 81,
        eta: int = 3,
        configurations: int | None = None,
        draw: DrawValues = draw_at_random,
    ) -> None:
        super().__init__(min_budget, max_budget, eta, draw)
        if configurations is not None:
            check_count(self, configurations=configurations)
        self.configurations: Final = configurations or eta ** (len(self.budgets) - 1)

    def brackets(self) -> Sequence[Bracket]:
        """Return the only bracket."""
        return [(self.configurations, self.budgets)]
