"""TAS: two widths at a time, interpolated over channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deep_arch.searchers.parts.relaxation import Annealed
from deep_arch.spaces.mixtures import Mixture


class InterpolatedWidths(Annealed):
    """Draw two options of each decision without replacement, and add them by their weights.

    Widths are brought to the larger of the two by averages over neighbouring channels.

    Args:
        steps, temperatures: how the temperature of the draw falls.
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    References:
        Dong and Yang, Network pruning via transformable architecture search (NeurIPS 2019), equations 3 to 5.
    """

    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the weights of two options, their positions, and the same weights."""
        soft = self.drawn(logits)
        first = self._picked(soft)
        second = self._picked([0.0 if i == first else p for i, p in enumerate(soft)])
        total = soft[first] + soft[second]
        weights = [p / total if i in (first, second) else 0.0 for i, p in enumerate(soft)]
        return weights, sorted({first, second}), weights

    def mixture(self, values: tuple[Any, ...], weights: Sequence[float], active: Sequence[int]) -> Mixture:
        """Return a mixture whose widths are interpolated."""
        return Mixture(values, tuple(weights), tuple(active), interpolated=True)

    def _picked(self, weights: Sequence[float]) -> int:
        left = self.rng.random() * sum(weights)
        for i, weight in enumerate(weights):
            left -= weight
            if left < 0 < weight:
                return i
        return max(range(len(weights)), key=weights.__getitem__)
