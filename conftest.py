"""Give every process of the tests one thread, and begin with the tests that take longest."""

import os

import pytest

# The workers share the processor: libraries that start a thread for each core in each worker wait for one another.
# They read this when they are imported, here and in the processes that tests start.
for _variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # how many threads XLA takes, of JAX
):
    os.environ.setdefault(_variable, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
