"""A last will: what is done when this process ends without having cleaned up, be it by SIGKILL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

# Looking who the parent is works on every Unix. The end of a pipe would not do: forked children keep it open.
_WATCH: Final = """
import os, sys, time
while os.getppid() == int(sys.argv[1]):
    time.sleep(0.1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def last_will(command: Sequence[str]) -> Generator[None, None, None]:
    """Run a command if this process ends before it leaves the block, however it ends.

    A process of its own watches, so it works after SIGKILL too. Nothing runs where the block is left, also by an error.

    Args:
        command: the program and its arguments; it runs in `/`, and what it prints is lost.

    Example:
        >>> with last_will(["umount", "/tmp/disk"]):
        ...     pass  # use the disk, and unmount it
    """
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # what interrupts or kills this process's group spares it
    )
    try:
        yield
    finally:
        watcher.kill()
        watcher.wait()
