"""All searchers of programs on one language, in one table: two mice that meet.

    OMP_NUM_THREADS=1 python examples/mice_searchers.py --seeds 5
    OMP_NUM_THREADS=1 python examples/mice_searchers.py growth A* --seeds 5 --test

The language and the data are those of `mice.py`. `programs.py` fits what most searchers propose, many programs at once;
`near.py` trains networks in the holes of half programs; `dpads.py` relaxes the language. All choose by windows for
validation. Those for testing are read once, at the very end, with `--test`.

Each program that is reported is built as an ordinary model too, which is to agree with its stack, and is read aloud as
a term, which is to be read back as the same program.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import dpads
import mice
import near
import numpy as np
import programs
import torch
from programs import Data, Found, Method

import deep_arch as da
from deep_arch import searchers
from deep_arch.backends.torch_backend import get_weights, stacks

HOLE_UNITS = 8
TRIALS = 3000

Search = Callable[[Data, int, int | None], Found]
"""From the data, a seed, and a number of trials where not the searcher's own, to the best program by validation."""


def stacked(searcher: Callable[[], da.Searcher], batch: int) -> Search:
    """Return the search of a searcher whose programs are fitted in stacks."""
    method = Method(lambda _: searcher(), TRIALS, batch, 4)
    return lambda data, seed, trials: programs.search(data, method, trials, seed, fold=False)


def genetic() -> searchers.GeneticAlgorithm:
    """Return evolution by subtrees."""
    return searchers.GeneticAlgorithm(crossover=searchers.cross_subtrees, mutation=searchers.mutate_subtree)


def growth(windows: str) -> Search:
    """Return growth, with windows in place of those that are given."""

    def search(_: Data, seed: int, trials: int | None) -> Found:
        return programs.search(programs.calms21(windows, False), programs.METHODS["growth"], trials, seed, fold=False)

    return search


def by_holes(order: Any) -> Search:
    """Return a search over half programs."""

    def search(data: Data, seed: int, trials: int | None) -> Found:
        space = mice.language(data.windows, HOLE_UNITS).limit(max_depth=3)
        searcher = searchers.BestFirstSearch(near.PRICES, order, frontier=8)
        found = near.search(space, data.task(), searcher, trials or 400, seed)
        return Found(found.program, found.seconds, found.n_relaxed + found.n_programs)

    return search


def by_gradients(data: Data, seed: int, trials: int | None) -> Found:
    """Search the relaxed language, whose trials are steps of gradients: as many as the schedule says."""
    began = time.process_time()
    windows = [dpads.Windows(torch.tensor(data.x[p]), torch.tensor(data.y[p]).float()) for p in ("train", "valid")]
    architecture, model, n_trials, _ = dpads.search(windows[0], windows[1], seed)
    seconds, task = time.process_time() - began, data.task()
    (drawn,) = stacks.fit([architecture], task, steps=0)
    held = get_weights(model)
    (found,) = stacks.fit([architecture], task, [{a: held[name] for a, name in drawn.names.items()}], steps=0)
    return Found(found, seconds, n_trials)


SEARCHES: dict[str, Search] = {
    "growth": growth("published"),
    "growth, centred": growth("centred"),
    "A*": by_holes("best"),
    "IDS-BB": by_holes("depth"),
    "enumeration": stacked(searchers.EnumerationByCost, 1000),
    "tree search": stacked(searchers.MonteCarloTreeSearch, 10),
    "genetic": stacked(genetic, 50),
    "evolution": stacked(searchers.RegularizedEvolution, 10),
    "random": stacked(searchers.RandomSearch, 1000),
    "dPads": by_gradients,
}


def disagreement(found: Found, data: Data) -> float:
    """Return how far the built model is from the stack, once the program was read aloud and back."""
    architecture = found.best.architecture
    term = da.text(architecture)
    assert da.parse(term, architecture.space) == architecture, f"{term} is read back as another program"
    with torch.no_grad():
        z = found.best.model(mice.FRAMES)(torch.tensor(data.x["valid"]))
    return float(np.abs(z.numpy() - found.best.outputs).max())


def row(name: str, found: Sequence[Found], data: Data) -> str:
    """Return a line of the table: means over seeds, with standard deviations."""
    valid = [mice.scores(each.best.outputs[:, 0], data.y["valid"]).f1 for each in found]
    told = f"{name:16} {programs.mean(valid):16}"
    if "test" in data.y:
        f1s, accuracies = zip(*programs.tested(found, data, "test"), strict=True)
        told += f" {programs.mean(f1s):16} {statistics.mean(accuracies):8.3f}"
    seconds, sizes = [each.seconds for each in found], [len(each.best.architecture.values) for each in found]
    return told + f" {statistics.mean(seconds):6.0f} {max(seconds):6.0f} {max(sizes):5} {found[0].n_programs:7}"


def main() -> None:
    """Search with each searcher and seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searchers", nargs="*", help=f"of {', '.join(SEARCHES)}; all if left out")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trials", type=int, help="of all but dPads; as many as each is given if left out")
    parser.add_argument("--test", action="store_true", help="read the test examples at the end")
    arguments = parser.parse_args()
    found: dict[str, list[Found]] = {}
    data, n = programs.calms21("published", False), arguments.seeds
    for name in arguments.searchers or SEARCHES:
        for seed in range(n):
            each = SEARCHES[name](data, seed, arguments.trials)
            found.setdefault(name, []).append(each)
            worth = f"valid F1 {mice.scores(each.best.outputs[:, 0], data.y['valid']).f1:.3f}, {each.seconds:.0f} CPU s"
            agrees = f"the model within {disagreement(each, data):.0e}"
            print(f"{name}, seed {seed}: {worth}, {agrees}: {da.text(each.best.architecture)}", flush=True)
    data = programs.calms21("published", arguments.test)
    tested = f" {'test F1':16} accuracy" if arguments.test else ""
    print(f"\n{'searcher':16} {'valid F1':16}{tested}  CPU s   most nodes  trials")
    for name, several in found.items():
        print(row(name, several, data))


if __name__ == "__main__":
    main()
