"""What a study writes for other tools, beside what its trials hold; and the tables and plots of studies."""

from __future__ import annotations

import json
import math
import os
import random
import re
import weakref
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import analysis, ops
from deep_arch.analysis.columns import results, tabulated, values
from deep_arch.analysis.exporting import write_jsonl
from deep_arch.errors import BadArgument
from deep_arch.searchers import GridSearch, Hyperband, RandomSearch
from deep_arch.studies.study import Study
from deep_arch.studies.trial import Trial
from deep_arch.testing.searcher_spaces import SPACES
from deep_arch.visualization import plot_scores, score_curve

pandas = pytest.importorskip("pandas")

RUN = ["started", "finished", "duration_s", "worker", "error"]


@da.space
def net(x: Any) -> Any:
    return da.repeat(lambda: ops.Dense(units=da.choice([8, 16, 32])), da.integer(1, 3))(x)


@da.space
def named(x: Any) -> Any:
    """Have addresses that are called like columns."""
    da.config(worker=da.choice(["a", "b"], name="worker"), state=da.choice([None, "on"], name="state"))
    x = ops.Dense(units=da.choice([1, 2]), name="attribute")(x)
    return ops.Dense(units=da.choice([3, 4]), name="value")(x)


def scored(space: da.SearchSpace, n: int = 12, storage: Any = None, **arguments: Any) -> Study:
    """Return a study whose trials have scores that follow from their values."""
    study = Study(space, RandomSearch(), storage, seed=0, trials=n, **arguments)
    for trial in study:
        trial.report(score(trial), step=3)
        trial.tell(tuple([score(trial, i) for i, _ in enumerate(study.directions)]))
    return study


def score(trial: Trial, objective: int = 0) -> float:
    return random.Random(repr((objective, trial.values))).random()


def of_all_states() -> Study:
    """Return a study with a trial of each state, the last of which runs."""
    study = Study(net, RandomSearch(), None, seed=0, trials=4)
    first, *others = [study.ask() for _ in range(4)]
    assert first is not None
    first.set_attribute("sizes", [1, [2]])
    first.set_attribute("score", None)
    first.tell(0.5)
    failed, skipped, running = others
    assert failed is not None and skipped is not None and running is not None
    failed.fail("no memory")
    skipped.set_attribute("why", "large")
    skipped.skip()
    running.set_attribute("score", 2)
    return study


# --- tables --------------------------------------------------------------------------------------------------------


def test_a_table_has_what_frame_has_and_after_it_all_else_that_is_known() -> None:
    study = of_all_states()
    table: Any = study.to_dataframe()
    frame: Any = analysis.frame(study)
    attributes = ["attribute.sizes", "attribute.score", "attribute.why"]
    assert list(table.columns) == [*frame.columns, *attributes, *RUN]
    pandas.testing.assert_frame_equal(table[list(frame.columns)], frame)
    assert table["state"].tolist() == ["complete", "failed", "skipped", "running"]
    assert table["error"].tolist()[1] == "no memory" and table["error"].isna().tolist() == [True, False, True, True]
    assert set(table["worker"]) == {trial.worker for trial in study.trials} != {None}


def test_attributes_are_cells_also_lists_and_none_and_missing_ones_are_nan() -> None:
    table: Any = of_all_states().to_dataframe()
    sizes, score = table["attribute.sizes"].tolist(), table["attribute.score"].tolist()
    assert sizes[0] == [1, [2]] and all(math.isnan(cell) for cell in sizes[1:])
    assert score[0] is None and math.isnan(score[1]) and math.isnan(score[2]) and score[3] == 2
    assert table["score"].tolist()[0] == 0.5


def test_times_are_moments_and_what_runs_has_not_finished() -> None:
    study = of_all_states()
    table: Any = study.to_dataframe()
    for trial in study.trials:
        row = table.loc[trial.number]
        started = datetime.fromtimestamp(trial.started, timezone.utc)
        assert abs((row["started"] - started).total_seconds()) < 1e-5
        if trial.finished is None:
            assert row["finished"] is pandas.NaT and math.isnan(row["duration_s"])
        else:
            assert abs((row["finished"] - row["started"]).total_seconds() - row["duration_s"]) < 1e-5


