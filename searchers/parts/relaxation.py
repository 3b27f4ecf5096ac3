"""Relaxation: logits for the options of each decision, which climb the slopes that a super-network gives.

Softmax, chain rule and Adam on a few dozen numbers are plain Python, so that these searchers need no framework.
"""

from __future__ import annotations

import itertools
import json
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from deep_arch.errors import NotSupported, TooDeep, is_kind, wrong_kind
from deep_arch.language.domains import Domain, Numeric
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.likeliest import likeliest
from deep_arch.searchers.parts.policy import Parameter, bounded
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.positions import Share, shared_address
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_MOST: Final = 1_000
"""Options of one decision that have logits."""


class Options(NamedTuple):
    """The options of a decision at one domain, what tells each at its address, and their logits."""

    domain: Domain
    values: tuple[Any, ...]
    keys: tuple[str, ...]
    logits: list[Parameter]


@dataclass(frozen=True, eq=False, repr=False)
class Weighed(Mixture):
    """A mixture that knows how its weights came from logits, so that slopes lead back to these.

    Several trials may be out at once, each with a draw of its own.

    Attributes:
        keys: what tells each value at its address.
        soft: the probabilities that slopes go back through.
        temperature: what the logits were divided by.
    """

    keys: tuple[str, ...] = ()
    soft: tuple[float, ...] = ()
    temperature: float = 1.0

    def pulled(self, slopes: Sequence[float]) -> list[float]:
        """Return the slopes for the logits, from those for the weights."""
        slopes = [bounded(slope) for slope in slopes]
        mean = sum([p * slope for p, slope in zip(self.soft, slopes, strict=True)])
        return [bounded(p * (slope - mean) / self.temperature) for p, slope in zip(self.soft, slopes, strict=True)]


