"""The models that backends are timed on, as fixed spaces, and how a built one is timed beside one written by hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value

INSTANCES, ROUNDS = 6, 10
BATCH = 32

Step = Callable[[], object]


def block(filters: int) -> da.Module:
    return da.sequential(lambda: ops.Conv2D(filters, 3, use_bias=False), lambda: ops.BatchNormalization(), ops.ReLU)


@da.space
def convolutional(x: Value) -> Value:
    x = block(32)(x)
    x = da.repeat(lambda: da.residual(lambda: block(32)), 3)(x)
    x = block(64)(ops.MaxPooling2D()(x))
    x = da.repeat(lambda: da.residual(lambda: block(64)), 3)(x)
    return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))


@da.space
def dense(x: Value) -> Value:
    x = da.repeat(lambda: da.sequential(lambda: ops.Dense(512), ops.ReLU), 4)(x)
    return ops.Dense(10)(x)


@da.space
def recurrent(x: Value) -> Value:
    return ops.Dense(10)(ops.LSTM(64)(x))


SPACES: dict[str, tuple[da.SearchSpace, da.Spec]] = {
    "convolutional": (convolutional, da.image(3, 16, 16)),
    "dense": (dense, da.vector(512)),
    "recurrent": (recurrent, da.sequence(16, 32)),
}


def compare(name: str, built: Callable[[], Step], by_hand: Callable[[], Step], at_most: float) -> None:
    """Print how long a training step of a built model takes, as a ratio to that of the same model written by hand.

    Both are made several times and each first as often as the other, since where their weights happen to lie in memory
    can matter by a tenth. The steps run in turn; the median of the ratios of neighbouring rounds is printed.
    """
    pairs: list[tuple[float, float]] = []
    for i in range(INSTANCES):
        if i % 2:
            pairs += [pair[::-1] for pair in _timed(by_hand(), built())]
        else:
            pairs += _timed(built(), by_hand())
    ratio = statistics.median(a / b for a, b in pairs)
    milliseconds = statistics.median(b for _, b in pairs) * 1e3
    print(f"{name:32}{milliseconds:9.2f} ms{ratio:16.3f} x{at_most:8} x", flush=True)


def _timed(first: Step, second: Step) -> list[tuple[float, float]]:
    for step in (first, second):
        for _ in range(3):  # the first steps compile
            step()
    pairs = [(_seconds(first), _seconds(second)) for _ in range(ROUNDS)]
    return pairs + [pair[::-1] for pair in [(_seconds(second), _seconds(first)) for _ in range(ROUNDS)]]


def _seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def print_header() -> None:
    print(f"{'model':32}{'by hand':>12}{'built / by hand':>18}{'at most':>10}")
