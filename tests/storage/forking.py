"""A program that forks with an open storage: `python forking.py CASE URL`.

It is one of its own, since the tests' process has threads of many libraries, which no fork survives for certain.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
import threading
from collections.abc import Callable

from deep_arch.storage import Storage, open_storage
from deep_arch.testing.storage_elsewhere import is_whole, whole_turn


def in_a_fork(act: Callable[[], object]) -> None:
    """Do something in a forked process, which ends as Python ends, and fail where it fails."""
    process = multiprocessing.get_context("fork").Process(target=act)
    process.start()
    process.join(60)
    assert process.exitcode == 0, process.exitcode


def connects_anew(storage: Storage) -> None:
    def act() -> None:
        thread = threading.Thread(target=whole_turn, args=(storage, "net"))
        thread.start()
        thread.join()
        assert whole_turn(storage, "net") == n + 2
        gc.collect()

    for n in (1, 5):
        assert whole_turn(storage, "net") == n
        in_a_fork(act)
        assert is_whole(storage, "net", n + 2), "parent and child used one connection"
        assert whole_turn(storage, "net") == n + 3
        storage.close()
        storage.counts("net")
    rows = storage.rows("net")
    next(rows)
    with storage.turn("net") as turn:
        in_a_fork(lambda: storage.counts("net"))  # in a process that was forked within a turn there is none
        turn.queue("queued")
    assert storage.counts("net") == {"complete": 8}


def closes_nothing(storage: Storage) -> None:
    holder = [storage, open_storage(storage.url)]

    def act() -> None:
        holder[1].close()
        holder.clear()
        gc.collect()

    with storage.turn("net") as turn:
        in_a_fork(act)
        turn.save("1", counts=True)
    with holder[1].turn("net") as turn:
        assert turn.saved() == "1"
    holder[1].close()


if __name__ == "__main__":
    opened = open_storage(sys.argv[2])
    opened.begin("net", {}, "0")
    {"connects_anew": connects_anew, "closes_nothing": closes_nothing}[sys.argv[1]](opened)
    opened.close()
    print("done")