class Relaxed(Searcher):
    """A searcher with a logit for each option of each decision; a subclass says what is made of them.

    Its trials are told with slopes: `trial.tell(score, slopes=model.slopes(score))`. Decisions
    that are first met get logits of 0. Without slopes a trial teaches nothing.

    Args:
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.
        share: what the super-network was made with, so that both mean the same by an address.

    Raises:
        BadArgument: a number that is outside its bounds.
        NotSupported: by `weigh`, at a real number: leave some of its values by `space.discretize(levels=...)`.
    """

    n_objectives: int | None = 1
    relaxed: bool = True

    def __init__(
        self, learning_rate: float = 3e-4, momentum: float = 0.5, weight_decay: float = 1e-3, share: Share = None
    ) -> None:
        check_number(self, 0, learning_rate=learning_rate, weight_decay=weight_decay)
        check_number(self, 0, 0.999, momentum=momentum)
        self.learning_rate: Final = learning_rate
        self.momentum: Final = momentum
        self.weight_decay: Final = weight_decay
        self.share: Final = share

    def start(self, space: Any, rng: Any) -> None:
        """Begin with equal logits."""
        super().start(space, rng)
        self._shared = shared_address(space, self.share, type(self).__name__)
        self._logits: dict[str, dict[str, Parameter]] = {}
        self._options: dict[str, Options] = {}  # by address; of the last domain there
        self._n_told = 0

    # --- what a subclass says ------------------------------------------------------------------------------------

    @abstractmethod
    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the weights of a decision, the active positions, and the probabilities that slopes go back through."""

    def temperature(self) -> float:
        """Return what the logits are divided by."""
        return 1.0

    interpolated: bool = False
    """Whether relaxed widths are interpolated, as `Mixture.interpolated`."""

    # --- the searcher --------------------------------------------------------------------------------------------

    def weigh(self, point: ChoicePoint) -> Mixture:
        """Return a mixture of a decision's options."""
        found = self._found(point)
        weights, active, soft = self.relax([logit.value for logit in found.logits])
        drawn = found.keys, tuple(soft), self.temperature()
        return Weighed(found.values, tuple(weights), tuple(active), self.interpolated, *drawn)

    def choose(self, point: ChoicePoint) -> Any:
        """Return the likeliest option, the first of several; a real number is drawn."""
        if not is_finite(point.domain):
            return point.domain.draw(self.rng)
        found = self._found(point)
        return found.values[max(range(len(found.values)), key=lambda i: found.logits[i].value)]

    def ask(self) -> Values | None:
        """Propose what `choose` chooses; where that lets no recursion end within a limit, the likeliest that does."""
        try:
            return self._decide()
        except TooDeep:
            return self.best()[0]

    def tell(self, trial: FinishedTrial) -> None:
        """Let the logits behind a complete trial's mixtures climb the slopes."""
        if trial.state != "complete":
            return
        bounded(trial.gain)
        self._n_told += bool(trial.slopes)
        for logit, slope in self._pulled(trial):
            logit.ascend(slope - self.weight_decay * logit.value, self.learning_rate, self.momentum)

    def _pulled(self, trial: FinishedTrial) -> list[tuple[Parameter, float]]:
        """Return the logits behind a trial's mixtures with their slopes."""
        found: list[tuple[Parameter, float]] = []
        for address, slopes in trial.slopes.items():
            mixture = trial.mixtures.get(address)
            if isinstance(mixture, Weighed):  # and no result of another search, whose draw is not known
                found += zip(self._known(address, mixture.keys), mixture.pulled(slopes), strict=True)
        return found

    def probabilities(self, point: ChoicePoint) -> Mixture:
        """Return how likely each option of a decision is, without noise."""
        found = self._found(point)
        return Mixture(found.values, softmax([logit.value for logit in found.logits]))

    def best(self, k: int = 1) -> list[Values]:
        """Return the values of the `k` likeliest architectures, or as many as there are, best first.

        In spaces in which no decision decides what others there are, they are the likeliest of all, exactly. Elsewhere
        each branch stands for the likeliest decisions that go on from it; see `searchers.parts.likeliest`.

        Raises:
            BadArgument: `k` is no int of at least 1.
        """
        check_count(self, k=k)
        return list(itertools.islice(likeliest(self.space, self._ranked), k))

    def _ranked(self, point: ChoicePoint) -> list[tuple[float, Any]]:
        if not is_finite(point.domain):
            return [(0.0, middle(point.domain))]
        found = self._found(point)
        logits = [logit.value for logit in found.logits]
        highest = max(logits)
        total = highest + math.log(sum([math.exp(logit - highest) for logit in logits]))
        options = zip([logit - total for logit in logits], found.values, strict=True)
        return sorted(options, key=lambda option: -option[0])

    # --- options and their logits --------------------------------------------------------------------------------

    def _found(self, point: ChoicePoint) -> Options:
        address = self._shared(point.address)
        found = self._options.get(address)
        if found is None or found.domain is not point.domain:
            found = self._options[address] = self._made(point, address)
        return found

    def _made(self, point: ChoicePoint, address: str) -> Options:
        domain = point.domain
        if not is_finite(domain):
            raise NotSupported(
                f"{point.address}: {type(self).__name__} has a logit for each option.\n  Got {domain}.\n"
                "  Search space.discretize(levels=...), which makes options of real numbers; of integers leave fewer, "
                "by da.choice or a larger step."
            )
        values = tuple(domain.values())
        keys = tuple([_key(domain, value, i, len(values)) for i, value in enumerate(values)])
        return Options(domain, values, keys, self._known(address, keys))

    def _known(self, address: str, keys: Sequence[str]) -> list[Parameter]:
        """Return the logits of options, from 0 on where they were not met at this address before."""
        logits = self._logits.setdefault(address, {})
        for key in keys:
            if key not in logits:
                logits[key] = Parameter()
        return [logits[key] for key in keys]

    def state_dict(self) -> dict[str, Any]:
        """Return the logits that have moved."""
        logits = {
            address: {key: logit.state() for key, logit in found.items() if logit.n_steps}
            for address, found in self._logits.items()
        }
        return {**super().state_dict(), "logits": logits, "told": self._n_told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with logits."""
        super().load_state_dict(state)
        self._logits, self._options, self._n_told = {}, {}, state["told"]
        for address, found in state["logits"].items():
            for logit, numbers in zip(self._known(address, list(found)), found.values(), strict=True):
                logit.restore(numbers)


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
        share: Share = None,
    ) -> None:
        super().__init__(learning_rate, momentum, weight_decay, share)
        check_number(self, 1, steps=steps)
        if not is_kind(temperatures, tuple | list) or len(temperatures) != 2:
            mend = "Write temperatures=(10.0, 0.1)."
            raise wrong_kind(type(self).__name__, "the first and the last of the temperatures", temperatures, mend)
        check_number(self, 1e-3, first_temperature=temperatures[0], last_temperature=temperatures[1])
        self.steps: Final = steps
        self.temperatures: Final = tuple(temperatures)

    def temperature(self) -> float:
        """Return the temperature now."""
        first, last = self.temperatures
        return first + (last - first) * min(self._n_told / self.steps, 1.0)

    def noisy(self, logits: Sequence[float]) -> list[float]:
        """Return logits with Gumbel noise, over the temperature.

        The largest is a draw from the softmax of the logits, and the largest two are two without replacement.
        """
        return [(logit - math.log(-math.log(self._uniform()))) / self.temperature() for logit in logits]

    def drawn(self, logits: Sequence[float]) -> list[float]:
        """Return the softmax of logits with Gumbel noise, at the temperature.

        References:
            Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax (ICLR 2017), equation 2.
        """
        return softmax(self.noisy(logits))

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


def _key(domain: Domain, value: Any, position: int, n: int) -> str:
    """Return what tells an option at its address, also in another process."""
    text = json.dumps(domain.encode(value), sort_keys=True)
    if '{"option":' not in text:
        return text
    # What JSON cannot hold is told by its name and its place, which is another where other options are offered.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__} {position} of {n}"


def middle(domain: Domain) -> Any:
    """Return a value of a domain that has no logits: of numbers that in the middle."""
    return domain.at_unit(0.5) if isinstance(domain, Numeric) else domain.at(0)


def is_finite(domain: Domain) -> bool:
    """Return whether each option of a domain has a logit."""
    return domain.size <= _MOST
