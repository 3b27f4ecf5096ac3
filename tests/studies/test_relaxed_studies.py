"""Studies of relaxed searchers: what they learnt of slopes stays, whoever goes on."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.search import Search
from deep_arch.studies.study import Study
from deep_arch.testing.searcher_spaces import SPACES
from tests.studies.driving import seen, state
from tests.studies.every_searcher import MADE, RELAXED

SPACE = SPACES["conditional"]


def tell(trial: da.Trial) -> dict[str, tuple[float, ...]]:
    """Meet the decisions of a trial, tell made-up slopes of their weights, and return the weights."""
    weights: dict[str, tuple[float, ...]] = {}
    slopes: dict[str, tuple[float, ...]] = {}
    for address, domain in SPACE.decidable(trial.values).items():
        mixture = trial.weigh(ChoicePoint(address, domain, None, trial.values))
        assert mixture is not None
        weights[address] = tuple(map(float, mixture.weights))
        slopes[address] = tuple([zlib.crc32(f"{address} {i}".encode()) / 2**32 for i in range(len(mixture.values))])
    trial.tell(sum(map(max, weights.values())), slopes=slopes)
    return weights


def history(search: Search, n: int) -> list[Any]:
    return [tell(next(search)) for _ in range(n)]


@pytest.mark.parametrize("name", RELAXED)
def test_what_was_learnt_of_slopes_stays(name: str, tmp_path: Path) -> None:
    alone = da.search(SPACE, MADE[name](SPACE), 20, seed=0)
    expected = history(alone, 20)
    found: list[Any] = []
    for seed in range(4):
        study = da.Study(SPACE, MADE[name](SPACE), tmp_path / "runs.db", "digits", seed)
        found += history(study, 5)
        study.close()
    assert found == expected and seen(study) == seen(alone)
    assert study._in_turn(lambda: state(study)) == state(alone)
    assert len({str(weights) for weights in found}) > 5


@pytest.mark.parametrize("name", RELAXED)
def test_workers_learn_of_one_anothers_slopes(name: str, tmp_path: Path) -> None:
    def made() -> Study:
        return da.Study(SPACE, MADE[name](SPACE), tmp_path / "runs.db", "digits", seed=0)

    workers = made(), made()
    for _ in range(8):
        trials = [next(worker) for worker in workers]
        for trial in reversed(trials):
            tell(trial)
    learnt = [worker._in_turn(lambda worker=worker: state(worker)) for worker in workers]  # type: ignore[misc]
    assert learnt[0] == learnt[1] and learnt[0]["told"] == 16
    for worker in workers:
        worker.close()


def test_a_trial_without_slopes_is_refused_and_one_that_failed_teaches_nothing(tmp_path: Path) -> None:
    study = da.Study(SPACE, MADE["DARTS"](SPACE), tmp_path / "runs.db", "digits", seed=0)
    study.run(lambda trial: 1.0, 2, progress=False)
    assert study.counts == {"failed": 2}
    assert "expected slopes beside the score" in (study.trials[0].error or "")
    study.run(lambda trial: tell(trial) and None, 4, progress=False)
    assert study.counts == {"failed": 2, "complete": 2}
    study.close()
