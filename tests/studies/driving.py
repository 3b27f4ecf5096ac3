"""A search and studies driven through the same events, in an order drawn from a seed, so that they can be compared."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import deep_arch as da
from deep_arch.studies.search import Search
from deep_arch.studies.searcher import Searcher
from deep_arch.studies.study import Study

Make = Callable[[da.SearchSpace], Searcher]


def score_of(trial: da.Trial, which: int = 0) -> float:
    """Return a score that is a plain function of the values, and better with a larger budget."""
    text = f"{trial.architecture.to_json()} {which}"
    return zlib.crc32(text.encode()) / 2**32 + 0.1 * (trial.budget or 0)


class Alone:
    """A search that is never stopped, and plays several workers."""

    def __init__(self, space: da.SearchSpace, make: Make, trials: int, seed: int, **options: Any) -> None:
        self.search = da.search(space, make(space), trials, seed, **options)
        self._again: list[da.Trial] = []

    def ask(self, worker: int) -> da.Trial | None:
        """Return a trial that was out when its worker stopped, or the next one."""
        return self._again.pop(0) if self._again else self.search.ask()

    def stop(self, worker: int, out: Sequence[da.Trial]) -> list[da.Trial]:
        """Let a worker stop with trials that are out."""
        self._again = sorted([*self._again, *out], key=lambda trial: trial.number)
        return []

    def enqueue(self, worker: int, values: Any) -> None:
        """Add to what is tried first."""
        self.search.enqueue(values)

    def result(self) -> Any:
        """Return all that is to be equal."""
        return seen(self.search), state(self.search)


class Shared:
    """The same search as a study in a file, each worker a `Study` of its own, which is made anew when it stops."""

    def __init__(
        self, file: Path, space: da.SearchSpace, make: Make, trials: int, seed: int, n_workers: int = 1, **options: Any
    ) -> None:
        def again(seed: int, **more: Any) -> Study:
            return Study(space, make(space), file, "digits", seed, trials=trials, **more)

        self._again = again
        first = options.pop("first", ())
        self._options = options
        self.workers = [self._again(seed, first=first, **options)]
        self.workers += [self._again(seed + 1000 + i, **options) for i in range(1, n_workers)]

    def ask(self, worker: int) -> da.Trial | None:
        """Return what the worker is given."""
        study = self.workers[worker]
        study._next_look = 0.0  # it sees who has stopped
        return study.ask()

    def stop(self, worker: int, out: Sequence[da.Trial]) -> list[da.Trial]:
        """Let a worker stop with trials that are out."""
        self.workers[worker].close()
        self.workers[worker] = self._again(random.randrange(2**32), **self._options)
        return []

    def enqueue(self, worker: int, values: Any) -> None:
        """Add to what is tried first."""
        self.workers[worker].enqueue(values)

    def result(self) -> Any:
        """Return all that is to be equal, as a new worker sees it."""
        self.stop(0, ())
        study = self.workers[0]
        return seen(study), study._in_turn(lambda: state(study))

    def close(self) -> None:
        """Let all workers leave."""
        for study in self.workers:
            study.close()


def seen(search: Search) -> list[Any]:
    """Return what a user sees of the trials."""
    names = ("number", "state", "budget", "scores", "continues", "intermediate", "error")
    return [[trial.architecture.to_json(), *[getattr(trial, name) for name in names]] for trial in search.trials]


def state(search: Search) -> Any:
    """Return what the searcher knows."""
    return json.loads(json.dumps(search.searcher.state_dict()))


def drive(
    of: Alone | Shared,
    order: int,
    n_workers: int = 1,
    most_out: int = 1,
    stops: float = 0.0,
    n_scores: int = 1,
    queued: Sequence[Any] = (),
) -> None:
    """Ask for trials and end them until there are none, in an order that a seed decides.

    Args:
        of: what is driven.
        order: the seed.
        n_workers: how many workers take turns.
        most_out: how many trials are out at once.
        stops: how often a worker stops, with the trials that it has out.
        n_scores: how many scores a trial is told.
        queued: what is enqueued on the way, now and then.
    """
    rng, waiting = random.Random(order), list(queued)
    out: list[tuple[int, da.Trial]] = []
    while True:
        worker = rng.randrange(n_workers)
        if rng.random() < stops:
            of.stop(worker, [trial for by, trial in out if by == worker])
            out = [(by, trial) for by, trial in out if by != worker]
        if waiting and rng.random() < 0.2:
            of.enqueue(worker, waiting.pop(0))
        trial = of.ask(worker) if len(out) < most_out and (not out or rng.random() < 0.6) else None
        if trial is not None:
            out.append((worker, trial))
        elif out:
            end(out.pop(rng.randrange(len(out)))[1], rng, n_scores)
        else:
            return


def end(trial: da.Trial, rng: random.Random, n_scores: int = 1) -> None:
    """End a trial with its score, or now and then otherwise."""
    for step in range(rng.randrange(3)):
        trial.report(score_of(trial) * step, step)
    kind = rng.random()
    if kind < 0.1:
        trial.fail("it diverged")
    elif kind < 0.15:
        trial.skip()
    elif n_scores > 1:
        trial.tell(tuple([score_of(trial, which) for which in range(n_scores)]))
    else:
        trial.tell(score_of(trial))
