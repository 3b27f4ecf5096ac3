from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import RandomSearch, SurrogateSearch, surrogate_search
from deep_arch.studies.pareto import hypervolume
from deep_arch.studies.searcher import FinalState, FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract


class TestSurrogateSearch(SearcherContract):
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)


class TestOfGraphKernel(SearcherContract):
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch("weisfeiler_lehman", initial=6, candidates=10, pool=30)


class TestOfForest(SearcherContract):
    n_trials = 16

    def make(self) -> SurrogateSearch:
        return SurrogateSearch("forest", initial=6, candidates=10, pool=30)


class TestOfTwoObjectives(SearcherContract):
    n_objectives = 2
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)


class TestOfThreeObjectives(SearcherContract):
    n_objectives = 3
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)


@da.space
def chain(x: Any) -> Any:
    """Have 4**8 architectures, whose score is how often one operation follows another."""
    for i in range(8):
        x = da.or_(
            {"a": ops.ReLU, "b": ops.Tanh, "c": ops.Sigmoid, "d": ops.Identity}, da.choice(list("abcd"), name=f"at{i}")
        )(x)
    return x


def score(values: Values) -> float:
    word = "".join(values.values()).replace("d", "")
    return word.count("ab") + word.count("bc") / 2


def best_of(searcher: Searcher, seed: int, trials: int = 60) -> float:
    search = da.search(chain, searcher, trials=trials, seed=seed, duplicates="give")
    for trial in search:
        trial.tell(score(trial.values))
    return search.best.score or 0.0


@pytest.mark.parametrize("surrogate", ["gaussian_process", "weisfeiler_lehman", "forest"])
def test_finds_more_than_random_search(surrogate: Any) -> None:
    ours = [best_of(SurrogateSearch(surrogate, pool=100), seed) for seed in range(3)]
    assert sum(ours) > sum(best_of(RandomSearch(), seed, 60) for seed in range(3))


def test_proposes_nothing_twice_while_there_is_something_new() -> None:
    searcher = SurrogateSearch(initial=5)
    searcher.start(chain, random.Random(0))
    seen = set[str]()
    for number in range(40):
        values = searcher.ask()
        assert chain.at(values).to_json() not in seen
        seen.add(chain.at(values).to_json())
        searcher.tell(FinishedTrial(number, values, (score(values),)))


def test_avoids_what_fails() -> None:
    searcher = SurrogateSearch(initial=10)
    searcher.start(chain, random.Random(0))
    failed: list[bool] = []
    for number in range(50):
        values = searcher.ask()
        failed.append("c" in values.values())
        state: Any = "failed" if failed[-1] else "complete"
        searcher.tell(FinishedTrial(number, values, () if failed[-1] else (score(values),), state=state))
    assert sum(failed[:10]) > 7 and sum(failed[-20:]) < 5


def test_several_that_are_out_at_once_differ_more_than_one_step() -> None:
    searcher = SurrogateSearch(initial=10)
    searcher.start(chain, random.Random(0))
    for number in range(30):
        values = searcher.ask()
        searcher.tell(FinishedTrial(number, values, (score(values),)))
    out = [searcher.ask() for _ in range(6)]
    assert len({tuple(values.items()) for values in out}) == 6


def test_learns_from_a_bounded_number_of_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate_search, "MOST_RESULTS", 20)
    searcher = SurrogateSearch(initial=5, candidates=10, pool=20)
    searcher.start(chain, random.Random(0))
    told: list[float] = []
    for number in range(60):
        values = searcher.ask()
        told.append(score(values))
        searcher.tell(FinishedTrial(number, values, (told[-1],)))
    state = searcher.state_dict()
    assert len(state["results"]) == 20 and len(state["forgotten"]) == 40
    assert max(told) in [scores[0] for _, scores in state["results"]]
    assert max(told[-10:]) in [scores[0] for _, scores in state["results"]]


@pytest.mark.parametrize("outcome", [(), (1.0,), "different", "front"])
def test_forgets_also_where_no_result_is_better_than_another(outcome: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate_search, "MOST_RESULTS", 20)
    searcher = SurrogateSearch(initial=40, candidates=5, pool=5)
    searcher.start(chain, random.Random(0))
    for number in range(42):
        scores = {"different": (float(number),), "front": (float(number), -float(number))}.get(outcome, outcome)
        state: FinalState = "complete" if scores else "failed"
        searcher.tell(FinishedTrial(number, searcher.ask(), scores, state=state))
    assert len(searcher.state_dict()["results"]) == 20


def test_fronts_of_two_objectives_are_wider_than_random_ones() -> None:
    def volume(searcher: Searcher, seed: int) -> float:
        search = da.search(chain, searcher, trials=60, seed=seed, directions=["maximize"] * 2)
        for trial in search:
            word = "".join(trial.values.values())
            trial.tell((word.count("a"), score(trial.values)))
        return hypervolume([trial.scores for trial in search.trials], (0.0, 0.0))

    assert sum(volume(SurrogateSearch(), s) for s in range(3)) > sum(volume(RandomSearch(), s) for s in range(3))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"SurrogateSearch: surrogate is 'gaussian_process' or (.|\n)*Got 'oracle'"):
        SurrogateSearch("oracle")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match="SurrogateSearch: pool is an int of at least 1"):
        SurrogateSearch(pool=0)
