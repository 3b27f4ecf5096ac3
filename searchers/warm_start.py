"""Warm start: a searcher that knows earlier results, and proposes first what the user has in mind."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from deep_arch.errors import DeepArchError, is_kind, wrong_kind
from deep_arch.searchers.feasible import NO_TRIAL
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning


class WarmStart(Wrapper):
    """Tell the searcher inside of earlier trials before it begins, and propose some architectures first.

    Earlier trials may come from another space: those that are no architectures of the searched one are left out,
    with a warning.

    Args:
        searcher: what proposes.
        trials: earlier results, scores to be maximised: `search.results` of an earlier search.
        first: architectures or their values, to propose before the searcher is asked; what values leave open is
            drawn. They have no budget.

    Raises:
        BadArgument: what is no searcher, or no finished trials.
        ValueOutsideDomain, UnknownAddress, ...: when started, if `first` holds what is not in the space.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RandomSearch, RegularizedEvolution, WarmStart
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> earlier = da.search(net, RandomSearch(), trials=50, seed=0)
        >>> for trial in earlier:
        ...     trial.tell(-abs(trial.values["dense.units"] - 42))
        >>> searcher = WarmStart(RegularizedEvolution(), earlier.results, first=[{"dense.units": 40}])
        >>> search = da.search(net, searcher, trials=50, seed=1)
        >>> next(search).values
        {'dense.units': 40}
    """

    def __init__(
        self, searcher: Searcher, trials: Sequence[FinishedTrial] = (), first: Sequence[Values | Architecture] = ()
    ) -> None:
        super().__init__(searcher)
        if not is_kind(trials, Sequence) or not all(is_kind(trial, FinishedTrial) for trial in trials):
            raise wrong_kind("WarmStart", "finished trials", trials, "Pass search.results of an earlier search.")
        self.trials: Final = tuple(trials)
        self.first: Final = tuple(first)

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Tell the earlier trials to the searcher inside."""
        super().start(space, rng)
        self._first = [self._completed(values) for values in self.first]
        self._asked_inside = False
        n_told = sum(self._tell_earlier(trial) for trial in self.trials)
        if n_told < len(self.trials):
            warnings.warn(
                f"{space.name}: {len(self.trials) - n_told} of {len(self.trials)} earlier trials are no architectures "
                "of this space.\n  They are left out; the search goes on.\n"
                "  Pass trials of the same space, or of one with the same addresses and options.",
                SearchWarning,
                stacklevel=3,
            )

    def _completed(self, given: Values | Architecture) -> Values:
        values = given.values if isinstance(given, Architecture) else given
        self.space.replay(values)  # which refuses what is not of the space
        return self.space.complete(values, self.rng).values

    def _tell_earlier(self, trial: FinishedTrial) -> bool:
        try:
            values = self.space.at(trial.values).values
        except DeepArchError:
            return False
        self.searcher.tell(replace(trial, number=NO_TRIAL, values=values))
        return True

    def ask(self) -> Values | None:
        """Propose the first architectures, and then what the searcher inside proposes."""
        self._asked_inside = not self._first
        return self._first.pop(0) if self._first else self.searcher.ask()

    def budget(self, values: Values) -> float | None:
        """Return what the searcher inside allows; nothing is decided for the first architectures."""
        return self.searcher.budget(values) if self._asked_inside else None

    def state_dict(self) -> dict[str, Any]:
        """Return what is still to be proposed first, and the state of the searcher inside."""
        return {**super().state_dict(), "first": [self.encode(values) for values in self._first]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the searcher inside."""
        super().load_state_dict(state)
        self._first = [self.decode(text) for text in state["first"]]
