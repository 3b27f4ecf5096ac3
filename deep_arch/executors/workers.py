"""Workers: places for one task at a time, each with a process that is replaced when it dies."""

from __future__ import annotations

from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock
from typing import Any, NamedTuple

from deep_arch.executors.children import Child
from deep_arch.executors.environments import Environment
from deep_arch.executors.serving import outcome


class Task(NamedTuple):
    """A call on its way to a worker."""

    future: Future[Any]
    packed: bytes


class Worker:
    """A place for one task at a time; its process starts with its first task, and anew after a death."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._child: Child | None = None
        self._future: Future[Any] | None = None
        self._lock = Lock()  # so that a task is killed, and never the next one

    def work(self, tasks: SimpleQueue[Task | None]) -> None:
        """Run tasks until there is None; this is what the worker's thread does."""
        while (task := tasks.get()) is not None:
            self._run(task)
            del task  # what it returned is not held until the next one comes
        if self._child is not None:
            self._child.end()

    def kill(self, future: Future[Any]) -> bool:
        """End the process if this is the future of its task, and return whether it is."""
        with self._lock:
            if self._future is not future or self._child is None:
                return False
            self._child.kill()
            return True

    def _run(self, task: Task) -> None:
        result, error = None, None
        try:
            child = self._begun(task.future)
            if child is None:
                return
            result, error = outcome(child.ask(task.packed))
        except Exception as caught:  # its process died, or none could be started
            error = caught
        finally:
            with self._lock:
                self._future = None
        if error is None:
            task.future.set_result(result)
        else:
            task.future.set_exception(error)

    def _begun(self, future: Future[Any]) -> Child | None:
        """Return a process for a task, or None for one that was cancelled."""
        with self._lock:
            if not future.set_running_or_notify_cancel():
                return None
            self._future = future
            child = self._child
            if child is not None and not child.waits():
                child.end()
                child = self._child = None
            if child is None:
                child = self._child = Child(self._environment.variables())
            return child
