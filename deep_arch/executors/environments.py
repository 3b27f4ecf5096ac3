"""Environments: the variables that a worker starts with, set before it imports anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from deep_arch.errors import BadArgument, is_kind, wrong_kind
from deep_arch.language.foreign import as_int

_THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # how many threads XLA takes, of JAX
)
_DEVICES: Final = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Environment:
    """How many threads a worker's libraries take, where the user's own variables do not say so, and its device."""

    threads: int
    device: str | None = None

    def variables(self) -> dict[str, str]:
        """Return all variables of a worker that starts now."""
        own = {} if self.device is None else {_DEVICES: self.device}
        return dict.fromkeys(_THREADS, str(self.threads)) | dict(os.environ) | own


def environments(workers: Any, threads: Any, gpus: Any) -> Iterator[Environment]:
    """Yield the environment of each worker; the devices go round where there are more workers.

    Raises:
        BadArgument: what is no number of workers, threads or devices, or more devices than there are.
    """
    devices = _devices(gpus)
    n_threads = _positive("threads", threads)
    for i in range(len(devices) or n_cores() if workers is None else _positive("workers", workers)):
        yield Environment(n_threads, devices[i % len(devices)] if devices else None)


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positive(name: str, given: Any) -> int:
    n = as_int(given)
    if n is None or n < 1:
        raise wrong_kind(f"ProcessPool: {name}", "an int of at least 1", given, f"Write {name}=2.")
    return n


def _devices(gpus: Any) -> list[str]:
    if gpus is None:
        return []
    listed: list[Any] = list(gpus) if is_kind(gpus, list | tuple) else []
    if listed and all(is_kind(gpu, str) or as_int(gpu) is not None for gpu in listed):
        return [str(gpu) for gpu in listed]
    if (n := as_int(gpus)) is None or n < 1:
        mend = "Write gpus=2 for the first two, or gpus=['0', '3']; leave it out for workers without a device."
        raise wrong_kind("ProcessPool: gpus", "an int of at least 1, or a list of names", gpus, mend)
    return _visible(n)


def _visible(n: int) -> list[str]:
    """Return the first devices, of those that whoever started this process allows."""
    if (allowed := os.environ.get(_DEVICES)) is None:
        return [str(i) for i in range(n)]
    names = [name.strip() for name in allowed.split(",") if name.strip()]
    if len(names) < n:
        raise BadArgument(
            f"ProcessPool: gpus: expected no more devices than this process may use.\n  Got {n}, where {_DEVICES} is "
            f"{allowed!r}.\n  Ask for {len(names)} at most, or list the names: gpus=['0', '1']."
        )
    return names[:n]
