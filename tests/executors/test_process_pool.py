"""A pool of processes: results, deaths, kills, and what its processes see."""

from __future__ import annotations

import operator
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deep_arch.errors import BadArgument, ExecutorError, WorkerDied
from deep_arch.executors import ProcessPool

WAIT_S = 60
"""What takes so long hangs."""

SCRIPT = """
import os, sys, threading
at_import = os.environ.get("OMP_NUM_THREADS"), os.environ.get("CUDA_VISIBLE_DEVICES")
from deep_arch.executors import ProcessPool

def seen():
    return at_import


def endless():
    print("begun", flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    {body}
"""


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    """A pool of two processes, which ends them in the end."""
    made = ProcessPool(2)
    yield made
    made.shutdown(cancel_futures=True)


def test_sums(pool: ProcessPool) -> None:
    futures = {pool.submit(operator.add, i, i): 2 * i for i in range(20)}
    assert {future: future.result(WAIT_S) for future in futures} == futures
    assert os.getpid() not in {pool.submit(os.getpid).result(WAIT_S) for _ in range(4)}


ODD = "type('Odd', (Exception,), {'__init__': lambda self, a, b: None})(1, 2)"


class Unread:
    """What can be written, and not read."""

    def __reduce__(self) -> Any:
        return int, ("six",)


def test_exceptions_come_back(pool: ProcessPool) -> None:
    with pytest.raises(ValueError, match="'six'"):
        pool.submit(int, "six").result(WAIT_S)
    with pytest.raises(ValueError, match="'six'"):
        pool.submit(abs, Unread()).result(WAIT_S)
    for code in ("__import__('sys').exit(3)", f"(_ for _ in ()).throw({ODD})"):
        with pytest.raises(ExecutorError, match=r"expected a task to return, or to raise an exception that can be"):
            pool.submit(eval, code).result(WAIT_S)
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        pool.submit(operator.not_, lambda: None).result(WAIT_S)
    assert pool.submit(abs, -1).result(WAIT_S) == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("__import__('os')._exit(3)", r"Got exit code 3\.\n  An objective must not end its process"),
        ("__import__('signal').raise_signal(9)", r"Got SIGKILL\.\n  Was it killed for its memory\?"),
        ("__import__('signal').raise_signal(11)", r"Got SIGSEGV\.\n  Does compiled code crash\?"),
    ],
)
def test_only_the_task_of_a_dead_worker_is_lost(pool: ProcessPool, code: str, told: str) -> None:
    futures = [pool.submit(eval, code if i == 2 else f"{i} + {i}") for i in range(6)]
    with pytest.raises(WorkerDied, match=told):
        futures[2].result(WAIT_S)
    assert [future.result(WAIT_S) for i, future in enumerate(futures) if i != 2] == [0, 2, 6, 8, 10]


def test_kill_ends_a_task_and_others_go_on(pool: ProcessPool) -> None:
    endless = pool.submit(eval, "__import__('threading').Event().wait()")
    assert pool.submit(abs, -1).result(WAIT_S) == 1
    assert pool.kill(endless)
    with pytest.raises(WorkerDied, match="was killed, as asked for"):
        endless.result(WAIT_S)
    assert not pool.kill(endless)
    assert [pool.submit(abs, -i).result(WAIT_S) for i in range(4)] == [0, 1, 2, 3]


def test_shutdown_runs_what_waits_and_takes_no_more() -> None:
    with ProcessPool(1) as pool:
        futures = [pool.submit(operator.mul, i, i) for i in range(5)]
    assert [future.result(0) for future in futures] == [0, 1, 4, 9, 16]
    with pytest.raises(ExecutorError, match=r"expected tasks before the pool is shut down"):
        pool.submit(abs, 1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"workers": 0}, "workers to be an int of at least 1.\n  Got 0 (int)"),
        ({"workers": "two"}, "workers to be an int of at least 1.\n  Got 'two' (str)"),
        ({"threads": 1.5}, "threads to be an int of at least 1.\n  Got 1.5 (float)"),
        ({"gpus": "0"}, "gpus to be a number of devices, or their names.\n  Got '0' (str)"),
        ({"gpus": 0}, "gpus to be a number of devices, or their names.\n  Got 0 (int)"),
    ],
)
def test_what_is_no_number_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BadArgument, match=re.escape(told)):
        ProcessPool(**wrong)


def test_threads_are_set_before_the_script_is_imported_also_in_the_place_of_a_dead_worker(
    printed: Callable[..., list[str]],
) -> None:
    body = """with ProcessPool(1, threads=3) as pool:
        print(pool.submit(seen).result())
        print(type(pool.submit(os.abort).exception()).__name__)
        print(pool.submit(seen).result(), os.environ.get("OMP_NUM_THREADS"))"""
    assert printed(SCRIPT.format(body=body), OMP_NUM_THREADS=None) == ["('3', None)", "WorkerDied", "('3', None) None"]


def test_what_the_user_set_is_kept(printed: Callable[..., list[str]]) -> None:
    body = "with ProcessPool(1) as pool: print(pool.submit(seen).result())"
    assert printed(SCRIPT.format(body=body), OMP_NUM_THREADS="5") == ["('5', None)"]


def test_each_process_has_a_device_which_a_dead_one_gives_back(printed: Callable[..., list[str]]) -> None:
    body = """with ProcessPool(1, gpus=["a", "b"]) as pool:
        first = pool.submit(seen).result()[1]
        pool.submit(os.abort).exception()
        print(first, pool.submit(seen).result()[1])"""
    assert printed(SCRIPT.format(body=body), CUDA_VISIBLE_DEVICES=None) == ["a a"]
    body = "with ProcessPool(1, gpus=1) as pool: print(pool.submit(seen).result()[1])"
    assert printed(SCRIPT.format(body=body), CUDA_VISIBLE_DEVICES="7,8") == ["7"]


def test_processes_end_with_a_parent_that_is_killed(start: Callable[..., subprocess.Popen[str]]) -> None:
    body = "pool = ProcessPool(2); [pool.submit(endless) for _ in range(2)]; threading.Event().wait()"
    script = start(SCRIPT.format(body=body))
    assert script.stdout is not None
    assert [script.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
    script.kill()
    script.communicate(timeout=WAIT_S)  # which waits for all who might still write, the workers among them
