"""What every storage must do. A storage's tests subclass `StorageContract` and say how to make the storage.

The laws are those of `deep_arch.storage.Storage`; each has a test of that name.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deep_arch.errors import StudyError
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.storage.opening import open_storage
from deep_arch.storage.rows import End, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn
from deep_arch.testing import storage_elsewhere as elsewhere
from deep_arch.testing import storage_strategies as strategies
from deep_arch.testing.storage_elsewhere import DEADLINE_S, Elsewhere, is_whole, whole_turn
from deep_arch.testing.storage_programs import carried_out

_N_KILLS: Final = 24
_N_ROWS: Final = 5000


class StorageContract(ABC):
    """Tests of the laws of `Storage`.

    Example:
        class TestMyStorage(StorageContract):
            def make(self, tmp_path: Path) -> Storage:
                return MyStorage(tmp_path / "runs")

    Attributes:
        settings: of hypothesis, which says how much is tried.
    """

    settings = settings(
        max_examples=40,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    )

    @abstractmethod
    def make(self, tmp_path: Path) -> Storage:
        """Return a storage without studies; it may use a folder that is empty."""

    def again(self, url: str) -> Storage:
        """Return a storage that is shared, opened anew, also in another process, given what its `url` says."""
        return open_storage(url)

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        """A storage with a study of the name "net"."""
        (tmp_path / "storage").mkdir()
        storage = self.make(tmp_path / "storage")
        storage.begin("net", {}, "0")
        yield storage
        storage.close()

    # --- turns ---------------------------------------------------------------------------------------------------

    def test_turns_are_taken_one_at_a_time(self, storage: Storage, tmp_path: Path) -> None:
        def count() -> None:
            for _ in elsewhere.count_alone(storage, "net", 20, str(tmp_path)):
                pass

        arguments = ("net", 20, str(tmp_path))
        others = [
            Elsewhere(self, storage, elsewhere.count_alone, *arguments) for _ in range(2 if storage.shared else 0)
        ]
        _in_threads([count] * 4)
        for other in others:
            other.answers()
        with storage.turn("net") as turn:
            expected = 20 * (4 + len(others))
            assert (int(turn.saved()), turn.position) == (expected, expected), "a turn did not see the one before it"

    def test_turns_count_whole_or_not_at_all(self, storage: Storage) -> None:
        whole_turn(storage, "net")
        with pytest.raises(ZeroDivisionError), storage.turn("net") as turn:
            self._change_much(turn)
            raise ZeroDivisionError
        assert is_whole(storage, "net", 1), "an error inside a turn left something of it"
        n = 1
        for line in self._lines(storage, 1):
            Elsewhere(self, storage, elsewhere.take_turns, "net", 1, killed_at=line).answers()
            n = storage.counts("net").get("complete", 0)
            assert is_whole(storage, "net", n), f"a process that was killed at line {line} left part of a turn"

    def test_what_a_turn_left_stays(self, storage: Storage) -> None:
        for line in self._lines(storage, 3):
            answers = Elsewhere(self, storage, elsewhere.take_turns, "net", 3, killed_at=line).answers()
            told = max([n for n in answers if isinstance(n, int)], default=0)
            n = storage.counts("net").get("complete", 0)
            assert n >= told, f"a turn that was over was lost when its process was killed, at line {line}"
        if storage.shared:
            rows = list(storage.rows("net"))
            assert Elsewhere(self, storage, elsewhere.read, "net").answers()[0] == rows, "a new process reads otherwise"
            again = self.again(storage.url)
            assert list(again.rows("net")) == rows, "opened anew, it holds something else"
            again.close()

    def _lines(self, storage: Storage, n_turns: int) -> list[int]:
        """Return lines, of the many that turns run through in another process, to kill it at; none where it cannot."""
        if not storage.shared:
            return []
        begun = storage.begin("counted", {}, "0")
        assert begun == {}
        n_lines = Elsewhere(self, storage, elsewhere.take_turns, "counted", n_turns).answers()[-1]["n_lines"]
        return [1 + i * (n_lines - 1) // (_N_KILLS - 1) for i in range(_N_KILLS)]

    def _change_much(self, turn: Turn) -> None:
        n = turn.n_given
        turn.queue("2")
        turn.take()
        turn.give(TrialRow(n, "{}", "new", turn.position + 1, worker="me"))
        turn.end(n, End("failed", error="not so"))
        turn.give(TrialRow(n + 1, "{}", "new", turn.position + 1, worker="me"))
        turn.release(n + 1, 1)
        turn.claim(n + 1, "you")
        turn.saw("new too")
        turn.save("new state", counts=True)

    # --- owners --------------------------------------------------------------------------------------------------

    def test_a_trial_has_one_owner(self, storage: Storage) -> None:
        def keeps(worker: str) -> bool:
            kept = storage.keep("net", 0, worker, {1: 0.5}, {"of": worker})
            row = storage.row("net", 0)
            assert row is not None
            assert (row.attributes.get("of") == worker) or not kept, "what a worker reported is not kept"
            assert kept or row.attributes.get("of") != worker, "what another reported is kept"
            return kept

        def owner() -> str | None:
            with storage.turn("net") as turn:
                return turn.owner(0)

        assert not storage.keep("net", 0, "me", {}, {}), "a trial that is not given out has an owner"
        with storage.turn("net") as turn:
            turn.give(TrialRow(0, "{}", "", 1, worker="me"))
        assert (keeps("me"), keeps("you"), owner()) == (True, False, "me")
        with storage.turn("net") as turn:
            turn.release(0, 1)
        assert (storage.keep("net", 0, "me", {}, {}), owner()) == (False, None)
        with storage.turn("net") as turn:
            claimed = turn.claim(0, "you")
            assert (claimed.worker, claimed.state, claimed.attributes, claimed.intermediate) == (
                "you",
                "running",
                {},
                {},
            )
        assert (keeps("me"), keeps("you"), owner()) == (False, True, "you")
        with storage.turn("net") as turn:
            turn.end(0, End("complete", (1.0,)))
        assert (storage.keep("net", 0, "you", {}, {"of": "you"}), owner()) == (False, None)

    def test_reports_need_no_turn(self, storage: Storage) -> None:
        with storage.turn("net") as turn:
            for number in range(8):
                turn.give(TrialRow(number, "{}", "", turn.position + 1, worker=f"worker {number}"))

        def report(number: int) -> None:
            for i in range(20):
                worker = WorkerRow(f"worker {number}", "here", number, 0.5)
                storage.beat(worker)
                assert storage.keep("net", number, worker.id, {i: 0.5}, {"i": i})
                row = storage.row("net", number)
                assert row is not None and row.attributes == {"i": i}
                self._read_all(storage)
            storage.beat(WorkerRow(f"worker {number}", "here", number, 0.5), leaves=True)

        _in_threads([partial(report, number) for number in range(6)])
        found = [storage.worker(f"worker {number}") for number in range(7)]
        assert [row and row.beat for row in found] == [None] * 7 and found[6] is None, "a worker did not leave"
        with storage.turn("net") as turn:
            turn.end(7, End("complete", (3.0,)))
            report(6)
            storage.mark("net", 0, {"marked": True})
            other = _Thread(lambda: self._check_counts(storage, {"running": 8}))
            other.join()
            later = _Thread(lambda: report(5))  # which may wait for the end of the turn
        later.join()
        row = storage.row("net", 0)
        assert row is not None and row.attributes == {"marked": True}

    def _read_all(self, storage: Storage) -> dict[Any, int]:
        list(storage.rows("net", 3, "running"))
        storage.best("net", largest=True)
        storage.scores("net")
        storage.about("net")
        storage.names()
        storage.worker("worker 0")
        assert abs(storage.now() - time.time()) < 3600
        return storage.counts("net")

    def _check_counts(self, storage: Storage, expected: dict[Any, int]) -> None:
        assert self._read_all(storage) == expected, "what a turn changed is read before it is over"

    # --- studies -------------------------------------------------------------------------------------------------

    def test_beginning_is_done_once(self, storage: Storage) -> None:
        for name in map(str, range(5)):
            found: list[Any] = []

            def begin(name: str, of: int, found: list[Any] = found) -> None:
                found += list(elsewhere.begin(storage, name, of))[1:]

            others = [Elsewhere(self, storage, elsewhere.begin, name, of) for of in range(2 if storage.shared else 0)]
            _in_threads([partial(begin, name, of) for of in range(10, 14)])
            found += [other.answers()[1] for other in others]
            assert len(found) == 4 + len(others) and found == found[:1] * len(found), "several began one study"
            with storage.turn(name) as turn:
                assert (turn.n_queued(), turn.take()) == (1, f"of {found[0]['of']}"), "what is queued is another's"
        assert sorted(storage.names()) == ["0", "1", "2", "3", "4", "net"]

    def test_what_is_removed_is_gone(self, storage: Storage) -> None:
        storage.begin("other", {}, "0", ["queued"])
        whole_turn(storage, "net")
        whole_turn(storage, "other")
        knows = self.again(storage.url) if storage.shared else None
        if knows is not None:
            assert is_whole(knows, "net", 1)
        storage.remove("net")
        assert (storage.names(), storage.about("net")) == (["other"], None)
        for act in (lambda: whole_turn(storage, "net"), lambda: storage.counts("net"), lambda: storage.remove("net")):
            with pytest.raises(StudyError, match="net: expected"):
                act()
        storage.begin("net", {"new": True}, "0")
        assert is_whole(storage, "net", 0), "something of a study that was removed is in the next of its name"
        if knows is not None:
            with pytest.raises(StudyError, match=r"net: expected to go on(.|\n)*removed meanwhile"):
                whole_turn(knows, "net")
            assert knows.begin("net", {}, "1") == {"new": True} and is_whole(knows, "net", 0)
            knows.close()
        assert storage.counts("other") == {"complete": 1}, "another study is gone too"

    def test_names_are_only_names(self, storage: Storage, tmp_path: Path) -> None:
        files = _files(tmp_path)
        known = {"net": [""]}

        def begin(name: str) -> None:
            if name not in known:
                known[name] = [repr(name)]
                assert storage.begin(name, {"name": name}, name, [name]) == {"name": name}
                with storage.turn(name) as turn:
                    assert (turn.saved(), turn.take()) == (name, name)
                    turn.give(TrialRow(0, repr(name), "", 1))
                    turn.end(0, End("failed", error=name))

        for name in strategies.NAMES:
            begin(name)
        self.settings(given(strategies.json_text)(begin))()
        assert storage.names() == list(known), "names are not as they were given, or not in their order"
        for name in [*known][1:]:
            assert storage.about(name) == {"name": name}
            found = [(row.values, row.error) for row in storage.rows(name)]
            assert found == [(repr(name), name)], f"{name!r} reached another study"
        storage.remove("%")
        assert storage.names() == [name for name in known if name != "%"]
        assert _files(tmp_path) == files, "a name became a file"

    # --- rows ----------------------------------------------------------------------------------------------------

    def test_rows_come_by_number(self, storage: Storage) -> None:
        numbers = itertools.count()

        def check(rows: list[tuple[TrialRow, dict[str, Any]]]) -> None:
            storage.begin(name := f"study {next(numbers)}", {}, "0")
            for number, (row, _) in enumerate(rows):
                with storage.turn(name) as turn:
                    turn.give(replace(row, number=number, given=turn.position + 1))
            begun = [replace(row, number=number, given=number + 1) for number, (row, _) in enumerate(rows)]
            _check_equal(list(storage.rows(name)), begun)
            with storage.turn(name) as turn:
                for number in reversed(range(len(rows))):
                    turn.end(number, End("complete", **rows[number][1]))
            n = len(rows)
            ended = [
                replace(row, state="complete", ended=2 * n - row.number, **result)
                for row, (_, result) in zip(begun, rows, strict=True)
            ]
            _check_equal(list(storage.rows(name)), ended)
            _check_equal(list(storage.rows(name, 1, "complete")), ended[1:])
            _check_equal([one for number in range(-1, n + 1) if (one := storage.row(name, number))], ended)
            assert (list(storage.rows(name, state="failed")), list(storage.rows(name, n))) == ([], [])
            ranked = [row for row in ended if row.ranked]
            assert repr(storage.scores(name)) == repr([(row.number, row.scores) for row in ranked])
            for largest, extreme in ((True, max), (False, min)):
                best = storage.best(name, largest)
                _check_equal([best] if best else [], [extreme(ranked, key=lambda row: row.scores[0])] if ranked else [])

        rows = st.lists(st.tuples(strategies.trials, strategies.results), min_size=1, max_size=3)
        self.settings(given(rows)(check))()

    def test_answers_are_those_of_memory(self, storage: Storage) -> None:
        numbers = itertools.count()

        def check(steps: list[Any]) -> None:
            name, memory = f"study {next(numbers)}", MemoryStorage()
            for one in (storage, memory):
                one.begin(name, {}, "begun", ["first"])
            for number, (found, expected) in enumerate(
                zip(carried_out(storage, name, steps), carried_out(memory, name, steps), strict=True)
            ):
                assert found == expected, f"another answer to {steps[number]}, step {number} of {steps}"

        self.settings(given(strategies.steps)(check))()

    def test_many_rows_are_read_in_little_memory(self, storage: Storage) -> None:
        values = "0123456789" * 400
        for _ in range(10):
            with storage.turn("net") as turn:
                for _ in range(_N_ROWS // 10):
                    turn.give(TrialRow(turn.n_given, values, "", turn.position + 1))
        tracemalloc.start()
        try:
            n = sum(1 for row in storage.rows("net") if row.values == values)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert n == _N_ROWS
        assert peak < _N_ROWS * len(values) / 2, f"took {peak:,} bytes for {n * len(values):,} bytes of rows"


def _check_equal(found: list[TrialRow | None] | list[TrialRow], expected: list[TrialRow]) -> None:
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert row is not None
        plain = replace(row, started=None, finished=None, budget=None)
        assert repr(plain) == repr(replace(other, budget=None)), (
            "a row is not what was given"
        )  # `==` takes -0.0 for 0.0
        assert row.budget == other.budget and row.started is not None
        assert (row.finished is None) == (row.state == "running")


def _files(folder: Path) -> set[str]:
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


class _Thread(threading.Thread):
    """A thread whose error is raised where it is joined."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except BaseException as error:
            self._error = error

    def join(self, timeout: float | None = DEADLINE_S) -> None:
        super().join(timeout)
        assert not self.is_alive(), "a thread waits for ever"
        if self._error is not None:
            raise self._error


def _in_threads(acts: list[Callable[[], object]]) -> None:
    for thread in [_Thread(act) for act in acts]:
        thread.join()
