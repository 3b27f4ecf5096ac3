"""No repeats: a searcher that proposes nothing twice."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.record import computed
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class NoRepeats(Wrapper):
    """Propose what the searcher inside proposes, but no architecture that computes the same as an earlier one.

    The searcher inside is told what came of the earlier one instead, as soon as that is known, so that it goes on.
    `da.search` does the same unless asked for duplicates; this is for searchers that ask and tell elsewhere, and for
    parts of others. Architectures are the same if their fingerprints are, or their values where they are partial.

    Args:
        searcher: what proposes.
        attempts: repeats in a row after which nothing is left to propose.

    Raises:
        BadArgument: what is no searcher, or a number that is no int of at least 1.

    Example:
        >>> import random
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import NoRepeats, RandomSearch
        >>> searcher = NoRepeats(RandomSearch())
        >>> searcher.start(da.space(lambda x: ops.Dense(units=da.integer(1, 4))(x)), random.Random(0))
        >>> [searcher.ask() for _ in range(5)]
        [{'dense.units': 4}, {'dense.units': 2}, {'dense.units': 3}, {'dense.units': 1}, None]
    """

    def __init__(self, searcher: Searcher, attempts: int = 1000) -> None:
        super().__init__(searcher)
        check_count(self, attempts=attempts)
        self.attempts: Final = attempts

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with nothing proposed."""
        super().start(space, rng)
        self._results: dict[str, FinishedTrial | None] = {}
        self._waiting: dict[str, list[Values]] = {}
        self._over = False

    def ask(self) -> Values | None:
        """Propose what is new, or None where the searcher inside finds nothing new."""
        for _ in range(0 if self._over else self.attempts):
            values = self.searcher.ask()
            if values is None:
                return None
            key = self._key(values, self.searcher.budget(values))
            if key not in self._results:
                self._results[key] = None
                return values
            if (result := self._results[key]) is None:
                self._waiting.setdefault(key, []).append(values)
            else:
                self.searcher.tell(replace(result, values=values))
        self._over = not self._waiting
        return None

    def propose(self, values: Values) -> Values:
        """Let the searcher inside propose what the user has in mind, which is not proposed again later."""
        proposal = self.searcher.propose(values)
        self._results.setdefault(self._key(proposal, self.searcher.budget(proposal)), None)
        return proposal

    def _key(self, values: Values, budget: float | None) -> str:
        architecture = self.space.proposed(values)
        same = computed(architecture, architecture.to_json())
        return same if budget is None else f"{same} {budget}"

    def tell(self, trial: FinishedTrial) -> None:
        """Tell the searcher inside, also for the repeats that waited for this."""
        key = self._key(trial.values, trial.budget)
        self._results[key] = trial
        for values in (trial.values, *self._waiting.pop(key, ())):
            self.searcher.tell(replace(trial, values=values))

    def state_dict(self) -> dict[str, Any]:
        """Return what was proposed, and what came of it."""
        results = {key: trial and self.encode_trial(trial) for key, trial in self._results.items()}
        waiting = {key: [self.encode(values) for values in repeats] for key, repeats in self._waiting.items()}
        return {**super().state_dict(), "results": results, "waiting": waiting, "over": self._over}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on without repeating what was proposed."""
        super().load_state_dict(state)
        self._results = {key: trial and self.decode_trial(trial) for key, trial in state["results"].items()}
        self._waiting = {key: [self.decode(text) for text in texts] for key, texts in state["waiting"].items()}
        self._over = state["over"]
