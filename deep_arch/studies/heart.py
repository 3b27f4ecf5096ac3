"""The signs of life of a worker, so that others take over its trials when there are none any more."""

from __future__ import annotations

import atexit
import contextlib
import threading
from queue import Empty, SimpleQueue
from typing import Final

from deep_arch.errors import StudyError
from deep_arch.storage.rows import WorkerRow
from deep_arch.storage.storage import Storage
from deep_arch.studies import machine

_MISSED: Final = 6
"""Beats without which a worker counts as dead: a process may be kept from beating for a while, such as by compiled
code that holds Python's lock."""

_BEATING: Final[set[str]] = set()
"""The workers of this process that beat: of what runs here, the process itself tells nothing."""


class Heart:
    """A worker that beats in a thread of its own, from its first trial on.

    Args:
        storage: where it beats.
        every_s: seconds from beat to beat; all workers of a study are given the same.
    """

    def __init__(self, storage: Storage, every_s: float) -> None:
        self.worker: Final = machine.new_worker()
        self.every_s: Final = every_s
        self._storage = storage
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._leaves: SimpleQueue[None] = SimpleQueue()  # a finalizer may put into it at any moment, with no lock

    def start(self) -> None:
        """Beat from now on, unless it does."""
        with self._lock:
            if self._thread is None:
                self._storage.beat(self.worker)
                self._thread = threading.Thread(target=self._beat, name="deep_arch heart", daemon=True)
                atexit.register(self.stop)
                _BEATING.add(self.worker.id)
                self._thread.start()

    def stop(self) -> None:
        """Beat no more, and tell so: what still runs is given out again."""
        with self._lock:
            if self._thread is not None:
                self.let_go()
                self._thread.join()
                self._thread = None

    def let_go(self) -> None:
        """Stop soon, without waiting for it: for a finalizer, which may run where this very thread has a turn."""
        if self._thread is not None:
            self._leaves.put(None)

    def _beat(self) -> None:
        while True:
            try:
                self._leaves.get(timeout=self.every_s)
            except Empty:
                with contextlib.suppress(StudyError):  # it may be reached again at the next beat
                    self._storage.beat(self.worker)
            else:
                break
        _BEATING.discard(self.worker.id)
        with contextlib.suppress(StudyError):  # others find out by themselves
            self._storage.beat(self.worker, leaves=True)
        atexit.unregister(self.stop)

    def is_dead(self, worker: WorkerRow | None, now: float) -> bool:
        """Return whether a worker's trials are to be given to others.

        Args:
            worker: who it is; None where nothing is known of it.
            now: by the clock of the storage.
        """
        if worker is None or worker.beat is None:
            return True
        if (worker.machine, worker.process) == (self.worker.machine, self.worker.process):
            return worker.id not in _BEATING
        gone = machine.is_gone(worker)
        return now - worker.beat > _MISSED * self.every_s if gone is None else gone
