"""Replay the search algorithms of NATS-Bench on its topology space, beside the published results.

    OMP_NUM_THREADS=1 python examples/nats_bench.py --runs 500 --searchers random,reinforce,evolution --workers 2

A search spends simulated time: each proposal costs what 12 epochs of training and one validation took when the table
was made, also when it was proposed before. Its incumbent is the best cell so far by validation accuracy after these 12
epochs. What counts is the test accuracy after 200 epochs of the incumbent when the budget ends.

BOHB is left out: it stops trainings between epochs, and the table holds no accuracies but the last.

References:
    Dong, Liu, Musial and Gabrys, NATS-Bench: benchmarking NAS algorithms for architecture topology and size (TPAMI
    2021), section 5 and table 5.
"""

from __future__ import annotations

import argparse
import functools
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from benchmark_tables import EDGES, OPERATIONS, cell, load, row_of, run_all

import deep_arch as da
from deep_arch import searchers
from deep_arch.language.domains import Choice
from deep_arch.searchers.parts.mutation import another

N_EPOCHS = 12
MOST_TRIALS = 10_000  # more than any budget pays for


# --- the searchers, as the paper sets them ---------------------------------------------------------------------------

_OPERATION: Final = Choice(OPERATIONS)
_INCOMING: Final = [[edge for edge in EDGES if edge.startswith(f"edge_{node}")] for node in (1, 2, 3)]


def change_one_edge(_space: da.SearchSpace, values: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
    """Pick a node, one of its incoming edges, and another operation for that."""
    edge = rng.choice(rng.choice(_INCOMING))
    return {**values, edge: another(_OPERATION, values[edge], rng)}


SEARCHERS: dict[str, Callable[[], da.Searcher]] = {
    "random": searchers.RandomSearch,
    "reinforce": lambda: searchers.Reinforce(learning_rate=0.01, momentum=0.9, entropy=0.0),
    "evolution": lambda: searchers.RegularizedEvolution(population=10, sample=3, mutation=change_one_edge),
    "evolution-50": lambda: searchers.RegularizedEvolution(population=50, sample=10, mutation=change_one_edge),
    "surrogate": searchers.SurrogateSearch,
}


# --- the data sets ---------------------------------------------------------------------------------------------------


class Benchmark(NamedTuple):
    """What one data set's part of the table says, by row.

    Attributes:
        budget_s: how much simulated time a search has.
        costs_s: what one proposal takes of it.
        rewards: validation accuracy after 12 epochs, in percent, which the searcher is told.
        validation, test: accuracy after 200 epochs, in percent.
    """

    budget_s: float
    costs_s: Sequence[float]
    rewards: Sequence[float]
    validation: Sequence[float]
    test: Sequence[float]


DATASETS: dict[str, tuple[float, float]] = {  # budget in seconds, and 10,000s of validation images
    "cifar10": (20_000, 2.5),
    "cifar100": (40_000, 0.5),
    "imagenet16_120": (120_000, 0.3),
}

PUBLISHED: dict[str, dict[str, str]] = {  # test accuracy, mean and standard deviation of 500 runs
    "cifar10": {"random": "93.86 ± 0.23", "reinforce": "93.90 ± 0.26", "evolution": "94.02 ± 0.31"},
    "cifar100": {"random": "71.55 ± 0.97", "reinforce": "71.86 ± 0.89", "evolution": "72.23 ± 0.84"},
    "imagenet16_120": {"random": "45.28 ± 0.97", "reinforce": "45.64 ± 0.78", "evolution": "45.77 ± 0.80"},
}


@functools.cache
def benchmark(dataset: str) -> Benchmark:
    """Return one data set's part of the table."""
    table = load("nb201")
    budget_s, n_images = DATASETS[dataset]
    costs_s = N_EPOCHS * table[f"train_sec_per_epoch_{dataset}"] + n_images * table["eval_sec_per_10k"]
    accuracies = [table[f"{kind}_{dataset}"].tolist() for kind in ("val12", "val200", "test200")]
    return Benchmark(budget_s, costs_s.tolist(), *accuracies)


# --- one run ---------------------------------------------------------------------------------------------------------


class Incumbent(NamedTuple):
    """The best row so far by reward, and the simulated time spent until then."""

    spent_s: float
    row: int


def incumbents(searcher: da.Searcher, data: Benchmark, seed: int) -> list[Incumbent]:
    """Return the incumbent after each proposal of a search, the one that crosses the budget included."""
    rewards, costs_s = data.rewards, data.costs_s
    spent_s, best, found = 0.0, None, list[Incumbent]()
    for trial in da.search(cell, searcher, trials=MOST_TRIALS, seed=seed, duplicates="give"):
        row = row_of(trial.values)
        trial.tell(rewards[row])
        spent_s += costs_s[row]
        best = row if best is None or rewards[row] > rewards[best] else best
        found.append(Incumbent(spent_s, best))
        if spent_s >= data.budget_s:
            break
    return found


def at_budget(found: Sequence[Incumbent], accuracies: Sequence[float], budget_s: float) -> float:
    """Return the accuracy at the budget, on the line through the two incumbents nearest to it in time."""
    (a_s, a), (b_s, b) = sorted(found, key=lambda incumbent: abs(incumbent.spent_s - budget_s))[:2]
    return accuracies[a] + (budget_s - a_s) / (b_s - a_s) * (accuracies[b] - accuracies[a])


def run(name: str, dataset: str, seed: int) -> tuple[float, float]:
    """Return the validation and test accuracy that one search ends with."""
    data = benchmark(dataset)
    found = incumbents(SEARCHERS[name](), data, seed)
    return at_budget(found, data.validation, data.budget_s), at_budget(found, data.test, data.budget_s)


# --- all runs --------------------------------------------------------------------------------------------------------


def shown(accuracies: Sequence[float]) -> str:
    """Return mean and population standard deviation."""
    return f"{statistics.fmean(accuracies):.2f} ± {statistics.pstdev(accuracies):.2f}"


def main() -> None:
    """Repeat the searches, and print what they found."""
    parser = argparse.ArgumentParser(description="Replay the search algorithms of NATS-Bench.")
    parser.add_argument("--runs", type=int, default=500, help="how often to repeat each search (500)")
    parser.add_argument("--searchers", default="random,reinforce,evolution", help=f"of {', '.join(SEARCHERS)}")
    parser.add_argument("--datasets", default=",".join(DATASETS), help=f"of {', '.join(DATASETS)}")
    parser.add_argument("--workers", type=int, default=2, help="how many processes (2)")
    arguments = parser.parse_args()
    print(f"{'data set':16}{'searcher':14}{'validation':>14}{'test':>16}{'published test':>18}")
    for dataset in arguments.datasets.split(","):
        for name in arguments.searchers.split(","):
            found = run_all(functools.partial(run, name, dataset), arguments.runs, arguments.workers)
            validation, test = zip(*found, strict=True)
            published = PUBLISHED[dataset].get(name, "")
            print(f"{dataset:16}{name:14}{shown(validation):>14}{shown(test):>16}{published:>18}", flush=True)


if __name__ == "__main__":
    main()
