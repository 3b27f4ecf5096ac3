"""A pool of processes that survives the death of its workers."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

from deep_arch.errors import ExecutorError
from deep_arch.executors.children import check_main, packed
from deep_arch.executors.environments import environments
from deep_arch.executors.workers import Task, Worker

P = ParamSpec("P")
T = TypeVar("T")


class ProcessPool(Executor):
    """Processes of this machine that run one task each, and are replaced when they die.

    A task whose process dies, of a crash or for want of memory, raises `WorkerDied`, and it alone; one that takes too
    long can be killed. Tasks must pickle, so their functions stand in modules, or in a script that guards what it
    starts with `if __name__ == "__main__":`. The processes end with this one, however it ends, and do not react to
    Ctrl-C by themselves.

    Args:
        workers: how many processes; None for one on each device, or on each core that this process may use.
        threads: how many threads the numerical libraries of each process take: `OMP_NUM_THREADS` and its like, unless
            these are set already.
        gpus: how many devices, or a list of their names: each process sees one, as its `CUDA_VISIBLE_DEVICES`, and
            where there are more processes they share. None for whatever this process sees.

    Attributes:
        n_parallel: how many tasks run at once.

    Raises:
        BadArgument: what is no number of workers, threads or devices.
        ExecutorError: a worker that imports its script came here.

    Example:
        >>> with ProcessPool(2) as pool:
        ...     futures = [pool.submit(pow, 2, n) for n in range(4)]
        >>> [future.result() for future in futures]
        [1, 2, 4, 8]
    """

    def __init__(self, workers: int | None = None, threads: int = 1, gpus: int | list[str] | None = None) -> None:
        check_main()
        self._workers = [Worker(environment) for environment in environments(workers, threads, gpus)]
        self.n_parallel = len(self._workers)
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._loops: list[Thread] = []
        self._is_closed = False
        self._lock = Lock()  # no task comes after the end
        # The threads know the queue, and not the pool, so that a pool that nobody has any more lets them go.
        weakref.finalize(self, _send_home, self._tasks, self.n_parallel).atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of a call in one of the processes.

        Raises:
            ExecutorError: the pool was shut down.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise _closed(fn)
            try:
                self._tasks.put(Task(future, packed(fn, args, kwargs)))
            except Exception as error:  # it does not pickle
                future.set_exception(error)
            self._start()
        return future

    def kill(self, future: Future[Any]) -> bool:
        """End a task: cancel one that waits, and kill the process of one that runs, which raises `WorkerDied`.

        Returns:
            whether it was there to be ended.
        """
        return future.cancel() or any(worker.kill(future) for worker in self._workers)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks, and end the processes once those at hand are done.

        Args:
            wait: whether to return only then.
            cancel_futures: whether tasks that wait are cancelled rather than run.
        """
        with self._lock:
            self._is_closed = True
            if cancel_futures:
                _cancel(self._tasks)
            _send_home(self._tasks, self.n_parallel)
        for thread in self._loops if wait else ():
            thread.join()

    def _start(self) -> None:
        if not self._loops:
            self._loops = [Thread(target=w.work, args=(self._tasks,), daemon=True) for w in self._workers]
            for thread in self._loops:
                thread.start()


def _send_home(tasks: SimpleQueue[Task | None], n_workers: int) -> None:
    for _ in range(n_workers):
        tasks.put(None)


def _cancel(tasks: SimpleQueue[Task | None]) -> None:
    try:
        while True:
            task = tasks.get_nowait()
            if task is not None and task.future.cancel():
                task.future.set_running_or_notify_cancel()
    except Empty:
        return


def _closed(fn: Any) -> ExecutorError:
    return ExecutorError(
        f"ProcessPool: expected tasks before the pool is shut down.\n  Got {fn!r} ({type(fn).__name__}).\n"
        "  Submit inside `with ProcessPool() as pool:`, or make a new pool."
    )
