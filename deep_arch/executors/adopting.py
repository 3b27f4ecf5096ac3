"""Executors of other libraries: how many tasks they run at once, where, and how they are renewed."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, cast

from deep_arch.errors import wrong_kind
from deep_arch.executors.process_pool import ProcessPool
from deep_arch.language.foreign import as_int


def as_executor(given: Any) -> Executor | None:
    """Return an executor: a pool of so many processes for an int, and what has `submit` as it is; None for None.

    Raises:
        BadArgument: what is none of these.
    """
    if given is None:
        return None
    if as_int(given) is not None:
        return ProcessPool(given)
    if not isinstance(given, type) and callable(getattr(given, "submit", None)):
        return cast(Executor, given)
    mend = "Write executor=4 for four processes, or pass one with `submit`, such as deep_arch.executors.ProcessPool(4)."
    raise wrong_kind("run", "an executor, or a number of processes", given, mend)


def n_parallel(executor: Any) -> int:
    """Return how many tasks an executor runs at once."""
    if (n := getattr(executor, "n_parallel", None) or getattr(executor, "_max_workers", None)) is not None:
        return int(n)
    client = getattr(executor, "_client", None)  # of Dask
    if client is not None:
        return max(1, sum(client.nthreads().values()))
    pool = getattr(executor, "_pool", None)  # of mpi4py
    return int(getattr(pool, "size", None) or os.cpu_count() or 1)


def is_here(executor: Any) -> bool:
    """Return whether all tasks run on this machine."""
    return isinstance(executor, ProcessPool | ProcessPoolExecutor | ThreadPoolExecutor)


def renewed(executor: Any) -> Executor | None:
    """Return a pool like one of the standard library that broke as a worker died; None for what is no such pool."""
    if type(executor) is not ProcessPoolExecutor:
        return None
    known: Any = executor
    executor.shutdown(wait=False)
    return ProcessPoolExecutor(known._max_workers, known._mp_context, known._initializer, known._initargs)
