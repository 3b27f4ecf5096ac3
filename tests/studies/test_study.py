"""Studies: how they begin and go on, what they refuse, and what is read of them."""

from __future__ import annotations

import copy
import json
import pickle
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, ScopeError, StudyError, TrialError, UnknownAddress, ValueOutsideDomain
from deep_arch.searchers import DARTS, RandomSearch, RegularizedEvolution
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.studies.study import Study, study_names
from deep_arch.testing.searcher_spaces import SPACES
from tests.studies.objectives import UNITS, four, net, units

FILE = "runs.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE


def study(file: Any, **options: Any) -> Study:
    return da.Study(net, RandomSearch(), file, **{"name": "digits", "seed": 0, **options})


def run(of: Study, n: int) -> Study:
    of.run(units, trials=n, progress=False)
    return of


# --- beginning, and going on -----------------------------------------------------------------------------------------


def test_a_study_goes_on_under_its_name(file: Path) -> None:
    first = run(study(file), 5)
    assert repr(first) == f"<study 'digits' in sqlite:///{file}: 5 trials, ended: all 5 trials were given out>"
    again = run(study(str(file)), 8)
    assert [trial.values for trial in again.trials[:5]] == [trial.values for trial in first.trials[:5]]
    assert [trial.number for trial in again.trials] == list(range(8))
    assert da.study_names(file) == ["digits"]


def test_the_name_is_that_of_the_space_if_left_out(file: Path) -> None:
    assert da.Study(net, RandomSearch(), file).name == "net"


def test_studies_of_one_storage_are_apart(file: Path) -> None:
    for name, n in (("a", 3), ("b", 5), ("A", 1)):
        run(study(file, name=name, seed=n), n)
    assert study_names(file) == ["a", "b", "A"]
    assert [len(study(file, name=name).trials) for name in ("a", "b", "A")] == [3, 5, 1]
    values = [study(file, name=name).trials[0].values for name in ("a", "b", "A")]
    assert len({json.dumps(dict(each)) for each in values}) == 3


def test_the_seed_decides_and_no_global_random_state_moves(file: Path, tmp_path: Path) -> None:
    before = random.getstate(), repr(np.random.get_state(legacy=False))
    histories = [
        [dict(t.values) for t in run(study(None, seed=seed), 3).trials] for seed in (0, 0, 1, random.Random(1))
    ]
    assert histories[0] == histories[1] != histories[2] == histories[3]
    assert (random.getstate(), repr(np.random.get_state(legacy=False))) == before


def test_a_storage_is_shared_by_those_who_hold_it() -> None:
    storage = MemoryStorage()
    run(study(storage), 3)
    assert [trial.number for trial in run(study(storage), 4).trials] == [0, 1, 2, 3]
    assert len(run(study(None), 2).trials) == 2


def test_a_bound_holds_over_all_runs(file: Path) -> None:
    for _ in range(2):
        one = study(file, trials=4)
        for trial in one:
            trial.tell(units(trial))
        assert (len(one.trials), one.ending) == (4, "all 4 trials were given out")
    one.run(units, progress=False)
    assert len(one.trials) == 4


def test_what_is_tried_first_matters_where_a_study_begins(file: Path) -> None:
    known: list[Any] = [{UNITS: 5, "rate": 0.5}]
    run(study(file, first=known), 2)
    again = run(study(file, first=[{UNITS: 6, "rate": 0.5}]), 3)
    assert [trial.values[UNITS] for trial in again.trials].count(5) == 1
    assert again.trials[0].values == known[0] and 6 not in [trial.values[UNITS] for trial in again.trials]


