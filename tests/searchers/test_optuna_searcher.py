from __future__ import annotations

import functools
import importlib.util
import json
import logging
import random
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.samplers import (
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, MissingDependency, MissingValues, TooDeep
from deep_arch.searchers import Feasible, OptunaSearcher, RandomSearch, within
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES

SAMPLERS: dict[str, Callable[..., Any]] = {
    "random": RandomSampler,
    "independent": functools.partial(TPESampler, multivariate=False, n_startup_trials=5),
    "cma": CmaEsSampler,
    "nsga2": functools.partial(NSGAIISampler, population_size=5),
    "nsga3": functools.partial(NSGAIIISampler, population_size=5),
    "qmc": functools.partial(QMCSampler, scramble=True),
}


@da.space
def numbers(x: Any) -> Any:
    """Two widths, a rate and an option, always the same four hyperparameters."""
    da.config(rate=da.real(1e-4, 1e-1, log=True), kind=da.choice(["a", "b", "c"]))
    x = ops.Dense(units=da.integer(1, 100, log=True))(x)
    return ops.Dense(units=da.integer(2, 100, step=2))(x)


@da.rule
def nested(which: Any) -> Any:
    """Decide with one choice whether every level nests further, so that "sum" never ends."""
    return da.or_({"leaf": ops.ReLU, "sum": lambda x: ops.Add()(nested(which)(x), nested(which)(x))}, which=which)


@da.space
def all_or_nothing(x: Any) -> Any:
    return nested(da.choice(["leaf", "sum"], name="which"))(x)


@da.space
def dynamic(x: Any) -> Any:
    """Let one address have other options, or be a number, depending on another value."""

    def dense(n: int) -> Any:
        return ops.Dense(units=da.integer(1, 9) if n == 9 else da.choice(list(range(1, n + 1))))

    return da.substitute(dense, n=da.choice([2, 3, 9], name="n"))(x)


def started(searcher: OptunaSearcher, space: da.SearchSpace, seed: int = 0) -> OptunaSearcher:
    searcher.start(space, random.Random(seed))
    return searcher


class TestOptunaSearcher(SearcherContract):
    n_trials = 24

    def make(self) -> OptunaSearcher:
        return OptunaSearcher()


class OfSampler(SearcherContract):
    """The same laws for another sampler, with as many objectives as it is told."""

    __test__ = False

    def __init__(self, sampler: Callable[..., Any], n_objectives: int = 1, n_trials: int = 12) -> None:
        self.sampler, self.n_objectives, self.n_trials = sampler, n_objectives, n_trials

    def make(self) -> OptunaSearcher:
        return OptunaSearcher(self.sampler, objectives=self.n_objectives)

    def keeps_the_laws(self, space: str) -> None:
        self.test_takes_results_in_any_order(space)
        self.test_resumes_exactly(space)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_keeps_the_laws(sampler: str, space: str) -> None:
    OfSampler(SAMPLERS[sampler]).keeps_the_laws(space)


@pytest.mark.parametrize("space", ["flat", "conditional", "limited"])
@pytest.mark.parametrize("sampler", [None, SAMPLERS["nsga2"], SAMPLERS["nsga3"]])
def test_several_objectives_keep_the_laws(sampler: Any, space: str) -> None:
    OfSampler(sampler, n_objectives=2).keeps_the_laws(space)


def test_gaussian_processes_keep_the_laws() -> None:
    contract = OfSampler(functools.partial(GPSampler, n_startup_trials=3), n_trials=8)
    contract.test_resumes_exactly("shared_and_dependent")


# --- what the algorithm is -----------------------------------------------------------------------------------------


def loss(values: Values) -> float:
    units = abs(values["dense.units"] - 40) + abs(values["dense_1.units"] - 60)
    return float(units + 100 * values["rate"] + 10 * (values["kind"] != "b"))


@pytest.mark.parametrize("sampler", [TPESampler, CmaEsSampler, SAMPLERS["nsga2"], QMCSampler, RandomSampler])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_proposes_what_optuna_proposes_by_itself(sampler: Any) -> None:
    searcher = started(OptunaSearcher(sampler), numbers)
    study = optuna.create_study(sampler=sampler(seed=random.Random(0).getrandbits(32)), direction="maximize")
    for number in range(25):
        values, trial = searcher.ask(), study.ask()
        expected = {
            "rate": trial.suggest_float("rate", 1e-4, 1e-1, log=True),
            "kind": trial.suggest_categorical("kind", ["a", "b", "c"]),
            "dense.units": trial.suggest_int("dense.units", 1, 100, log=True),
            "dense_1.units": trial.suggest_int("dense_1.units", 2, 100, step=2),
        }
        assert values == expected
        searcher.tell(FinishedTrial(number, expected, (-loss(expected),)))
        study.tell(trial, -loss(expected))


@pytest.mark.parametrize("sampler", [None, functools.partial(CmaEsSampler, warn_independent_sampling=False)])
def test_finds_more_than_random_search(sampler: Any) -> None:
    def best(searcher: da.Searcher, seed: int) -> float:
        search = da.search(numbers, searcher, trials=60, seed=seed, directions="minimize")
        for trial in search:
            trial.tell(loss(trial.values))
        return float(search.best.scores[0])

    assert sum(best(OptunaSearcher(sampler), s) for s in range(3)) < sum(best(RandomSearch(), s) for s in range(3))


def test_two_objectives_give_a_front() -> None:
    space = da.space(lambda x: da.repeat(lambda: ops.Dense(units=da.choice([8, 16])), da.integer(1, 4))(x))
    searcher = OptunaSearcher(SAMPLERS["nsga2"], objectives=2)
    search = da.search(space, searcher, trials=30, seed=0, directions=["maximize", "minimize"])
    for trial in search:
        units = [value for address, value in trial.values.items() if address.endswith("units")]
        trial.tell((len(units), sum(units)))
    assert sorted(trial.scores for trial in search.front) == [(n, 8 * n) for n in (1, 2, 3, 4)]


def test_learns_from_what_it_did_not_propose() -> None:
    space = da.space(lambda x: ops.Dense(units=da.choice(list(range(30))))(x))
    told, untold = started(OptunaSearcher(), space), started(OptunaSearcher(), space)
    for number in range(30):
        told.tell(FinishedTrial(number, {"dense.units": number}, (float(number in (7, 8, 9)),)))
    hits = [
        sum(searcher.ask() in [{"dense.units": n} for n in (7, 8, 9)] for _ in range(5)) for searcher in (told, untold)
    ]
    assert hits[0] == 5 and hits[1] < 5


def test_learns_nothing_from_failures_and_avoids_what_was_skipped() -> None:
    space = da.space(lambda x: ops.Dense(units=da.choice([0, 1]))(x))

    def ones(state: Any) -> int:
        searcher = started(OptunaSearcher(), space)
        for number in range(40):
            units = number % 2
            told = FinishedTrial(
                number, {"dense.units": units}, () if units else (0.0,), {}, state if units else "complete"
            )
            searcher.tell(told)
        return sum(searcher.ask() == {"dense.units": 1} for _ in range(20))

    assert ones("skipped") == 0 < ones("failed")


def test_scores_on_the_way_reach_the_sampler() -> None:
    """A skipped trial is as bad as its last score says."""
    space = da.space(lambda x: ops.Dense(units=da.choice([0, 1, 2]))(x))
    searcher = started(OptunaSearcher(), space)
    for number in range(60):
        units = number % 3
        searcher.tell(FinishedTrial(number, {"dense.units": units}, (), {5: float(units == 1)}, "skipped"))
    assert [searcher.ask() for _ in range(5)] == 5 * [{"dense.units": 1}]


# --- where Optuna and spaces differ --------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [None, *SAMPLERS.values()])
def test_one_address_may_have_other_options(sampler: Any) -> None:
    searcher = started(OptunaSearcher(sampler), dynamic)
    seen: set[tuple[int, int]] = set()
    for number in range(30):
        values = searcher.ask()
        assert values is not None
        seen.add((values["n"], values["substitute/dense.units"]))
        searcher.tell(FinishedTrial(number, values, (random.Random(number).random(),)))
    for n in (2, 3, 9):
        searcher.tell(FinishedTrial(0, {"n": n, "substitute/dense.units": 2}, (0.5,)))
    assert {n for n, _ in seen} == {2, 3, 9} and all(units <= n for n, units in seen)


def test_options_may_be_anything() -> None:
    options = [1, True, 1.0, [1], float("nan"), None, {"a": 1}, "1", ops.ReLU]
    space = da.space(lambda x: da.substitute(lambda option: ops.Identity(), option=da.choice(options))(x))
    searcher = started(OptunaSearcher(), space)
    for number in range(30):
        values = searcher.ask()
        assert values is not None
        assert any(values["substitute.option"] is option for option in options)
        searcher.tell(FinishedTrial(number, values, (0.0,)))


def test_tries_again_where_recursion_cannot_end(monkeypatch: pytest.MonkeyPatch) -> None:
    space = all_or_nothing.limit(max_depth=3)
    searcher = started(OptunaSearcher(RandomSampler), space)
    assert [searcher.ask() for _ in range(10)] == 10 * [{"which": "leaf"}]
    monkeypatch.setattr("deep_arch.searchers.optuna_searcher.MOST_ATTEMPTS", 5)
    given_up = started(OptunaSearcher(functools.partial(GridSampler, {"which": ["sum"]})), space)
    with pytest.raises(TooDeep):
        given_up.ask()


def test_a_duplicate_of_a_trial_that_is_out_is_told_too() -> None:
    space = SPACES["conditional"]
    searcher = started(OptunaSearcher(RandomSampler), space)
    asked = [searcher.ask() for _ in range(40)]
    for number, values in enumerate(asked):
        assert values is not None
        searcher.tell(FinishedTrial(number, values, (0.0,)))
    assert len({json.dumps(values) for values in asked}) < 40
    assert json.loads(json.dumps(searcher.state_dict())) and len(searcher._study.trials) == 40
    assert all(trial.state.name == "COMPLETE" for trial in searcher._study.trials)


@pytest.mark.parametrize(
    "sampler", [BruteForceSampler, functools.partial(GridSampler, {"a.units": [1, 2, 3], "b.units": [4, 8]})]
)
def test_ends_when_the_sampler_has_nothing_left(sampler: Any) -> None:
    space = da.space(
        lambda x: ops.Dense(units=da.choice([4, 8]), name="b")(ops.Dense(units=da.integer(1, 3), name="a")(x))
    )
    search = da.search(space, OptunaSearcher(sampler), trials=100, seed=0, duplicates="give")
    for trial in search:
        trial.tell(0)
    assert len({trial.architecture for trial in search.trials}) == len(search.trials) == space.size()
    assert search.ending == "the searcher had nothing left to propose"
    resumed = started(OptunaSearcher(sampler), space)
    resumed.load_state_dict(json.loads(json.dumps(search.searcher.state_dict())))
    assert resumed.ask() is None


@pytest.mark.parametrize(
    ("sampler", "trials"),
    [(None, 30), (GPSampler, 8), (NSGAIISampler, 30)],
    ids=["TPESampler", "GPSampler", "NSGAIISampler"],
)
def test_infeasible_regions_are_left(sampler: Any, trials: int) -> None:
    wide = da.space(lambda x: da.repeat(lambda: ops.Dense(units=da.integer(8, 512)), da.integer(1, 4))(x))
    small = within(da.vector(8), parameters=20_000)
    search = da.search(wide, Feasible(OptunaSearcher(sampler), small, attempts=200), trials=trials, seed=0)
    for trial in search:
        trial.tell(trial.architecture.cost(da.vector(8)).parameters)
    assert len(search.trials) == trials


def test_a_failure_counts_as_the_worst_so_far() -> None:
    searcher = started(OptunaSearcher(), numbers)
    for number, score in enumerate([None, 3.0, 1.0, None, 2.0]):
        values = searcher.ask()
        assert values is not None
        searcher.tell(
            FinishedTrial(number, values, () if score is None else (score,), state="complete" if score else "failed")
        )
    told = [(trial.state.name, trial.values) for trial in searcher._study.trials]
    assert told == [("FAIL", None), *[("COMPLETE", [score]) for score in (3.0, 1.0, 1.0, 2.0)]]


def test_optuna_prints_nothing_and_keeps_its_verbosity() -> None:
    records: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler, logger = Handler(), logging.getLogger("optuna")
    logger.addHandler(handler)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)  # an example that ran before in this process may have lowered it
    try:
        search = da.search(SPACES["conditional"], OptunaSearcher(), trials=20, seed=0, duplicates="give")
        for trial in search:
            trial.tell(trial.number)
        assert not records
        optuna.create_study(study_name="loud")
        assert [record.getMessage() for record in records] == ["A new study created in memory with name: loud"]
    finally:
        optuna.logging.set_verbosity(before)
        logger.removeHandler(handler)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_a_sampler_that_is_made_already_begins_from_the_seed_of_the_search(sampler: Any) -> None:
    def history(searcher: OptunaSearcher, seed: int) -> list[str]:
        searcher.start(numbers, random.Random(seed))
        found: list[str] = []
        for number in range(15):
            values = searcher.ask()
            assert values is not None
            found.append(numbers.at(values).to_json())
            searcher.tell(FinishedTrial(number, values, (float(values["dense.units"]),)))
        return found

    made = OptunaSearcher(sampler())
    assert history(made, 0) == history(made, 0) == history(OptunaSearcher(sampler()), 0) != history(made, 1)


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [lambda: 3, lambda seed: 3])
def test_what_makes_no_sampler_is_refused(wrong: Any) -> None:
    with pytest.raises(BadArgument, match=r"OptunaSearcher: expected a sampler"):
        started(OptunaSearcher(wrong), numbers)


