"""Making objects: when code that calls a symbol means its class."""

from __future__ import annotations

import threading
from typing import Final


class _Thread(threading.local):
    making = 0


_thread: Final = _Thread()


class _Making:
    """Lets symbols act as their classes in this thread while a block runs: code that makes objects means objects."""

    def __enter__(self) -> None:
        _thread.making += 1

    def __exit__(self, *_: object) -> None:
        _thread.making -= 1


MAKING: Final = _Making()
"""What `build` runs in; a generator as a context manager would take longer than many objects do."""


def are_made() -> bool:
    """Return whether this thread makes objects."""
    return _thread.making > 0


def making_objects() -> _Making:
    """Return a context in which symbols act as their classes, for code that makes objects outside of `build`.

    Such is a framework that loads a model whose own layers use symbols: `with making_objects(): load_model(path)`.
    """
    return MAKING