def test_what_is_enqueued_comes_next_in_any_worker(file: Path) -> None:
    one, other = study(file), study(file)
    one.enqueue({UNITS: 7})
    one.enqueue(net.sample(3))
    assert [trial.values[UNITS] for trial in (other.ask(), one.ask()) if trial] == [7, net.sample(3).values[UNITS]]
    for of in (one, other):
        of.close()


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"width": 3}, UnknownAddress, r"enqueue: (.|\n)*width"),
        ({UNITS: 0}, ValueOutsideDomain, r"enqueue: dense\.units: 0 (.|\n)*Got 0"),
        (7, BadArgument, r"enqueue: (.|\n)*Got 7"),
    ],
)
def test_what_is_not_of_the_space_is_not_enqueued(file: Path, values: Any, error: type[Exception], text: str) -> None:
    one = study(file)
    with pytest.raises(error, match=text):
        one.enqueue(values)
    assert run(one, 2).counts == {"complete": 2}


def test_a_trial_left_without_a_result_is_told_of_as_in_a_search(file: Path) -> None:
    one = study(file)
    next(one)
    with pytest.raises(TrialError, match=r"trial 0: was left without a result"):
        next(one)
    one.close()


def test_batches_of_a_study_are_kept(file: Path) -> None:
    study = da.Study(four, RandomSearch(), file, "digits", seed=0, trials=3)
    for trials in study.batches(2):
        for trial in trials:
            trial.tell(trial.number)
    assert [trial.score for trial in da.open_study(file, "digits", four).trials] == [0, 1, 2]


def test_a_duplicate_of_a_trial_that_failed_is_one(file: Path) -> None:
    one = da.Study(four, RandomSearch(), file, seed=0)
    for trial in one:
        trial.fail("diverged")
    assert len(one.trials) == 4 and one.ending == "every architecture of the space was seen"


# --- what is read ----------------------------------------------------------------------------------------------------


def test_trials_are_read_as_a_sequence(file: Path) -> None:
    one = run(study(file), 6)
    trials = study(file).trials
    assert len(trials) == 6 and [trial.number for trial in trials] == list(range(6))
    assert [trial.number for trial in trials[1:4]] == [1, 2, 3] and trials[-1].number == 5
    assert repr(trials) == "<the 6 trials of study 'digits'>"
    for index in (6, -7):
        with pytest.raises(IndexError, match=rf"expected a number below 6(.|\n)*Got {index}"):
            trials[index]
    for trial, mine in zip(trials, one.trials, strict=True):
        assert (trial.values, trial.config, trial.score) == (mine.values, mine.config, units(mine))
        assert trial.architecture.fingerprint() == mine.architecture.fingerprint()
        assert trial.finished is not None and trial.duration_s == trial.finished - trial.started >= 0
        assert trial.worker is not None and trial.state == "complete" and trial.error is None


def test_what_stands_in_a_study(file: Path) -> None:
    one = study(file, directions="minimize")
    ends: list[Any] = [
        lambda t: t.tell(3),
        lambda t: t.fail("no"),
        lambda t: t.skip(),
        lambda t: t.tell(1),
        lambda _: 0,
    ]
    for end in ends:
        trial = one.ask()
        assert trial is not None
        end(trial)
    again = study(file, directions="minimize")
    assert one.counts == again.counts == {"complete": 2, "failed": 1, "skipped": 1, "running": 1}
    assert again.best.number == 3 and again.best.score == 1.0 and again.best_scores == (1.0,)
    assert [architecture.values for architecture in again.best_architectures] == [again.best.values]
    assert [told.gains for told in again.results] == [(-3.0,), (), (), (-1.0,)]
    assert [trial.state for trial in again.trials] == ["complete", "failed", "skipped", "complete", "running"]
    one.close()


def test_several_objectives_have_a_front(file: Path) -> None:
    one = study(file, directions=("maximize", "minimize"))
    for scores in [(1, 1), (2, 2), (2, 3), (0, 1)]:
        next(one).tell(scores)
    again = study(file, directions=["maximize", "minimize"])
    assert [trial.scores for trial in again.front] == [(1.0, 1.0), (2.0, 2.0)]
    assert again.directions == ("maximize", "minimize") and again.best_scores is None
    with pytest.raises(TrialError, match=r"2 objectives have no single best trial"):
        _ = again.best


