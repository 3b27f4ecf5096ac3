"""Search one space in three ways: all of it at once, one half after the other, or one half for each of the other.

    python examples/three_flows.py --runs 5 --evaluations 300

The space is that of NAS-Bench-201: which of the six edges of a cell are used, and what each of these computes. What a
cell is worth is looked up in the published table for CIFAR-100 (see benchmark_tables.py); where that is absent, in one
that is made up. Each flow is a function of four to eight lines, and evaluates as many cells.

References:
    Dong and Yang, NAS-Bench-201: extending the scope of reproducible neural architecture search (ICLR 2020).
"""

from __future__ import annotations

import argparse
import functools
import inspect
import random
import statistics
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmark_tables import EDGES, load, path_of, row_of

import deep_arch as da
from deep_arch.searchers import RegularizedEvolution

USED: Final = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@da.symbolize
class Cell:
    """The operation on each edge, "none" where it is not used."""

    def __init__(self, operations: Mapping[str, str]) -> None:
        self.operations = operations

    def accuracies(self) -> tuple[float, float]:
        """Return the accuracies on validation and on test images."""
        return published(self.operations) if path_of("nb201").is_file() else made_up(self.operations)


def edge() -> Any:
    return da.choice(["none", da.choice(USED, tag="operation")], tag="edge")


space = da.space(Cell({name: edge() for name in EDGES}))


def published(operations: Mapping[str, str]) -> tuple[float, float]:
    """Return what the table says."""
    validation, test = columns()
    row = row_of(operations)
    return validation[row], test[row]


@functools.cache
def columns() -> tuple[list[float], list[float]]:
    table = load("nb201")
    return table["val12_cifar100"].tolist(), table["test200_cifar100"].tolist()


def made_up(operations: Mapping[str, str]) -> tuple[float, float]:
    """Return what depends on the operations like the published accuracies do, roughly."""
    worth = {"none": 0.0, "skip_connect": 3.0, "nor_conv_1x1": 6.0, "nor_conv_3x3": 8.0, "avg_pool_3x3": 1.0}
    test = 20 + sum(worth[operation] for operation in operations.values())
    noise = random.Random(str(sorted(operations.items()))).gauss(0, 2)
    return test + noise - 10, test


def worth(architecture: Any) -> float:
    """Return the validation accuracy of a cell."""
    cell: Cell = da.build(architecture)
    return cell.accuracies()[0]


# --- the three flows -------------------------------------------------------------------------------------------------

evolution = functools.partial(RegularizedEvolution, population=20, sample=5)
edges = space.where(lambda point: point.tag == "edge")


def joint(n: int, seed: int) -> Any:
    search = da.search(space, evolution(), trials=n, seed=seed)
    for trial in search:
        trial.tell(worth(trial))
    return search.best


def separate(n: int, seed: int) -> Any:
    first = da.search(edges, evolution(), trials=n // 10, seed=seed)
    for trial in first:
        trial.tell(worth(space.fix(trial.values).sample(seed=seed)))
    second = da.search(space.fix(first.best.values), evolution(), trials=n - n // 10, seed=seed)
    for trial in second:
        trial.tell(worth(trial))
    return second.best


def factorised(n: int, seed: int) -> Any:
    found, outer = [], da.search(edges, evolution(), trials=n // 10, seed=seed)
    for chosen in outer:
        inner = da.search(space.fix(chosen.values), evolution(), trials=10, seed=seed)
        for trial in inner:
            trial.tell(worth(trial))
        found.append(inner.best)
        chosen.tell(inner.best.score)
    return max(found, key=worth)


# --- the comparison --------------------------------------------------------------------------------------------------


def row(flow: Callable[[int, int], Any], n: int, n_runs: int) -> str:
    """Return a line of the table."""
    cells = [da.build(flow(n, seed)).accuracies() for seed in range(n_runs)]
    n_lines = len(inspect.getsource(flow).strip().splitlines()) - 1
    columns = [
        f"{statistics.mean(column):.2f} ± {statistics.pstdev(column):.2f}" for column in zip(*cells, strict=True)
    ]
    return f"{flow.__name__:<12}{n_lines:>6}{columns[0]:>16}{columns[1]:>16}"


def main() -> None:
    """Run each flow several times, and print what it found."""
    parser = argparse.ArgumentParser(description="Search one space in three ways.")
    parser.add_argument("--runs", type=int, default=5, help="how many times each flow runs, by seed (5)")
    parser.add_argument("--evaluations", type=int, default=300, help="how many cells a run evaluates at most (300)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", da.SearchWarning)  # a part may be seen through before its evaluations are used up

    kind = "the published table" if path_of("nb201").is_file() else "a table that is made up"
    print(f"{space.size():,} cells, accuracies in % by {kind}")
    print(f"{'flow':<12}{'lines':>6}{'validation':>16}{'test':>16}")
    for flow in (joint, separate, factorised):
        print(row(flow, arguments.evaluations, arguments.runs))


if __name__ == "__main__":
    main()
