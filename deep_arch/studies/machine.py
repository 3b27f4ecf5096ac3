"""Machines and processes: who runs trials, and whether it still lives."""

from __future__ import annotations

import functools
import os
import platform
import uuid
from pathlib import Path
from typing import Final

from deep_arch.extras import imported
from deep_arch.storage.rows import WorkerRow

_SLACK_S: Final = 2.0
"""By so much the beginnings of one process may differ, since some systems reckon them from a clock that is set."""


@functools.lru_cache(maxsize=1)
def this_machine() -> str:
    """Return a name that is equal for processes that can see one another: a container has one of its own."""
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text().strip())
        except OSError:  # no Linux
            parts.append(f"{uuid.getnode():x}")
    return " ".join(parts)


def new_worker() -> WorkerRow:
    """Return a worker of this process, unlike any other."""
    process = os.getpid()
    return WorkerRow(uuid.uuid4().hex, this_machine(), process, imported("psutil").Process(process).create_time())


def is_gone(worker: WorkerRow) -> bool | None:
    """Return whether a worker's process ended; None where that cannot be seen from this machine."""
    if worker.machine != this_machine():
        return None
    psutil = imported("psutil")
    try:
        process = psutil.Process(worker.process)
        return bool(process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - worker.born) > _SLACK_S)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # it is there, and not ours to see
        return False


def is_over(machine: str, process: int) -> bool:
    """Return whether a process ended; False where that cannot be seen from this machine."""
    return machine == this_machine() and not imported("psutil").pid_exists(process)


def shown(worker: WorkerRow) -> str:
    """Return a worker as text: the machine's name and the process."""
    return f"{worker.machine.partition(' ')[0]}:{worker.process}"