def test_without_a_complete_trial_nothing_is_best(file: Path) -> None:
    one = study(file)
    next(one).fail("all wrong")
    for read in (lambda: one.best, lambda: one.front, lambda: one.best_architectures):
        with pytest.raises(TrialError, match=r"no trial is complete yet(.|\n)*Got 1 trials(.|\n)*all wrong"):
            read()
    assert one.best_scores is None


def test_curves_errors_and_attributes_stay(file: Path) -> None:
    text = "odd: \0, \ud800 and é"
    one = study(file)
    trial = next(one)
    trial.report(0.25, 3)
    trial.report(1e-300, 1)
    trial.set_attribute("text", text)
    trial.fail(text)
    trial.set_attribute("after", [1, {"deep": None}])
    found = study(file).trials[0]
    assert (found.intermediate, list(found.intermediate)) == ({3: 0.25, 1: 1e-300}, [3, 1])
    assert found.attributes == {"text": text, "after": [1, {"deep": None}]}
    assert found.error == text


@pytest.mark.parametrize("value", [float("nan"), object(), {1: {2, 3}}, b"bytes", lambda: 0, np.float32(1)])
def test_an_attribute_that_json_cannot_hold_is_refused(file: Path, value: Any) -> None:
    trial = next(study(file))
    with pytest.raises(TrialError, match=r"trial 0: an attribute has a name, and a value that JSON can(.|\n)*Got "):
        trial.set_attribute("weights", value)
    assert trial.attributes == {}
    trial.skip()