@pytest.mark.parametrize("scores", [["score"], ["score_0", "score_1"]])
def test_no_trials_give_the_columns_of_some(scores: list[str]) -> None:
    directions: Any = ["maximize", "minimize"][: len(scores)]
    empty = Study(net, RandomSearch(), None, directions=directions)
    table: Any = empty.to_dataframe()
    assert table.shape == (0, 7 + len(scores)) and list(table.columns) == ["state", "budget", *scores, *RUN]
    full: Any = scored(net, 3, directions=directions).to_dataframe()
    together = pandas.concat([table, full])
    for name in ["started", "finished", "duration_s", *scores]:
        assert together[name].dtype == full[name].dtype == table[name].dtype
    assert analysis.frame(empty).shape == (0, 2 + len(scores))


def test_several_objectives_have_a_column_each_also_where_none_is_complete() -> None:
    study = Study(net, RandomSearch(), None, seed=0, trials=2, directions=["minimize", "maximize"])
    running = study.ask()
    table: Any = study.to_dataframe()
    assert table[["score_0", "score_1"]].isna().all(axis=None) and table.shape[0] == 1
    assert running is not None
    running.tell((1, 2))
    table = study.to_dataframe()
    assert table[["score_0", "score_1"]].to_numpy().tolist() == [[1, 2]]


def test_addresses_that_are_named_like_columns_are_told_from_them() -> None:
    study = scored(named, 16)
    for trial in study.trials:
        trial.set_attribute("units", "of its own")
    table: Any = study.to_dataframe()
    assert set(table["attribute.units"]) == {"of its own"} and set(table["state"]) == {"complete"}
    written = {
        "worker": "value.worker",
        "state": "value.state",
        "attribute.units": "value.attribute.units",
        "value.units": "value.value.units",
    }
    for trial in study.trials:
        assert {address: table.loc[trial.number, name] for address, name in written.items()} == trial.values
    frame: Any = analysis.frame(study)  # which has no such columns
    assert {"worker", "attribute.units", "value.state", "value.value.units"} < set(frame.columns)


@pytest.mark.parametrize("name", SPACES)
def test_cells_are_the_values_of_any_space(name: str, tmp_path: Path) -> None:
    study = scored(SPACES[name], 8, tmp_path / "runs.db", name=name)
    table: Any = study.to_dataframe()
    assert len(table) == len(study.trials) > 0
    for trial in study.trials:
        values = trial.architecture.values
        assert trial.values == values
        for address in table.columns[3 : -len(RUN)]:
            cell = table.loc[trial.number, address]
            assert cell == values[address] if address in values else math.isnan(cell)


def test_a_table_and_a_file_hold_no_more_than_a_trial_at_once(tmp_path: Path) -> None:
    study = scored(net)

    def counted() -> Iterator[Trial]:
        known = weakref.WeakSet[Trial]()
        for trial in study.trials:
            known.add(trial)
            assert len(known) <= 2
            yield trial

    own = results(1)
    assert len(tabulated(counted(), [own, values(own.names)])) == 12
    write_jsonl(counted(), tmp_path / "trials.jsonl")


# --- what is computed of studies -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["maximize", "minimize"])
def pair(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, da.Search]:
    """Return a study in a file, read by another one, and a search of the same trials."""
    storage = tmp_path_factory.mktemp("studies") / "runs.db"
    scored(net, 25, storage, directions=request.param).close()
    search = da.search(net, RandomSearch(), trials=25, seed=0, directions=request.param)
    for trial in search:
        trial.tell(score(trial))
    return da.open_study(storage, space=net), search


