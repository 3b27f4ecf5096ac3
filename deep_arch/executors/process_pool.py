"""A pool of processes that survives its workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from deep_arch.errors import ExecutorError, WorkerDied, is_kind, wrong_kind
from deep_arch.executors.travelling import answer, outcome, packed
from deep_arch.extras import imported
from deep_arch.language.foreign import as_int

T = TypeVar("T")

_THREADS: Final = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC"),
)
"""What libraries read, as they are imported, for how many threads to start."""

_STARTING: Final = threading.Lock()


class ProcessPool(Executor):
    """Runs tasks in processes of this machine, each of which is replaced when it dies.

    The processes are spawned, so what a task needs is defined at the top level of a module, and a script guards what it
    does with `if __name__ == "__main__":`. They end when this process does, however it ends.

    Args:
        workers: how many processes; None for one for each core that this process may use.
        threads: how many threads libraries start in each, unless the environment says so already.
        gpus: how many there are, or their names, as CUDA_VISIBLE_DEVICES has them; each process sees one of them,
            and more processes than devices share them evenly. None leaves this as it is.

    Attributes:
        n_parallel: how many tasks run at once.

    Raises:
        BadArgument: an argument of the wrong kind.
        MissingDependency: Pebble, the library of pools, is not installed.

    Example:
        >>> from deep_arch.executors import ProcessPool
        >>> with ProcessPool(workers=1) as pool:
        ...     pool.submit(pow, 2, 10).result()
        1024
    """

    def __init__(self, workers: int | None = None, threads: int = 1, gpus: int | Sequence[str] | None = None) -> None:
        self.n_parallel: Final = _count("workers", n_cores() if workers is None else workers)
        n_threads = _count("threads", threads)
        variables = {name: str(n_threads) for name in _THREADS if name not in os.environ}
        self._context = _Context(variables, _devices(gpus))
        self._lock = threading.Lock()
        self._is_shut = False
        self._inner: WeakKeyDictionary[Future[Any], Any] = WeakKeyDictionary()  # Pebble's futures, by ours
        self._pool = self._new()

    def _new(self) -> Any:
        return imported("pebble").ProcessPool(self.n_parallel, initializer=_end_with_parent, context=self._context)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function in one of the processes.

        Returns:
            A future, which raises WorkerDied where the process ends before the function does.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_shut:
                raise ExecutorError(
                    f"ProcessPool: expected tasks before the pool is shut down.\n  Got {fn!r} ({type(fn).__name__}).\n"
                    "  Submit inside `with ProcessPool() as pool:`, or make a new pool."
                )
            try:
                task = packed(fn, args, kwargs)
            except Exception as error:
                future.set_exception(error)
                return future
            try:
                inner = self._pool.schedule(answer, [task])
            except RuntimeError:  # it broke, as all processes ended without a task
                self._pool = self._new()
                inner = self._pool.schedule(answer, [task])
        self._inner[future] = inner
        inner.add_done_callback(partial(_pass_on, future))
        return future

    def kill(self, future: Future[Any]) -> bool:
        """Kill the process that runs the task of a future, which then raises; False where it has ended."""
        return future in self._inner and not future.done() and bool(self._inner[future].cancel())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; wait for those that run, or else stop them."""
        self._is_shut = True
        if wait and not cancel_futures:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()

    def __repr__(self) -> str:
        return f"ProcessPool(workers={self.n_parallel})"


class _Context(SpawnContext):
    """Starts processes with some more variables in their environment, of which the first import may read."""

    def __init__(self, variables: Mapping[str, str], devices: Sequence[str]) -> None:
        self._variables, self._devices = variables, devices
        self._held: list[tuple[str, SpawnProcess]] = []

    def Process(self, **options: Any) -> SpawnProcess:  # type: ignore[override]
        """Return a process, not yet started."""
        return _Process(self, **options)

    def begun(self, process: SpawnProcess) -> dict[str, str]:
        """Return the variables for a process that starts, with the device that fewest others hold."""
        variables = dict(self._variables)
        if self._devices:
            self._held = [(device, other) for device, other in self._held if other.is_alive()]
            held = [device for device, _ in self._held]
            variables["CUDA_VISIBLE_DEVICES"] = min(self._devices, key=held.count)
            self._held.append((variables["CUDA_VISIBLE_DEVICES"], process))
        return variables


class _Process(SpawnProcess):
    def __init__(self, context: _Context, **options: Any) -> None:
        super().__init__(**options)
        self._context: _Context | None = context

    def start(self) -> None:
        context, self._context = self._context, None  # which is not for the child
        assert context is not None, "a process is started once"
        with _STARTING, _environment(context.begun(self)):
            super().start()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set variables while a process starts, which takes over those of this one: there is no other way to give it any
    before it imports the main script."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _end_with_parent() -> None:
    """End this process as soon as the one that began it has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="deep_arch parent", daemon=True).start()


def _pass_on(future: Future[Any], done: Future[Any]) -> None:
    error = None if done.cancelled() else done.exception()
    if done.cancelled() or type(error).__name__ == "CancelledError":
        future.set_exception(WorkerDied("worker: was killed, as asked for.\n  Got a call of kill."))
    elif type(error).__name__ == "ProcessExpired":
        future.set_exception(died(getattr(error, "exitcode", None)))
    elif isinstance(error, BrokenProcessPool):
        future.set_exception(died(None))
    elif error is not None:
        future.set_exception(error)
    else:
        result, raised = outcome(done.result())
        if raised is None:
            future.set_result(result)
        else:
            future.set_exception(raised)


def died(code: int | None) -> WorkerDied:
    """Return the error for a worker that ended, with its exit code, or minus the signal that ended it."""
    if code is None:
        how, mend = "no exit code", "See what it wrote: it may have failed to import the main script."
    elif code >= 0:
        how, mend = f"exit code {code}", "An objective must not end its process: raise an error instead."
    else:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = "Was it killed for its memory? Run fewer workers, or train in smaller batches."
        how, mend = name, memory if name == "SIGKILL" else "Does compiled code crash? Run the task in this process."
    return WorkerDied(f"worker: ended while it ran a task.\n  Got {how}.\n  {mend}")


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(name: str, given: Any) -> int:
    if (n := as_int(given)) is None or n < 1:
        raise wrong_kind("ProcessPool", f"{name} to be an int of at least 1", given, f"Write {name}=2.")
    return n


def _devices(gpus: Any) -> list[str]:
    if gpus is None:
        return []
    if (n := as_int(gpus)) is not None and n > 0:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        named = [name for name in visible.split(",") if name]
        return named[:n] if len(named) >= n else [str(i) for i in range(n)]
    if is_kind(gpus, Sequence) and not is_kind(gpus, str) and gpus:
        return [str(gpu) for gpu in gpus]
    raise wrong_kind(
        "ProcessPool", "gpus to be a number of devices, or their names", gpus, "Write gpus=2, or ['0', '3']."
    )
