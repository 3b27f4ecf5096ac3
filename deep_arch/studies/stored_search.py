"""The search loop over a storage: each worker's searcher goes through the same events, in the same order."""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Literal

from deep_arch.errors import StudyError, StudyUnreachable
from deep_arch.spaces.space import SearchSpace
from deep_arch.storage.rows import TrialRow
from deep_arch.storage.storage import Storage, Turn
from deep_arch.studies.directions import Direction
from deep_arch.studies.heart import Heart
from deep_arch.studies.machine import shown
from deep_arch.studies.search import Result, Search
from deep_arch.studies.searcher import Searcher
from deep_arch.studies.stored_record import StoredRecord
from deep_arch.studies.trial import SearchWarning, Trial

_BYTES_AN_EVENT: Final = 4096
"""A searcher's state is saved each time that no more than so many of its bytes fall on an event since, so that what is
written grows with the number of trials, however large the state is."""

_BYTES_AN_EVENT_HERE: Final = 256
"""The same in memory, where it is only needed after an error: what came since is then gone through again."""

_BYTES_SHARED: Final = 65536
"""A state that is no larger is saved after each turn where others take turns too: they take it over, which is mostly
quicker than to go through what led to it."""

_PATIENCE_S: Final = 300.0
"""How long a storage that cannot be reached is tried again, such as a server that restarts."""

MOST_LOST: Final = 2
"""Workers that die of a trial while others live on, with which it counts as failed."""

_MOST_STOPPED: Final = 10
"""The same where nobody lived on: then the whole search was stopped, which says little about the trial."""

_NOWHERE: Final = -1


