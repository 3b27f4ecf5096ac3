"""Hyperband: successive halving with several trade-offs between many configurations and large budgets."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.brackets import Bracket, BracketSearcher
from deep_arch.searchers.parts.rungs import DrawValues, draw_at_random


class Hyperband(BracketSearcher):
    """Run successive halving from each of the budgets in turn, since small ones may mislead.

    The first bracket gives many configurations the smallest budget, the last one few of them the largest at once; each
    spends about as much as another. After the last one it begins anew. A rung waits until all of its results are told.

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
        >>> from deep_arch.searchers import Hyperband
        >>> Hyperband(max_budget=9).brackets()
        [(9, (1, 3, 9)), (5, (3, 9)), (3, (9,))]
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> search = da.search(net, Hyperband(max_budget=9), trials=66, seed=0)
        >>> for trial in search:
        ...     trial.tell((1000 - abs(trial.values["dense.units"] - 420)) * (1 - 0.9**trial.budget))
        >>> search.best.values
        {'dense.units': 421}

    References:
        Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, Hyperband: a novel bandit-based approach to hyperparameter
        optimization (JMLR 2018), algorithm 1.
    """

    def __init__(
        self, min_budget: float = 1, max_budget: float = 81, eta: int = 3, draw: DrawValues = draw_at_random
    ) -> None:
        super().__init__(min_budget, max_budget, eta, draw)

    def brackets(self) -> Sequence[Bracket]:
        """Return the brackets from the most configurations to the largest budget."""
        n_brackets, eta = len(self.budgets), self.eta  # s_max + 1
        # n = ceil((s_max + 1) / (s + 1) * eta**s), in integers.
        return [
            (-(-n_brackets * eta**s // (s + 1)), self.budgets[n_brackets - 1 - s :])
            for s in reversed(range(n_brackets))
        ]
