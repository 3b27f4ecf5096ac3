"""Admissible neural heuristics (NEAR) on windows of two mice that meet: networks tell what half programs are worth.

    OMP_NUM_THREADS=1 python examples/near.py --seeds 3
    OMP_NUM_THREADS=1 python examples/near.py --order depth --windows centred

A program reads 13 frames of 18 features and says whether one mouse investigates the other, in the language of
`mice.py`. What is not decided yet is a small network: an LSTM in place of a function of all frames, a perceptron in
place of one of a frame. A half program is trained with these by a few epochs of Adam, and what it loses then, together
with what its decided part costs, is about the least that any program has which it may become. `BestFirstSearch` goes on
with the half program that promises most. Whole programs are fitted by second-order steps, those of one shape at once.

All is chosen by the log loss on windows for validation, plus a price for each node. `fit` gives both kinds of programs
their losses, for other searchers on such a language too. Without the data there are made-up windows.

References:
    Shah et al., Learning differentiable programs with admissible neural heuristics (NeurIPS 2020).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import mice
import torch
from torch.nn import functional

import deep_arch as da
from deep_arch.backends import torch_backend
from deep_arch.backends.torch_backend import stacks
from deep_arch.searchers import BestFirstSearch

PRICE = 0.004
"""Log loss that a node must gain."""

PRICES = {
    name: n * PRICE
    for name, n in {"Add": 2, "Multiply": 2, "ITE": 3, "SimpleITE": 3, **dict.fromkeys(mice.CENTRED, 1)}.items()
}
"""Of productions: they pay for their arguments, so that what is open is paid for already."""

BATCH = 100


# --- what half programs and programs are worth ------------------------------------------------------------------------


class Result(NamedTuple):
    """The log loss on validation, and the program with its weights; None for half a program."""

    valid_loss: float
    program: stacks.Fitted | None


def fit(architectures: Sequence[da.Architecture], task: stacks.Task, seed: int, epochs: int = 6) -> list[Result]:
    """Train programs with networks in their holes, each alone, and fit whole ones, all at once; in the same order."""
    whole = [architecture for architecture in architectures if not architecture.holes]
    fitted = iter(stacks.fit(whole, task, noise=0.1, seed=seed) if whole else [])
    found: list[Result] = []
    for architecture in architectures:
        if architecture.holes:
            found.append(Result(relaxed_loss(architecture, task, seed, epochs), None))
        else:
            program = next(fitted)
            found.append(Result(program.valid_loss, program))
    return found


def relaxed_loss(architecture: da.Architecture, task: stacks.Task, seed: int, epochs: int = 6) -> float:
    """Train a program with networks in its holes, and return its least log loss on validation after an epoch.

    The least, as it is to promise no less than what may come of it.
    """
    model = torch_backend.build(architecture, task.train.specs, seed=seed)
    (x,), (x_valid,) = task.train.inputs.values(), task.valid.inputs.values()
    y, cost = task.train.loss.y, task.train.loss.cost[:, None] * len(task.train.loss.y)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    n_batches = math.ceil(len(y) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=epochs * n_batches + 1)
    rng, least = torch.Generator().manual_seed(seed), math.inf
    for _ in range(epochs):
        for at in torch.split(torch.randperm(len(y), generator=rng), BATCH):
            optimizer.zero_grad(set_to_none=True)
            functional.binary_cross_entropy_with_logits(model(x[at]), y[at], cost[at]).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            loss = float(task.valid.loss.value(model(x_valid)[None])[0])
        least = min(least, loss if math.isfinite(loss) else math.inf)
    return least


# --- searching --------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """The best program, and what it took."""

    program: stacks.Fitted
    n_relaxed: int
    n_programs: int
    seconds: float


def search(
    space: da.SearchSpace, task: stacks.Task, searcher: BestFirstSearch, trials: int, seed: int, epochs: int = 6
) -> Found:
    """Search a space with holes; a step of the searcher is one batch."""
    began, run = time.process_time(), da.search(space, searcher, trials, seed)
    known: dict[da.Architecture, stacks.Fitted] = {}
    for batch in run.batches(100):
        results = fit([trial.architecture for trial in batch], task, seed, epochs)
        for trial, (loss, program) in zip(batch, results, strict=True):
            if program is not None:
                known[trial.architecture] = program
            if math.isfinite(loss):
                trial.tell(-loss)
            else:
                trial.fail("diverged")
    assert searcher.best is not None, "no program was reached; give the search more trials"
    n = len(run.trials)
    return Found(known[space.at(searcher.best)], n - len(known), len(known), time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--order", choices=["best", "depth"], default="best", help="A*, or IDS-BB")
    parser.add_argument("--windows", choices=["published", "centred"], default="published")
    parser.add_argument("--depth", type=int, default=3, help="of programs")
    parser.add_argument("--frontier", type=int, default=8)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=6, help="of half programs")
    arguments = parser.parse_args()
    x, y = mice.load()
    task = stacks.Task(x["train"], y["train"], x["valid"], y["valid"], class_weight=mice.CLASS_WEIGHT)
    windows = mice.PUBLISHED if arguments.windows == "published" else mice.CENTRED
    space = mice.language(windows, hole_units=8).limit(max_depth=arguments.depth)
    print("seed relaxed programs   CPU s  size valid loss     F1  program")
    for seed in range(arguments.seeds):
        searcher = BestFirstSearch(PRICES, arguments.order, arguments.frontier)
        program, n_relaxed, n_programs, seconds = search(
            space, task, searcher, arguments.trials, seed, arguments.epochs
        )
        size, f1 = len(program.architecture.values), mice.scores(program.outputs[:, 0], y["valid"]).f1
        print(
            f"{seed:4}{n_relaxed:8}{n_programs:9}{seconds:8.1f}{size:6}{program.valid_loss:11.4f}{f1:7.3f}  "
            f"{da.text(program.architecture)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
