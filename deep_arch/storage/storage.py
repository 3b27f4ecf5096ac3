"""The contract of a storage, and of a turn in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from deep_arch.errors import StudyError, nearest
from deep_arch.storage.rows import End, RowState, TrialRow, WorkerRow


class Turn(ABC):
    """What one worker may do with a study while no other changes it: see the laws of `Storage`.

    Attributes:
        position: how many events there were: trials that were given out, and that ended. `give` and `end` count one.
        n_given, n_ended: of which kind.
        saved_at: the position that the saved state of the searcher belongs to.
    """

    position: int
    n_given: int
    n_ended: int
    saved_at: int

    @abstractmethod
    def saved(self) -> str:
        """Return the state that was saved last."""

    @abstractmethod
    def save(self, state: str, counts: bool = False) -> None:
        """Keep the state of the searcher at this position, after one more event without a trial if that `counts`."""

    @abstractmethod
    def events(self, since: int) -> list[TrialRow]:
        """Return the trials that were given out or ended after a position, by number."""

    @abstractmethod
    def first(self, key: str, before: int) -> TrialRow | None:
        """Return the first trial with a key that was given out before an event."""

    @abstractmethod
    def latest(self, digest: str, before: int) -> TrialRow | None:
        """Return the last trial with a digest of values that was given out before an event."""

    @abstractmethod
    def saw(self, digest: str) -> None:
        """Keep the digest of values that were proposed and not given out."""

    @abstractmethod
    def n_seen(self) -> int:
        """Return how many digests there are, of trials and of what was proposed and not given out."""

    @abstractmethod
    def give(self, row: TrialRow) -> None:
        """Keep a new trial; its number is `n_given`, and its event the one after `position`."""

    @abstractmethod
    def end(self, number: int, end: End) -> int:
        """Keep how a trial ended, and return the event."""

    @abstractmethod
    def owner(self, number: int) -> str | None:
        """Return the id of the worker that runs a trial; None for one that does not run."""

    @abstractmethod
    def waiting(self) -> TrialRow | None:
        """Return the first trial that waits to be given out again."""

    @abstractmethod
    def claim(self, number: int, worker: str) -> TrialRow:
        """Give a waiting trial to a worker, without what it reported before."""

    @abstractmethod
    def release(self, number: int, lost: int) -> None:
        """Let a running trial wait to be given out again, with the number of workers that died of it so far."""

    @abstractmethod
    def running(self) -> list[tuple[TrialRow, WorkerRow | None]]:
        """Return the trials that run, and their workers."""

    @abstractmethod
    def queue(self, values: str) -> None:
        """Add values to those that are tried first."""

    @abstractmethod
    def n_queued(self) -> int:
        """Return how many values are in the queue."""

    @abstractmethod
    def take(self) -> str | None:
        """Take the first values out of the queue."""


class Storage(ABC):
    """Where the trials of studies are kept, by the name of the study.

    A study changes only in a turn::

        with storage.turn("digits") as turn:
            turn.give(TrialRow(turn.n_given, values, digest, turn.position + 1, worker=me))

    Laws, for which `deep_arch.testing.storage_contract.StorageContract` has a test each:
        turns_are_taken_one_at_a_time: a turn sees all of the turns before it, in whatever process or thread they were
            taken, and no other of this study begins before it is over.
        turns_count_whole_or_not_at_all: an error inside one, or the end of its process at whatever line, leaves
            nothing of it.
        what_a_turn_left_stays: it is there in a new process, also after the old one was killed at any later line.
        a_trial_has_one_owner: only its worker keeps what it reports, and only while it runs.
        reports_need_no_turn: `keep`, `beat` and all that reads may be called at any time, by many at once, also by
            whoever has a turn, who reads what it left so far; others may wait for its end to report, but not to read.
        beginning_is_done_once: of several that begin a study of one name at once, one does, and all find the same.
        what_is_removed_is_gone: with all that belongs to it. Who goes on with it, be it begun anew, gets a StudyError.
        rows_come_by_number: and hold what was given, floats exactly and text of any kind.
        answers_are_those_of_memory: what `MemoryStorage` answers is what each method means, whatever came before.
        names_are_only_names: any text names a study, and no name reaches another study, a file or a statement.
        many_rows_are_read_in_little_memory: `rows` is read as it is iterated.
    """

    url: str
    """What opens this storage again in another process: for a file or server, its URL."""

    shared: bool
    """Whether other processes can open it."""

    @property
    def shown(self) -> str:
        """The URL without a password, for messages."""
        return self.url

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the studies, in the order in which they began."""

    @abstractmethod
    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        """Begin a study unless there is one of this name, and return what is known about it.

        Args:
            name: of the study.
            about: what is kept about it, as JSON can hold it.
            state: the state of the searcher before the first event.
            queue: values that are tried first.
        """

    @abstractmethod
    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what is known about a study; None where there is none of this name."""

    @abstractmethod
    def change(self, name: str, about: Mapping[str, Any]) -> None:
        """Change what is known about a study."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a study and its trials."""

    @abstractmethod
    def turn(self, name: str) -> AbstractContextManager[Turn]:
        """Wait for a turn, and give it.

        Raises:
            StudyError: there is no study of this name, or the storage cannot be reached or written.
        """

    # --- at any time ---------------------------------------------------------------------------------------------

    @abstractmethod
    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        """Return the trials from a number on, by number; those that stand in some way only, if asked."""

    @abstractmethod
    def row(self, name: str, number: int) -> TrialRow | None:
        """Return one trial."""

    @abstractmethod
    def counts(self, name: str) -> dict[RowState, int]:
        """Return how many trials stand in which way."""

    @abstractmethod
    def best(self, name: str, largest: bool) -> TrialRow | None:
        """Return the complete and ranked trial with the largest or smallest first score, the first of several."""

    @abstractmethod
    def scores(self, name: str) -> list[tuple[int, tuple[float, ...]]]:
        """Return the numbers and scores of complete and ranked trials, by number."""

    @abstractmethod
    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        """Keep what a running trial reported so far, and return whether it is still this worker's."""

    @abstractmethod
    def mark(self, name: str, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep the attributes of a trial that ended."""

    @abstractmethod
    def beat(self, worker: WorkerRow, leaves: bool = False) -> None:
        """Keep a sign of life of a worker, or that it leaves."""

    @abstractmethod
    def worker(self, id: str) -> WorkerRow | None:
        """Return a worker."""

    @abstractmethod
    def now(self) -> float:
        """Return the time, in seconds since 1970, by a clock that all who share the storage share."""

    @abstractmethod
    def close(self) -> None:
        """Give back files and connections; what is used again opens again."""


def no_study(name: str, storage: Storage) -> StudyError:
    """Return the error for a study that a storage does not hold."""
    names = storage.names()
    return StudyError(
        f"{name}: expected the name of a study in {storage.shown}.\n"
        f"  Got {name!r}, which is none of its {len(names)}.\n"
        f"  Begin it with da.Study(space, searcher, storage=..., name={name!r}).{nearest(name, names)}"
    )


def was_removed(name: str, storage: Storage) -> StudyError:
    """Return the error for a study that a storage held, and holds no more or has begun anew."""
    return StudyError(
        f"{name}: expected to go on with this study in {storage.shown}.\n  Got one that was removed meanwhile.\n"
        f"  Open it anew, to begin from the start: da.Study(space, searcher, storage=..., name={name!r})."
    )
