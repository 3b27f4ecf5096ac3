"""GDAS: one alternative drawn by Gumbel noise, and slopes straight through."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.relaxation import Annealed


class GDAS(Annealed):
    """Draw one option of each decision, and let the logits climb as though the soft weights had been used.

    A super-network computes only what was drawn, so a step costs what that of a single architecture does. It is the
    variant that multiplies the drawn alternative alone; the paper also adds the others, each times zero.

    Args:
        steps, temperatures: how the temperature of the draw falls.
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    Example:
        >>> from deep_arch.searchers import GDAS
        >>> GDAS(steps=500).temperatures
        (10.0, 0.1)

    References:
        Dong and Yang, Searching for a robust neural architecture in four GPU hours (CVPR 2019), equations 3 to 7.
    """

    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return a one-hot weight, its position, and the soft weights."""
        soft = self.drawn(logits)
        first = max(range(len(soft)), key=soft.__getitem__)
        return [float(i == first) for i in range(len(soft))], [first], soft
