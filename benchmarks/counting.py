"""Print what it takes to count a space and to draw from all its architectures, in times of sampling one over choices.

Each space is made anew, so that nothing is remembered. Run with `make bench`.
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value


def conv(kernel: int) -> Callable[[], da.Module]:
    return lambda: ops.Conv2D(16, kernel)


OPERATIONS: dict[str, Any] = {"none": ops.Zero, "skip": ops.Identity, **{f"conv{k}": conv(k) for k in (1, 3, 5, 7)}}


def nats_bench(x: Value) -> Value:
    """Compose 15 copies of a cell of 6 edges, each one of 6 operations, which share their decisions."""
    edges = {(i, j): da.choice(list(OPERATIONS), name=f"e{i}{j}") for j in range(1, 4) for i in range(j)}
    for _ in range(15):
        nodes = [x]
        for j in range(1, 4):
            parts = [da.or_(OPERATIONS, which=edges[i, j])(nodes[i]) for i in range(j)]
            nodes.append(parts[0] if j == 1 else ops.Add()(*parts))
        x = nodes[3]
    return x


def darts(x: Value) -> Value:
    """Compose 8 layers of two cells, each of 4 nodes with operations on two of their inputs."""

    def node(which: list[Any]) -> Callable[..., Any]:
        def of_pair(pair: tuple[int, int]) -> Callable[..., Value]:
            return lambda *values: ops.Add()(*[da.or_(OPERATIONS, which=which[i])(values[i]) for i in pair])

        return of_pair

    pairs, which = dict[tuple[str, int], Any](), dict[tuple[str, int], list[Any]]()
    for kind, j in itertools.product(("normal", "reduce"), range(4)):
        pairs[kind, j] = da.subset(range(j + 2), 2, name=f"{kind}{j}")
        which[kind, j] = [da.choice(list(OPERATIONS), name=f"{kind}{j}_{i}") for i in range(j + 2)]
    before = last = ops.Conv2D(16, 3)(x)
    for layer in range(8):
        kind = "reduce" if layer in (2, 5) else "normal"
        states = [before, last]
        for j in range(4):
            states.append(da.substitute(node(which[kind, j]), pair=pairs[kind, j])(*states))
        before, last = last, ops.Concatenate()(*states[2:])
    return last


def once_for_all(x: Value) -> Value:
    """Compose 5 stages of 2 to 4 blocks of 9 kinds."""

    def block(x: Value) -> Value:
        x = ops.Conv2D(16, da.choice([3, 5, 7]))(x)
        return ops.Conv2D(da.choice([48, 64, 96]), 1)(x)

    for _ in range(5):
        x = da.repeat(block, da.choice([2, 3, 4]))(x)
    return x


def repeated(x: Value) -> Value:
    """Repeat a layer of two widths up to 2,000 times."""
    return da.repeat(lambda: ops.Dense(da.choice([4, 8])), da.integer(0, 2000))(x)


def wide(x: Value) -> Value:
    """Add up the results of 10,000 layers of two widths."""
    return ops.Add()(*[ops.Dense(da.choice([4, 8]))(x) for _ in range(10_000)])


def seconds(fn: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    fn()
    return time.process_time() - start


def timed(fn: Callable[[Value], Value]) -> tuple[int, float, float]:
    """Return how many architectures a space has, and the times of counting them and of drawing one of them."""
    space = da.space(fn)
    space.sample(0)
    sample = statistics.median([seconds(functools.partial(space.sample, 0)) for _ in range(7)])
    size = seconds(space.size)
    draw = seconds(functools.partial(space.sample, 0, uniform="architectures"))
    return int(space.size()), size / sample, draw / sample


def main() -> None:
    print(f"{'space':>14}{'architectures':>15}{'size':>10}{'a draw':>9}   times of sampling one architecture")
    for fn in (nats_bench, darts, once_for_all, repeated, wide):
        sizes, counts, draws = zip(*[timed(fn) for _ in range(3)], strict=True)
        power = f"about 10^{sizes[0].bit_length() * math.log10(2):.0f}"
        print(f"{fn.__name__:>14}{power:>15}{statistics.median(counts):10.1f}{statistics.median(draws):9.1f}")


if __name__ == "__main__":
    main()
