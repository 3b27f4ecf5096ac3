"""Programs of sequences: searchers on one grammar, thousands of programs fitted at once.

    OMP_NUM_THREADS=1 python examples/programs.py --seeds 5
    OMP_NUM_THREADS=1 python examples/programs.py calms21 growth --windows centred --seeds 5 --test
    OMP_NUM_THREADS=1 python examples/programs.py tasks growth --trials 2000 --test

A program averages a window of frames and computes a logit from groups of features: `Last10Avg(ITE(Speed, ...))`. What
leaves are, affine functions, is fitted; what they are put together to is searched. All is chosen by the log loss on
examples for validation plus a price for each node, and those for testing are read once, at the very end, with `--test`.

The data are a synthetic task of `deep_arch.testing.program_tasks`, whose true program is known, or behaviour of mice,
as `mice.py` loads it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import mice
import numpy as np

import deep_arch as da
from deep_arch import searchers
from deep_arch.backends.torch_backend import stacks
from deep_arch.searchers import Growth, Move, Swap
from deep_arch.testing import program_tasks
from deep_arch.testing.program_language import language

PRICE = 0.002
"""Log loss that a node must gain."""

STEPS = (5, 10)
"""Steps of second order for all programs, and more for the best part, and for those without first weights."""

NEAR = 0.01
"""How far an accuracy may be from that of the true program."""

PROMISING = 4
"""One of so many programs is fitted to the end."""


# --- data ------------------------------------------------------------------------------------------------------------


@dataclass
class Data:
    """Sequences (examples, features, frames) and labels by part, what leaves read, and windows."""

    x: Mapping[str, Any]
    y: Mapping[str, Any]
    groups: Mapping[str, Sequence[int]]
    windows: Mapping[str, tuple[int, int]]
    class_weight: float
    ridge: float

    def task(self) -> stacks.Task:
        """Return the task of fitting; it has no test examples."""
        parts = (self.x["train"], self.y["train"], self.x["valid"], self.y["valid"])
        return stacks.Task(*parts, class_weight=self.class_weight, ridge=self.ridge)


def calms21(windows: str, test: bool) -> Data:
    """Return the mice, without test examples unless asked."""
    x, y = mice.load(test)
    averages = mice.PUBLISHED if windows == "published" else mice.CENTRED
    return Data(x, y, mice.GROUPS, averages, mice.CLASS_WEIGHT, 1e-3)


def synthetic(name: str) -> Data:
    """Return a task whose program is known."""
    task = program_tasks.program_task(name)
    return Data(task.x, task.y, program_tasks.GROUPS, program_tasks.WINDOWS, 1.0, 1e-4)


# --- searchers -------------------------------------------------------------------------------------------------------


def growth(data: Data) -> Growth:
    """Return growth by t + 0, t * 1, and t under a condition, with other windows and leaves in place of those there."""
    leaves, windows = list(data.groups), list(data.windows)
    one, gate = {"kernel": 0.0, "bias": 1.0}, {"kernel": 0.5, "bias": 0.0}
    conditions = [{"or.which": w, f"or[{w}]/atom/or.which": leaf} for w in windows for leaf in leaves]
    moves = [Move("Add", 0, leaves), Move("Multiply", 0, leaves, one), Move("ITE", (1, 2), leaves, gate)]
    return Growth([*moves, Move("SimpleITE", (1, 2), conditions, gate), Swap(windows), Swap(leaves)])


class Method(NamedTuple):
    """A searcher, how many trials it has, how many of them are fitted at once, and the depth of the space."""

    searcher: Callable[[Data], da.Searcher]
    trials: int
    batch: int
    max_depth: int | None = None


METHODS = {
    "growth": Method(growth, 6000, 3000),
    "random": Method(lambda _: searchers.RandomSearch(), 1000, 1000, 4),
    "genetic": Method(lambda _: searchers.GeneticAlgorithm(), 1000, 50, 4),
    "evolution": Method(lambda _: searchers.RegularizedEvolution(), 1000, 10, 4),
    "tree search": Method(lambda _: searchers.MonteCarloTreeSearch(), 1000, 10, 4),
}


@dataclass
class Found:
    """The best program of a search by validation, and what it took."""

    best: stacks.Fitted
    seconds: float
    n_programs: int
    worth: float = field(default=-np.inf)


def search(data: Data, method: Method, trials: int | None, seed: int, fold: bool) -> Found:
    """Run one searcher; what it proposes is fitted in stacks, and begins with what it grew from."""
    began, task = time.process_time(), data.task()
    space = language(data.groups, data.windows, fold)
    space = space if method.max_depth is None else space.limit(method.max_depth)
    searcher = method.searcher(data)
    known: dict[int, Mapping[str, Any]] = {}
    found: Found | None = None
    run = da.search(space, searcher, trials or method.trials, seed)
    for batch in run.batches(method.batch):
        for trial, fitted in zip(batch, fitted_to(task, batch, searcher, known, seed), strict=True):
            known[trial.number] = fitted.weights
            worth = -fitted.valid_loss - PRICE * len(trial.values)
            if not np.isfinite(worth):
                trial.fail("diverged")
                continue
            trial.set_attribute("answers", np.clip(fitted.outputs[:64, 0], -20, 20).round(1).tolist())
            trial.tell(worth)
            if found is None or worth > found.worth:
                found = Found(fitted, 0.0, 0, worth)
    assert found is not None, "every program diverged"
    return Found(found.best, time.process_time() - began, len(run.trials), found.worth)


def fitted_to(
    task: stacks.Task, trials: Sequence[da.Trial], searcher: da.Searcher, known: Mapping[int, Any], seed: int
) -> list[stacks.Fitted]:
    """Fit the programs of some trials at once: all a little, and to the end what promises most or grew from nothing."""
    architectures = [trial.architecture for trial in trials]
    starts = [searcher.start_of(t.values, known) if isinstance(searcher, Growth) else None for t in trials]
    found = stacks.fit(architectures, task, starts, steps=STEPS[0], noise=0.1, seed=seed)
    order = sorted(range(len(found)), key=lambda i: loss(found[i]))
    n_best = -(-len(order) // PROMISING)
    best = [i for rank, i in enumerate(order) if rank < n_best or starts[i] is None]
    more = stacks.fit([architectures[i] for i in best], task, [found[i].weights for i in best], steps=STEPS[1])
    for i, fitted in zip(best, more, strict=True):
        found[i] = fitted
    return found


def loss(fitted: stacks.Fitted) -> float:
    """Return the loss on validation; infinite for what diverged."""
    return fitted.valid_loss if np.isfinite(fitted.valid_loss) else np.inf


# --- what came of it -------------------------------------------------------------------------------------------------


def row(name: str, seed: int, found: Found, data: Data) -> str:
    """Return a line of the table."""
    f1, accuracy = mice.scores(found.best.outputs[:, 0], data.y["valid"])
    size = len(found.best.architecture.values)
    return (
        f"{name:12} {seed:4} {found.n_programs:8} {found.seconds:7.1f} {size:5} "
        f"{found.best.valid_loss:10.4f} {f1:8.3f} {accuracy:8.3f}"
    )


def mean(numbers: Sequence[float]) -> str:
    """Return a mean and a standard deviation."""
    return f"{statistics.mean(numbers):.3f} +- {statistics.pstdev(numbers):.3f}"


def tested(found: Sequence[Found], data: Data, part: str) -> list[mice.Scores]:
    """Return how programs fare on a part of the data."""
    programs = [each.best for each in found]
    task = stacks.Task(data.x["train"], data.y["train"], data.x[part], data.y[part])
    fitted = stacks.fit([p.architecture for p in programs], task, [p.weights for p in programs], steps=0)
    return [mice.scores(each.outputs[:, 0], data.y[part]) for each in fitted]


def all_tasks(methods: Sequence[str], trials: int | None, seeds: int, test: bool) -> None:
    """Print a line for each synthetic task, and how many of the programs found are as good as the true one."""
    part, hits = "test" if test else "valid", 0
    for name, program in program_tasks.PROGRAMS.items():
        task, data = program_tasks.program_task(name), synthetic(name)
        for method, seed in itertools.product(methods, range(seeds)):
            found = search(data, METHODS[method], trials, seed, program.folds)
            true, got = task.accuracy(part), tested([found], data, part)[0].accuracy
            hits += got >= true - NEAR
            told = f"{name:16} {method:12} {true:.3f} {got:.3f} {got - true:+.3f} {found.seconds:6.1f}"
            print(f"{told}  {program}  ->  {da.text(found.best.architecture)}", flush=True)
    n = len(program_tasks.PROGRAMS) * len(methods) * seeds
    print(f"{hits} of {n} within {NEAR} of the accuracy of the true program, on {part}.")


def main() -> None:
    """Search with each method and seed, print the table, and read the test examples once if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="calms21, the name of a synthetic task, or tasks for all of them")
    parser.add_argument("methods", nargs="*", help=f"of {', '.join(METHODS)}; all if left out")
    parser.add_argument("--windows", choices=["published", "centred"], default="published", help="of calms21")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trials", type=int, help="for every method; as many as each is given if left out")
    parser.add_argument("--test", action="store_true", help="read the test examples at the end")
    arguments = parser.parse_args()
    if arguments.data == "tasks":
        all_tasks(arguments.methods or list(METHODS), arguments.trials, arguments.seeds, arguments.test)
        return
    name = arguments.data or ("calms21" if mice.path().is_file() else "either")
    data = calms21(arguments.windows, arguments.test) if name == "calms21" else synthetic(name)
    if name != "calms21":
        true = program_tasks.program_task(name)
        print(f"The true program is {true.program}, with an accuracy of {true.accuracy('valid'):.3f} on validation.")
    fold = name != "calms21" and program_tasks.PROGRAMS[name].folds
    found: dict[str, list[Found]] = {}
    print("searcher     seed programs   CPU s  size valid loss valid F1 accuracy")
    for method in arguments.methods or METHODS:
        for seed in range(arguments.seeds):
            each = search(data, METHODS[method], arguments.trials, seed, fold)
            found.setdefault(method, []).append(each)
            print(row(method, seed, each, data), flush=True)
    best = max([each for several in found.values() for each in several], key=lambda each: each.worth)
    print(f"The best program is {da.text(best.best.architecture)}.")
    for method, several in found.items() if arguments.test else ():
        f1s, accuracies = zip(*tested(several, data, "test"), strict=True)
        print(f"{method:12} test F1 {mean(f1s)}, accuracy {mean(accuracies)}")


if __name__ == "__main__":
    main()
