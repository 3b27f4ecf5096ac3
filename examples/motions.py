"""Programs that tell motions apart: a body along time for each, of four classes, learned from forty recordings.

    OMP_NUM_THREADS=1 python examples/motions.py --seeds 5

BasicMotions (UEA archive) has 40 recordings to learn from and 40 for the test, of 100 frames of an accelerometer and a
gyroscope, of which every fourth is read. A program adds logits of folds: each runs a body along the frames, and reads
the last state. Programs grow by one fold at a time, and are compared by cross-validation on the recordings to learn
from; those for the test are read once, at the end. Ragged recordings are cut to a random length and filled up; a mask,
the second sequence that bodies run along, says which frames there are: where there is none, the state stays what it is.

Where `uea/BasicMotions.npz` is not in the folder of data (`DEEP_ARCH_DATA`), recordings are made up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import deep_arch as da
from deep_arch import ops
from deep_arch.backends.torch_backend import stacks
from deep_arch.searchers import Growth, Move

GROUPS = {"Accelerometer": (0, 1, 2), "Gyroscope": (3, 4, 5), "Both": tuple(range(6))}
WIDTH, CLASSES = 3, 4
EVERY = 4
"""One of so many frames is read."""

PARTS, TRIALS = 4, 50
"""Of cross-validation, and of a search."""

PRICE, RIDGE = 0.005, 3e-3
"""What a decision costs, and the square of a weight, in log loss."""

# --- data ------------------------------------------------------------------------------------------------------------


class Recordings(NamedTuple):
    """Frames (examples, channels, frames), the mask (examples, 1, frames), and classes.

    The mask is 0 for a frame that is not there, and for one that is its share of the recording.
    """

    frames: Any
    mask: Any
    y: Any

    def inputs(self, rows: Any = slice(None)) -> Mapping[str, Any]:
        """Return what programs read of some examples."""
        return {"x": self.frames[rows], "share": self.mask[rows]}


def recordings(rng: np.random.Generator, ragged: bool) -> tuple[Recordings, Recordings]:
    """Return those to learn from and those for the test, standardised by the first; cut to some length if asked."""
    folder = Path(os.environ.get("DEEP_ARCH_DATA") or Path(__file__).parents[2] / "shared" / "data")
    path = folder / "uea" / "BasicMotions.npz"
    if path.is_file():
        with np.load(path) as arrays:
            read = {name: arrays[name] for name in ("X_train", "y_train", "X_test", "y_test")}
    else:
        read = made_up()
    mean, scale = read["X_train"].mean((0, 1)), read["X_train"].std((0, 1))
    found: list[Recordings] = []
    for part in ("train", "test"):
        frames = ((read[f"X_{part}"] - mean) / scale)[:, ::EVERY].transpose(0, 2, 1).astype(np.float32)
        n, _, length = frames.shape
        lengths = rng.integers(length // 2, length, n) if ragged else np.full(n, length)
        share = ((np.arange(length) < lengths[:, None, None]) / lengths[:, None, None]).astype(np.float32)
        found.append(Recordings(np.where(share > 0, frames, np.float32(0)), share, read[f"y_{part}"]))
    return found[0], found[1]


def made_up() -> dict[str, Any]:
    """Return recordings of four classes that differ in how much they move, and about what."""
    rng, y = np.random.default_rng(0), np.arange(40) % CLASSES
    size, about = np.array([0.1, 1, 3, 3])[y], np.array([0, 0, 0, 4])[y]
    found: dict[str, Any] = {}
    for part in ("train", "test"):
        found[f"X_{part}"] = rng.normal(size=(40, 100, 6)) * size[:, None, None] + about[:, None, None]
        found[f"y_{part}"] = y
    return found


# --- programs --------------------------------------------------------------------------------------------------------


@da.rule
def frame() -> Any:
    """Give some numbers for a frame."""

    def leaf(channels: tuple[int, ...]) -> Any:
        return lambda x: ops.Dense(WIDTH)(ops.Take(channels)(x))

    def square(x: Any) -> Any:
        part = frame()(x)
        return ops.Multiply()(part, part)

    leaves = {name: leaf(channels) for name, channels in GROUPS.items()}
    return da.or_({**leaves, "Square": square, "Positive": lambda x: ops.ReLU()(frame()(x))})


def body(name: str) -> Any:
    """Return what gives the next state from a state and a frame."""
    bodies: dict[str, Callable[..., Any]] = {
        "Mean": lambda state, x, share: ops.Add()(state, ops.Multiply()(share, frame()(x))),
        "Largest": lambda state, x, _: ops.Maximum()(state, frame()(x)),
        "Latest": lambda state, x, _: ops.Where()(ops.Dense(1)(x), frame()(x), state),
    }
    return lambda state, x, share: ops.Where(hard=True)(share, bodies[name](state, x, share), state)


@da.rule
def logits() -> Any:
    """Give a logit for each class, from frames and a mask."""

    def folded(name: str) -> Any:
        return lambda x, share: ops.Dense(CLASSES)(da.scan(body(name))(ops.Zeros(WIDTH)(x), x, share))

    def add(*inputs: Any) -> Any:
        return ops.Add()(logits()(*inputs), logits()(*inputs))

    return da.or_({**{name: folded(name) for name in ("Mean", "Largest", "Latest")}, "Add": add})


PROGRAMS = da.space(lambda x, share: logits()(x, share))


def growth() -> Growth:
    """Return growth by one fold at a time."""
    small = [program.values for program in PROGRAMS.without("Add").limit(3).enumerate()]
    fresh = [{address.removeprefix("logits/"): value for address, value in values.items()} for values in small]
    return Growth([Move("Add", 0, fresh)], beam=2, first=len(small))


# --- the search ------------------------------------------------------------------------------------------------------


def task(learn: Recordings, rows: Any, valid: Recordings, valid_rows: Any) -> stacks.Task:
    """Return the task of learning from some examples, with others to compare programs."""
    parts = (learn.inputs(rows), learn.y[rows], valid.inputs(valid_rows), valid.y[valid_rows])
    return stacks.Task(*parts, loss="softmax", ridge=RIDGE)


def splits(y: Any, rng: np.random.Generator) -> list[Any]:
    """Return which examples are left out, part by part, with as many of each class in all parts."""
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    return [order[i::PARTS] for i in range(PARTS)]


class Found(NamedTuple):
    """The best program by cross-validation, its accuracy there and on the test, and what it took."""

    program: str
    accuracy: float
    test_accuracy: float
    seconds: float


def search(learn: Recordings, test: Recordings, seed: int, trials: int) -> Found:
    """Grow programs by cross-validation, fit the best one to all that there is to learn from, and test it."""
    began, rng, every = time.process_time(), np.random.default_rng(seed), np.arange(len(learn.y))
    left_out = splits(learn.y, rng)
    tasks = [task(learn, np.setdiff1d(every, rows), learn, rows) for rows in left_out]
    searcher, known, hits = growth(), dict[int, list[Any]](), dict[int, float]()
    run = da.search(PROGRAMS, searcher, trials, seed)
    for batch in run.batches(trials):
        fitted: list[list[stacks.Fitted]] = []
        for part, each in enumerate(tasks):
            before = {number: weights[part] for number, weights in known.items()}
            starts = [searcher.start_of(trial.values, before) for trial in batch]
            fitted.append(stacks.fit([trial.architecture for trial in batch], each, starts, noise=0.1, seed=seed))
        for trial, parts in zip(batch, zip(*fitted, strict=True), strict=True):
            known[trial.number] = [each.weights for each in parts]
            right = [each.outputs.argmax(1) == learn.y[rows] for each, rows in zip(parts, left_out, strict=True)]
            hits[trial.number] = float(np.concatenate(right).mean())
            worth = -float(np.mean([each.valid_loss for each in parts])) - PRICE * len(trial.values)
            if np.isfinite(worth):
                trial.tell(worth)
            else:
                trial.fail("diverged")
    best = run.best
    whole = task(learn, every, test, slice(None))
    copies = stacks.fit([best.architecture] * 8, whole, noise=0.3, steps=20, seed=seed)
    final = min(copies, key=lambda fitted: fitted.loss)
    right = final.outputs.argmax(1) == test.y
    return Found(da.text(best.architecture), hits[best.number], float(right.mean()), time.process_time() - began)


def main() -> None:
    """Search with each seed, in whole recordings and in ragged ones, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trials", type=int, default=TRIALS)
    arguments = parser.parse_args()
    print("recordings seed  CV accuracy  test accuracy  CPU s  program")
    for name in ("whole", "ragged"):
        rows: list[Found] = []
        for seed in range(arguments.seeds):
            learn, test = recordings(np.random.default_rng(seed), name == "ragged")
            found = search(learn, test, seed, arguments.trials)
            rows.append(found)
            print(
                f"{name:10} {seed:4} {found.accuracy:12.3f} {found.test_accuracy:14.3f} {found.seconds:6.1f}  "
                f"{found.program}",
                flush=True,
            )
        print(f"{name}: mean test accuracy {statistics.mean([found.test_accuracy for found in rows]):.3f}")


if __name__ == "__main__":
    main()
