"""Widest first: a warm-up of shared weights before a searcher chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import identity, remember
from deep_arch.searchers.parts.extremes import extreme
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class WidestFirst(Wrapper):
    """Warm shared weights up: propose the widest architectures at first, ever fewer, and leave the rest to a searcher.

    A proposal of the warm-up has the largest number at each decision between numbers, and options drawn uniformly
    elsewhere. The searcher inside is not told of it. The probability of one falls linearly from 1 to 0 over the first
    trials.

    Args:
        searcher: the searcher inside.
        trials: of the whole search.
        fraction: the part of them that the warm-up takes.

    Raises:
        BadArgument: what is no searcher, no count, or no number from 0 to 1.

    Example:
        >>> from deep_arch.searchers import Reinforce, WidestFirst
        >>> WidestFirst(Reinforce(), trials=10_000).fraction
        0.25

    References:
        Bender et al., Can weight sharing outperform random architecture search? An investigation with TuNAS (CVPR
        2020), section 5, filter and op warm-up.
    """

    def __init__(self, searcher: Searcher, trials: int, fraction: float = 0.25) -> None:
        super().__init__(searcher)
        check_count(self, 1, trials=trials)
        check_number(self, 0, 1, fraction=fraction)
        self.trials: Final = trials
        self.fraction: Final = fraction

    def start(self, space: Any, rng: Any) -> None:
        """Begin the warm-up."""
        super().start(space, rng)
        self._n_asked = 0
        self._warming: dict[Any, tuple[Values, int]] = {}  # proposals of the warm-up that are out, and how many times

    def ask(self) -> Values | None:
        """Propose what warms up, or what the searcher inside does."""
        length = self.trials * self.fraction
        self._n_asked += 1
        if self._n_asked > length or self.rng.random() < (self._n_asked - 1) / length:
            return self.searcher.ask()
        values = self.space.decide(self._widest).values
        _, n = self._warming.get(identity(values), (values, 0))
        remember(self._warming, values, (values, n + 1))
        return values

    def _widest(self, point: ChoicePoint) -> Any:
        return extreme(point, True, self.rng)

    def tell(self, trial: FinishedTrial) -> None:
        """Tell the searcher inside of what it proposed."""
        key = identity(trial.values)
        values, n = self._warming.pop(key, (trial.values, 0))
        if n == 0:
            self.searcher.tell(trial)
        elif n > 1:
            self._warming[key] = values, n - 1

    def budget(self, values: Values) -> float | None:
        """Return what the searcher inside allows; nothing for the warm-up."""
        return None if identity(values) in self._warming else self.searcher.budget(values)

    def state_dict(self) -> dict[str, Any]:
        """Return how far the warm-up is, and what of it is out."""
        warming = [[self.encode(values), n] for values, n in self._warming.values()]
        return {**super().state_dict(), "asked": self._n_asked, "warming": warming}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the warm-up."""
        super().load_state_dict(state)
        self._n_asked = state["asked"]
        self._warming = {}
        for text, n in state["warming"]:
            values = self.decode(text)
            remember(self._warming, values, (values, n))
