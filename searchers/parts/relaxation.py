"""Relaxation: logits for the options of each decision, which climb the slopes that a super-network gives.

Softmax, chain rule and Adam on a few dozen numbers are plain Python, so that these searchers need no framework.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotSupported
from deep_arch.language.domains import Domain, Numeric
from deep_arch.searchers.parts.checks import check_number
from deep_arch.searchers.parts.policy import Parameter, bounded
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_MOST: Final = 1_000
"""Options of one decision that have logits."""


class Options(NamedTuple):
    """The options of a decision at one domain, and their logits."""

    values: tuple[Any, ...]
    keys: tuple[str, ...]
    logits: list[Parameter]


class Relaxed(Searcher):
    """A searcher with a logit for each option of each decision; a subclass says what is made of them.

    Its trials are told with slopes: `trial.tell(score, slopes=model.slopes(score))`, one trial after another. Decisions
    that are first met get logits of 0. Without slopes a trial teaches nothing.

    Args:
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument: a number that is outside its bounds.
        NotSupported: by `weigh`, at a real number: leave some of its values by `space.discretize(levels=...)`.
    """

    n_objectives: int | None = 1
    relaxed: bool = True

    def __init__(self, learning_rate: float = 3e-4, momentum: float = 0.5, weight_decay: float = 1e-3) -> None:
        check_number(self, 0, learning_rate=learning_rate, weight_decay=weight_decay)
        check_number(self, 0, 0.999, momentum=momentum)
        self.learning_rate: Final = learning_rate
        self.momentum: Final = momentum
        self.weight_decay: Final = weight_decay

    def start(self, space: Any, rng: Any) -> None:
        """Begin with equal logits."""
        super().start(space, rng)
        self._logits: dict[str, dict[str, Parameter]] = {}
        self._options: dict[tuple[str, Domain], Options] = {}
        self._drawn: dict[str, tuple[list[str], list[float]]] = {}  # what slopes are pulled through, by address
        self._n_told = 0

    # --- what a subclass says ------------------------------------------------------------------------------------

    @abstractmethod
    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the weights of a decision, the active positions, and the probabilities that slopes go back through."""

    def temperature(self) -> float:
        """Return what the logits are divided by."""
        return 1.0

    # --- the searcher --------------------------------------------------------------------------------------------

    def weigh(self, point: ChoicePoint) -> Mixture | None:
        """Return a mixture of a decision's options."""
        found = self._found(point)
        if len(found.values) == 1:
            return None
        weights, active, soft = self.relax([logit.value for logit in found.logits])
        self._drawn[point.address] = [*found.keys], [*soft]
        return self.mixture(found.values, weights, active)

    def mixture(self, values: tuple[Any, ...], weights: Sequence[float], active: Sequence[int]) -> Mixture:
        """Return the mixture of a decision."""
        return Mixture(values, tuple(weights), tuple(active))

    def choose(self, point: ChoicePoint) -> Any:
        """Return the likeliest option, the first of several; a real number is drawn."""
        if not _is_finite(point.domain):
            return point.domain.draw(self.rng)
        found = self._found(point)
        return found.values[max(range(len(found.values)), key=lambda i: found.logits[i].value)]

    def tell(self, trial: FinishedTrial) -> None:
        """Let the logits climb the slopes of a complete trial."""
        if trial.state != "complete":
            return
        bounded(trial.gain)
        self._n_told += bool(trial.slopes)
        for address, slopes in trial.slopes.items():
            keys, soft = self._drawn.get(address, ([], []))
            if len(soft) != len(slopes):
                continue  # a result of another search, whose draw is not known
            mean = sum([p * s for p, s in zip(soft, slopes, strict=True)])
            logits = self._logits[address]
            for key, p, slope in zip(keys, soft, slopes, strict=True):
                logit = logits[key]
                climbed = bounded(p * (slope - mean) / self.temperature())
                logit.ascend(climbed - self.weight_decay * logit.value, self.learning_rate, self.momentum)

    def probabilities(self, point: ChoicePoint) -> dict[Any, float]:
        """Return how likely each option is, by its position and value, at a decision."""
        found = self._found(point)
        return dict(zip(found.values, softmax([logit.value for logit in found.logits]), strict=True))

    def best(self, k: int = 1) -> list[Values]:
        """Return the values of the likeliest architectures, best first.

        Each decision is taken in the order in which the architecture unfolds, so where decisions depend on others it is
        the likeliest going on from each, and in other spaces the likeliest of all.
        """
        tie = itertools.count()
        heap = [self._completed([], tie)]
        found: list[Values] = []
        while heap and len(found) < k:
            _, _, values, ranks, n_fixed, sizes = heapq.heappop(heap)
            found.append(values)
            for i in range(n_fixed, len(ranks)):
                if ranks[i] + 1 < sizes[i]:
                    heapq.heappush(heap, self._completed([*ranks[:i], ranks[i] + 1], tie))
        return found

    def _completed(self, prefix: Sequence[int], tie: itertools.count[int]) -> tuple[float, int, Values, Any, int, Any]:
        """Return the likeliest architecture whose first decisions have these ranks."""
        ranks: list[int] = []
        sizes: list[int] = []
        total = 0.0

        def pick(point: ChoicePoint) -> Any:
            nonlocal total
            if not _is_finite(point.domain):
                return middle(point.domain)
            found = self._found(point)
            weights = softmax([logit.value for logit in found.logits])
            order = sorted(range(len(weights)), key=lambda i: (-weights[i], i))
            rank = prefix[len(ranks)] if len(ranks) < len(prefix) else 0
            ranks.append(rank)
            sizes.append(len(order))
            total -= math.log(max(weights[order[rank]], 1e-300))
            return found.values[order[rank]]

        values = self.space.decide(pick).values
        return total, next(tie), values, ranks, max(len(prefix) - 1, 0), sizes

    def _found(self, point: ChoicePoint) -> Options:
        key = point.address, point.domain
        found = self._options.get(key)
        if found is None:
            found = self._options[key] = self._made(point)
        return found

    def _made(self, point: ChoicePoint) -> Options:
        domain = point.domain
        if not _is_finite(domain):
            raise NotSupported(
                f"{point.address}: {type(self).__name__} has a logit for each option.\n  Got {domain}.\n"
                "  Search space.discretize(levels=...), or use a smaller domain."
            )
        values = tuple(domain.values())
        keys = tuple([json.dumps(domain.encode(value)) for value in values])
        logits = self._logits.setdefault(point.address, {})
        return Options(values, keys, [logits.setdefault(key, Parameter()) for key in keys])

    def state_dict(self) -> dict[str, Any]:
        """Return the logits, and what the trial that is out was weighed with."""
        logits = {a: {key: p.state() for key, p in found.items()} for a, found in self._logits.items()}
        return {**super().state_dict(), "logits": logits, "drawn": dict(self._drawn), "told": self._n_told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with logits."""
        super().load_state_dict(state)
        self._options.clear()
        self._logits = {address: {key: Parameter() for key in found} for address, found in state["logits"].items()}
        for address, found in state["logits"].items():
            for key, numbers in found.items():
                self._logits[address][key].restore(numbers)
        self._drawn = {address: (keys, soft) for address, (keys, soft) in state["drawn"].items()}
        self._n_told = state["told"]


class Annealed(Relaxed):
    """A relaxed searcher that draws with Gumbel noise, at a temperature that falls.

    Args:
        steps: how many trials the temperature takes to fall from the first to the last, linearly.
        temperatures: the first and the last.
    """

    def __init__(
        self,
        steps: int = 1_000,
        temperatures: tuple[float, float] = (10.0, 0.1),
        learning_rate: float = 3e-4,
        momentum: float = 0.5,
        weight_decay: float = 1e-3,
    ) -> None:
        super().__init__(learning_rate, momentum, weight_decay)
        check_number(self, 1, steps=steps)
        check_number(self, 1e-3, first_temperature=temperatures[0], last_temperature=temperatures[1])
        self.steps: Final = steps
        self.temperatures: Final = tuple(temperatures)

    def temperature(self) -> float:
        """Return the temperature now."""
        first, last = self.temperatures
        return first + (last - first) * min(self._n_told / self.steps, 1.0)

    def drawn(self, logits: Sequence[float]) -> list[float]:
        """Return the softmax of logits with Gumbel noise, at the temperature.

        References:
            Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax (ICLR 2017), equation 2.
        """
        noisy = [logit - math.log(-math.log(self._uniform())) for logit in logits]
        return softmax([each / self.temperature() for each in noisy])

    def _uniform(self) -> float:
        while not 0.0 < (number := self.rng.random()) < 1.0:  # the logarithm has no value at the ends
            pass
        return number


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities in proportion to the exponentials of logits."""
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


def middle(domain: Domain) -> Any:
    """Return a value of a domain that has no logits: of numbers that in the middle."""
    return domain.at_unit(0.5) if isinstance(domain, Numeric) else domain.at(0)


def _is_finite(domain: Domain) -> bool:
    return domain.size <= _MOST
