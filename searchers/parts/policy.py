"""A policy: one distribution for each decision, whose parameters climb the gradient of what is asked for.

Options have logits, of which the softmax gives the probabilities; of many options, only those that were picked.
Numbers have a Gaussian on a latent line, which the logistic function takes to the domain's own scale from 0 to 1, so
that no mass heaps up at the ends; densities are those of the latent line, where a number stands at the logit of its
place. (The change of variables does not depend on the parameters, so neither gradients nor ratios of densities do.) An
integer stands in the middle of its share. All decisions begin near the uniform distribution, and each has parameters
from when it is first met: conditional and recursive spaces need nothing more.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from deep_arch.language.domains import Choice, Domain, Integer, Numeric
from deep_arch.searchers.parts.decisions import composed, decisions, identity
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values

_MOST_OPTIONS: Final = 16
"""Linear ranges of up to so many integers are options, each with a logit; beyond, neighbours share what is learnt."""

_MANY_OPTIONS: Final = 64
"""Of more options, only those that were picked have logits."""

_UNIFORM: Final = math.pi / math.sqrt(3)
"""The latent standard deviation of the logistic distribution, which a uniform number has; no Gaussian is nearer to it
by the Kullback-Leibler divergence, and a wider one would heap mass at both ends."""

_NARROW: Final = 0.05
"""The least latent standard deviation, a hundredth of the range: steps of the mean must stay within it."""

_END: Final = 1e-4
"""How near to an end of its scale a number can stand; the latent line has no place for the ends themselves."""

_LEAST: Final = 1e-300
"""Keeps the logarithm finite where a probability has vanished in rounding."""


class Parameter:
    """A number that climbs a gradient by Adam.

    Each counts its own steps: what a proposal does not reach stays where it is and keeps its moments.

    References:
        Kingma and Ba, Adam: a method for stochastic optimization (ICLR 2015), algorithm 1.
    """

    __slots__ = ("high", "low", "mean", "n_steps", "square", "value")

    def __init__(self, value: float = 0.0, low: float = -math.inf, high: float = math.inf) -> None:
        self.value, self.low, self.high = value, low, high
        self.mean, self.square, self.n_steps = 0.0, 0.0, 0

    def ascend(self, slope: float, rate: float, momentum: float = 0.9) -> None:
        """Take one step up the slope; `momentum` is how much of the mean slope each step leaves."""
        self.n_steps = n = self.n_steps + 1
        self.mean = mean = momentum * self.mean + (1 - momentum) * slope
        self.square = square = 0.999 * self.square + 0.001 * slope * slope
        step = rate * (mean / (1 - momentum**n)) / (math.sqrt(square / (1 - 0.999**n)) + 1e-8)
        self.value = min(max(self.value + step, self.low), self.high)

    def state(self) -> list[float]:
        """Return what `restore` takes."""
        return [self.value, self.mean, self.square, self.n_steps]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on from a state."""
        self.value, self.mean, self.square, self.n_steps = state


Gradient = dict[Parameter, float]
"""From parameter to slope; several proposals add to one gradient."""


class Categorical:
    """The softmax of one logit for each option."""

    __slots__ = ("_at", "_probabilities", "domain", "parameters")

    def __init__(self, domain: Choice, logits: Sequence[Parameter]) -> None:
        self.domain, self.parameters = domain, logits
        self._at: list[float] = []
        self._probabilities: list[float] = []

    def probabilities(self) -> list[float]:
        """Return the probability of each option, computed when a logit has changed."""
        logits = [logit.value for logit in self.parameters]
        if logits != self._at:
            highest = max(logits)
            weights = [math.exp(logit - highest) for logit in logits]
            total = sum(weights)
            self._at, self._probabilities = logits, [weight / total for weight in weights]
        return self._probabilities

    def draw(self, rng: random.Random) -> Any:
        """Return an option."""
        cumulative = list(itertools.accumulate(self.probabilities()))
        return self.domain.options[bisect(cumulative, rng.random() * cumulative[-1], 0, len(cumulative) - 1)]

    def log_probability(self, value: Any) -> float:
        """Return the logarithm of an option's probability."""
        return math.log(max(self.probabilities()[self._place(value)], _LEAST))

    def reached(self, _value: Any) -> Sequence[Parameter]:
        """Return the parameters that picking a value moves."""
        return self.parameters

    def add_gradient(self, value: Any, weight: float, entropy: float, gradient: Gradient) -> None:
        """Add the gradient of `weight` times the log-probability of `value`, and of `entropy` times the entropy."""
        chosen, probabilities = self.parameters[self._place(value)], self.probabilities()
        for logit, p in zip(self.parameters, probabilities, strict=True):
            gradient[logit] = gradient.get(logit, 0.0) - weight * p
        gradient[chosen] += weight
        if entropy:
            terms = [p * math.log(max(p, _LEAST)) for p in probabilities]
            negative_entropy = sum(terms)
            for logit, p, term in zip(self.parameters, probabilities, terms, strict=True):
                gradient[logit] -= entropy * (term - p * negative_entropy)

    def _place(self, value: Any) -> int:
        place = self.domain.position(value)
        assert place is not None, f"{value!r} is not {self.domain}"
        return place


