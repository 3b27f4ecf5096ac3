"""Masking with Gumbel weights: all options at once, softly, with noise."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.relaxation import Annealed


class GumbelMasking(Annealed):
    """Relax each decision to soft weights with Gumbel noise.

    For widths a super-network runs the largest once, and its channels are weighed by a mask, the sum of the weights of
    the widths that have them; so memory and time hardly grow with the number of widths.

    Args:
        steps, temperatures: how the temperature falls, at which weights sharpen.
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    References:
        Wan et al., FBNetV2: differentiable neural architecture search for spatial and channel dimensions (CVPR 2020),
        equations 1 to 6. Dong, Liu, Musial and Gabrys, NATS-Bench (TPAMI 2021), where it is mask-gumbel.
    """

    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the soft weights, all positions, and the soft weights again."""
        weights = self.drawn(logits)
        return weights, range(len(weights)), weights
