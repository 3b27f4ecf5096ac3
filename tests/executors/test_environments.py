"""What a worker starts with: its threads and its device, before anything is imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deep_arch.errors import BadArgument
from deep_arch.executors import ProcessPool
from deep_arch.executors.environments import environments

THREADS = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"]
THREADS += ["TF_NUM_INTEROP_THREADS", "NPROC"]

SCRIPT = f"""
import os
AT_START = {{name: os.environ.get(name) for name in {THREADS}}}
import numpy
from deep_arch.executors import ProcessPool

def seen():
    from threadpoolctl import threadpool_info
    return AT_START, {{pool["num_threads"] for pool in threadpool_info()}}

if __name__ == "__main__":
    before = dict(os.environ)
    with ProcessPool(1, threads=3) as pool:
        first = pool.submit(seen).result()
        pool.submit(os._exit, 3).exception()
        for at_start, threads in (first, pool.submit(seen).result()):
            print(*at_start.values(), *threads)
    assert os.environ == before
"""


def test_threads_are_set_before_imports_and_after_a_death(printed: Callable[..., list[str]]) -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("threadpoolctl")
    unset: dict[str, None] = dict.fromkeys(THREADS)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert printed(SCRIPT, **unset) == [f"3 3 3 3 3 3 {min(3, allowed)}"] * 2


def test_what_the_user_set_is_kept(printed: Callable[..., list[str]]) -> None:
    pytest.importorskip("threadpoolctl")
    set_here = dict.fromkeys(THREADS) | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    assert printed(SCRIPT, **set_here) == ["1 1 3 3 3 3 1"] * 2


def devices(workers: int | None, gpus: Any) -> list[str | None]:
    return [environment.device for environment in environments(workers, 1, gpus)]


def test_each_worker_has_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices(None, gpus=2) == ["0", "1"]
    assert devices(3, gpus=["4", "MIG-1"]) == ["4", "MIG-1", "4"]
    assert devices(2, gpus=[0, 3]) == ["0", "3"]
    assert devices(2, gpus=None) == [None, None]


def test_devices_are_of_those_that_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    assert devices(None, gpus=2) == ["2", "5"] and devices(None, gpus=["7"]) == ["7"]
    text = (
        r"gpus: expected no more devices than this process may use\.\n  Got 3, where CUDA_VISIBLE_DEVICES is '2, 5'\."
    )
    with pytest.raises(BadArgument, match=text + r"\n  Ask for 2 at most"):
        ProcessPool(gpus=3)


def test_a_device_is_given_back_by_a_death() -> None:
    with ProcessPool(gpus=["a", "b"]) as pool:
        assert pool.n_parallel == 2
        for _ in range(3):
            deaths = [pool.submit(os._exit, 3) for _ in range(2)]
            assert all(future.exception(60) for future in deaths)
            seen = [pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES") for _ in range(20)]
            assert {future.result(60) for future in seen} <= {"a", "b"}


@pytest.mark.parametrize("given", [0, True, [], "0", 1.5, [None]])
def test_what_is_no_device_is_refused(given: Any) -> None:
    with pytest.raises(
        BadArgument, match=r"gpus: expected an int of at least 1, or a list of names\.\n  Got .*\n  Write"
    ):
        ProcessPool(gpus=given)