def test_an_attribute_whose_name_is_no_text_is_refused(file: Path) -> None:
    trial, wrong = next(study(file)), 3
    with pytest.raises(TrialError, match=r"the name 3 is no str(.|\n)*trial\.directory"):
        trial.set_attribute(wrong, 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    trial.skip()


class Watched(RandomSearch):
    """Let another thread look at the study whenever it is told something."""

    look: Callable[[], None] = staticmethod(lambda: None)

    def tell(self, trial: da.FinishedTrial) -> None:
        thread = threading.Thread(target=self.look)
        thread.start()
        thread.join()


def test_what_is_read_while_another_thread_catches_up_is_the_present(file: Path) -> None:
    one, other = (da.Study(net, Watched(), file, "digits", seed=0) for _ in range(2))
    for of in (one, other):
        of._save_after = 10**9  # so that each goes through what the other did
    mine = next(one)
    for _ in range(3):
        next(other).tell(3)
    seen: list[Any] = []

    def look() -> None:
        seen.append([trial.state for trial in one.trials])
        seen.append(one.trials[0] is mine and one.best.score == 3.0)

    one.searcher.look = look  # type: ignore[attr-defined]
    next_trial = one.ask()
    assert seen == [["running", "complete", "complete", "complete"], True] * 3
    assert next_trial is not None
    for of in (one, other):
        of.close()


# --- reading alone ---------------------------------------------------------------------------------------------------


def test_a_study_is_opened_by_what_it_left(file: Path) -> None:
    run(study(file), 4)
    for opened in (da.open_study(file), da.open_study(str(file), "digits"), da.open_study(file, space=net)):
        assert (opened.name, opened.counts, opened.best.values) == ("digits", {"complete": 4}, study(file).best.values)
        assert opened.space is net


def test_a_study_of_a_space_without_a_name_needs_it(file: Path) -> None:
    space = da.space(lambda x: ops.Dense(units=da.integer(1, 9))(x))
    da.Study(space, RandomSearch(), file, "digits").run(units, trials=2, progress=False)
    with pytest.raises(ScopeError, match=r"study 'digits': expected a space that is found by its name(.|\n)*space=net"):
        da.open_study(file)
    assert da.open_study(file, space=space).counts == {"complete": 2}


@pytest.mark.parametrize("act", [lambda s: s.ask(), next, lambda s: s.run(units), lambda s: s.enqueue({UNITS: 3})])
def test_a_study_that_is_read_gives_out_no_trials(file: Path, act: Any) -> None:
    run(study(file), 2)
    opened = da.open_study(file)
    with pytest.raises(StudyError, match=r"was opened for reading, and gives out no trials(.|\n)*Open it with the"):
        act(opened)
    assert opened.counts == {"complete": 2}
    opened.trials[0].set_attribute("read", True)
    assert study(file).trials[0].attributes == {"read": True}


@pytest.mark.parametrize("name", ["digit", None])
def test_a_study_that_is_not_there_is_told_of(file: Path, name: str | None) -> None:
    study(file), study(file, name="letters")
    with pytest.raises(StudyError, match=r"expected the name of a study in sqlite:(.|\n)*none of its 2") as caught:
        da.open_study(file, name)
    assert ("Did you mean 'digits'?" in str(caught.value)) == (name == "digit")
    with pytest.raises(StudyError, match=r"Got 'digit', which is none of its 2"):
        da.Study(net, None, file, "digit")


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"storage": 3}, r"storage: expected the URL of a database, or the path of a file(.|\n)*Got 3"),
        ({"storage": ""}, r"storage: expected the URL of a database(.|\n)*Got ''"),
        ({"storage": "mysql://host/runs"}, r"storage: expected an SQLite file or a PostgreSQL server(.|\n)*mysql"),
        ({"searcher": RandomSearch}, r"second argument is a searcher(.|\n)*RandomSearch\(\)"),
        ({"space": units}, r"first argument is a search space"),
        ({"trials": -1}, r"trials is an int of at least 0(.|\n)*Got -1"),
        ({"trials": 2.5}, r"trials is an int of at least 0(.|\n)*Got 2\.5"),
        ({"seed": "zero"}, r"seed is an int(.|\n)*Got 'zero'"),
        ({"directions": "up"}, r"directions is(.|\n)*Got 'up'"),
        ({"duplicates": "drop"}, r"duplicates is 'record' or 'give'"),
        ({"directory": 3}, r"study: directory is a path(.|\n)*Got 3"),
        ({"first": {UNITS: 3}}, r"expected first to be a list"),
        ({"heartbeat_s": 0}, r"heartbeat_s to be a number of seconds(.|\n)*Got 0"),
        ({"heartbeat_s": True}, r"heartbeat_s to be a number of seconds(.|\n)*Got True"),
        ({"heartbeat_s": "1"}, r"heartbeat_s to be a number of seconds(.|\n)*Got '1'"),
        ({"heartbeat_s": float("inf")}, r"heartbeat_s to be a number of seconds(.|\n)*Got inf"),
        ({"searcher": RegularizedEvolution(), "directions": ["maximize"] * 2}, r"learns from 1 score"),
    ],
)
def test_a_wrong_argument_is_refused(file: Path, options: dict[str, Any], text: str) -> None:
    given = {"space": net, "searcher": RandomSearch(), "storage": file, "name": "digits", **options}
    with pytest.raises(BadArgument, match=text):
        da.Study(given.pop("space"), **given)


def test_a_study_goes_into_no_pickle(file: Path) -> None:
    one = study(file)
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(StudyError, match=r"study 'digits': is in its storage already(.|\n)*da\.Study\("):
            act(one)


def test_relaxed_trials_run_in_this_process_alone(file: Path) -> None:
    one = da.Study(SPACES["conditional"], DARTS(), file, "digits")
    with pytest.raises(BadArgument, match=r"run: expected no executor, as DARTS relaxes(.|\n)*weights"):
        one.run(units, trials=3, executor=2, progress=False)
    assert one.counts == {}


def test_reading_makes_no_file(tmp_path: Path) -> None:
    for read in (da.study_names, da.open_study):
        with pytest.raises(
            StudyError, match=r"expected a file with studies(.|\n)*there is no (.|\n)*Begin a study there"
        ):
            read(tmp_path / "typo.db")
    assert not list(tmp_path.iterdir())


def test_notes_are_what_json_can_hold(file: Path) -> None:
    one = study(file)
    one.note(objective="digits:score")
    with pytest.raises(BadArgument, match="notes that JSON can hold"):
        one.note(objective=object())
    assert one.notes == {"objective": "digits:score"}
