"""The pool of processes: what tasks return and raise, and what becomes of them when their process dies."""

from __future__ import annotations

import gc
import operator
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, as_completed
from pathlib import Path
from typing import Any

import pytest

from deep_arch.errors import BadArgument, ExecutorError, WorkerDied
from deep_arch.executors import ProcessPool

WAIT_S = 60
"""What takes so long hangs."""

FORKS = """
import os
if os.fork() == 0:
    open({gate!r}).read()
    os._exit(0)
os._exit(3)
"""

KILLED_WHEN_READ = "type('Last', (), {'__reduce__': lambda self: __import__('signal').raise_signal(9)})()"

ODD = """
class Odd(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what}, {why}")
raise Odd("this", "so")
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    """Return a pool of two processes."""
    with ProcessPool(2) as made:
        yield made


class Blocked:
    """A task that reads a pipe, and so runs until it is written to."""

    def __init__(self, pool: ProcessPool, path: Path) -> None:
        os.mkfifo(path)
        self.future: Future[Any] = pool.submit(Path.read_text, path)
        deadline = time.monotonic() + WAIT_S
        while (gate := opened(path)) is None:
            assert not self.future.done() and time.monotonic() < deadline
            time.sleep(0.01)
        self._gate = gate

    def release(self) -> None:
        os.close(self._gate)


def opened(path: Path) -> int | None:
    """Return a pipe to write to, once a task reads from it."""
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def error(future: Future[Any]) -> BaseException | None:
    return future.exception(WAIT_S)


def test_sums(pool: ProcessPool) -> None:
    futures = {pool.submit(operator.add, i, i): 2 * i for i in range(50)}
    assert {future: future.result() for future in as_completed(futures, WAIT_S)} == futures
    assert list(pool.map(operator.mul, range(5), range(5), timeout=WAIT_S)) == [0, 1, 4, 9, 16]


def test_names_and_values_travel(pool: ProcessPool) -> None:
    assert pool.submit(int, "ff", base=16).result(WAIT_S) == 255
    assert pool.submit(operator.mul, b"x", 10_000_000).result(WAIT_S) == b"x" * 10_000_000


def test_tasks_run_in_processes_of_their_own(pool: ProcessPool, tmp_path: Path) -> None:
    blocked = [Blocked(pool, tmp_path / name) for name in ("one", "two")]
    assert all(not task.future.done() for task in blocked)
    for task in blocked:
        task.release()
        assert task.future.result(WAIT_S) == ""
    assert pool.submit(os.getpid).result(WAIT_S) != os.getpid()


def test_exceptions_come_back_with_their_traceback(pool: ProcessPool) -> None:
    raised = error(pool.submit(int, "six"))
    assert isinstance(raised, ValueError) and str(raised).endswith("'six'")
    assert "serving.py" in "".join(traceback.format_exception(raised))


@pytest.mark.parametrize("code", ["import sys; sys.exit(2)", "raise KeyboardInterrupt", ODD])
def test_what_cannot_come_back_is_told(pool: ProcessPool, code: str) -> None:
    raised = error(pool.submit(exec, code, {}))
    assert isinstance(raised, ExecutorError) and "<string>" in str(raised.__cause__)
    text = "expected a task to return, or to raise an exception that can be pickled.\n  Got "
    assert text in str(raised) and "Raise a RuntimeError with a text" in str(raised)


def test_what_does_not_pickle_is_told(pool: ProcessPool) -> None:
    there = pool.submit(print, threading.Lock())
    back = pool.submit(threading.Lock)
    for future in (there, back):
        with pytest.raises(TypeError, match="cannot pickle"):
            future.result(WAIT_S)


class OnlyHere:
    """What fails where it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.getitem, ({}, "missing")


def test_what_cannot_be_read_there_is_told(pool: ProcessPool) -> None:
    with pytest.raises(KeyError, match="missing"):
        pool.submit(print, OnlyHere()).result(WAIT_S)
    assert pool.submit(abs, -1).result(WAIT_S) == 1


@pytest.mark.parametrize("code", [0, 3])
def test_only_the_task_of_a_dead_worker_is_lost(pool: ProcessPool, tmp_path: Path, code: int) -> None:
    other = Blocked(pool, tmp_path / "gate")
    dies = pool.submit(os._exit, code)
    later = [pool.submit(abs, -i) for i in range(20)]
    text = rf"expected process \d+ to live until its task was done\.\n  Got exit code {code}\.\n  Look for what ends"
    with pytest.raises(WorkerDied, match=text):
        dies.result(WAIT_S)
    assert [future.result(WAIT_S) for future in later] == list(range(20))
    other.release()
    assert other.future.result(WAIT_S) == ""


def test_each_of_many_deaths_is_told(pool: ProcessPool) -> None:
    futures = [pool.submit(os._exit, i % 4) for i in range(12)]
    codes = [re.findall(r"Got exit code (\d)", str(error(future))) for future in futures]
    assert codes == [[str(i % 4)] for i in range(12)]


@pytest.mark.parametrize(
    ("number", "hint"), [(signal.SIGKILL, "Was it killed for memory?"), (signal.SIGSEGV, "Look for a crash")]
)
def test_a_signal_is_told(pool: ProcessPool, number: signal.Signals, hint: str) -> None:
    with pytest.raises(WorkerDied, match=rf"Got signal {int(number)} \({number.name}\)\.\n  {re.escape(hint)}"):
        pool.submit(signal.raise_signal, number).result(WAIT_S)


