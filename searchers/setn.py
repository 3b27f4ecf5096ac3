"""SETN: weights trained on paths drawn uniformly, logits on the softmax."""

from __future__ import annotations

from typing import Any

from deep_arch.searchers.darts import DARTS
from deep_arch.spaces.choice_points import ChoicePoint


class SETN(DARTS):
    """Propose architectures drawn uniformly over the choices, for the weights, and relax each decision as DARTS does.

    In a step, the shared weights are trained on the trial's architecture, and the logits told the slopes of the trial's
    relaxed state::

        for trial in da.search(net, searcher, trials=5_000, seed=0):
            train(supernet.at(trial.architecture), *next(training_batches))
            model = supernet.at(trial)
            score = -loss(model, *next(validation_batches))
            trial.tell(score, slopes=model.slopes(score))
        candidates = searcher.best(100)  # of which the shared weights choose one

    Args:
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    References:
        Dong and Yang, One-shot neural architecture search via self-evaluated template network (ICCV 2019), section 3.
    """

    def choose(self, point: ChoicePoint) -> Any:
        """Draw from the domain."""
        return point.domain.draw(self.rng)
