"""Random search: each proposal is drawn anew, whatever the results."""

from __future__ import annotations

from typing import Any, Final, Literal

from deep_arch.searchers.parts.checks import check_option
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class RandomSearch(Searcher):
    """Propose architectures at random, the baseline that other searchers must beat.

    Args:
        uniform: over the "choices", each hyperparameter drawn from its own domain as it is reached, or over the
            "architectures", each equally likely. The first favours small architectures where a choice decides how
            much is chosen after it; the second counts the space, which must be finite.

    Raises:
        BadArgument: `uniform` is neither.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RandomSearch
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x))
        >>> search = da.search(net, RandomSearch(), trials=30, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 42))
        >>> search.best.values
        {'dense.units': 43}

    References:
        Bergstra and Bengio, Random search for hyper-parameter optimization (2012).
        Li and Talwalkar, Random search and reproducibility for neural architecture search (2019).
    """

    def __init__(self, uniform: Literal["choices", "architectures"] = "choices") -> None:
        check_option(self, "uniform", uniform, ("choices", "architectures"))
        self.uniform: Final = uniform

    def choose(self, point: ChoicePoint) -> Any:
        """Draw from the domain."""
        return point.domain.draw(self.rng)

    def ask(self) -> Values | None:
        """Propose an architecture drawn at random."""
        if self.uniform == "choices":
            return super().ask()
        return self.space.sample(self.rng, uniform=self.uniform).values

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""
