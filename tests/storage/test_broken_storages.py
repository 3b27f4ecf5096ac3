"""Each law of the contract of storages can fail: a storage that breaks it is found out."""

from __future__ import annotations

import inspect
import re
import time
from collections import UserDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from deep_arch.storage import MemoryStorage, SqlStorage, Storage, Turn
from deep_arch.storage.memory_turn import MemoryTurn
from deep_arch.storage.rows import RowState, TrialRow
from deep_arch.testing.storage_contract import StorageContract


class TakesTurnsTogether(MemoryStorage):
    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        turn = MemoryTurn(self._study(name), self._workers)
        time.sleep(0)
        yield turn
        turn.commit()


class KeepsHalfATurn(MemoryStorage):
    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        study = self._study(name)
        with study.lock:
            study.turn = turn = MemoryTurn(study, self._workers)
            try:
                yield turn
            finally:
                turn.commit()
                study.turn = None


class _Lost(Exception):
    pass


class LosesTurns(SqlStorage):
    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        with suppress(_Lost), super().turn(name) as turn:
            yield turn
            raise _Lost


class WritesOften(SqlStorage):
    """Writes what a turn gives out before the turn is over."""

    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        with super().turn(name) as turn:
            give = turn.give

            def give_at_once(row: TrialRow) -> None:
                give(row)
                self._database._here().turns.mine._connection.commit()  # type: ignore[union-attr]

            turn.give = give_at_once  # type: ignore[method-assign]
            yield turn


class KeepsForAnyone(MemoryStorage):
    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        row = self.row(name, number)
        return row is not None and super().keep(name, number, row.worker or "", intermediate, attributes)


class KeepsInTurns(MemoryStorage):
    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        with self.turn(name):
            return super().keep(name, number, worker, intermediate, attributes)


class BeginsAgain(MemoryStorage):
    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        self._studies.pop(name, None)
        return super().begin(name, about, state, queue)


class HidesWhatItRemoves(SqlStorage):
    def remove(self, name: str) -> None:
        self.change(name, {"removed": True})

    def names(self) -> list[str]:
        return [name for name in super().names() if super(HidesWhatItRemoves, self).about(name) != {"removed": True}]

    def about(self, name: str) -> Mapping[str, Any] | None:
        about = super().about(name)
        return None if about == {"removed": True} else about


class _Trimmed(UserDict[str, Any]):
    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.strip())

    def __setitem__(self, name: str, study: Any) -> None:
        super().__setitem__(name.strip(), study)


class TrimsNames(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self._studies: Any = _Trimmed()


class RoundsScores(MemoryStorage):
    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        for row in super().rows(name, first, state):
            yield replace(row, scores=tuple([float(f"{score:.16g}") for score in row.scores]))


class ReadsAtOnce(MemoryStorage):
    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        return iter([replace(row, values=row.values[:1] + row.values[1:]) for row in super().rows(name, first, state)])


class ForgetsDigests(MemoryStorage):
    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        with super().turn(name) as turn:
            turn.saw = lambda digest: None  # type: ignore[method-assign]
            yield turn


class OfBroken(StorageContract):
    """The contract of a storage that is broken."""

    broken: type[Storage] = LosesTurns
    settings = settings(StorageContract.settings, phases=[Phase.generate])  # which of many it finds is not shown

    def make(self, tmp_path: Path) -> Storage:
        if issubclass(self.broken, SqlStorage):
            return self.broken(f"sqlite:///{tmp_path / 'runs.db'}")
        return self.broken()

    def again(self, url: str) -> Storage:
        assert issubclass(self.broken, SqlStorage)
        return self.broken(url)


class OfLosingTurns(OfBroken):
    broken = LosesTurns


class OfWritingOften(OfBroken):
    broken = WritesOften


BROKEN: dict[str, list[type[Storage]]] = {
    "turns_are_taken_one_at_a_time": [TakesTurnsTogether],
    "turns_count_whole_or_not_at_all": [KeepsHalfATurn, WritesOften],
    "what_a_turn_left_stays": [LosesTurns],
    "a_trial_has_one_owner": [KeepsForAnyone],
    "reports_need_no_turn": [KeepsInTurns],
    "beginning_is_done_once": [BeginsAgain],
    "what_is_removed_is_gone": [HidesWhatItRemoves],
    "rows_come_by_number": [RoundsScores],
    "answers_are_those_of_memory": [ForgetsDigests],
    "names_are_only_names": [TrimsNames],
    "many_rows_are_read_in_little_memory": [ReadsAtOnce],
}


@pytest.mark.parametrize(("law", "broken"), [(law, broken) for law, all in BROKEN.items() for broken in all])
def test_a_storage_that_breaks_a_law_is_found_out(law: str, broken: type[Storage], tmp_path: Path) -> None:
    elsewhere: dict[type[Storage], type[OfBroken]] = {LosesTurns: OfLosingTurns, WritesOften: OfWritingOften}
    contract = elsewhere.get(broken, OfBroken)()
    contract.broken = broken
    storage = contract.make(tmp_path)
    storage.begin("net", {}, "0")
    test = getattr(contract, f"test_{law}")
    needed = {"storage": storage, "tmp_path": tmp_path}
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**{name: needed[name] for name in inspect.signature(test).parameters})
    storage.close()


def test_each_law_has_a_test_and_a_storage_that_breaks_it() -> None:
    laws = re.findall(r"^        (\w+): ", Storage.__doc__ or "", re.MULTILINE)
    assert len(laws) > 8 and sorted(laws) == sorted(BROKEN)
    assert {f"test_{law}" for law in laws} == {name for name in vars(StorageContract) if name.startswith("test_")}
