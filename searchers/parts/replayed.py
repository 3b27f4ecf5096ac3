"""Searchers that learn nothing, whose state is how much they have proposed."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from deep_arch.errors import wrong_kind
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class Replayed(Searcher):
    """A searcher whose proposals follow from its space alone; to go on, it finds again what it proposed."""

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with nothing proposed."""
        super().start(space, rng)
        self._n_proposed = 0

    @abstractmethod
    def following(self) -> Values | None:
        """Return the next program, or None after the last."""

    def ask(self) -> Values | None:
        """Propose the next program, or None after the last."""
        values = self.following()
        self._n_proposed += values is not None
        return values

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return how many programs were proposed."""
        return {**super().state_dict(), "proposed": self._n_proposed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Find the programs again that were proposed, and go on with the next.

        Raises:
            BadArgument: what is no state of such a searcher, or there are fewer programs.
        """
        super().load_state_dict(state)
        self.start(self.space, self.rng)
        for _ in range(state["proposed"]):
            if self.ask() is None:
                expected = f"a space and arguments that give {state['proposed']} programs"
                mend = "Make the searcher as it was made, and search the space that the state is of."
                raise wrong_kind(type(self).__name__, expected, self._n_proposed, mend)