class StoredSearch(Search):
    """A search that a storage keeps, and that several workers may run.

    What the searcher knows follows from its state at the beginning and from the events since: trials that were given
    out, and that ended. Each worker goes through all of them, in a turn of the storage, before it adds one, so the
    searchers of all workers agree. Where it is far behind, as at the beginning, it takes over a state that was saved.

    Args:
        storage, name: where the search is kept, and under which name.
        heartbeat_s: seconds between signs of life.
    """

    _record: StoredRecord

    def __init__(
        self,
        space: SearchSpace,
        searcher: Searcher,
        trials: int,
        seed: int | random.Random | None,
        *,
        storage: Storage,
        name: str,
        directions: tuple[Direction, ...],
        duplicates: Literal["record", "give"],
        first: Iterable[Any],
        heartbeat_s: float,
    ) -> None:
        self.name: Final = name
        self.storage: Final = storage
        self._heart = Heart(storage, heartbeat_s)
        record = StoredRecord(directions, storage, name, space, self._heart.worker)
        super().__init__(
            space, searcher, trials, seed, directions=directions, duplicates=duplicates, first=first, record=record
        )
        record.owner = self
        self._position = _NOWHERE
        self._save_after = 1
        self._is_shared = False
        self._load_s, self._replay_s = 0.0, 1.0  # as the last time that either was done
        self._is_idle = False
        self._idle_since: tuple[int, int] | None = None
        self._next_look = 0.0
        self._opened = storage.now()

    # --- turns ---------------------------------------------------------------------------------------------------

    def _in_turn(self, act: Callable[[], Result]) -> Result:
        """Do what changes the search in a turn of the storage; where that cannot be reached for a moment, again."""
        with self._lock:
            self._check_searcher()
            waited, wait = 0.0, 0.05
            while True:
                try:
                    return self._in_one_turn(act)
                except StudyUnreachable as error:
                    self._cut_off = True
                    if waited >= _PATIENCE_S:
                        raise
                    if not waited:
                        warnings.warn(f"study {self.name!r}: tries again.\n  {error}", SearchWarning, stacklevel=7)
                    time.sleep(wait)
                    waited, wait = waited + wait, min(2 * wait, 5.0)

    def _in_one_turn(self, act: Callable[[], Result]) -> Result:
        position, self._position = self._position, _NOWHERE  # until the turn counts, as it may not
        record = self._record
        here = set(record.here)
        try:
            with self.storage.turn(self.name) as turn:
                record.turn = turn
                self._catch_up(turn, position)
                record.next_event()
                found = act()
                self._save(turn)
                position = turn.position
            self._position = position
            return found
        except BaseException:
            for number in record.here.keys() - here:  # what was to be given out, which the turn did not come to
                del record.here[number]
            raise
        finally:
            record.turn = record.at = record.again = None

    def _catch_up(self, turn: Turn, position: int) -> None:
        """Take the searcher from what it knows at a position to the present."""
        self._is_shared = position not in (_NOWHERE, turn.position)
        if position == _NOWHERE or (turn.saved_at > position and self._loads_quicker(turn, position)):
            position = self._load(turn)
        began, first = time.perf_counter(), position
        while position < turn.position:
            events = _by_event(turn.events(position), position)
            for event in range(position + 1, turn.position + 1):
                if event not in events:  # of no trial; the state was saved there, or later
                    position = self._load(turn)
                    if position < event:
                        raise _lacks(self, event)
                    break
                self._replay(event, events[event])
                position = event
        if position > first:
            self._replay_s = (time.perf_counter() - began) / (position - first)

    def _loads_quicker(self, turn: Turn, position: int) -> bool:
        """Return whether to take over the saved state, rather than go through the events that led to it."""
        return self.relaxes or self._load_s < self._replay_s * (turn.saved_at - position)

    def _replay(self, event: int, row: TrialRow) -> None:
        """Go through an event again as it happened."""
        record = self._record
        record.at = event if row.given == event else event + 1  # what ended is known after its end
        if row.given == event:
            record.next_event(row)
            proposal = self._proposal()
            proposed = "nothing" if proposal is None else proposal[0].to_json()
            if proposed != row.values:
                raise _differs(self, row, proposed)
        else:
            self._tell(record.then(row), record.waiting.pop(row.number, []))
        record.at = record.again = None

    # --- the state of the searcher -------------------------------------------------------------------------------

    def state(self) -> str:
        """Return what the searcher knows, and the duplicates that wait, as JSON text."""
        encode = self.searcher.encode
        waiting = {number: list(map(encode, values)) for number, values in self._record.waiting.items()}
        return json.dumps({"searcher": self.searcher.state_dict(), "waiting": waiting})

    def _load(self, turn: Turn) -> int:
        began = time.perf_counter()
        state = json.loads(turn.saved())
        self.searcher.start(self.space, self._rng)
        self.searcher.load_state_dict(state["searcher"])
        decode = self.searcher.decode
        self._record.waiting = {int(number): list(map(decode, texts)) for number, texts in state["waiting"].items()}
        self._load_s = time.perf_counter() - began
        return turn.saved_at

    def _save(self, turn: Turn) -> None:
        """Save the state where it is time, and always where it changed without an event."""
        idle, self._is_idle = self._is_idle, False
        if not (idle or self.relaxes or turn.position - turn.saved_at >= self._save_after):
            return
        if turn.position == turn.saved_at and not idle:
            return
        state = self.state()
        shared = self._is_shared and len(state) <= _BYTES_SHARED
        each = _BYTES_AN_EVENT if self.storage.shared else _BYTES_AN_EVENT_HERE
        self._save_after = 1 if shared else 1 + len(state) // each
        if not idle or turn.position != turn.saved_at or state != turn.saved():
            turn.save(state, counts=idle)

    # --- giving out ----------------------------------------------------------------------------------------------

    def ask(self) -> Trial | None:
        """Return the next trial, also while others are out, or None where there is none: see `Search.ask`.

        A trial whose worker died is given out again before anything new.
        """
        self._heart.start()
        return super().ask()

    def _next_trial(self) -> Trial | None:
        turn = self._record.open_turn
        self._take_from_the_dead(turn)
        row = self._unanswered(turn) or turn.waiting()
        if row is not None:
            claimed = row if row.worker == self._heart.worker.id else turn.claim(row.number, self._heart.worker.id)
            return self._record.runs_here(self._record.then(claimed))
        since = turn.n_given, turn.n_ended
        if since == self._idle_since and turn.n_given < self._n_trials and not turn.n_queued():
            return None
        self.ending = None  # the bound may have grown, or another worker told what more is proposed after
        trial = super()._next_trial()
        if trial is None and turn.n_given < self._n_trials:
            self._is_idle, self._idle_since = True, since
        return trial

    def _unanswered(self, turn: Turn) -> TrialRow | None:
        """Return a trial that was given out here without our knowing: the storage was cut off as it answered."""
        mine = [row for row, _ in turn.running() if row.worker == self._heart.worker.id] if self._cut_off else []
        self._cut_off = False
        return next((row for row in mine if row.number not in self._record.here), None)

    _cut_off = False

    # --- results -------------------------------------------------------------------------------------------------

    def ended(self, trial: Trial) -> None:
        """Take the result of a trial, and tell the searcher; called by the trial."""
        try:
            super().ended(trial)
        except StudyError as error:
            scores = f" with {', '.join(map(repr, trial.scores))}" if trial.scores else ""
            raise type(error)(
                f"trial {trial.number}: ended as {trial.state}{scores}, which is not kept.\n{error}"
            ) from error
        self._record.here.pop(trial.number, None)

    def _take_result(self, trial: Trial) -> None:
        turn = self._record.open_turn
        if turn.owner(trial.number) == self._heart.worker.id:
            super()._take_result(trial)
            return
        row = self.storage.row(self.name, trial.number)
        if row is None or row.worker != self._heart.worker.id or row.state != trial.state:
            warnings.warn(
                f"trial {trial.number}: was given to another worker, since this one gave no sign of life; what came "
                "of it here is dropped.\n  Let compiled code give Python's lock back, or raise `heartbeat_s`.",
                SearchWarning,
                stacklevel=8,
            )

    def lose(self, trial: Trial, why: str) -> Trial | None:
        """Take in that what ran a trial died: it is given out again, or has failed where that happened before.

        Args:
            trial: one that was given out here.
            why: what is known of the death.

        Returns:
            The trial if it has failed.
        """
        self._record.here.pop(trial.number, None)
        return self._in_turn(partial(self._lose_here, trial.number, why))

    def _lose_here(self, number: int, why: str) -> Trial | None:
        turn = self._record.open_turn
        mine = [row for row, _ in turn.running() if row.number == number and row.worker == self._heart.worker.id]
        return self._lost(turn, mine[0], why, MOST_LOST) if mine else None

    def release(self, trials: Sequence[Trial]) -> None:
        """Let trials that were given out here wait, to be given out again: the search stops before they ended."""
        for trial in trials:
            self._record.here.pop(trial.number, None)
        self._in_turn(partial(self._release, [trial.number for trial in trials]))

    def _release(self, numbers: Sequence[int]) -> None:
        turn = self._record.open_turn
        for row, _ in turn.running():
            if row.number in numbers and row.worker == self._heart.worker.id:
                turn.release(row.number, row.lost)

    def _take_from_the_dead(self, turn: Turn) -> None:
        """Look now and then for trials whose workers died."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._heart.every_s
        now = self.storage.now()
        for row, worker in turn.running():
            if row.worker == self._heart.worker.id or not self._heart.is_dead(worker, now):
                continue
            if worker is not None and worker.beat is None:  # it left, such as by Ctrl-C, which is not the trial's fault
                turn.release(row.number, row.lost)
            else:
                who = "its worker" if worker is None else f"its worker {shown(worker)}"
                seen = (row.started or 0.0) > self._opened
                self._lost(turn, row, f"{who} died", MOST_LOST if seen else _MOST_STOPPED)

    def _lost(self, turn: Turn, row: TrialRow, why: str, most: int) -> Trial | None:
        lost = row.lost + 1
        if lost < most:
            turn.release(row.number, lost)
            return None
        trial = self._record.then(row)
        trial.state = "failed"
        trial.error = (
            f"trial {row.number}: {lost} workers died while they ran it.\n  Got, of the last: {why.strip()}\n"
            "  Is it killed for its memory, or does compiled code crash?"
        )
        super()._take_result(trial)
        return trial

    def __reduce__(self) -> Any:
        raise StudyError(
            f"study {self.name!r}: is in its storage already, and goes into no pickle.\n  Got an attempt to do so.\n"
            "  Open it where it is needed: da.Study(space, searcher, storage=..., name=...)."
        )


def _by_event(rows: Iterable[TrialRow], since: int) -> dict[int, TrialRow]:
    return {event: row for row in rows for event in (row.given, row.ended) if event is not None and event > since}


def _lacks(search: StoredSearch, event: int) -> StudyError:
    return StudyError(
        f"study {search.name!r}: expected its storage to tell what happened at event {event}.\n  Got no trial, and no "
        "state of the searcher from then.\n  Restore the storage from a copy: it was changed by something else."
    )


def _differs(search: StoredSearch, row: TrialRow, proposed: str) -> StudyError:
    return StudyError(
        f"study {search.name!r}: trial {row.number}: expected its searcher to propose again what it did, "
        f"{row.values}.\n  Got {proposed}.\n  A searcher must draw from self.rng alone and keep all that it knows in "
        "state_dict; begin another study if its algorithm or its library changed."
    )