class Gaussian:
    """A number whose place on its domain's scale is the logistic function of a latent Gaussian."""

    __slots__ = ("domain", "parameters")

    def __init__(self, domain: Numeric, parameters: Sequence[Parameter]) -> None:
        self.domain, self.parameters = domain, parameters

    def draw(self, rng: random.Random) -> Any:
        """Return a number."""
        mean, log_deviation = self.parameters
        latent = rng.gauss(mean.value, math.exp(log_deviation.value))
        return self.domain.at_unit((1 + math.tanh(latent / 2)) / 2)

    def log_probability(self, value: Any) -> float:
        """Return the logarithm of the latent density."""
        return -(self._standardised(value) ** 2 + math.log(2 * math.pi)) / 2 - self.parameters[1].value

    def reached(self, _value: Any) -> Sequence[Parameter]:
        """Return the parameters that picking a value moves."""
        return self.parameters

    def add_gradient(self, value: Any, weight: float, entropy: float, gradient: Gradient) -> None:
        """Add the gradient of `weight` times the log-density of `value`, and of `entropy` times the entropy."""
        mean, log_deviation = self.parameters
        distance = self._standardised(value)
        gradient[mean] = gradient.get(mean, 0.0) + weight * distance / math.exp(log_deviation.value)
        gradient[log_deviation] = gradient.get(log_deviation, 0.0) + weight * (distance**2 - 1) + entropy

    def _standardised(self, value: Any) -> float:
        mean, log_deviation = self.parameters
        unit = min(max(self.domain.unit(value), _END), 1 - _END)
        return (math.log(unit / (1 - unit)) - mean.value) / math.exp(log_deviation.value)


class Sparse:
    """The softmax of many options: each that was picked has a logit, and the others have 0, which nothing moves."""

    __slots__ = ("_known", "_logits", "domain")

    def __init__(self, domain: Choice, logits: dict[Any, tuple[Any, Parameter]]) -> None:
        self.domain, self._logits = domain, logits  # by identity, of all options at the address
        places = [(domain.position(option), logit) for option, logit in logits.values()]
        self._known = {place: logit for place, logit in places if place is not None}

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The logits of the options that were picked."""
        return list(self._known.values())

    def reached(self, value: Any) -> Sequence[Parameter]:
        """Return the logit of an option that is picked, which has one from now on."""
        place = self._place(value)
        if place not in self._known:
            logits, key = self._logits, identity({"": value})
            self._known[place] = logits.setdefault(key, (value, Parameter()))[1]
        return (self._known[place],)

    def draw(self, rng: random.Random) -> Any:
        """Return an option."""
        known, other = self._probabilities()
        left, place = rng.random(), 0
        for place, probability in known.items():
            left -= probability
            if left < 0:
                return self.domain.options[place]
        while other and (place := int(rng.random() * self.domain.size)) in known:
            pass
        return self.domain.options[place]

    def log_probability(self, value: Any) -> float:
        """Return the logarithm of an option's probability."""
        known, other = self._probabilities()
        return math.log(max(known.get(self._place(value), other), _LEAST))

    def add_gradient(self, value: Any, weight: float, entropy: float, gradient: Gradient) -> None:
        """Add the gradient of `weight` times the log-probability of `value`, and of `entropy` times the entropy."""
        (chosen,) = self.reached(value)
        known, other = self._probabilities()
        terms = {place: p * math.log(max(p, _LEAST)) for place, p in known.items()}
        n_others = self.domain.size - len(known)
        negative_entropy = sum(terms.values()) + n_others * other * math.log(max(other, _LEAST))
        for place, logit in self._known.items():
            slope = -weight * known[place] - entropy * (terms[place] - known[place] * negative_entropy)
            gradient[logit] = gradient.get(logit, 0.0) + slope
        gradient[chosen] += weight

    def _probabilities(self) -> tuple[dict[int, float], float]:
        """Return the probability of each option that has a logit, and that of each other one."""
        highest = max([0.0, *[logit.value for logit in self._known.values()]])
        weights = {place: math.exp(logit.value - highest) for place, logit in self._known.items()}
        n_others = self.domain.size - len(weights)
        other = math.exp(-highest) if n_others else 0.0
        total = sum(weights.values()) + n_others * other
        return {place: weight / total for place, weight in weights.items()}, other / total

    def _place(self, value: Any) -> int:
        place = self.domain.position(value)
        assert place is not None, f"{value!r} is not {self.domain}"
        return place


