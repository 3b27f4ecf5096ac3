"""Wrappers: searchers that change how another one searches, whatever it is."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from deep_arch.errors import is_kind, wrong_kind
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class Wrapper(Searcher):
    """Passes everything on to the searcher inside; a wrapper changes what it is about.

    Args:
        searcher: the searcher inside, which may be a wrapper too.

    Raises:
        BadArgument: what is no searcher.
    """

    def __init__(self, searcher: Searcher) -> None:
        if not is_kind(searcher, Searcher):
            raise wrong_kind(type(self).__name__, "a searcher to wrap", searcher, "Pass an instance: RandomSearch().")
        self.searcher = searcher
        self.n_objectives, self.relaxed = searcher.n_objectives, searcher.relaxed

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin a search of the searcher inside."""
        super().start(space, rng)
        self.searcher.start(space, rng)

    @abstractmethod
    def ask(self) -> Values | None:
        """Propose what the searcher inside proposes, or something else."""

    def weigh(self, point: ChoicePoint) -> Mixture | None:
        """Return how the searcher inside relaxes a decision."""
        return self.searcher.weigh(point)

    def propose(self, values: Values) -> Values:
        """Let the searcher inside propose an architecture that has these values."""
        return self.searcher.propose(values)

    def tell(self, trial: FinishedTrial) -> None:
        """Tell the searcher inside."""
        self.searcher.tell(trial)

    def budget(self, values: Values) -> float | None:
        """Return what the searcher inside allows."""
        return self.searcher.budget(values)

    def should_stop(self, number: int, values: Values, intermediate: Mapping[int, float]) -> bool:
        """Return what the searcher inside advises."""
        return self.searcher.should_stop(number, values, intermediate)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the searcher inside, and the random state that both share."""
        return {**super().state_dict(), "searcher": self.searcher.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the searcher inside."""
        super().load_state_dict(state)
        self.searcher.load_state_dict(state["searcher"])
