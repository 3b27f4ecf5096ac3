"""What the `export_onnx` of every backend does around a framework's own exporter."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Generator


@contextlib.contextmanager
def quiet(logger_name: str, level: int) -> Generator[None]:
    """Hold back what an exporter warns of, and logs below a level: it speaks of its own insides."""
    logger = logging.getLogger(logger_name)
    before = logger.level
    logger.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def first_cause(error: BaseException) -> BaseException:
    """Return what happened, which torch wraps in several reports."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