Distribution = Categorical | Gaussian | Sparse


class Policy:
    """A distribution for each decision of a space.

    Where other values narrow a domain, or a sub-space's limit does, the distribution is that of the options that are
    offered, and their logits are those of the same options elsewhere at that address.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space: Final = space
        self._distributions: dict[str, tuple[Domain, Distribution]] = {}
        self._logits: dict[str, tuple[Choice, list[Parameter]]] = {}
        self._sparse: dict[str, dict[Any, tuple[Any, Parameter]]] = {}
        self._gaussians: dict[str, tuple[Parameter, Parameter]] = {}
        self._parameters: dict[Parameter, None] = {}  # what `picks` reached, in that order
        self._reaching: list[Values] = []  # proposals that between them reach these parameters, in that order

    def choose(self, point: ChoicePoint, rng: random.Random) -> Any:
        """Return a value drawn for a hyperparameter."""
        return composed(point, lambda name, domain: self.distribution(name, domain).draw(rng))

    def picks(self, values: Values) -> list[tuple[Distribution, Any]]:
        """Return each decision that leads to these values: its distribution, and what was picked."""
        found = [
            (self.distribution(name, simple), picked)
            for address, domain in self.space.decidable(values).items()
            for name, simple, picked in decisions(domain, address, values[address])
        ]
        n_known = len(self._parameters)
        for distribution, picked in found:
            self._parameters |= dict.fromkeys(distribution.reached(picked))
        if len(self._parameters) > n_known:
            self._reaching.append(values)
        return found

    def distribution(self, name: str, domain: Domain) -> Distribution:
        """Return the distribution of a decision."""
        known = self._distributions.get(name)
        if known is None or known[0] is not domain:
            self._distributions[name] = known = domain, self._made(name, domain)
        return known[1]

    def _made(self, name: str, domain: Domain) -> Distribution:
        if isinstance(domain, Integer) and not domain.log and domain.size <= _MOST_OPTIONS:
            domain = _options(domain.low, domain.high, domain.step)
        if isinstance(domain, Choice) and domain.size > _MANY_OPTIONS:
            return Sparse(domain, self._sparse.setdefault(name, {}))
        if isinstance(domain, Choice):
            return Categorical(domain, self._logits_of(name, domain))
        assert isinstance(domain, Numeric), "decisions are of options and numbers"
        deviation = Parameter(math.log(_UNIFORM), math.log(_NARROW), math.log(_UNIFORM))
        return Gaussian(domain, self._gaussians.setdefault(name, (Parameter(), deviation)))

    def _logits_of(self, name: str, offered: Choice) -> list[Parameter]:
        """Return the offered options' logits, where those that were not met at this address before are new."""
        known, logits = self._logits.get(name, (offered, [Parameter() for _ in offered.options]))
        new = [option for option in offered.options if known.position(option) is None]
        if new:
            known, logits = Choice([*known.options, *new]), [*logits, *(Parameter() for _ in new)]
        self._logits[name] = known, logits
        return [logits[known.position(option) or 0] for option in offered.options]

    def state_dict(self, encode: Callable[[Values], str]) -> dict[str, Any]:
        """Return the parameters that were reached, and values that lead to them."""
        reaching = [encode(values) for values in self._reaching]
        return {"reaching": reaching, "parameters": [parameter.state() for parameter in self._parameters]}

    def load_state_dict(self, state: Mapping[str, Any], decode: Callable[[str], Values]) -> None:
        """Go on with parameters; called on a new policy."""
        for text in state["reaching"]:
            self.picks(decode(text))
        for parameter, numbers in zip(self._parameters, state["parameters"], strict=True):
            parameter.restore(numbers)


def bounded(score: float) -> float:
    """Return a score whose square is finite too."""
    return min(max(score, -1e100), 1e100)


def ascend(gradient: Gradient, rate: float) -> None:
    """Let each parameter take one step up a gradient."""
    for parameter, slope in gradient.items():
        parameter.ascend(slope, rate)


@functools.lru_cache(maxsize=1024)
def _options(low: int, high: int, step: int) -> Choice:
    return Choice(range(low, high + 1, step))
