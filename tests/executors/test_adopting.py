"""Executors of others: what counts as one, how many tasks it runs at once, and where."""

from __future__ import annotations

import multiprocessing
import operator
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from deep_arch.errors import BadArgument
from deep_arch.executors import ProcessPool
from deep_arch.executors.adopting import as_executor, is_here, n_parallel, renewed
from deep_arch.executors.process_pool import n_cores


class Own(Executor):
    """A user's executor."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def spawned(workers: int, **more: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), **more)


def test_a_number_is_a_pool_of_processes() -> None:
    with as_executor(3) as pool:
        assert isinstance(pool, ProcessPool) and n_parallel(pool) == 3 and is_here(pool)
    assert as_executor(None) is None


def test_executors_are_taken_as_they_are() -> None:
    own = Own()
    assert as_executor(own) is own and not is_here(own) and n_parallel(own) == n_cores()


@pytest.mark.parametrize("given", [0, -2, True, "4", 1.5, object()])
def test_what_takes_no_tasks_is_refused(given: Any) -> None:
    text = r"executor: expected None, a number of processes, or an executor\.\n  Got .*\n  Pass 4, or ProcessPool\(4\)"
    with pytest.raises(BadArgument, match=text):
        as_executor(given)


def test_a_class_is_not_an_executor() -> None:
    with pytest.raises(BadArgument, match=r"Pass ThreadPoolExecutor\(\)\."):
        as_executor(ThreadPoolExecutor)


def test_pools_of_the_standard_library() -> None:
    with ThreadPoolExecutor(5) as threads, spawned(2) as processes:
        assert n_parallel(threads) == 5 and is_here(threads)
        assert n_parallel(processes) == 2 and is_here(processes)
        assert renewed(processes) is None and renewed(threads) is None


def test_a_broken_pool_is_renewed_alike() -> None:
    with spawned(1, initializer=os.putenv, initargs=("RENEWED", "yes")) as broken:
        with pytest.raises(BrokenProcessPool):
            broken.submit(os._exit, 3).result(60)
        made = renewed(broken)
    assert isinstance(made, ProcessPoolExecutor) and made is not broken
    with made:
        assert n_parallel(made) == 1
        assert made.submit(os.system, 'test "$RENEWED" = yes').result(60) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_dask() -> None:
    distributed = pytest.importorskip("distributed")
    address = {"dashboard_address": None, "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=3, **address) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor(pure=False, retries=0) as executor,
    ):
        client.wait_for_workers(2, timeout=60)
        assert as_executor(executor) is executor and not is_here(executor) and renewed(executor) is None
        assert n_parallel(executor) == 6
        assert executor.submit(operator.add, 1, 2).result(60) == 3
        with pytest.raises(ValueError, match="'six'"):
            executor.submit(int, "six").result(60)


def test_mpi() -> None:
    try:
        from mpi4py.futures import MPIPoolExecutor
    except (ImportError, RuntimeError) as missing:
        pytest.skip(f"no MPI is installed: {str(missing).splitlines()[0]}")
    with MPIPoolExecutor(1) as executor:
        assert as_executor(executor) is executor and not is_here(executor) and n_parallel(executor) == 1
        assert executor.submit(operator.add, 1, 2).result(60) == 3
