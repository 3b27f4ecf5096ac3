from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import Hyperband, RandomSearch
from deep_arch.spaces.architecture import Architecture
from deep_arch.studies.record import Key, Record
from deep_arch.studies.search import Search
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import Owner, Trial

UNITS = "dense.units"


@da.space
def net(x: Any) -> Any:
    return ops.Dense(units=da.choice([1, 2, 3, 4]))(x)


class Written(Record):
    """A record that also writes."""

    def __init__(self, *directions: Any) -> None:
        super().__init__(directions)
        self.lines: list[tuple[Any, ...]] = []

    def given(self, architecture: Architecture, budget: float | None, owner: Owner, key: Key | None = None) -> Trial:
        trial = super().given(architecture, budget, owner, key)
        self.lines.append(("given", trial.number, dict(trial.values), trial.budget, trial.continues))
        return trial

    def reported(self, trial: Trial, step: int, score: float) -> None:
        super().reported(trial, step, score)
        self.lines.append(("reported", trial.number, step, score))

    def ended(self, trial: Trial) -> list[Values]:
        self.lines.append(("ended", trial.number, trial.state, trial.scores, trial.error))
        return super().ended(trial)


class Script(Searcher):
    """Proposes what it was given, and remembers what it was told."""

    def __init__(self, *units: int) -> None:
        self.proposals: list[Values] = [{UNITS: n} for n in units]
        self.told: list[FinishedTrial] = []

    def ask(self) -> Values | None:
        return self.proposals.pop(0) if self.proposals else None

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


def test_events_tell_all_that_there_is_to_write() -> None:
    record = Written("minimize")
    search = Search(net, Script(2, 3, 1, 4), trials=4, directions="minimize", record=record)
    first, second, third, fourth = [trial for trial in (search.ask() for _ in range(4)) if trial is not None]
    first.report(0.5, step=3)
    first.report(0.25, step=3)
    second.tell(2.0)
    first.tell(7)
    third.skip()
    fourth.fail("no memory")
    assert record.lines[4:] == [
        ("reported", 0, 3, 0.5),
        ("reported", 0, 3, 0.25),
        ("ended", 1, "complete", (2.0,), None),
        ("ended", 0, "complete", (7.0,), None),
        ("ended", 2, "skipped", (), None),
        ("ended", 3, "failed", (), "no memory"),
    ]
    assert record.lines[:4] == [("given", i, {UNITS: n}, None, None) for i, n in enumerate((2, 3, 1, 4))]
    assert search.best is second and first.intermediate == {3: 0.25}


def test_what_is_continued_is_told() -> None:
    record = Written("maximize")
    for trial in Search(net, Hyperband(max_budget=9), trials=12, seed=0, record=record):
        trial.tell(trial.values[UNITS])
    given = {line[1]: line for line in record.lines if line[0] == "given"}
    continued = [line for line in given.values() if line[4] is not None]
    assert continued
    for _, _, values, budget, earlier in continued:
        assert given[earlier][2] == values and given[earlier][3] < budget


def test_duplicates_are_no_events_and_wait_for_the_first() -> None:
    record, searcher = Written("maximize"), Script(2, 2, 3)
    search = Search(net, searcher, trials=3, record=record)
    first, second = search.ask(), search.ask()
    assert first is not None and second is not None and searcher.told == []
    first.tell(5)
    assert [told.number for told in searcher.told] == [0, 0]
    assert [line[:2] for line in record.lines] == [("given", 0), ("given", 1), ("ended", 0)]
    assert record.running == (second,) and record.n_given == 2 and record.n_seen == 2


def test_a_score_that_is_left_out_is_no_event() -> None:
    record = Written("maximize")
    trial = next(Search(net, RandomSearch(), trials=1, seed=0, record=record))
    with pytest.warns(da.SearchWarning):
        trial.report(float("nan"), step=0)
    assert [line[0] for line in record.lines] == ["given"] and trial.intermediate == {}


def test_the_first_of_several_is_found_by_its_key() -> None:
    record = Record(("maximize",))

    class Nobody:
        n_objectives = 1
        relaxes = False

    owner: Any = Nobody()
    architecture = net.at({UNITS: 2})
    key = record.key(architecture, None)
    assert record.first(key) is None
    trial = record.given(architecture, None, owner, key)
    assert record.first(record.key(net.at({UNITS: 2}), None)) is trial
    assert record.first(record.key(architecture, 3)) is None
    assert record.n_seen == 1


def test_a_record_is_pickled_with_its_search() -> None:
    search = Search(net, RandomSearch(), trials=4, seed=0, record=Written("maximize"))
    next(search).tell(1)
    loaded: Any = pickle.loads(pickle.dumps(search))

    def scores(found: Any) -> list[Mapping[str, Any]]:
        for trial in found:
            trial.tell(trial.values[UNITS])
        return [trial.values for trial in found.trials]

    assert scores(loaded) == scores(search)
    assert isinstance(loaded._record, Written) and len(loaded._record.lines) == 8
