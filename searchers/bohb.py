"""BOHB: Hyperband, with new configurations from a density of the good ones."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deep_arch.errors import TooDeep
from deep_arch.language.domains import Choice, Domain
from deep_arch.searchers.hyperband import Hyperband
from deep_arch.searchers.parts.checks import check_count, check_number
from deep_arch.searchers.parts.decisions import composed, decisions, identity
from deep_arch.searchers.parts.kernel_density import Axis, KernelDensity, Point, axis, place, point
from deep_arch.searchers.parts.mutation import another
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Values

Result = tuple[float, Point, Values]
"""A gain, minus infinity if there is none, and where it was reached."""


class BOHB(Wrapper):
    """Run Hyperband on what is dense among the good configurations and sparse among the bad ones.

    Both densities are estimated from the results of the largest budget that has enough of them. Of some samples near
    good configurations, the one with the largest ratio of the two densities is proposed. Now and then a configuration
    is drawn at random instead, so that it is never much worse than Hyperband.

    Args:
        min_budget, max_budget, eta: as of `Hyperband`.
        gamma: the share of the results that are good.
        samples: how many are drawn for each proposal.
        random_fraction: of proposals that are drawn at random.
        bandwidth_factor: how much wider than the density's kernels numbers are drawn.
        least_points: how many good results there are at least; None for the number of hyperparameters and one.

    Raises:
        BadArgument: an argument of the wrong kind, or out of its range.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import BOHB
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, BOHB(max_budget=9), trials=200, seed=0)
        >>> for trial in search:
        ...     first, second = trial.values.values()
        ...     trial.tell((2000 - abs(first - 420) - abs(second - 42)) * (1 - 0.9**trial.budget))
        >>> search.best.values
        {'dense.units': 384, 'dense_1.units': 40}

    References:
        Falkner, Klein and Hutter, BOHB: robust and efficient hyperparameter optimization at scale (ICML 2018),
        algorithm 2.
    """

    def __init__(
        self,
        min_budget: float = 1,
        max_budget: float = 81,
        eta: int = 3,
        *,
        gamma: float = 0.15,
        samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3,
        least_points: int | None = None,
    ) -> None:
        super().__init__(Hyperband(min_budget, max_budget, eta, self._draw))
        check_number(self, 0, 1, gamma=gamma, random_fraction=random_fraction)
        check_number(self, 0, bandwidth_factor=bandwidth_factor)
        check_count(self, samples=samples, least_points=1 if least_points is None else least_points)
        self.gamma: Final = gamma
        self.samples: Final = samples
        self.random_fraction: Final = random_fraction
        self.bandwidth_factor: Final = bandwidth_factor
        self.least_points: Final = least_points

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin without results."""
        super().start(space, rng)
        self._results: dict[float, dict[Any, Result]] = {}
        self._model: tuple[KernelDensity, KernelDensity] | None = None

    def ask(self) -> Values | None:
        """Propose what Hyperband does, whose new configurations come from the densities."""
        return self.searcher.ask()

    # --- new configurations --------------------------------------------------------------------------------------

    def _draw(self, space: SearchSpace, rng: random.Random) -> Values:
        self._model = model = self._model or self._fit()
        if model is not None and rng.random() >= self.random_fraction:
            good, bad = model
            candidates = [(good.log(point) - bad.log(point), values) for values, point in self._samples(good)]
            if candidates:
                return max(candidates, key=lambda candidate: candidate[0])[1]
        return space.sample(rng).values

    def _fit(self) -> tuple[KernelDensity, KernelDensity] | None:
        """Return the densities of the good and the bad on the largest budget with enough results."""
        for _, by_identity in sorted(self._results.items(), reverse=True):
            results = sorted(by_identity.values(), key=lambda result: -result[0])
            points = [point for _, point, _ in results]
            least = self.least_points or 1 + max(map(len, points))
            if sum([gain > -math.inf for gain, _, _ in results]) >= least + 2:
                n_good = max(least, int(self.gamma * len(points)))
                n_bad = max(least, len(points) - n_good)
                return KernelDensity(points[:n_good]), KernelDensity(points[-n_bad:])
        return None

    def _samples(self, good: KernelDensity) -> Iterator[tuple[Values, Point]]:
        for center in self.rng.choices(good.points, k=self.samples):
            with contextlib.suppress(TooDeep):  # what is newly reached may not end within the space's limit
                yield self._near(center, good)

    def _near(self, center: Point, good: KernelDensity) -> tuple[Values, Point]:
        """Return a sample of the kernel around a point; what is newly reached is drawn at random."""
        sample: dict[Axis, float] = {}

        def pick(address: str, domain: Domain) -> Any:
            at = axis(address, domain)
            value = self._drawn(domain, center[at], good.bandwidth(at)) if at in center else domain.draw(self.rng)
            sample[at] = place(domain, value)
            return value

        return self.space.decide(lambda point: composed(point, pick)).values, sample

    def _drawn(self, domain: Any, center: float, bandwidth: float) -> Any:
        if isinstance(domain, Choice):
            value = domain.at(int(center))
            return another(domain, value, self.rng) if self.rng.random() < bandwidth else value
        unit = -1.0
        while not 0 <= unit <= 1:
            unit = self.rng.gauss(center, self.bandwidth_factor * bandwidth)
        return domain.at_unit(unit)

    # --- results -------------------------------------------------------------------------------------------------

    def tell(self, trial: FinishedTrial) -> None:
        """Take a result into the densities of its budget; failed trials are bad ones."""
        super().tell(trial)
        if trial.budget is not None:
            self._learn(trial.budget, trial.values, trial.gain if trial.gains else -math.inf)

    def _learn(self, budget: float, values: Values, gain: float) -> None:
        domains = self.space.decidable(values)
        found = point([d for address, domain in domains.items() for d in decisions(domain, address, values[address])])
        self._results.setdefault(budget, {})[identity(values)] = (gain, found, values)
        self._model = None

    def state_dict(self) -> dict[str, Any]:
        """Return Hyperband's state, and the results by budget."""
        results = [
            [budget, self.encode(values), None if gain == -math.inf else gain]
            for budget, by_identity in self._results.items()
            for gain, _, values in by_identity.values()
        ]
        return {**super().state_dict(), "results": results}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the results."""
        super().load_state_dict(state)
        for budget, text, gain in state["results"]:
            self._learn(budget, self.decode(text), -math.inf if gain is None else gain)