MEASURES: dict[str, Any] = {
    "frame": analysis.frame,
    "best_so_far": analysis.best_so_far,
    "regret": lambda trials: analysis.regret(trials, 2.0),
    "pareto_front": analysis.pareto_front,
    "hypervolume": lambda trials: analysis.hypervolume(trials, [0.5]),
    "importance": lambda trials: analysis.importance(trials, n_repeats=2),
    "compare": lambda trials: analysis.compare({"random": [trials, trials]}),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_tables_of_a_study_are_those_of_a_search(measure: str, pair: tuple[Study, da.Search]) -> None:
    if measure == "importance":
        pytest.importorskip("sklearn")
    study, search = pair
    pandas.testing.assert_frame_equal(MEASURES[measure](study), MEASURES[measure](search))


def test_tables_of_the_trials_of_a_study_are_those_of_a_list(pair: tuple[Study, da.Search]) -> None:
    study, search = pair
    pandas.testing.assert_frame_equal(analysis.frame(study.trials), analysis.frame(search.trials))
    pandas.testing.assert_frame_equal(
        analysis.best_so_far(study.trials, "minimize"), analysis.best_so_far(list(search.trials), "minimize")
    )


def test_plots_of_a_study_are_those_of_a_search(pair: tuple[Study, da.Search], tmp_path: Path) -> None:
    study, search = pair
    assert score_curve(study) == score_curve(search) == score_curve(study.trials, search.directions[0] == "minimize")
    pytest.importorskip("matplotlib")
    plot_scores(study, tmp_path / "scores.png")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")


# --- JSON lines ----------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_holds_all_of_a_trial(tmp_path: Path) -> None:
    study = of_all_states()
    study.to_jsonl(path := tmp_path / "trials.jsonl")
    first, *others = lines(path)
    trial = study.trials[0]
    assert first == {
        "number": 0,
        "state": "complete",
        "scores": [0.5],
        "budget": None,
        "continues": None,
        "error": None,
        "worker": trial.worker,
        "started": trial.started,
        "finished": trial.finished,
        "intermediate": {},
        "attributes": {"sizes": [1, [2]], "score": None},
        "space": "net",
        "values": trial.values,
    }
    assert [other["state"] for other in others] == ["failed", "skipped", "running"]
    assert others[0]["error"] == "no memory" and others[2]["finished"] is None


def test_scores_on_the_way_and_budgets_are_written(tmp_path: Path) -> None:
    study = Study(net, Hyperband(max_budget=9), None, seed=0, trials=30)
    for trial in study:
        trial.report(trial.number / 2, step=4)
        trial.tell(trial.number)
    study.to_jsonl(path := tmp_path / "trials.jsonl")
    written = lines(path)
    assert [line["budget"] for line in written] == [trial.budget for trial in study.trials]
    assert [line["continues"] for line in written] == [trial.continues for trial in study.trials]
    assert written[7]["intermediate"] == {"4": 3.5} and {line["continues"] for line in written} > {None}


@pytest.mark.parametrize("name", SPACES)
def test_a_line_is_read_as_an_architecture(name: str, tmp_path: Path) -> None:
    study = scored(SPACES[name], 8)
    study.to_jsonl(path := tmp_path / "trials.jsonl")
    read = [da.Architecture.from_json(line, SPACES[name]) for line in path.read_text().splitlines()]
    assert read == [trial.architecture for trial in study.trials]


def test_another_search_begins_with_the_lines_of_a_file(tmp_path: Path) -> None:
    study = scored(net, 5)
    study.to_jsonl(path := tmp_path / "trials.jsonl")
    search = da.search(net, GridSearch(), trials=5, first=path.read_text().splitlines())
    for trial in search:
        trial.skip()
    assert [trial.values for trial in search.trials] == [trial.values for trial in study.trials]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    study = scored(net, 3)
    (path := tmp_path / "trials.jsonl").write_text("before")

    def broken() -> Iterable[Trial]:
        yield from study.trials
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        write_jsonl(broken(), path)
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["trials.jsonl"]
    study.to_jsonl(path)
    assert len(lines(path)) == 3 and os.listdir(tmp_path) == ["trials.jsonl"]


def test_no_trials_give_an_empty_file(tmp_path: Path) -> None:
    Study(net, RandomSearch(), None).to_jsonl(str(tmp_path / "trials.jsonl"))
    assert (tmp_path / "trials.jsonl").read_text() == ""


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "trials.jsonl")
    scored(net, 3).to_jsonl(tmp_path / "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink() and len(lines(tmp_path / "trials.jsonl")) == 3


def test_a_path_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    study = scored(net, 1)
    for wrong in (3, tmp_path):
        with pytest.raises(BadArgument, match=r"(?s)to_jsonl: expected the path of a file.*Got .*to_jsonl\('trials"):
            study.to_jsonl(wrong)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "nowhere"))):
        study.to_jsonl(tmp_path / "nowhere" / "trials.jsonl")
