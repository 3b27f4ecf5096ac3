"""TAS: two widths at a time, interpolated over channels."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.relaxation import Annealed, softmax


class InterpolatedWidths(Annealed):
    """Draw two options of each decision without replacement, and add them by their weights.

    Widths are brought to the larger of the two by averages over neighbouring channels.

    Args:
        steps, temperatures: how the temperature of the draw falls.
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    References:
        Dong and Yang, Network pruning via transformable architecture search (NeurIPS 2019), equations 3 to 5. The
        two are those with the largest noisy logits, which is a draw from the softmax without replacement as in the
        paper; its authors' code draws them from the softmax of the noisy logits, at the temperature.
    """

    interpolated = True

    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the weights of two options, their positions, and the same weights."""
        noisy = self.noisy(logits)
        active = sorted(sorted(range(len(noisy)), key=noisy.__getitem__)[-2:])
        weights = [0.0] * len(noisy)
        for i, weight in zip(active, softmax([noisy[i] for i in active]), strict=True):
            weights[i] = weight
        return weights, active, weights
