"""Tables of what a search found, beside what is counted by hand; and which hyperparameters are found to matter."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

import deep_arch as da
from deep_arch import analysis, ops
from deep_arch.errors import BadArgument, MissingDependency
from deep_arch.searchers import GridSearch, RandomSearch
from deep_arch.studies.directions import Direction
from deep_arch.studies.search import Search
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

UNITS = "dense.units"


@da.space
def layer(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 1000))(x)


@da.space
def maybe(x: Any) -> Any:
    """Have a rate only where there is dropout, and a name that a column has too."""
    da.config(state=da.choice(["on", "off"], name="state"))
    return da.optional(lambda: ops.Dropout(rate=da.real(0, 0.5)))(x)


class Script(Searcher):
    """Propose what it was given."""

    def __init__(self, proposals: Sequence[Values]) -> None:
        self.proposals = list(proposals)

    def ask(self) -> Values | None:
        return self.proposals.pop(0) if self.proposals else None

    def tell(self, trial: FinishedTrial) -> None:
        pass


def searched(scores: Sequence[Any], directions: Direction | Sequence[Direction] = "maximize") -> Search:
    """Return a search whose trials have these scores; one with the score None was skipped."""
    script = Script([{UNITS: 1 + i} for i in range(len(scores))])
    search = da.search(layer, script, trials=len(scores), directions=directions)
    for trial, score in zip(search, scores, strict=True):
        trial.skip() if score is None else trial.tell(score)
    return search


def column(table: Any, name: str) -> list[float | None]:
    """Return a column as plain numbers, with None for NaN."""
    return [None if math.isnan(value) else value for value in table[name].tolist()]


# --- trials --------------------------------------------------------------------------------------------------------


def test_frame_has_a_row_for_each_trial_and_nan_where_an_address_was_not_reached() -> None:
    values = [maybe.sample(seed=seed).values for seed in range(20)]
    first, off = (next(v for v in values if len(v) == n) for n in (3, 2))
    search = da.search(maybe, Script([first, off]), trials=2)
    next(search).tell(0.5)
    next(search).fail("it went wrong")
    table = analysis.frame(search)
    assert list(table.index) == [0, 1] and table.index.name == "trial"
    assert list(table.columns)[:3] == ["state", "budget", "score"] and table["state"].tolist() == ["complete", "failed"]
    assert column(table, "score") == [0.5, None] and column(table, "budget") == [None, None]
    (rate,) = first.keys() - off.keys()
    assert column(table, rate) == [first[rate], None]


def test_frame_tells_an_address_from_a_column_of_its_name() -> None:
    search = da.search(maybe, RandomSearch(), trials=3, seed=0)
    for trial in search:
        trial.tell(1)
    table = analysis.frame(search)
    assert table["state"].tolist() == ["complete"] * 3
    assert table["value.state"].tolist() == [trial.values["state"] for trial in search.trials]


def test_frame_shows_the_option_none() -> None:
    @da.space
    def net(x: Any) -> Any:
        da.config(clip=da.choice([None, 1.5]))
        return da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5])))(x)

    search = da.search(net, GridSearch(), trials=6)
    for trial in search:
        trial.tell(1)
    table = analysis.frame(search)
    assert table["clip"].tolist() == [trial.values["clip"] for trial in search.trials]
    assert table["optional/dropout.rate"].isna().sum() == 2 and table["optional/dropout.rate"].dtype == float


def test_frame_numbers_the_scores_of_several_objectives() -> None:
    search = searched([(1, 10), None], ["maximize", "minimize"])
    for trials in (search, search.trials):
        table = analysis.frame(trials)
        assert list(table.columns) == ["state", "budget", "score_0", "score_1", UNITS]
        reference: Any = np.array([0, 20])
        assert column(analysis.hypervolume(trials, reference, ["maximize", "minimize"]), "hypervolume") == [10, 10]
        assert column(table, "score_1") == [10, None]


def test_tables_of_no_trials_are_empty() -> None:
    search = searched([])
    for table in (analysis.frame(search), analysis.best_so_far(search), analysis.pareto_front([])):
        assert len(table) == 0
    assert list(analysis.frame(searched([], ["maximize", "minimize"])).columns)[2:] == ["score_0", "score_1"]


# --- progress ------------------------------------------------------------------------------------------------------


def test_best_so_far_passes_over_trials_without_scores() -> None:
    scores = [None, 3, 1, None, 4, 2]
    assert column(analysis.best_so_far(searched(scores)), "best") == [None, 3, 3, 3, 4, 4]
    assert column(analysis.best_so_far(searched(scores, "minimize")), "best") == [None, 3, 1, 1, 1, 1]


def test_trials_alone_are_maximised_unless_told_otherwise() -> None:
    trials = searched([2, 1, 3], "minimize").trials
    assert column(analysis.best_so_far(trials), "best") == [2, 2, 3]
    assert column(analysis.best_so_far(trials, "minimize"), "best") == [2, 1, 1]


def test_regret_is_the_distance_from_the_optimum() -> None:
    scores = [None, 3, 1, 4]
    assert column(analysis.regret(searched(scores), 5), "regret") == [None, 2, 2, 1]
    assert column(analysis.regret(searched(scores, "minimize"), 0.5), "regret") == [None, 2.5, 0.5, 0.5]


# --- several objectives --------------------------------------------------------------------------------------------

POINTS = [(3, 9), (1, 2), None, (2, 5), (2, 6), (3, 9), (0, 8)]


def test_pareto_front_is_what_nothing_dominates() -> None:
    table = analysis.pareto_front(searched(POINTS, ["maximize", "minimize"]))
    assert list(table.index) == [0, 5, 3, 1]
    assert table[["score_0", "score_1"]].to_numpy().tolist() == [[3, 9], [3, 9], [2, 5], [1, 2]]
    assert list(analysis.pareto_front(searched(POINTS, ["minimize", "minimize"])).index) == [6, 1]


def test_pareto_front_is_that_of_the_search() -> None:
    rng = random.Random(0)
    points = [(rng.randint(0, 9), rng.randint(0, 9), rng.randint(0, 9)) for _ in range(60)]
    search = searched(points, ["maximize", "minimize", "maximize"])
    assert sorted(analysis.pareto_front(search).index) == [trial.number for trial in search.front]


def test_hypervolume_grows_with_the_front() -> None:
    search = searched(POINTS, ["maximize", "minimize"])
    # From (0, 10) they reach 3 x 1; 1 x 8, of which 1 x 7 is new; and 2 x 5, of which 1 x 4 is new.
    expected = [3, 10, 10, 14, 14, 14, 14]
    assert column(analysis.hypervolume(search, (0, 10)), "hypervolume") == expected
    turned = [None if point is None else (-point[0], point[1]) for point in POINTS]
    search = searched(turned, ["minimize", "minimize"])
    assert column(analysis.hypervolume(search, (0, 10)), "hypervolume") == expected


def test_hypervolume_counts_cells_of_three_objectives() -> None:
    rng = random.Random(1)
    points = [(rng.randint(0, 5), rng.randint(0, 5), rng.randint(0, 5)) for _ in range(15)]
    cells = list(itertools.product(range(5), repeat=3))
    for n, found in enumerate(analysis.hypervolume(searched(points, ["maximize"] * 3), (0, 0, 0))["hypervolume"], 1):
        assert found == sum(any(all(c < s for c, s in zip(cell, p, strict=True)) for p in points[:n]) for cell in cells)


# --- repeated runs -------------------------------------------------------------------------------------------------


def test_compare_summarises_runs_trial_by_trial() -> None:
    runs = {"a": [searched([1, 2, 4]), searched([3, 1]), searched([None, 5, 6])], "b": [searched([7])]}
    table = analysis.compare(runs)
    assert table.index.names == ["searcher", "trial"] and list(table.columns) == ["mean", "std", "q25", "median", "q75"]
    for place, values in ((1, [2.0, 3.0, 5.0]), (2, [4.0, 3.0, 6.0])):  # the second run keeps its 3
        row = table.loc["a", place]
        assert row["mean"] == pytest.approx(np.mean(values)) and row["std"] == pytest.approx(np.std(values, ddof=1))
        assert row[["q25", "median", "q75"]].tolist() == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert table.loc["a", 0].isna().all(), "one run had no score yet"
    assert table.loc["b", 0]["mean"] == 7 and math.isnan(table.loc["b", 0]["std"])


def test_compare_takes_another_measure() -> None:
    runs = [searched([(1, 2)], ["maximize", "minimize"]), searched([(2, 1)], ["maximize", "minimize"])]
    table = analysis.compare({"a": runs}, lambda search: analysis.hypervolume(search, (0, 4)))
    assert table.loc["a", 0]["mean"] == (1 * 2 + 2 * 3) / 2


# --- which hyperparameters matter ----------------------------------------------------------------------------------


def importances(space: da.SearchSpace, score: Any, n: int = 300, **settings: Any) -> dict[str, float]:
    search = da.search(space, RandomSearch(), trials=n, seed=0)
    for trial in search:
        trial.tell(score(trial.values))
    table = analysis.importance(search, **settings)
    assert list(table["importance"]) == sorted(table["importance"], reverse=True)
    found: dict[str, float] = table["importance"].to_dict()
    return found


@da.space
def kinds(x: Any) -> Any:
    """Have a hyperparameter of every kind of domain."""
    da.config(
        rate=da.real(1e-4, 1e-1, log=True, name="rate"),
        order=da.permutation(["a", "b", "c"], name="order"),
        parts=da.subset(range(4), 2, name="parts"),
        units=da.integer(1, 100, name="units"),
        kind=da.choice([ops.ReLU, ops.Tanh, None], name="kind"),
    )
    return ops.ReLU()(x)


SCORES: dict[str, Any] = {
    "rate": lambda values: -abs(math.log10(values["rate"]) + 2.5),
    "order": lambda values: values["order"].index("b"),
    "parts": lambda values: 3 in values["parts"],
    "units": lambda values: values["units"],
    "kind": lambda values: values["kind"] is ops.Tanh,
}


@pytest.mark.parametrize("name", SCORES)
def test_importance_finds_the_hyperparameter_that_matters(name: str) -> None:
    found = importances(kinds, SCORES[name])
    assert found.keys() == SCORES.keys()
    assert found.pop(name) == pytest.approx(1, abs=0.1)
    assert max(found.values()) < 0.03


@da.space
def two_numbers(x: Any) -> Any:
    da.config(a=da.real(0, 1, name="a"), b=da.real(0, 1, name="b"), c=da.real(0, 1, name="c"))
    return ops.ReLU()(x)


def test_importance_is_the_total_sobol_index() -> None:
    # Var(2 a) = 4/12 and Var(b) = 1/12, so that the shares are 4/5 and 1/5.
    found = importances(two_numbers, lambda values: 2 * values["a"] + values["b"], n=600)
    assert found["a"] == pytest.approx(0.8, abs=0.06) and found["b"] == pytest.approx(0.2, abs=0.04)
    assert found["c"] < 0.01
    # All of the variation is interaction: each of the two has a part in all of it.
    both = importances(two_numbers, lambda values: (values["a"] > 0.5) != (values["b"] > 0.5), n=600)
    assert both["a"] == pytest.approx(1, abs=0.1) and both["b"] == pytest.approx(1, abs=0.1) and both["c"] < 0.05


@pytest.mark.parametrize("scale", [1e-200, 1e300])
def test_importance_is_of_scores_of_any_size(scale: float) -> None:
    found = importances(two_numbers, lambda values: scale * (2 * values["a"] + values["b"]), n=100)
    as_usual = importances(two_numbers, lambda values: 2 * values["a"] + values["b"], n=100)
    assert found == pytest.approx(as_usual, abs=0.01)  # the forest breaks ties by rounding


@da.space
def branches(x: Any) -> Any:
    """Have a rate only in one branch, and one unrelated number."""
    da.config(noise=da.real(0, 1, name="noise"))
    return da.or_({"rate": lambda: ops.Dropout(rate=da.real(0, 0.5)), "none": ops.Identity})(x)


def test_importance_of_a_conditional_hyperparameter() -> None:
    addresses = dict.fromkeys(a for seed in range(20) for a in branches.sample(seed=seed).values)
    (which,), (rate,) = ([a for a in addresses if a.endswith(ending)] for ending in ("which", "rate"))
    # The rate r is uniform on [0, 1/2] in half of the trials, where the score is 10 r, and 0 elsewhere:
    # Var = 100 (1/2 E[r^2] - (1/2 E[r])^2) = 100 (1/24 - 1/64), of which Var(r)/2 = 100/96 is the rate's.
    found = importances(branches, lambda values: 10 * values.get(rate, 0.0), n=600)
    assert found[rate] == pytest.approx((1 / 96) / (1 / 24 - 1 / 64), abs=0.06)
    assert found[which] > 0.6 and found["noise"] < 0.02
    only = importances(branches, lambda values: values[which] == "rate")
    assert only[which] == pytest.approx(1, abs=0.1)
    assert only[rate] < 0.02, "that the rate exists tells nothing but the branch"


def test_importance_leaves_out_what_is_not_searched() -> None:
    assert set(importances(two_numbers.fix({"a": 0.5}), lambda values: values["b"])) == {"b", "c"}


def test_importance_repeats_exactly_and_moves_no_global_state() -> None:
    before = repr(np.random.get_state(legacy=False))
    first, second, other = (importances(two_numbers, lambda v: v["a"] + v["b"], 50, seed=s) for s in (1, 1, 2))
    assert first == second != other and repr(np.random.get_state(legacy=False)) == before


def test_importance_where_nothing_matters_or_nothing_is_chosen() -> None:
    assert set(importances(two_numbers, lambda values: 1.0, 10).values()) == {0.0}
    script = Script([{}, {}])
    search = da.search(da.space(lambda x: ops.ReLU()(x)), script, trials=2, duplicates="give")
    for trial in search:
        trial.tell(trial.number)
    assert len(analysis.importance(search)) == 0


def test_importance_of_one_of_several_objectives() -> None:
    search = da.search(two_numbers, RandomSearch(), trials=200, seed=0, directions=["maximize", "minimize"])
    for trial in search:
        trial.tell((trial.values["a"], trial.values["b"]))
    assert analysis.importance(search).index[0] == "a" and analysis.importance(search, objective=1).index[0] == "b"


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: analysis.frame([1, 2]), "frame: expected a search, or a sequence of trials.\n  Got 1 (int)."),  # type: ignore[list-item]
        (
            lambda: analysis.best_so_far(searched([(1, 2)], ["maximize", "minimize"])),
            "best_so_far: expected one objective.\n  Got ('maximize', 'minimize') (tuple).\n  For several read",
        ),
        (lambda: analysis.regret(searched([1]), 1, ["maximize"] * 2), "regret: expected trials with 2 scores, one for"),
        (lambda: analysis.pareto_front(searched([1]), "up"), "directions is 'maximize', 'minimize', or a"),  # type: ignore[arg-type]
        (
            lambda: analysis.hypervolume(searched([(1, 2)], ["maximize", "minimize"]), (0,)),
            "hypervolume: expected a reference with a score for each of the 2 objectives.\n  Got (0,) (tuple).",
        ),
        (lambda: analysis.compare({}), "compare: expected a mapping from the names of searchers"),
        (lambda: analysis.compare([searched([1])]), "compare: expected a mapping from the names of searchers"),  # type: ignore[arg-type]
        (lambda: analysis.regret(searched([1]), "1"), "regret: expected a number.\n  Got '1' (str)."),  # type: ignore[arg-type]
        (lambda: analysis.hypervolume(searched([1]), ["1"]), "hypervolume: expected a number.\n  Got '1' (str)."),  # type: ignore[list-item]
        (lambda: analysis.compare({"a": []}), "compare: expected a list of searches for 'a'.\n  Got [] (list)."),
        (lambda: analysis.compare({"a": searched([1])}), "compare: expected a list of searches for 'a'."),  # type: ignore[dict-item]
        (lambda: analysis.importance(searched([1, None])), "importance: expected at least two complete trials."),
        (lambda: analysis.importance(searched([1, 2]), 1), "importance: expected an objective from 0 to 0.\n  Got 1 "),
        (lambda: analysis.importance(searched([1, 2]), n_repeats=0), "expected n_repeats to be an int of at least 1."),
    ],
)
def test_errors_teach(use: Any, message: str) -> None:
    with pytest.raises(BadArgument, match=re.escape(message)):
        use()


def test_missing_packages_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for use in (analysis.frame, analysis.importance):
        with pytest.raises(MissingDependency, match=re.escape('pip install "deep_arch[searchers]"')):
            use(searched([1, 2]))


def test_tables_are_those_of_pandas() -> None:
    assert isinstance(analysis.frame(searched([1])), pd.DataFrame)
