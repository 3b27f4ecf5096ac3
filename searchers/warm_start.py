"""Warm start: a searcher that knows earlier results."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from deep_arch.errors import DeepArchError, is_kind, wrong_kind
from deep_arch.searchers.feasible import NO_TRIAL
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning


class WarmStart(Wrapper):
    """Tell the searcher inside of earlier trials before it begins.

    Earlier trials may come from another space: those that are no architectures of the searched one are left out,
    with a warning.

    Args:
        searcher: what proposes.
        trials: earlier results, scores to be maximised: `search.results` of an earlier search.

    Raises:
        BadArgument: what is no searcher, or no finished trials.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RandomSearch, RegularizedEvolution, WarmStart
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> earlier = da.search(net, RandomSearch(), trials=50, seed=0)
        >>> for trial in earlier:
        ...     trial.tell(-abs(trial.values["dense.units"] - 42))
        >>> search = da.search(net, WarmStart(RegularizedEvolution(), earlier.results), trials=50, seed=1)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 42))
        >>> search.best.values
        {'dense.units': 45}
    """

    def __init__(self, searcher: Searcher, trials: Sequence[FinishedTrial]) -> None:
        super().__init__(searcher)
        if not is_kind(trials, Sequence) or not all(is_kind(trial, FinishedTrial) for trial in trials):
            mend = "Pass search.results of an earlier search; what is to be tried first goes to da.search(first=...)."
            raise wrong_kind("WarmStart", "finished trials", trials, mend)
        self.trials: Final = tuple(trials)

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Tell the earlier trials to the searcher inside."""
        super().start(space, rng)
        n_told = sum(self._tell_earlier(trial) for trial in self.trials)
        if n_told < len(self.trials):
            warnings.warn(
                f"{space.name}: {len(self.trials) - n_told} of {len(self.trials)} earlier trials are no architectures "
                "of this space.\n  They are left out; the search goes on.\n"
                "  Pass trials of the same space, or of one with the same addresses and options.",
                SearchWarning,
                stacklevel=3,
            )

    def _tell_earlier(self, trial: FinishedTrial) -> bool:
        try:
            values = self.space.at(trial.values).values
        except DeepArchError:
            return False
        self.searcher.tell(replace(trial, number=NO_TRIAL, values=values))
        return True

    def ask(self) -> Values | None:
        """Propose what the searcher inside proposes."""
        return self.searcher.ask()
