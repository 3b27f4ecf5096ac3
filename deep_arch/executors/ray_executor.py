"""An executor on a Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, TypeVar

from deep_arch.errors import WorkerDied, wrong_kind
from deep_arch.extras import imported
from deep_arch.language.foreign import as_int

T = TypeVar("T")


class RayExecutor(Executor):
    """Runs tasks on a Ray cluster: that which the process is connected to, or a local one that it begins.

    Args:
        num_cpus, num_gpus: what each task needs, as Ray counts it.
        max_parallel: how many tasks are out at once; as many as the cluster has room for if left out.
        options: others of a Ray task, such as `resources`, `memory` or `runtime_env`.

    Attributes:
        n_parallel: how many tasks run at once.

    Raises:
        BadArgument: a number of the wrong kind.
        MissingDependency: Ray is not installed.
    """

    def __init__(
        self, num_cpus: float = 1, num_gpus: float = 0, max_parallel: int | None = None, **options: Any
    ) -> None:
        for name, number in (("num_cpus", num_cpus), ("num_gpus", num_gpus)):
            if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                raise wrong_kind("RayExecutor", f"{name} to be a number of at least 0", number, f"Write {name}=1.")
        if max_parallel is not None and ((n := as_int(max_parallel)) is None or n < 1):
            raise wrong_kind("RayExecutor", "max_parallel to be an int of at least 1", max_parallel, "Leave it out.")
        self._ray = imported("ray")
        self._began = not self._ray.is_initialized()
        if self._began:
            self._ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        needs = {"num_cpus": num_cpus, "num_gpus": num_gpus, "max_retries": 0}
        self._call = self._ray.remote(_call).options(**{**needs, **options})
        self.n_parallel: Final = max_parallel or self._room(num_cpus, num_gpus)

    def _room(self, num_cpus: float, num_gpus: float) -> int:
        has = self._ray.cluster_resources()
        rooms = [has.get(name, 0) / need for name, need in (("CPU", num_cpus), ("GPU", num_gpus)) if need]
        return max(1, int(min(rooms, default=1)))

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run a function as a task of Ray.

        Returns:
            A future, which raises WorkerDied where the worker ends before the function does.
        """
        future: Future[T] = Future()
        future.inner = self._call.remote(fn, args, kwargs)  # type: ignore[attr-defined]
        future.inner.future().add_done_callback(lambda done: _pass_on(done, future))  # type: ignore[attr-defined]
        return future

    def kill(self, future: Future[Any]) -> bool:
        """Kill the worker that runs the task of a future, which then raises; False where it has ended."""
        self._ray.cancel(future.inner, force=True)  # type: ignore[attr-defined]
        return not future.done()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the cluster, if this began it."""
        if self._began and self._ray.is_initialized():
            self._ray.shutdown()

    def __repr__(self) -> str:
        return f"RayExecutor(n_parallel={self.n_parallel})"


def _call(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    return fn(*args, **kwargs)


def _pass_on(done: Future[Any], future: Future[Any]) -> None:
    error = done.exception()
    if error is None:
        future.set_result(done.result())
    elif (cause := getattr(error, "cause", None)) is not None:  # raised by the function
        future.set_exception(cause)
    elif type(error).__module__.startswith("ray"):
        future.set_exception(
            WorkerDied(
                f"worker: ended while it ran a task of Ray.\n  Got {type(error).__name__}: {error}\n"
                "  Was it killed for its memory? Give the task more: RayExecutor(memory=...)."
            )
        )
    else:
        future.set_exception(error)
