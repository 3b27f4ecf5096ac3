"""Acquisition functions: how much a candidate promises beyond the best so far."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import ndtr

from deep_arch.searchers.parts.gaussian_process import Array, ranks

_BELOW: Final = 0.1
"""How far below the worst scores, in standard deviations, the hypervolume of two objectives begins."""


def score_array(scores: Sequence[tuple[float, ...]]) -> Array:
    """Return (results, objectives); failures, which have no scores, get the worst of each."""
    told = np.array([score for score in scores if score])
    worst = tuple(told.min(0))
    return np.array([score or worst for score in scores])


def best(scores: Array, least: int) -> list[int]:
    """Return the places of the results that none dominates, and further ones that few dominate, at least so many."""
    others = scores[None]
    dominates = (others >= scores[:, None]).all(2) & (others > scores[:, None]).any(2)
    n_above = dominates.sum(1)
    order = np.lexsort((-np.sum([ranks(score) for score in scores.T], axis=0), n_above))
    found: list[int] = order[: max(least, int((n_above == 0).sum()))].tolist()
    return found


def scalarised(scores: Array, rng: random.Random) -> Array:
    """Return (results, 1): a random weighting of how far each objective is from its best, somewhere on the front.

    References:
        Knowles, ParEGO: a hybrid algorithm with on-line landscape approximation for expensive multiobjective
        optimization problems (2006), equation 2.
    """
    weights = np.array([-math.log(1 - rng.random()) for _ in range(scores.shape[1])])
    missing = np.stack([1 - shares(score) for score in scores.T], axis=1) * weights / weights.sum()
    return -(missing.max(1) + 0.05 * missing.sum(1))[:, None]


def shares(scores: Array) -> Array:
    """Return scores as shares of their range, from 0 for the worst to 1 for the best; all 1 where they are equal."""
    scaled = scores / (np.abs(scores).max() or 1.0)  # first, so that no difference overflows
    low, high = scaled.min(), scaled.max()
    return (scaled - low) / (high - low) if high > low else np.ones(len(scores))


def with_pending(scores: Array, n_pending: int) -> Array:
    """Return the scores, and after them the median for what is still out, so that its surroundings promise less.

    References:
        Ginsbourger, Le Riche and Carraro, Kriging is well-suited to parallelize optimization (2010): the constant liar.
    """
    return np.concatenate([scores, np.full(n_pending, np.median(scores))])


def promises(predicted: Sequence[tuple[Array, Array]], scores: Sequence[Array]) -> Array:
    """Return the expected improvement of one score, or the expected hypervolume improvement of two."""
    if len(predicted) == 1:
        return expected_improvement(*predicted[0], scores[0].max())
    means, deviations = zip(*predicted, strict=True)
    told = np.stack(scores, axis=1)
    return expected_hypervolume_improvement(means, deviations, told, told.min(0) - _BELOW)


def expected_improvement(mean: Array, deviation: Array, best: Array | float) -> Array:
    """Return E[max(score - best, 0)] for normally distributed scores.

    References:
        Jones, Schonlau and Welch, Efficient global optimization of expensive black-box functions (1998), equation 15.
    """
    u = (mean - best) / deviation
    density = np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    return deviation * (u * ndtr(u) + density)


def expected_hypervolume_improvement(
    means: Sequence[Array], deviations: Sequence[Array], scores: Array, reference: Array
) -> Array:
    """Return how much hypervolume two independent, normally distributed scores are expected to add, exactly.

    The plane above the front is cut into strips at the first scores of its members: within one, what a point adds is
    the width of the strip below its first score times its second score's excess over the member's.

    Args:
        means, deviations: of the two scores of each candidate.
        scores: (trials, 2), of the results so far.
        reference: (2,), below all that counts.

    References:
        Emmerich, Yang, Deutz, Wang and Fonseca, A multicriteria generalization of Bayesian global optimization
        (2016), section 4.
    """
    falling = front(scores)
    ends = np.concatenate([falling[:, 0], reference[:1]])[None]
    floors = np.concatenate([reference[1:], falling[:, 1]])[None]
    widths = expected_improvement(means[0][:, None], deviations[0][:, None], ends)
    widths[:, 1:] -= widths[:, :-1].copy()
    heights = expected_improvement(means[1][:, None], deviations[1][:, None], floors)
    return (widths * heights).sum(axis=1)


def front(scores: Array) -> Array:
    """Return the rows of two scores that no other row dominates, the first score falling and the second rising."""
    ordered = scores[np.lexsort((-scores[:, 1], -scores[:, 0]))]
    highest = np.maximum.accumulate(ordered[:, 1])
    return ordered[np.concatenate([[True], highest[1:] > highest[:-1]])]
