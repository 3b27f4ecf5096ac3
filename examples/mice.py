"""Windows of two mice that meet, and the language of programs that say whether one investigates the other.

`programs.py` and `dpads.py` search this language, each in its way. A window has 18 features at 13 frames, of which the
middle one has the label (CalMS21, task 1, "investigation"). It lies in `calms21/calms21_task1.npz`, where
`benchmark_tables.py` looks for its tables; without that file there are made-up windows.

References:
    Sun et al., The multi-agent behavior dataset: mouse dyadic social interactions (NeurIPS 2021, datasets).
    Shah et al., Learning differentiable programs with admissible neural heuristics (NeurIPS 2020), for the language.
    Cui and Zhu, Differentiable synthesis of program architectures (NeurIPS 2021), for the split.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import deep_arch as da
from deep_arch.testing import program_language

GROUPS = {
    "HeadBodyAngle": (0, 1),
    "AxisRatio": (2, 3),
    "Speed": (4, 5),
    "Acceleration": (6, 7),
    "TangentialVelocity": (8, 9),
    "RelativeSocialAngle": (10, 11),
    "AngleBetween": (12,),
    "FacingAngle": (13, 14),
    "OverlapBboxes": (15,),
    "AreaEllipseRatio": (16,),
    "MinResNoseDist": (17,),
}
PUBLISHED = {"Last5Avg": (4, 0), "Last10Avg": (9, 0), "Window5Avg": (2, 2), "Window11Avg": (5, 5)}
CENTRED = PUBLISHED | {"Mid1Avg": (6, -6), "Mid5Avg": (8, -4), "MeanAvg": (12, 0)}
"""Those that are published, and means around the frame that has the label."""

FRAMES = da.sequence(length=13, features=18)
CLASS_WEIGHT = 1.5
"""What an example of the rarer class weighs."""


class Mice(NamedTuple):
    """Windows (examples, features, frames) and labels, each by part: "train", "valid", and "test" if asked for."""

    x: Mapping[str, Any]
    y: Mapping[str, Any]


class Scores(NamedTuple):
    """How good logits are for labels."""

    f1: float
    accuracy: float


def path() -> Path:
    """Return where the windows are looked for."""
    folder = Path(os.environ.get("DEEP_ARCH_DATA") or Path(__file__).parents[2] / "shared" / "data")
    return folder / "calms21" / "calms21_task1.npz"


def load(test: bool = False) -> Mice:
    """Return the windows, with features of mean 0 and variance 1 in training; those for testing only if asked for."""
    parts = ("train", "valid", "test") if test else ("train", "valid")
    if path().is_file():
        with np.load(path()) as arrays:
            x = {part: arrays[f"X_{part}"].transpose(0, 2, 1).astype(np.float32) for part in parts}
            y = {part: arrays[f"y_investigation_{part}"] for part in parts}
    else:
        print(f"Made-up windows, as there is no {path()}", file=sys.stderr)
        rng = np.random.default_rng(0)
        x = {part: rng.normal(size=(400 if part == "train" else 200, 18, 13)).astype(np.float32) for part in parts}
        y = {part: (x[part][:, [4, 17], -5:].mean(2).prod(1) > 0).astype(np.int64) for part in parts}
    mean, scale = x["train"].mean((0, 2), keepdims=True), x["train"].std((0, 2), keepdims=True)
    return Mice({part: (given - mean) / scale for part, given in x.items()}, y)


def language(
    windows: Mapping[str, tuple[int, int]] = PUBLISHED, hole_units: int | None = None, fold: bool = False
) -> da.SearchSpace:
    """Return the space of programs from `FRAMES` to a logit.

    Args:
        windows: averages, from so many frames before the last one to so many after it.
        hole_units: of the networks that stand for open choices: a perceptron for a function of one frame, an LSTM for
            one of all frames. Without it there are no holes.
        fold: whether a body may run along time, which then reads its state too.
    """
    return program_language.language(GROUPS, windows, fold, hole_units)


def scores(logits: Any, y: Any) -> Scores:
    """Return the F1 of the positive class, and the accuracy, of logits (examples,) as arrays."""
    positive, hits = logits > 0, ((logits > 0) & (y > 0)).sum()
    return Scores(float(2 * hits / max(1, positive.sum() + (y > 0).sum())), float((positive == (y > 0)).mean()))
