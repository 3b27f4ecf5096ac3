"""Twenty tasks whose answer is known: sequences labelled by programs of at most seven nodes.

The language is that of behaviour in videos: a program averages a window of frames, or folds a body along all of them,
and computes with affine functions of groups of features. What a program gives is a logit, and each label is drawn from
its probability, so that no classifier is better than the program itself, and most labels are what it says.

The programs are run here by NumPy alone: no part of the library takes part in what is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

GROUPS: Final[Mapping[str, tuple[int, ...]]] = {
    "Speed": (0, 1),
    "Turn": (2,),
    "Heading": (3, 4),
    "Touch": (5,),
    "Distance": (6,),
    "Size": (7,),
}
"""The features that each leaf reads."""

WINDOWS: Final[Mapping[str, tuple[int, int]]] = {"Last4": (3, 0), "Last8": (7, 0), "Middle4": (7, -4), "Whole": (11, 0)}
"""The frames that are averaged: from so many before the last one to so many after it."""

CHANNELS: Final = 8
LENGTH: Final = 12
PARTS: Final[Mapping[str, int]] = {"train": 1500, "valid": 600, "test": 4000}


@dataclass(frozen=True)
class Term:
    """A program, or a part of one.

    Attributes:
        name: a window, `Fold`, `SimpleITE`, `Add`, `Multiply`, `ITE`, or of a leaf the group of features that it reads.
        parts: what it is applied to.
        weights: of a leaf: for each feature, in a fold for the accumulator, and the constant.
    """

    name: str
    parts: tuple[Term, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many nodes it has."""
        return 1 + sum([part.size for part in self.parts])

    @property
    def folds(self) -> bool:
        """Whether a body runs along time in it."""
        return self.name == "Fold" or any(part.folds for part in self.parts)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parts))})" if self.parts else self.name


@dataclass(frozen=True)
class ProgramTask:
    """Labelled sequences, and the program that labels them.

    Attributes:
        name: of the task.
        program: what is true.
        x: by part ("train", "valid", "test"): float32 of shape (examples, channels, frames).
        y: by part: 0 or 1 for each example.
    """

    name: str
    program: Term
    x: Mapping[str, npt.NDArray[np.float32]]
    y: Mapping[str, npt.NDArray[np.int64]]

    def accuracy(self, part: str = "test") -> float:
        """Return the accuracy of the true program with its true weights."""
        return float(((logits(self.program, self.x[part]) > 0) == (self.y[part] > 0)).mean())


def leaf(name: str, *weights: float) -> Term:
    """Return an affine function of a group of features."""
    return Term(name, (), weights)


def term(name: str, *parts: Term) -> Term:
    """Return a function applied to others."""
    return Term(name, parts)


PROGRAMS: Final[Mapping[str, Term]] = {
    "affine": term("Last4", leaf("Speed", 8, -6, 1)),
    "mean": term("Whole", leaf("Heading", 12, 9, -1)),
    "product": term("Last8", term("Multiply", leaf("Turn", 4, 0.5), leaf("Distance", 4, -0.5))),
    "gated speed": term("Last4", term("Multiply", leaf("Touch", 4, -2), leaf("Speed", 3, 4, 0))),
    "sum": term("Middle4", term("Add", leaf("Speed", 6, 4, -1), leaf("Distance", -7, 0))),
    "either": term("Last8", term("ITE", leaf("Turn", 12, 0), leaf("Speed", 9, 6, -2), leaf("Distance", -11, 1))),
    "touching": term("Whole", term("ITE", leaf("Touch", 9, -5), leaf("Turn", -14, 2), leaf("Heading", 9, -12, 0))),
    "far": term(
        "Last4", term("Add", leaf("Turn", 6, 0), term("Multiply", leaf("Speed", 3, 3, 0), leaf("Distance", 3, 0)))
    ),
    "weighed sum": term(
        "Last8", term("Multiply", leaf("Turn", 5, 0.5), term("Add", leaf("Speed", 3, -4, 0), leaf("Distance", 3, 0.5)))
    ),
    "cubic": term(
        "Whole",
        term("Multiply", leaf("Heading", 6, 3, 0), term("Multiply", leaf("Turn", 4, 0.5), leaf("Distance", 3, 2))),
    ),
    "touch and speed": term(
        "Middle4",
        term(
            "ITE",
            leaf("Turn", 9, -2),
            term("Multiply", leaf("Speed", 4, 2, 1), leaf("Touch", 3, -2)),
            leaf("Heading", 9, 0, 0),
        ),
    ),
    "fast and near": term(
        "Last4",
        term(
            "ITE",
            term("Add", leaf("Speed", 9, 6, 0), leaf("Distance", -9, 0)),
            leaf("Turn", 10, 1),
            leaf("Heading", 8, 8, 0),
        ),
    ),
    "choice of sums": term(
        "Last8",
        term(
            "ITE",
            leaf("Distance", 12, 2),
            leaf("Turn", 12, -1),
            term("Add", leaf("Heading", 6, -6, 0), leaf("Speed", 6, 0, 0)),
        ),
    ),
    "two windows": term(
        "SimpleITE",
        term("Whole", leaf("Distance", 14, 0)),
        term("Last4", leaf("Speed", 8, 5, 0)),
        term("Middle4", leaf("Turn", -10, 1)),
    ),
    "decaying sum": term("Fold", leaf("Speed", 3, -2, 0.75, 0.2)),
    "latch": term("Fold", term("ITE", leaf("Touch", 12, 0, -25), leaf("Touch", 0, 0, 7), leaf("Touch", 0, 1, -0.4))),
    "timer": term(
        "Fold", term("ITE", leaf("Distance", 12, 0, -9), leaf("Distance", 0, 0, 6), leaf("Distance", 0, 1, -1.5))
    ),
    "counter": term(
        "Fold",
        term(
            "Add",
            leaf("Touch", 0, 1, -2),
            term("ITE", leaf("Distance", 12, 0, 3), leaf("Distance", 0, 0, 3), leaf("Distance", 0, 0, 0)),
        ),
    ),
    "sum since a turn": term(
        "Fold", term("ITE", leaf("Turn", 12, 0, -12), leaf("Turn", 0, 0, 0), leaf("Speed", 3, 2, 1, 0.3))
    ),
    "decaying product": term(
        "Fold",
        term("Add", leaf("Turn", 0, 0.8, 0), term("Multiply", leaf("Turn", 3, 0, 0.3), leaf("Distance", 2, 0, 0.3))),
    ),
}
"""The programs, by the name of the task; in folds the accumulator's weight stands before the constant."""


