"""REINFORCE: a policy that makes what scored above the average likelier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_number
from deep_arch.searchers.parts.policy import Gradient, Policy, ascend, bounded
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher


class Reinforce(Searcher):
    """Draw from a policy, and let it climb the gradient of the expected score after each result.

    Trials without scores teach nothing. A duplicate that is told from the record counts like a new result, as it was
    drawn like one.

    Args:
        learning_rate: of Adam.
        momentum: how much of the baseline each result leaves: an exponential moving average of the scores, without
            the bias of its start, from which the new score's distance is the advantage.
        entropy: weight of the policy's entropy, which keeps it from settling early, in units of the advantages' root
            mean square (a moving average too), so that the scores' scale does not matter.

    Attributes:
        policy: what it has learnt, after `start`.

    Raises:
        BadArgument: a number that is outside its bounds.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import Reinforce
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, Reinforce(), trials=400, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -20
        True

    References:
        Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning (1992).
        Zoph and Le, Neural architecture search with reinforcement learning (ICLR 2017).
        Dong, Liu, Musial and Gabrys, NATS-Bench (TPAMI 2021), whose settings are learning_rate=0.01 and entropy=0.
    """

    n_objectives: int | None = 1

    def __init__(self, learning_rate: float = 0.05, momentum: float = 0.9, entropy: float = 0.1) -> None:
        check_number(self, 0, learning_rate=learning_rate, entropy=entropy)
        check_number(self, 0.01, 0.999, momentum=momentum)
        self.learning_rate: Final = learning_rate
        self.momentum: Final = momentum
        self.entropy: Final = entropy

    def start(self, space: Any, rng: Any) -> None:
        """Begin near the uniform distribution."""
        super().start(space, rng)
        self.policy = Policy(space)
        self._baseline = _MovingAverage(self.momentum)
        self._square = _MovingAverage(self.momentum)

    def choose(self, point: ChoicePoint) -> Any:
        """Draw from the policy."""
        return self.policy.choose(point, self.rng)

    def tell(self, trial: FinishedTrial) -> None:
        """Make a complete trial's decisions likelier if it scored above the baseline, and else less likely."""
        if trial.state != "complete":
            return
        gain = bounded(trial.gain)
        advantage = gain - self._baseline.updated(gain)
        entropy = self.entropy * self._square.updated(advantage**2) ** 0.5
        gradient: Gradient = {}
        for distribution, picked in self.policy.picks(trial.values):
            distribution.add_gradient(picked, advantage, entropy, gradient)
        ascend(gradient, self.learning_rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and the moving averages."""
        averages = [[average.total, average.weight] for average in (self._baseline, self._square)]
        return {**super().state_dict(), "policy": self.policy.state_dict(self.encode), "averages": averages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a policy."""
        super().load_state_dict(state)
        self.policy = Policy(self.space)
        self.policy.load_state_dict(state["policy"], self.decode)
        for average, numbers in zip((self._baseline, self._square), state["averages"], strict=True):
            average.total, average.weight = numbers


@dataclass(slots=True)
class _MovingAverage:
    """An exponential moving average, without the bias of its start at 0."""

    momentum: float
    total: float = 0.0
    weight: float = 0.0

    def updated(self, value: float) -> float:
        """Take a value in, and return the average."""
        self.total = self.momentum * self.total + (1 - self.momentum) * value
        self.weight = self.momentum * self.weight + (1 - self.momentum)
        return self.total / self.weight
