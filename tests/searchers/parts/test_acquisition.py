from __future__ import annotations

import math
import random

import numpy as np
import pytest

from deep_arch.searchers.parts.acquisition import (
    best,
    expected_hypervolume_improvement,
    expected_improvement,
    front,
    scalarised,
    score_array,
    with_pending,
)
from deep_arch.studies.pareto import hypervolume

RNG = np.random.default_rng(0)


def test_expected_improvement_is_an_expectation() -> None:
    mean, deviation = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0])
    draws = mean + deviation * RNG.standard_normal((200_000, 3))
    assert expected_improvement(mean, deviation, 0.7) == pytest.approx(np.maximum(draws - 0.7, 0).mean(0), abs=0.01)


def test_expected_hypervolume_improvement_is_an_expectation() -> None:
    scores = np.array([[0.0, 3.0], [1.0, 2.0], [2.0, 0.5], [0.5, 0.5]])
    reference = np.array([-1.0, -1.0])
    means, deviations = [np.array([0.8]), np.array([1.9])], [np.array([1.0]), np.array([0.7])]
    draws = np.stack([m + d * RNG.standard_normal(4000) for m, d in zip(means, deviations, strict=True)], axis=1)
    before = hypervolume(scores.tolist(), reference.tolist())
    gained = [hypervolume([*scores.tolist(), draw.tolist()], reference.tolist()) - before for draw in draws]
    found = expected_hypervolume_improvement(means, deviations, scores, reference)
    assert found[0] == pytest.approx(np.mean(gained), abs=4 * np.std(gained) / np.sqrt(4000))


def test_the_front_falls_in_the_first_score_and_rises_in_the_second() -> None:
    scores = np.array([[0.0, 3.0], [2.0, 0.5], [1.0, 2.0], [0.5, 0.5], [2.0, 0.4], [1.0, 2.0]])
    assert front(scores).tolist() == [[2.0, 0.5], [1.0, 2.0], [0.0, 3.0]]


def test_the_best_are_the_front_and_then_what_few_dominate() -> None:
    assert best(np.array([[3.0], [1.0], [2.0]]), 2) == [0, 2]
    scores = np.array([[0.0, 3.0], [2.0, 0.5], [1.0, 2.0], [0.5, 0.4], [0.1, 0.1]])
    assert set(best(scores, 1)) == {0, 1, 2} and best(scores, 4)[3] == 3


def test_failures_get_the_worst_scores() -> None:
    assert score_array([(1.0, 5.0), (), (2.0, 3.0)]).tolist() == [[1, 5], [1, 3], [2, 3]]


def test_random_weightings_prefer_several_places_of_the_front() -> None:
    scores = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5], [0.6, 0.6, 0.6], [0.1, 0.1, 0.1]])
    rng = random.Random(0)
    winners = {int(scalarised(scores, rng).argmax()) for _ in range(200)}
    assert winners == {0, 1, 2}


def test_a_weighting_is_the_augmented_distance_from_the_best() -> None:
    scores = np.array([[0.0, 30.0], [2.0, 10.0], [1.0, 20.0]])
    rng = random.Random(3)
    weights = [-math.log(1 - rng.random()) for _ in range(2)]
    a, b = (weight / sum(weights) for weight in weights)
    expected = [-(a + 0.05 * a), -(b + 0.05 * b), -(max(a, b) / 2 + 0.05 * (a + b) / 2)]
    assert scalarised(scores, random.Random(3))[:, 0] == pytest.approx(expected)
    assert scalarised(scores * 1e306, random.Random(3))[:, 0] == pytest.approx(expected)
    assert not scalarised(np.full((3, 2), 7.0), random.Random(3)).any()


def test_what_is_out_counts_as_middling() -> None:
    assert with_pending(np.array([1.0, 2.0, 9.0]), 2).tolist() == [1, 2, 9, 2, 2]
