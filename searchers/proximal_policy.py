"""Proximal policy optimisation: a policy that learns several times from each batch, and stays near what drew it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import identity, remember
from deep_arch.searchers.parts.policy import Gradient, Policy, ascend, bounded
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_MOST_LOG_RATIO: Final = 5.0
"""Where a bad decision became so much likelier, its slope grows no further, and no later step is dwarfed by it."""


class _Told(NamedTuple):
    values: Values
    gain: float
    logs: list[float]


class ProximalPolicy(Searcher):
    """Draw from a policy, and let it climb the clipped surrogate of the expected score after each batch of results.

    An architecture is an episode and each of its decisions a time step, with a ratio of its own between the
    probabilities now and at the time of proposing. Its advantage is the score less the batch's mean, over the batch's
    standard deviation. Trials without scores teach nothing. A result of what was not proposed counts as drawn when it
    is told.

    Args:
        batch: how many results make one update.
        epochs: how many steps of Adam an update takes, each on the whole batch.
        clip: how far from 1 a ratio can go and still be rewarded.
        learning_rate: of Adam.
        entropy: weight of the policy's entropy, which keeps it from settling early.

    Attributes:
        policy: what it has learnt, after `start`.

    Raises:
        BadArgument: a number that is outside its bounds.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import ProximalPolicy
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, ProximalPolicy(), trials=400, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -20
        True

    References:
        Schulman, Wolski, Dhariwal, Radford and Klimov, Proximal policy optimization algorithms (2017), equation 7.
    """

    n_objectives: int | None = 1

    def __init__(
        self, batch: int = 10, epochs: int = 4, clip: float = 0.2, learning_rate: float = 0.05, entropy: float = 0.01
    ) -> None:
        check_count(self, batch=batch, least=2)
        check_count(self, epochs=epochs)
        check_number(self, 0, clip=clip, learning_rate=learning_rate, entropy=entropy)
        self.batch: Final = batch
        self.epochs: Final = epochs
        self.clip: Final = clip
        self.learning_rate: Final = learning_rate
        self.entropy: Final = entropy

    def start(self, space: Any, rng: Any) -> None:
        """Begin near the uniform distribution."""
        super().start(space, rng)
        self.policy = Policy(space)
        self._out: dict[Any, tuple[Values, list[float]]] = {}  # in the order of proposals
        self._told: list[_Told] = []

    def choose(self, point: ChoicePoint) -> Any:
        """Draw from the policy."""
        return self.policy.choose(point, self.rng)

    def ask(self) -> Values | None:
        """Propose what the policy draws, and remember how likely each decision was."""
        values = super().ask()
        if values is not None:
            remember(self._out, values, (values, self._logs(values)))
        return values

    def _logs(self, values: Values) -> list[float]:
        return [distribution.log_probability(picked) for distribution, picked in self.policy.picks(values)]

    def tell(self, trial: FinishedTrial) -> None:
        """Take a complete trial into the batch, and learn from it once it is full."""
        values, logs = self._out.pop(identity(trial.values), (trial.values, None))
        if trial.state != "complete":
            return
        self._told.append(_Told(values, bounded(trial.gain), self._logs(values) if logs is None else logs))
        if len(self._told) == self.batch:
            self._learn()
            self._told.clear()

    def _learn(self) -> None:
        picks = [self.policy.picks(told.values) for told in self._told]
        advantages = normalised([told.gain for told in self._told])
        for _ in range(self.epochs):
            gradient: Gradient = {}
            for told, picked, advantage in zip(self._told, picks, advantages, strict=True):
                for (distribution, value), log in zip(picked, told.logs, strict=True):
                    slope = surrogate_slope(distribution.log_probability(value) - log, advantage, self.clip)
                    distribution.add_gradient(value, slope, self.entropy, gradient)
            ascend(gradient, self.learning_rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the policy, the proposals without a result, oldest first, and the results of the batch so far."""
        out = [[self.encode(values), logs] for values, logs in self._out.values()]
        told = [[self.encode(values), gain, logs] for values, gain, logs in self._told]
        return {**super().state_dict(), "policy": self.policy.state_dict(self.encode), "out": out, "told": told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a policy and what waits for it."""
        super().load_state_dict(state)
        self.policy = Policy(self.space)
        self.policy.load_state_dict(state["policy"], self.decode)
        self._out.clear()
        for text, logs in state["out"]:
            values = self.decode(text)
            remember(self._out, values, (values, logs))
        self._told = [_Told(self.decode(text), gain, logs) for text, gain, logs in state["told"]]


def surrogate_slope(log_ratio: float, advantage: float, clip: float) -> float:
    """Return the slope of min(r * A, clip(r, 1 - clip, 1 + clip) * A) over log r: 0 where the clipped one is less."""
    ratio = math.exp(min(log_ratio, _MOST_LOG_RATIO))
    is_clipped = ratio > 1 + clip if advantage > 0 else ratio < 1 - clip
    return 0.0 if is_clipped else ratio * advantage


def normalised(scores: list[float]) -> list[float]:
    """Return scores less their mean, over their standard deviation; all 0 where they are equal."""
    if min(scores) == max(scores):  # of which the mean may differ by rounding
        return [0.0] * len(scores)
    mean = math.fsum(scores) / len(scores)
    deviation = math.sqrt(math.fsum([(score - mean) ** 2 for score in scores]) / len(scores))
    return [(score - mean) / deviation if deviation else 0.0 for score in scores]
