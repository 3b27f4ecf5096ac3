"""DARTS: the softmax of logits, which climb the slope of the validation score."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.relaxation import Relaxed, softmax


class DARTS(Relaxed):
    """Relax each decision to the softmax of its logits, and let these climb the slope of the validation score.

    A super-network computes every alternative. Of the second order are the slopes that are taken after a step of the
    weights: `model.slopes(score, unrolled=(training_loss, learning_rate))`, where `score` is a function; then they are
    exact, where the paper has finite differences. An architecture has the likeliest options.

    Args:
        learning_rate, momentum, weight_decay: of Adam, which climbs the slopes.

    Raises:
        BadArgument, NotSupported: see `deep_arch.searchers.parts.relaxation.Relaxed`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import DARTS
        >>> net = da.space(lambda x: da.or_({"relu": ops.ReLU, "tanh": ops.Tanh})(x))
        >>> search = da.search(net, DARTS(learning_rate=0.1), trials=20, seed=0)
        >>> for trial in search:  # in place of model = supernet.at(trial), and what that gives
        ...     mixture = trial.weigh(net.start().unassigned[0])
        ...     trial.tell(0.0, slopes={"or.which": (0.0, 1.0)})
        >>> search.searcher.best(2)
        [{'or.which': 'tanh'}, {'or.which': 'relu'}]

    References:
        Liu, Simonyan and Yang, DARTS: differentiable architecture search (ICLR 2019), equations 2 to 7; settings of
        section 3.1.
    """

    def relax(self, logits: Sequence[float]) -> tuple[Sequence[float], Sequence[int], Sequence[float]]:
        """Return the softmax, all positions, and the softmax again."""
        weights = softmax(logits)
        return weights, range(len(weights)), weights
