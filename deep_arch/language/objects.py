"""Making objects: when code that calls a symbol means its class."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Final


class _Thread(threading.local):
    making = 0


_thread: Final = _Thread()


@contextlib.contextmanager
def making_objects() -> Generator[None, None, None]:
    """Let symbols act as their classes in this thread while the block runs: code that makes objects means objects."""
    _thread.making += 1
    try:
        yield
    finally:
        _thread.making -= 1


def are_made() -> bool:
    """Return whether this thread makes objects."""
    return _thread.making > 0
