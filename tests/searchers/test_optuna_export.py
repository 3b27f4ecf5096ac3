"""Studies that are written into storages of Optuna, read by Optuna and by its dashboard."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import pytest
from optuna.trial import TrialState

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, StudyError
from deep_arch.searchers import Hyperband, RandomSearch, suggest
from deep_arch.searchers.optuna_export import frozen_trials
from deep_arch.searchers.optuna_objective import parameters
from deep_arch.studies.study import Study
from deep_arch.testing.searcher_spaces import SPACES

optuna.logging.set_verbosity(optuna.logging.WARNING)


@da.space
def net(x: Any) -> Any:
    """Have options that Optuna cannot hold, and a condition."""
    da.config(rate=da.real(1e-4, 1e-1, log=True))
    x = da.repeat(lambda: ops.Dense(units=da.choice([8, 16, 32])), da.integer(1, 3))(x)
    return da.substitute(lambda kind: kind(), kind=da.choice([ops.ReLU, ops.Tanh], name="kind"))(x)


def scored(space: da.SearchSpace = net, n: int = 10, **arguments: Any) -> Study:
    study = Study(space, RandomSearch(), None, seed=0, trials=n, **arguments)
    for trial in study:
        trial.report(trial.number / 2, step=3)
        trial.tell(tuple([(trial.number * (7 + i)) % 11 for i, _ in enumerate(study.directions)]))
    return study


def exported(study: Study) -> optuna.Study:
    study.export_optuna(storage := optuna.storages.InMemoryStorage())
    return optuna.load_study(study_name=study.name, storage=storage)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_optuna_reads_the_same_study_from_a_file(direction: Any, tmp_path: Path) -> None:
    study = scored(directions=direction)
    study.export_optuna(url := f"sqlite:///{tmp_path / 'optuna.db'}")
    loaded = optuna.load_study(study_name="net", storage=url)
    assert loaded.direction.name.lower() == direction
    assert loaded.best_value == study.best.score and loaded.best_trial.number == study.best.number
    given = parameters(net, study.best.values)
    assert loaded.best_params == {name: given[name] for name in study.best.values}
    assert suggest(loaded.best_trial, net) == study.best.architecture
    assert [trial.value for trial in loaded.trials] == [trial.score for trial in study.trials]
    assert loaded.trials[7].intermediate_values == {3: 3.5}


@pytest.mark.parametrize("name", SPACES)
def test_each_trial_gives_its_architecture_again(name: str) -> None:
    study = scored(SPACES[name])
    loaded = exported(study)
    assert len(loaded.trials) == len(study.trials) > 0
    for frozen, trial in zip(loaded.trials, study.trials, strict=True):
        assert suggest(frozen, SPACES[name]) == trial.architecture and frozen.number == trial.number


@pytest.mark.parametrize("name", SPACES)
def test_names_and_distributions_are_those_of_suggest(name: str) -> None:
    study, space = scored(SPACES[name]), SPACES[name]
    alike = optuna.create_study()
    for trial, frozen in zip(study.trials, frozen_trials(study), strict=True):
        alike.enqueue_trial(parameters(space, trial.values))
        asked = alike.ask()
        suggest(asked, space)
        assert (frozen.params, frozen.distributions) == (asked.params, asked.distributions)


def test_an_address_of_other_options_has_the_name_that_suggest_gives_it() -> None:
    """Test that there are such names: else the test above would say little about them."""

    def other(x: Any) -> Any:
        n = da.choice([1, 2], name="n")
        return ops.Dense(units=da.choice([n, 10 * n], name="units"))(x)

    loaded = exported(scored(space := da.space(other)))
    names = {name for trial in loaded.trials for name in trial.params}
    assert len(names) == 3 and {"n", "units"} < names and any(name.startswith("units, one of") for name in names)
    assert {suggest(trial, space) for trial in loaded.trials} == set(space.enumerate())


def test_a_sampler_goes_on_from_what_was_exported() -> None:
    loaded = exported(scored())
    loaded.sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=5)
    loaded.optimize(lambda trial: suggest(trial, net).cost(da.vector(8)).parameters, n_trials=5)
    assert len(loaded.trials) == 15 and loaded.trials[-1].state is TrialState.COMPLETE


# --- what a trial keeps --------------------------------------------------------------------------------------------


def of_all_states() -> Study:
    study = Study(net, RandomSearch(), None, seed=0, trials=4)
    complete, failed, skipped, running = [study.ask() for _ in range(4)]
    assert complete is not None and failed is not None and skipped is not None and running is not None
    complete.set_attribute("sizes", [1, [2]])
    complete.set_attribute("error", "my own")
    complete.tell(0.5)
    failed.report(0.25, step=1)
    failed.fail("no memory")
    skipped.skip()
    running.report(0.75, step=0)
    return study


def test_states_and_times_are_kept_and_what_runs_has_its_number() -> None:
    study = of_all_states()
    loaded = exported(study)
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING]
    assert [trial.state for trial in loaded.trials] == states
    assert [trial.number for trial in loaded.trials] == [0, 1, 2, 3]
    assert [trial.intermediate_values for trial in loaded.trials] == [{}, {1: 0.25}, {}, {0: 0.75}]
    for frozen, trial in zip(loaded.trials, study.trials, strict=True):
        assert frozen.datetime_start == datetime.fromtimestamp(trial.started)
        finished = None if trial.finished is None else datetime.fromtimestamp(trial.finished)
        assert frozen.datetime_complete == finished


def test_attributes_are_kept_beside_what_optuna_has_no_word_for() -> None:
    study = of_all_states()
    complete, failed, *_ = exported(study).trials
    worker = {"deep_arch:worker": study.trials[0].worker}
    assert complete.user_attrs == {"sizes": [1, [2]], "error": "my own", **worker}
    assert failed.user_attrs == {"deep_arch:error": "no memory", **worker}


def test_budgets_are_attributes() -> None:
    study = Study(net, Hyperband(max_budget=9), None, seed=0, trials=30)
    for trial in study:
        trial.tell(trial.number)
    for frozen, trial in zip(exported(study).trials, study.trials, strict=True):
        assert frozen.user_attrs["deep_arch:budget"] == trial.budget
        assert frozen.user_attrs.get("deep_arch:continues") == trial.continues
    assert any(trial.continues is not None for trial in study.trials)


def test_several_objectives_have_directions_and_a_front_and_samplers_go_on() -> None:
    study = scored(directions=["minimize", "maximize"])
    with study.bounded(11):
        skipped = study.ask()
    assert skipped is not None
    skipped.report(0.5, step=1)
    skipped.skip()
    loaded = exported(study)
    assert [direction.name for direction in loaded.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert {trial.number for trial in study.front} <= {trial.number for trial in loaded.best_trials}
    assert [tuple(trial.values) for trial in loaded.best_trials] == [
        study.trials[trial.number].scores for trial in loaded.best_trials
    ]
    assert loaded.trials[-1].user_attrs["deep_arch:intermediate"] == {"1": 0.5}
    loaded.sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=5)  # which reads what was pruned
    loaded.optimize(lambda trial: (suggest(trial, net).cost(da.vector(8)).parameters, 1.0), n_trials=2)
    assert len(loaded.trials) == 13


def test_a_sub_space_gives_what_it_leaves_open() -> None:
    space = net.fix({"kind": ops.Tanh})
    study = scored(space)
    assert all("kind" not in trial.params for trial in exported(study).trials)
    assert [suggest(trial, space) for trial in exported(study).trials] == [t.architecture for t in study.trials]


def test_a_study_without_trials_is_exported() -> None:
    assert exported(Study(net, RandomSearch(), None, name="empty")).trials == []


# --- what cannot be exported ---------------------------------------------------------------------------------------


def test_a_name_that_is_there_is_an_error_with_a_free_one(tmp_path: Path) -> None:
    study, url = scored(n=2), f"sqlite:///{tmp_path / 'optuna.db'}"
    study.export_optuna(url)
    study.export_optuna(url, name="net-2")
    text = (
        rf"(?s)expected a name that no study in {re.escape(url)} has.*Got 'net', .* of its 2.*name='net-3', or remove"
    )
    with pytest.raises(StudyError, match=text):
        study.export_optuna(url)
    optuna.delete_study(study_name="net", storage=url)
    study.export_optuna(url)
    assert sorted(optuna.get_all_study_names(url)) == ["net", "net-2"]


def test_an_export_that_is_broken_off_leaves_nothing() -> None:
    study = scored(n=3)

    class Full(optuna.storages.InMemoryStorage):
        """Take two trials."""

        def create_new_trial(self, study_id: int, template_trial: Any = None) -> int:
            if self.get_n_trials(study_id) == 2:
                raise OSError("no space left on device")
            return super().create_new_trial(study_id, template_trial)

    with pytest.raises(
        StudyError, match=r"(?s)can read and write.*Got Full: OSError: no space left.*'sqlite:///optuna"
    ):
        study.export_optuna(full := Full())
    assert optuna.get_all_study_names(full) == []


@pytest.mark.parametrize("wrong", [3, None, Path("optuna.db")])
def test_what_is_no_storage_is_an_error(wrong: Any) -> None:
    with pytest.raises(
        BadArgument, match=r"(?s)export_optuna: expected the URL.*Got .*Write study\.export_optuna\('sql"
    ):
        scored(n=1).export_optuna(wrong)


@pytest.mark.parametrize("url", ["optuna.db", "nosuch://user:secret@host/x", "sqlite:////no/such/folder/optuna.db"])
def test_a_storage_that_cannot_be_opened_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(StudyError, match=r"(?s)that Optuna can read and write.*Got .*Write the URL") as caught:
        scored(n=1).export_optuna(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [3, ""])
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(BadArgument, match=r"(?s)export_optuna: expected a name.*Got .*Leave it out"):
        scored(n=1).export_optuna(optuna.storages.InMemoryStorage(), name)


# --- the dashboard -------------------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_the_dashboard_shows_the_study(tmp_path: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    study = scored()
    study.export_optuna(url := f"sqlite:///{tmp_path / 'optuna.db'}")
    with make_server("127.0.0.1", 0, dashboard.wsgi(url), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            at = f"http://127.0.0.1:{server.server_port}/api/studies"
            (listed,) = json.load(urllib.request.urlopen(at))["study_summaries"]
            shown = json.load(urllib.request.urlopen(f"{at}/{listed['study_id']}?after=0"))
        finally:
            server.shutdown()
            thread.join()
    assert (listed["study_name"], shown["name"], shown["directions"]) == ("net", "net", ["maximize"])
    assert [trial["values"] for trial in shown["trials"]] == [list(trial.scores) for trial in study.trials]
    assert {param["name"] for param in shown["union_search_space"]} == {a for t in study.trials for a in t.values}
