"""Print the CPU time of one architecture per module, from 10 to 100,000 in a row and 10 to 400 nested.

Time in proportion to the length shows as a column that stays level. Run with `make bench`.
"""

from __future__ import annotations

import statistics
import time

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value


def row(n: int) -> da.SearchSpace:
    @da.space
    def net(x: Value) -> Value:
        return da.repeat(lambda: ops.Conv2D(da.choice([64, 128]), 3), n)(x)

    return net


def written_out(n: int) -> da.SearchSpace:
    @da.space
    def net(x: Value) -> Value:
        for _ in range(n):
            x = ops.Conv2D(da.choice([64, 128]), 3)(x)
        return x

    return net


def wide(n: int) -> da.SearchSpace:
    @da.space
    def net(x: Value) -> Value:
        return da.split_combine(lambda: ops.Conv2D(da.choice([64, 128]), 3), ops.Add, n)(x)

    return net


def nested(n: int) -> tuple[da.SearchSpace, dict[str, bool]]:
    def nest(depth: int) -> da.Module:
        return ops.ReLU() if depth == 0 else da.optional(lambda: nest(depth - 1))

    on = {"/".join(["optional"] * (i + 1)) + ".use": True for i in range(n)}
    return da.space(lambda x: nest(n)(x)), on


def micro(draw: object, n: int) -> float:
    """Return the median CPU time of `draw()` in microseconds for each of `n` modules, after a first run."""
    assert callable(draw), "a function to time"
    draw()
    times: list[float] = []
    for _ in range(5):
        start = time.process_time()
        draw()
        times.append(time.process_time() - start)
    return statistics.median(times) / n * 1e6


def main() -> None:
    print("microseconds a module, sampled again after the first time")
    print(f"{'modules':>9}{'repeat':>10}{'in a row':>10}{'in parallel':>13}")
    for n in (10, 100, 1000, 10_000, 100_000):
        spaces = [row(n), written_out(n), wide(n)]
        times = [micro(lambda space=space: space.sample(0).graph.calls, n) for space in spaces]
        print(f"{n:9,}" + "".join(f"{t:{width}.2f}" for t, width in zip(times, (10, 10, 13), strict=True)))
    print(f"{'nested':>9}{'optional':>10}")
    for n in (10, 50, 100, 200, 400):
        space, on = nested(n)
        print(f"{n:9,}{micro(lambda space=space, on=on: space.at(on).graph.calls, n):10.2f}")


if __name__ == "__main__":
    main()
