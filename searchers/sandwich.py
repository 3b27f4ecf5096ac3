"""The sandwich rule: the largest, the smallest, and some in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.extremes import extreme
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class Sandwich(Searcher):
    """Propose in rounds: the largest architecture, the smallest, and some drawn at random.

    Numbers such as widths, window sizes, depths and `optional` are at their largest and smallest; other options are
    drawn. In a step of an elastic network the gradients of a round are summed; the largest learns from the labels and
    the others from the largest (in-place distillation)::

        for trial in da.search(net, Sandwich(), trials=40_000, seed=0, duplicates="give"):
            is_largest = trial.number % 4 == 0
            if is_largest:  # a round begins: take the step of the one before
                optimizer.step(); optimizer.zero_grad()
                x, y = next(batches)
            logits = supernet.at(trial)(x)
            if is_largest:
                teacher = logits.detach().softmax(1)
            cross_entropy(logits, y if is_largest else teacher).backward()
            trial.skip()

    Args:
        n_random: how many are drawn in a round.

    Raises:
        BadArgument: no int of at least 0.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import Sandwich
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x))
        >>> search = da.search(net, Sandwich(), trials=5, seed=0, duplicates="give")
        >>> for trial in search:
        ...     trial.skip()
        >>> [trial.values["dense.units"] for trial in search.trials]
        [100, 1, 85, 76, 100]

    References:
        Yu and Huang, Universally slimmable networks and improved training techniques (ICCV 2019), section 3.1. Yu et
        al., BigNAS (ECCV 2020), section 3.1.
    """

    def __init__(self, n_random: int = 2) -> None:
        check_count(self, 0, n_random=n_random)
        self.n_random: Final = n_random

    def start(self, space: Any, rng: Any) -> None:
        """Begin a round."""
        super().start(space, rng)
        self._place = 0

    def ask(self) -> Values | None:
        """Propose the next of the round."""
        values = super().ask()
        self._place = (self._place + 1) % (2 + self.n_random)
        return values

    def choose(self, point: ChoicePoint) -> Any:
        """Return the largest, the smallest, or any value."""
        if self._place > 1:
            return point.domain.draw(self.rng)
        return extreme(point, self._place == 0, self.rng)

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the round."""
        return {**super().state_dict(), "place": self._place}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the round."""
        super().load_state_dict(state)
        self._place = state["place"]
