"""Programs of steps in turns, carried out on any storage, to compare what it answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from deep_arch.storage.rows import ENDED, End, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn

_WORKERS = [WorkerRow(id, "here", 1, 0.5) for id in ("a", "b", "c")]


class _Failed(Exception):
    pass


def carried_out(storage: Storage, name: str, steps: Sequence[tuple[str, int, int]]) -> Iterator[Any]:
    """Yield what a storage answers to each step, all but the time; every third turn or so is followed by a new one.

    Args:
        storage: which one.
        name: of the study.
        steps: what is done, a number of which trial, and one of how.
    """
    for worker in _WORKERS[:2]:
        storage.beat(worker)
    for _, turn_steps in itertools.groupby(enumerate(steps), lambda step: step[0] // 4):
        answers: list[Any] = []
        try:
            with storage.turn(name) as turn:
                for _, step in turn_steps:
                    answers.append(_answer(storage, name, turn, *step))
        except _Failed:
            answers.append("failed")
        with storage.turn(name) as turn:
            rows = _timeless(list(storage.rows(name)))
            seen = (turn.position, turn.n_given, turn.n_ended, turn.saved_at, turn.saved(), turn.n_seen())
            read = (storage.counts(name), _timeless(storage.best(name, largest=True)), storage.scores(name))
        answers[-1] = (answers[-1], rows, seen, read)
        yield from answers


def _answer(storage: Storage, name: str, turn: Turn, what: str, which: int, how: int) -> Any:
    running = [row.number for row, _ in turn.running()]
    number = running[which % len(running)] if running else -1
    worker, text = "abc"[how], str(which)
    match what:
        case "give":
            row = TrialRow(turn.n_given, text, text, turn.position + 1, key=text if how else None, worker=worker)
            return turn.give(row)
        case "end" if running:
            scores, ranked = ((which / 2,), which % 3 > 0) if how == 0 else ((), True)
            return turn.end(number, End(ENDED[how], scores, {1: 0.5}, text, {"a": [which]}, ranked))
        case "release" if running:
            return turn.release(number, which)
        case "claim":
            waits = turn.waiting()
            return None if waits is None else _timeless(turn.claim(waits.number, worker))
        case "save":
            return turn.save(text)
        case "count":
            return turn.save(text, counts=True)
        case "queue":
            return turn.queue(text)
        case "take":
            return turn.n_queued(), turn.take(), turn.n_queued()
        case "saw":
            return turn.saw(str(which % 4 + 6))
        case "keep":
            return storage.keep(name, number, worker, {which: 0.5}, {"kept": which}) if turn.owner(number) else None
        case "mark" if turn.n_given:
            return storage.mark(name, which % turn.n_given, {"marked": how})
        case "fail":
            raise _Failed
        case _:
            return _asked(turn, what, which, how)


def _asked(turn: Turn, what: str, which: int, how: int) -> Any:
    before = turn.position + 1 - how
    match what:
        case "events":
            return _timeless(turn.events(which))
        case "first":
            return _timeless(turn.first(str(which), before))
        case "latest":
            return _timeless(turn.latest(str(which), before))
        case "waiting":
            return _timeless(turn.waiting())
        case "running":
            return [(_timeless(row), worker and worker.id) for row, worker in turn.running()]
        case "owner":
            return turn.owner(which)
        case "seen":
            return turn.n_seen()
        case _:
            return turn.saved()


def _timeless(found: Any) -> Any:
    if isinstance(found, list):
        return [_timeless(row) for row in cast("list[TrialRow]", found)]
    return None if found is None else replace(found, started=None, finished=None)
