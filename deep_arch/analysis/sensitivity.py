"""Sensitivity: how much of what a random forest learns of the scores depends on each hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deep_arch.extras import imported
from deep_arch.language.domains import Choice, Domain, Numeric
from deep_arch.language.subsets import Subset
from deep_arch.studies.trial import Trial


def total_effects(
    trials: Sequence[Trial], scores: Sequence[float], n_repeats: int, seed: int
) -> dict[str, list[float]]:
    """Return for each address its total Sobol index in a forest that learned the scores, once for each repeat.

    References:
        Jansen, Analysis of variance designs for model output (1999), for the estimate of the index.
    """
    ensemble, numpy = imported("sklearn.ensemble"), imported("numpy")
    rng = numpy.random.default_rng(seed)
    features = _features(trials, rng)
    if not features:
        return {}
    inputs = numpy.concatenate(list(features.values()), axis=1)
    told = numpy.array(scores, dtype=float)
    for _ in range(2):  # to a range of about 1, in which no square overflows or vanishes
        told = told / (abs(told).max() or 1.0)
        told -= told.mean()
    forest = ensemble.RandomForestRegressor(random_state=seed).fit(inputs, told)
    predicted = forest.predict(inputs)
    variance = predicted.var() or 1.0

    def effect(start: int, columns: Any) -> float:
        changed = inputs.copy()
        changed[:, start : start + columns.shape[1]] = columns
        return float(((forest.predict(changed) - predicted) ** 2).mean() / 2 / variance)

    effects: dict[str, list[float]] = {}
    start = 0
    for address, columns in features.items():
        effects[address] = [effect(start, rng.permutation(columns)) for _ in range(n_repeats)]
        start += columns.shape[1]
    return effects


def _features(trials: Sequence[Trial], rng: Any) -> dict[str, Any]:
    """Return address to an array with a row for each trial, filled with drawn rows where it was not reached."""
    rows: dict[str, dict[int, list[float]]] = {}
    for i, trial in enumerate(trials):
        for address, domain in trial.architecture.space.decidable(trial.values).items():
            rows.setdefault(address, {})[i] = _encoded(domain, trial.values[address])
    return {address: _filled(present, len(trials), rng) for address, present in rows.items()}


def _filled(present: dict[int, list[float]], n: int, rng: Any) -> Any:
    known = list(present.values())
    drawn: list[int] = rng.integers(len(known), size=n).tolist()
    rows = [present[i] if i in present else known[drawn[i]] for i in range(n)]
    width = max(map(len, known))  # of a subset whose size depends on another hyperparameter
    return imported("numpy").array([[*row, *[-1.0] * (width - len(row))] for row in rows], dtype=float)


def _encoded(domain: Domain, value: Any) -> list[float]:
    """Return a value as numbers: on the scale of its domain, or by the positions of options."""
    if isinstance(domain, Numeric):
        return [domain.unit(value)]
    if isinstance(domain, Choice):
        return [float(domain.position(value) or 0)]
    assert isinstance(domain, Subset), "there are no other domains"
    return [float(position or 0) for position in domain.positions(value)]
