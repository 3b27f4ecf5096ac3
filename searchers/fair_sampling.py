"""Fair sampling: every option of a decision as often as every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher

_MOST: Final = 1_000


class FairSampling(Searcher):
    """Draw the options of each decision in turn, in an order that is drawn anew whenever all had theirs.

    Trained so, no option of a super-network gets ahead by having been drawn more often. In strict fairness the
    gradients of one turn, as many trials as there are options, are summed before a step of the weights. Real numbers
    and domains of more than 1,000 values are drawn as they are.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import FairSampling
        >>> net = da.space(lambda x: ops.Dense(units=da.choice([1, 2, 3]))(x))
        >>> search = da.search(net, FairSampling(), trials=6, seed=0, duplicates="give")
        >>> for trial in search:
        ...     trial.skip()
        >>> [trial.values["dense.units"] for trial in search.trials]
        [1, 3, 2, 1, 3, 2]

    References:
        Chu, Zhang and Xu, FairNAS: rethinking evaluation fairness of weight sharing neural architecture search (ICCV
        2021), algorithm 1.
    """

    def start(self, space: Any, rng: Any) -> None:
        """Begin a turn at each decision."""
        super().start(space, rng)
        self._left: dict[str, list[int]] = {}

    def choose(self, point: ChoicePoint) -> Any:
        """Return the next option of the turn."""
        n = point.domain.size
        if n > _MOST:
            return point.domain.draw(self.rng)
        key = f"{point.address}|{int(n)}"  # where earlier decisions leave other options, they take turns of their own
        left = self._left.get(key)
        if not left:
            left = self._left[key] = self.rng.sample(range(int(n)), int(n))
        return point.domain.at(left.pop())

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return what is left of each turn."""
        return {**super().state_dict(), "left": {key: list(left) for key, left in self._left.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the turns."""
        super().load_state_dict(state)
        self._left = {key: list(left) for key, left in state["left"].items()}
