"""Wait for what other processes do, instead of sleeping for as long as it may take."""

from __future__ import annotations

import time
from collections.abc import Callable

from deep_arch.extras import imported


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = 60.0) -> None:
    """Return once something holds.

    Args:
        holds: asked again and again.
        what: what is waited for, for the error: "the server to start".
        deadline_s: after so long it will not happen any more. A test that passes never waits for this.

    Raises:
        AssertionError: it did not hold in time.

    Example:
        >>> wait_until(lambda: True, "the truth")
    """
    deadline = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(
                f"waiting: expected {what} within {deadline_s:g} s.\n  Got nothing of the kind.\n"
                "  See what holds it up, or wait longer on a slow machine."
            )
        time.sleep(0.005)


def has_ended(process: int) -> bool:
    """Return whether the process of a number ended, be it that its parent has not noticed.

    Example:
        >>> import os
        >>> has_ended(os.getpid())
        False
    """
    psutil = imported("psutil")
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
