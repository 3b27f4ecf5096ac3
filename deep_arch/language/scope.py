"""What is being recorded right now, one stack for each thread.

A search-space function runs while a fragment records it; hyperparameters and modules that it makes
report to that fragment, and so does each call of a module on values.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deep_arch.language.fragment import Fragment


class _Stack(threading.local):
    def __init__(self) -> None:
        self.fragments: list[Fragment] = []


_stack = _Stack()


def current() -> Fragment | None:
    """Return the innermost fragment that this thread records, or None outside every search-space function."""
    fragments = _stack.fragments
    return fragments[-1] if fragments else None


@contextmanager
def recording(fragment: Fragment) -> Generator[None, None, None]:
    """Make `fragment` the innermost one while the block runs."""
    _stack.fragments.append(fragment)
    try:
        yield
    finally:
        _stack.fragments.pop()
