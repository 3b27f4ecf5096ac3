"""The executor on a real Ray of this machine, used by scripts, since Ray leaves threads and warnings behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deep_arch.errors import BadArgument
from deep_arch.executors import RayExecutor

HEAD = """
import operator, os, signal, sys, threading
import ray
from deep_arch.errors import ExecutorError, WorkerDied
from deep_arch.executors import RayExecutor
from deep_arch.executors.adopting import as_executor, is_here, n_parallel

def text(future):
    error = future.exception(100)
    return type(error).__name__ + ": " + str(error).replace("\\n", "|")
"""

TASKS = f"""{HEAD}
ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)

@ray.remote(num_cpus=0)
class Gate:
    async def begun(self):
        self.count = getattr(self, "count", 0) + 1
    async def n_begun(self):
        return getattr(self, "count", 0)

gate = Gate.remote()

def waits():
    ray.get(gate.begun.remote())
    threading.Event().wait()

def await_begun(n):
    while ray.get(gate.n_begun.remote()) < n:
        pass

class Odd(Exception):
    def __init__(self, what, why):
        super().__init__(what + why)
        self.why = why

def odd():
    raise Odd("this", "so")

with RayExecutor() as executor:
    print(as_executor(executor) is executor, is_here(executor), n_parallel(executor), executor.n_parallel)
    print(sum(executor.map(operator.mul, range(10), range(10))), executor.submit(int, "ff", base=16).result())
    raised = executor.submit(int, "six").exception()
    print(type(raised) is ValueError, raised, "_call" in str(raised.__cause__))
    print(text(executor.submit(print, threading.Lock())).partition(" ")[0])
    print(text(executor.submit(odd)).partition("|")[0], '"this"' in str(executor.submit(odd).exception().__cause__))
    print(text(executor.submit(sys.exit, 2)).split("|")[1])
    other = executor.submit(waits)
    await_begun(1)
    print(text(executor.submit(signal.raise_signal, signal.SIGKILL)))
    killed = executor.submit(waits)
    await_begun(2)
    pending = executor.submit(abs, -1)
    cancelled = executor.submit(abs, -1)
    print(cancelled.cancel(), executor.kill(pending), text(pending).partition("|")[0], executor.kill(pending))
    print(executor.kill(killed), text(killed))
    print(executor.submit(abs, -1).result(), other.done(), executor.kill(other), text(other).partition("|")[0])
print(ray.is_initialized())
try:
    executor.submit(abs, -1)
except ExecutorError as error:
    print(str(error).replace("\\n", "|"))
ray.shutdown()
"""

DIED = "WorkerDied: RayExecutor: expected a process of Ray to live until its task was done."

OWN = f"""{HEAD}
with RayExecutor(num_cpus=0, num_gpus=0, max_parallel=3, resources={{"own": 1}}) as executor:
    print(ray.is_initialized(), executor.n_parallel)
with RayExecutor(num_cpus=0.25, max_parallel=3) as executor:
    print(executor.n_parallel)
    later = executor.submit(abs, -2)
executor.shutdown()
print(ray.is_initialized(), later.result())
executor = RayExecutor()
endless = executor.submit(signal.pause)
executor.shutdown(cancel_futures=True)
print(endless.cancelled(), ray.is_initialized())
"""


@pytest.mark.slow
def test_tasks_on_a_cluster(printed: Callable[..., list[str]]) -> None:
    pytest.importorskip("ray")
    lines = [line for line in printed(TASKS) if line and "(raylet)" not in line]  # which tells of deaths itself
    assert lines[:6] == [
        "True False 2 2",
        "285 255",
        "True invalid literal for int() with base 10: 'six' True",
        "TypeError:",
        "ExecutorError: executor: expected a task to return, or to raise an exception that can be pickled. True",
        "  Got SystemExit(2) (SystemExit).",
    ]
    assert lines[6].startswith(f"{DIED}|  Got WorkerCrashedError") and "Was it killed for memory?" in lines[6]
    assert lines[7] == f"True True {DIED} False"
    assert (
        lines[8]
        == f"True {DIED}|  Got a call of kill.|  Submit the task once more where it is still needed. Other tasks go on."
    )
    assert lines[9] == f"1 False True {DIED}"
    assert lines[10] == "True"  # Ray was there before
    assert lines[11].startswith("RayExecutor: expected tasks before it is shut down.|  Got <built-in function abs>")


@pytest.mark.slow
def test_ray_is_started_and_stopped(printed: Callable[..., list[str]]) -> None:
    pytest.importorskip("ray")
    assert printed(OWN) == ["True 1", "3", "False 2", "True False"]


@pytest.mark.parametrize(
    "wrong", [{"num_cpus": -1}, {"num_gpus": "two"}, {"num_cpus": True}, {"num_cpus": float("nan")}]
)
def test_what_is_no_amount_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(
        BadArgument, match=rf"RayExecutor: {name}: expected a number of at least 0\.\n  Got .*\n  Write"
    ):
        RayExecutor(**wrong)


def test_what_is_no_number_of_tasks_is_refused() -> None:
    with pytest.raises(
        BadArgument, match=r"RayExecutor: max_parallel: expected an int of at least 1, or None\.\n  Got 0"
    ):
        RayExecutor(max_parallel=0)
