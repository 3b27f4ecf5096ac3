"""Print what it takes to count a space and to draw from all its architectures, in times of sampling one over choices.

Each space is made anew, so that nothing is remembered. Run with `make bench`.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable

import deep_arch as da
from deep_arch import ops
from deep_arch.testing.published_spaces import darts, nats_bench, once_for_all


def repeated() -> da.SearchSpace:
    """Return the space of a layer of two widths, up to 2,000 times."""
    return da.space(lambda x: da.repeat(lambda: ops.Dense(da.choice([4, 8])), da.integer(0, 2000))(x))


def wide() -> da.SearchSpace:
    """Return the space of the sum of 10,000 layers of two widths."""
    return da.space(lambda x: ops.Add()(*[ops.Dense(da.choice([4, 8]))(x) for _ in range(10_000)]))


def seconds(fn: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    fn()
    return time.process_time() - start


SPACES: dict[str, Callable[[], da.SearchSpace]] = {
    "15 cells": lambda: nats_bench(15),
    "two cells": lambda: darts(8),
    "stages": once_for_all,
    "repeated": repeated,
    "wide": wide,
}


def timed(make: Callable[[], da.SearchSpace]) -> tuple[int, float, float]:
    """Return how many architectures a space has, and the times of counting them and of drawing one of them."""
    space = make()
    space.sample(0)
    sample = statistics.median([seconds(functools.partial(space.sample, 0)) for _ in range(7)])
    size = seconds(space.size)
    draw = seconds(functools.partial(space.sample, 0, uniform="architectures"))
    return int(space.size()), size / sample, draw / sample


def main() -> None:
    print(f"{'space':>14}{'architectures':>15}{'size':>10}{'a draw':>9}   times of sampling one architecture")
    for name, make in SPACES.items():
        sizes, counts, draws = zip(*[timed(make) for _ in range(3)], strict=True)
        power = f"about 10^{sizes[0].bit_length() * math.log10(2):.0f}"
        print(f"{name:>14}{power:>15}{statistics.median(counts):10.1f}{statistics.median(draws):9.1f}")


if __name__ == "__main__":
    main()
