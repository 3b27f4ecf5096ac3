"""Adopting: executors of the standard library, Dask and MPI, beside our own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from deep_arch.errors import wrong_kind
from deep_arch.executors.process_pool import ProcessPool, n_cores
from deep_arch.language.foreign import as_int


def as_executor(given: Any) -> Any:
    """Return an executor: an int is a pool of as many processes; None stays None.

    Raises:
        BadArgument: what takes no tasks.
    """
    if given is None or (not isinstance(given, type) and callable(getattr(given, "submit", None))):
        return given
    if (n := as_int(given)) is not None and n > 0:
        return ProcessPool(n)
    made = f"{given.__name__}()" if isinstance(given, type) else "4, or ProcessPool(4) of deep_arch.executors"
    raise wrong_kind("executor", "None, a number of processes, or an executor", given, f"Pass {made}.")


def n_parallel(executor: Any) -> int:
    """Return how many tasks an executor runs at once, as far as it tells."""
    for told in (_ours, _of_dask, _of_a_pool):
        if n := told(executor):
            return n
    return n_cores()


def is_here(executor: Any) -> bool:
    """Return whether tasks run on this machine for certain."""
    return isinstance(executor, ProcessPool | ProcessPoolExecutor | ThreadPoolExecutor)


def renewed(executor: Executor) -> Executor | None:
    """Return a pool made alike in the place of one of the standard library that a dead worker broke, else None."""
    if type(executor) is not ProcessPoolExecutor or not getattr(executor, "_broken", False):
        return None
    names = ("max_workers", "mp_context", "initializer", "initargs", "max_tasks_per_child")
    made = {name: getattr(executor, f"_{name}") for name in names if hasattr(executor, f"_{name}")}
    return ProcessPoolExecutor(**made)


def _ours(executor: Any) -> int | None:
    return as_int(getattr(executor, "n_parallel", None))


def _of_a_pool(executor: Any) -> int | None:
    return as_int(getattr(executor, "_max_workers", None))  # also of MPI's, which asks its workers then


def _of_dask(executor: Any) -> int | None:
    threads: Callable[[], dict[str, int]] | None = getattr(getattr(executor, "_client", None), "nthreads", None)
    return sum(threads().values()) if threads is not None else None
