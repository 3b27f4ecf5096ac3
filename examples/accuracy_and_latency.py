"""Search cells that are accurate and quick on a device, and compare what is found with the true front.

    OMP_NUM_THREADS=1 python examples/accuracy_and_latency.py --runs 20 --searchers random,nsga2 --output fronts.svg

Validation accuracy on CIFAR-100 after 12 epochs and latency are in tables for all 15,625 cells, so the share of the
true front's hypervolume that a search has found is known. It is given for two reference points: the lowest accuracy
and greatest latency of all cells, and a stricter one that is worse than all but 5 % of the cells in each objective.
Each proposal counts as an evaluation, also when it was proposed before.
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from benchmark_tables import cell, load, row_of, run_all

import deep_arch as da
from deep_arch import searchers
from deep_arch.studies.pareto import Point, fronts, hypervolume

SEARCHERS: dict[str, Callable[[], da.Searcher]] = {
    "random": searchers.RandomSearch,
    "nsga2": searchers.NSGA2,
    "surrogate": searchers.SurrogateSearch,
}

DEVICES: Final = ("titan_rtx_256", "gold_6226", "fpga")  # a graphics card with batches of 256, a processor, a circuit
LEFT_OUT: Final = (0.0, 0.05)


@functools.cache
def points(device: str) -> list[Point]:
    """Return accuracy in percent and negative latency in ms of every cell, by row."""
    accuracies = load("nb201")["val12_cifar100"].tolist()
    latencies_ms = load("hw_nb201_latency")[f"lat_{device}"].tolist()
    return [(accuracy, -latency) for accuracy, latency in zip(accuracies, latencies_ms, strict=True)]


def front(rows: Iterable[int], device: str) -> list[int]:
    """Return the rows that no other is better than in everything."""
    distinct = sorted(set(rows))
    return [distinct[i] for i in fronts([points(device)[row] for row in distinct])[0]]


@functools.cache
def true_front(device: str) -> list[int]:
    """Return the front of all cells."""
    return front(range(len(points(device))), device)


def share(rows: Iterable[int], device: str, left_out: float) -> float:
    """Return the share of the true front's hypervolume that some cells dominate.

    Args:
        left_out: the share of the cells, in each objective, that are worse than the reference point.
    """
    reference = tuple(np.quantile(points(device), left_out, axis=0).tolist())
    found, whole = ([points(device)[row] for row in some] for some in (rows, true_front(device)))
    return hypervolume(found, reference) / hypervolume(whole, reference)


def run(name: str, device: str, n_trials: int, seed: int) -> list[int]:
    """Return the front that one search finds."""
    table, rows = points(device), list[int]()
    both_up = da.search(cell, SEARCHERS[name](), n_trials, seed, directions=["maximize"] * 2, duplicates="give")
    for trial in both_up:
        rows.append(row := row_of(trial.values))
        trial.tell(table[row])
    return front(rows, device)


def draw(found: Mapping[str, Mapping[str, Sequence[int]]], path: Path) -> None:
    """Draw a panel for each device: all cells, the true front, and the front that each searcher found."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(found), 4.5), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (device, of_searchers) in zip(panels, found.items(), strict=True):
        axes.scatter(*_places(range(len(points(device))), device), s=2, color="0.85", rasterized=True)
        axes.step(*_places(true_front(device), device), where="pre", color="0.4", linewidth=1, label="true front")
        for (name, rows), marker in zip(of_searchers.items(), "ovs^Dx", strict=False):
            axes.scatter(*_places(rows, device), s=20, marker=marker, label=name)
        axes.set(title=device, xlabel="latency in ms", ylabel="validation accuracy in %")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path)


def _places(rows: Iterable[int], device: str) -> tuple[list[float], list[float]]:
    """Return latencies and accuracies."""
    return [-points(device)[row][1] for row in rows], [points(device)[row][0] for row in rows]


def main() -> None:
    """Repeat the searches on each device, print what share they found, and draw the fronts of the first runs."""
    parser = argparse.ArgumentParser(description="Search cells that are accurate and quick.")
    parser.add_argument("--runs", type=int, default=20, help="how often to repeat each search (20)")
    parser.add_argument("--trials", type=int, default=500, help="how many cells to evaluate in each (500)")
    parser.add_argument("--searchers", default="random,nsga2,surrogate", help=f"of {', '.join(SEARCHERS)}")
    parser.add_argument("--devices", default=",".join(DEVICES), help="of the table's 27")
    parser.add_argument("--workers", type=int, default=2, help="how many processes (2)")
    parser.add_argument("--output", type=Path, default=Path("fronts.svg"), help="where to draw the fronts (fronts.svg)")
    arguments = parser.parse_args()
    first: dict[str, dict[str, list[int]]] = {}
    print(f"{'device':16}{'searcher':14}{'share of hypervolume':>22}{'without the worst 5 %':>24}")
    for device in arguments.devices.split(","):
        for name in arguments.searchers.split(","):
            one_run = functools.partial(run, name, device, arguments.trials)
            found = run_all(one_run, arguments.runs, arguments.workers)
            first.setdefault(device, {})[name] = found[0]
            whole, strict = (statistics.fmean(share(rows, device, part) for rows in found) for part in LEFT_OUT)
            print(f"{device:16}{name:14}{whole:22.2%}{strict:24.2%}", flush=True)
    draw(first, arguments.output)
    print(f"The fronts of the first runs are in {arguments.output}")


if __name__ == "__main__":
    main()