def test_what_is_no_sampler_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"OptunaSearcher: expected a sampler of optuna.samplers(.|\n)*Got 3 \(int\)"):
        OptunaSearcher(3)


def test_objectives_are_checked() -> None:
    with pytest.raises(BadArgument, match="objectives is an int of at least 1"):
        OptunaSearcher(objectives=0)
    searcher = started(OptunaSearcher(), numbers)
    with pytest.raises(BadArgument, match=r"here 1(.|\n)*Got 2: \(1.0, 2.0\)(.|\n)*OptunaSearcher\(objectives=2\)"):
        searcher.tell(FinishedTrial(0, numbers.sample(seed=0).values, (1.0, 2.0)))


def test_what_the_sampler_does_not_know_is_named() -> None:
    searcher = started(OptunaSearcher(functools.partial(GridSampler, {"rate": [0.01]})), numbers)
    with pytest.raises(MissingValues, match=r"^kind: got no value from Optuna; it must be one of \('a', 'b', 'c'\)"):
        searcher.ask()
    assert [trial.state.name for trial in searcher._study.trials] == ["FAIL"]


def test_a_sampler_that_cannot_be_pickled_is_named() -> None:
    def local_crossover(seed: int) -> Any:
        return NSGAIISampler(seed=seed, elite_population_selection_strategy=lambda study, population: population)

    searcher = started(OptunaSearcher(local_crossover), numbers)
    with pytest.raises(BadArgument, match=r"must be possible to pickle(.|\n)*at the head of a module"):
        searcher.state_dict()


def test_missing_optuna_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependency, match=r'pip install "deep_arch\[optuna\]"'):
        OptunaSearcher()