def program_task(name: str, seed: int = 0) -> ProgramTask:
    """Return the task of this name, with sequences and labels drawn from a seed."""
    rng = np.random.default_rng([seed, list(PROGRAMS).index(name)])
    x = {part: sequences(rng, n) for part, n in PARTS.items()}
    y = {part: _labels(rng, logits(PROGRAMS[name], given)) for part, given in x.items()}
    return ProgramTask(name, PROGRAMS[name], x, y)


def sequences(rng: np.random.Generator, n: int) -> npt.NDArray[np.float32]:
    """Return n sequences of all features, which change slowly, each in a way of its own.

    `Touch` is 0 but for pulses of a few frames, `Heading` the direction of a walk on the circle; `Size` says nothing.
    """
    slow = {index: _slow(rng, n, keep) for index, keep in {0: 0.8, 1: 0.6, 2: 0.7, 6: 0.9, 7: 0.95}.items()}
    angle = np.cumsum(rng.normal(0, 0.5, (n, LENGTH)), 1) + rng.uniform(0, 2 * np.pi, (n, 1))
    near = 0.6 * slow[6] + 0.8 * _slow(rng, n, 0.6)  # what touches is mostly not far
    touch = np.maximum(0.0, 2 * (-near - 0.6))
    rows = [slow[0], slow[1], slow[2], np.cos(angle), np.sin(angle), touch, slow[6], slow[7]]
    return np.stack(rows, 1).astype(np.float32)


def _slow(rng: np.random.Generator, n: int, keep: float) -> Array:
    """Return an autoregressive process with unit variance."""
    noise, rows = rng.normal(size=(n, LENGTH)), [rng.normal(size=n)]
    for t in range(1, LENGTH):
        rows.append(keep * rows[-1] + np.sqrt(1 - keep**2) * noise[:, t])
    return np.stack(rows, 1)


def _labels(rng: np.random.Generator, z: Array) -> npt.NDArray[np.int64]:
    return (rng.uniform(size=len(z)) < _sigmoid(z)).astype(np.int64)


def logits(program: Term, x: npt.NDArray[Any]) -> Array:
    """Return what a program of sequences gives for each."""
    x = np.asarray(x, np.float64)
    if program.name == "SimpleITE":
        return _gated(*[logits(part, x) for part in program.parts])
    (body,) = program.parts
    if program.name == "Fold":
        state = np.zeros(len(x))
        for t in range(x.shape[2]):
            state = _of_frame(body, x[:, :, t], state)
        return state
    before, after = WINDOWS[program.name]
    return _of_frame(body, x[:, :, LENGTH - 1 - before : LENGTH + after].mean(2), None)


def _of_frame(program: Term, x: Array, state: Array | None) -> Array:
    if program.name in GROUPS:
        read = x[:, GROUPS[program.name]] if state is None else np.column_stack([x[:, GROUPS[program.name]], state])
        return np.asarray(read @ np.array(program.weights[:-1]) + program.weights[-1])
    given = [_of_frame(part, x, state) for part in program.parts]
    if program.name == "ITE":
        return _gated(*given)
    return given[0] + given[1] if program.name == "Add" else given[0] * given[1]


def _gated(condition: Array, then: Array, other: Array) -> Array:
    gate = _sigmoid(condition)
    return gate * then + (1 - gate) * other


def _sigmoid(z: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))
