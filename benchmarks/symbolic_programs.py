"""Print how fast symbolic programs become objects, and are searched, as ratios to PyGlove run beside it.

The programs are a trainer with a choice between operations and one between optimizers, the six edges of NAS-Bench-201
by one subset, and a chain of a hundred choices between three operations. Both sides draw at random, construct the
objects, and give one score to each. Run with `make bench`.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import pyglove as pg

import deep_arch as da
from deep_arch.searchers import RandomSearch

ROUNDS = 5
AT_LEAST = 300
SEARCHED = 3000
EDGES = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


class Identity:
    pass


class MaxPool:
    def __init__(self, window: Any = (2, 2)) -> None:
        self.window = window


class Conv:
    def __init__(self, filters: int, kernel: Any = (3, 3)) -> None:
        self.filters, self.kernel = filters, kernel


class Model:
    def __init__(self, op: Any, repeats: int = 1) -> None:
        self.op, self.repeats = op, repeats


class Adam:
    def __init__(self, lr: float) -> None:
        self.lr = lr


class RMSProp:
    def __init__(self, lr: float) -> None:
        self.lr = lr


class Trainer:
    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model, self.optimizer = model, optimizer


def classes(symbolize: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the classes with calls that are recorded, or, of PyGlove, with objects that are symbolic."""
    return {kind.__name__: symbolize(kind) for kind in (Identity, MaxPool, Conv, Model, Adam, RMSProp, Trainer)}


def trainer(make: dict[str, Any], one: Callable[..., Any], many: Callable[..., Any]) -> Any:
    op = one([make["Identity"](), make["MaxPool"]((3, 3)), make["Conv"](one([4, 8]), (3, 3))])
    optimizer = one([make["Adam"](2e-2), make["RMSProp"](one([1e-6, 1e-3]))])
    return make["Trainer"](make["Model"](op, 3), optimizer)


def edges(make: dict[str, Any], one: Callable[..., Any], many: Callable[..., Any]) -> Any:
    return make["Model"](many(6, EDGES))


def cell(make: dict[str, Any], one: Callable[..., Any], many: Callable[..., Any]) -> Any:
    return make["Model"](many(6, [make["Identity"](), make["MaxPool"](), *[make["Conv"](n) for n in (1, 3, 5)]]))


def chain(make: dict[str, Any], one: Callable[..., Any], many: Callable[..., Any]) -> Any:
    def link() -> Any:
        return one([make["Identity"](), make["MaxPool"]((3, 3)), make["Conv"](one([1, 2]))])

    return make["Model"]([link() for _ in range(100)])


def ours(program: Callable[..., Any]) -> Any:
    def many(n: int, options: list[Any]) -> Any:
        return da.subset(options, n, distinct=False, ordered=True)

    return program(classes(da.symbolize), da.choice, many)


def theirs(program: Callable[..., Any]) -> Any:
    def many(n: int, options: list[Any]) -> Any:
        return pg.manyof(n, options, distinct=False, sorted=False)

    return program(classes(pg.symbolize), pg.oneof, many)


def rate(run: Callable[[int], object], n: int) -> float:
    """Return how many of `n` are done in a second of the processor's time."""
    start = time.process_time()
    run(n)
    return n / (time.process_time() - start)


def drawing(program: Any) -> Callable[[int], object]:
    space, rng = da.space(program), random.Random(0)

    def run(n: int) -> None:
        for _ in range(n):
            da.build(space.sample(rng))

    run(300)  # records what most draws reach
    return run


def searching(program: Any) -> Callable[[int], object]:
    space = da.space(program)

    def run(n: int) -> None:
        for trial in da.search(space, RandomSearch(), trials=n, seed=0, duplicates="give"):
            da.build(trial)
            trial.tell(1.0)

    run(300)
    return run


def drawing_of_pyglove(program: Any) -> Callable[[int], object]:
    children = pg.random_sample(program, seed=0)
    return lambda n: [next(children) for _ in range(n)]


def searching_of_pyglove(program: Any) -> Callable[[int], object]:
    def run(n: int) -> None:
        for _, feedback in pg.sample(program, pg.geno.Random(seed=0), num_examples=n):
            feedback(1.0)

    return run


def first_draw(program: Callable[..., Any]) -> float:
    """Return the seconds of the first draw of a program, which is recorded then."""
    space = da.space(ours(program))
    start = time.process_time()
    da.build(space.sample(seed=0))
    return time.process_time() - start


def main() -> None:
    print(
        f"{'program':10}{'draw and build':>16}{'PyGlove':>10}{'ratio':>8}{'search':>10}{'PyGlove':>10}{'ratio':>8}",
        end="",
    )
    print(f"{'at least':>10}{'first draw':>12}")
    for program, n in ((trainer, 60), (edges, 60), (cell, 60), (chain, 3)):
        pairs = [
            (drawing(ours(program)), drawing_of_pyglove(theirs(program))),
            (searching(ours(program)), searching_of_pyglove(theirs(program))),
        ]
        print(f"{program.__name__:10}", end="", flush=True)
        for run, peer in pairs:
            n_ours = SEARCHED if n > 10 else SEARCHED // 10
            rounds = [(rate(run, n_ours), rate(peer, n)) for _ in range(ROUNDS)]
            mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(a / b for a, b in rounds)
            print(f"{mine:>{16 if run is pairs[0][0] else 10},.0f}{other:>10.1f}{ratio:>8.0f}", end="", flush=True)
        print(f"{AT_LEAST:>10}{first_draw(program) * 1000:>9.1f} ms")
    scale()


def scale() -> None:
    """Print the times of programs with many choices in one list."""
    make = classes(da.symbolize)
    for n in (100, 1_000, 10_000):
        listed = [make["Identity"](), make["MaxPool"](), make["Conv"](1)]
        space = da.space(make["Model"]([da.choice(listed) for _ in range(n)]))
        times = []
        for step in (lambda: space.sample(seed=0), lambda: da.build(space.sample(seed=1)), space.size):  # noqa: B023
            start = time.process_time()
            step()
            times.append(time.process_time() - start)
        print(
            f"{n:>6,} choices in one list: first draw {times[0]:.3f} s, then draw and build {times[1]:.3f} s, ", end=""
        )
        print(f"size {times[2]:.2f} s")


if __name__ == "__main__":
    main()
