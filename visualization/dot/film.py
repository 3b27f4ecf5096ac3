"""Drawing how an architecture comes about: one picture for each assignment."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.visualization.dot.rendering import FORMATS, render


def render_steps(
    architecture: Architecture | SearchSpace,
    folder: str | PathLike[str],
    format: str = "svg",
    seed: int = 0,
    **options: Any,
) -> list[Path]:
    """Draw every state from nothing assigned to an architecture, and return the files in order.

    The files are `step-000.svg`, `step-001.svg`, ... in `folder`, which is made where it does not exist.

    Args:
        architecture: the last state, or a space from which one is sampled.
        folder: where the files go.
        format: "svg", "png", "pdf", "dot" or "gv".
        seed: what a space is sampled with.
        options: those of `render`.

    Raises:
        BadArgument: a format or an option that does not exist.
        MissingDependency: see `render`.
    """
    if f".{format}" not in FORMATS:
        raise BadArgument(
            f"render_steps: format is one of {', '.join(ending[1:] for ending in FORMATS)}.\n  Got {format!r}."
        )
    target = architecture.sample(seed=seed) if isinstance(architecture, SearchSpace) else architecture
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for i, state in enumerate(states(target)):
        paths.append(Path(folder, f"step-{i:03d}.{format}"))
        render(state, paths[-1], **options)
    return paths


def states(target: Architecture) -> Iterator[Architecture]:
    """Yield the states from nothing assigned to `target`, one assignment apart, in the space's own order."""
    state: Architecture | None = target.space.start()
    while state is not None:
        yield state
        state = _next(state, target)


def _next(state: Architecture, target: Architecture) -> Architecture | None:
    for point in state.unassigned:
        if point.address in target.values:
            return state.assign(point, target.values[point.address])
    return None