def test_a_worker_that_dies_while_it_answers_takes_only_its_task(pool: ProcessPool) -> None:
    assert isinstance(error(pool.submit(eval, KILLED_WHEN_READ)), WorkerDied)
    assert [pool.submit(abs, -i).result(WAIT_S) for i in range(4)] == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="a process cannot be waited for without taking its exit code")
def test_a_worker_that_dies_without_a_task_is_replaced() -> None:
    with ProcessPool(1) as pool:
        first = pool.submit(os.getpid).result(WAIT_S)
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert pool.submit(os.getpid).result(WAIT_S) != first


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_death_is_noticed_though_a_forked_process_lives_on(pool: ProcessPool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    dies = pool.submit(exec, FORKS.format(gate=str(gate)), {})
    with gate.open("w"):
        with pytest.raises(WorkerDied, match="Got exit code 3"):
            dies.result(WAIT_S)
        assert [pool.submit(abs, -i).result(WAIT_S) for i in range(8)] == list(range(8))


def test_kill_ends_a_running_task(pool: ProcessPool, tmp_path: Path) -> None:
    killed, other = (Blocked(pool, tmp_path / name) for name in ("killed", "other"))
    assert pool.kill(killed.future)
    with pytest.raises(WorkerDied, match=r"Got a call of kill\.\n  Submit the task once more"):
        killed.future.result(WAIT_S)
    killed.release()
    other.release()
    assert other.future.result(WAIT_S) == "" and not pool.kill(other.future)
    assert pool.submit(abs, -1).result(WAIT_S) == 1


def test_kill_cancels_a_waiting_task(tmp_path: Path) -> None:
    with ProcessPool(1) as pool:
        blocked = Blocked(pool, tmp_path / "gate")
        waits = pool.submit(abs, -1)
        assert pool.kill(waits) and waits.cancelled()
        blocked.release()
        assert blocked.future.result(WAIT_S) == ""


def test_shutdown_runs_what_waits() -> None:
    pool = ProcessPool(1)
    futures = [pool.submit(abs, -i) for i in range(10)]
    pool.shutdown()
    assert all(future.done() for future in futures) and futures[9].result() == 9
    with pytest.raises(
        ExecutorError, match=r"(?s)expected tasks before the pool is shut down\.\n  Got <built-in.*abs>"
    ):
        pool.submit(abs, -1)


def test_shutdown_may_cancel_what_waits(tmp_path: Path) -> None:
    pool = ProcessPool(1)
    blocked = Blocked(pool, tmp_path / "gate")
    waits = pool.submit(abs, -1)
    pool.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(CancelledError):
        waits.result(WAIT_S)
    blocked.release()
    assert blocked.future.result(WAIT_S) == ""
    pool.shutdown()


def test_a_pool_that_nobody_has_lets_its_processes_go(tmp_path: Path) -> None:
    pool = ProcessPool(1)
    gone = pool.submit(abs, -1)
    threads = pool._loops
    assert gone.result(WAIT_S) == 1
    del pool
    gc.collect()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_pool_has_as_many_workers_as_cores() -> None:
    with ProcessPool() as pool:
        assert pool.n_parallel == len(os.sched_getaffinity(0)) if sys.platform == "linux" else pool.n_parallel >= 1


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "two"])
@pytest.mark.parametrize("name", ["workers", "threads"])
def test_what_is_no_number_is_refused(name: str, given: Any) -> None:
    text = rf"ProcessPool: {name}: expected an int of at least 1\.\n  Got {given!r} \({type(given).__name__}\)"
    with pytest.raises(BadArgument, match=text):
        ProcessPool(**{name: given})


# --- scripts -----------------------------------------------------------------------------------------------------

ENDLESS = """
from deep_arch.executors import ProcessPool
import sys, threading

def endless():
    print("begun", flush=True)
    threading.Event().wait()

if __name__ == "__main__":
    pool = ProcessPool(2)
    futures = [pool.submit(endless) for _ in range(2)]
    if "{ends}" == "waits":
        threading.Event().wait()
    print(sys.stdin.readline(), end="") if "{ends}" == "reads" else None
"""

UNGUARDED = """
from deep_arch.executors import ProcessPool
with ProcessPool(1) as pool:
    print(type(pool.submit(abs, -1).exception()).__name__)
"""

OWN = """
import os, sys
from deep_arch.executors import ProcessPool

def root(x):
    import multiprocessing
    with multiprocessing.get_context("spawn").Pool(1) as inner:
        return inner.apply(pow, (x, 2)), sys.argv[0] == __file__, __name__

if __name__ == "__main__":
    with ProcessPool(1) as pool:
        print(pool.submit(root, 3).result())
"""


def test_processes_end_with_a_parent_that_is_killed(start: Callable[..., subprocess.Popen[str]]) -> None:
    script = start(ENDLESS.format(ends="waits"))
    assert script.stdout is not None
    assert [script.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
    script.kill()
    script.communicate(timeout=WAIT_S)  # which waits for all who might still write, the workers among them


def test_processes_end_with_a_program_that_leaves_them(start: Callable[..., subprocess.Popen[str]]) -> None:
    script = start(ENDLESS.format(ends="at once"))
    script.communicate(timeout=WAIT_S)
    assert script.returncode == 0


def test_a_script_without_a_guard_is_told(start: Callable[..., subprocess.Popen[str]]) -> None:
    script = start(UNGUARDED)
    out, errors = script.communicate(timeout=WAIT_S)
    assert out == "WorkerDied\n"
    assert "Write what starts the work under `if __name__ == '__main__':`." in errors


def test_tasks_of_a_script_may_start_processes(printed: Callable[..., list[str]]) -> None:
    assert printed(OWN) == ["(9, True, '__mp_main__')"]
