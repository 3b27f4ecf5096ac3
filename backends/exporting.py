"""What the `export_onnx` of every backend does around a framework's own exporter."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Generator
from typing import Any


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


def keep_apart(program: Any) -> None:
    """Rename what torch's exporter computes inside and calls by a name that an input or output of the user's has."""
    graph = program.model.graph
    outer = {id(value) for value in (*graph.inputs, *graph.outputs)}
    inner = [value for node in graph for value in node.outputs if id(value) not in outer]
    given = {value.name for value in (*graph.inputs, *graph.outputs)}
    taken = given | {value.name for value in inner}
    for value in inner:
        if value.name in given:
            while value.name in taken:
                value.name += "_"
            taken.add(value.name)
