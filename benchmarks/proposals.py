"""Print the CPU time of one proposal and its result, after 200 others, beside peers and beside limits.

Below stand the same times on wide domains, which no searcher may list, as ratios to drawing an architecture.

Every algorithm searches the cell of six edges for the same score: ours through `ask` and `tell`, Optuna's samplers
through those of a study, PyGlove's algorithms through `propose` and `feedback`. Run with `make bench`,
which allows one thread: CPU time would count threads that wait, too.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import random
import statistics
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import spaces

import deep_arch as da
from deep_arch import FinishedTrial, Searcher, SearchSpace, searchers

N_BEFORE, N_TIMED, ROUNDS = 200, 100, 5
ENOUGH_S = 5.0
"""CPU time after which no further step, and no further round, begins."""

Step = Callable[[], object]
"""One proposal, and its result."""

WORTH = {operation: worth for worth, operation in enumerate(spaces.OPERATIONS)}


def score(operations: Iterable[str]) -> float:
    """Return how good a cell is: later edges weigh more, and an operation's worth depends on the one before."""
    worths = [WORTH[operation] for operation in operations]
    return float(sum(i * (3 * now + before) % 7 for i, (before, now) in enumerate(itertools.pairwise(worths), start=1)))


def seconds(start: Callable[[], Step]) -> float:
    """Return the median over rounds, each begun anew, of the CPU time of one step."""
    rounds, start_s = list[float](), time.process_time()
    while len(rounds) < ROUNDS and (not rounds or time.process_time() - start_s < ENOUGH_S):
        step = start()
        before, n_steps, taken = time.process_time(), 0, 0.0
        while n_steps < N_TIMED and taken < ENOUGH_S:
            step()
            n_steps, taken = n_steps + 1, time.process_time() - before
        rounds.append(taken / n_steps)
    return statistics.median(rounds)


def begun(step: Step) -> Step:
    """Return a step after those that are not timed."""
    for _ in range(N_BEFORE):
        step()
    return step


# --- the algorithms --------------------------------------------------------------------------------------------------


def ours(searcher: Searcher) -> Step:
    searcher.start(spaces.cell, random.Random(0))
    numbers = itertools.count()

    def step() -> None:
        values = searcher.ask()
        assert values is not None, "the cell has 15,625 architectures"
        scores, budget = (score(values.values()),), searcher.budget(values)
        searcher.tell(FinishedTrial(next(numbers), values, scores, budget=budget))

    return begun(step)


def optuna(sampler: str) -> Step:
    import peer_optuna
    from optuna import create_study, logging, samplers

    logging.set_verbosity(logging.ERROR)
    timed = getattr(samplers, sampler)(seed=0)
    slow = sampler == "GPSampler"  # which takes minutes for the proposals that are not timed
    study = create_study(direction="maximize", sampler=samplers.RandomSampler(seed=0) if slow else timed)

    def step() -> None:
        trial = study.ask()
        peer_optuna.cell(trial)
        study.tell(trial, score(trial.params.values()))

    begun(step)
    study.sampler = timed
    return step


def pyglove(algorithm: str) -> Step:
    import peer_pyglove
    import pyglove as pg
    from pyglove.ext import evolution

    made = pg.geno.Random(seed=0) if algorithm == "random" else getattr(evolution, algorithm)(seed=0)
    made.setup(pg.dna_spec(peer_pyglove.cell()))
    names = list(spaces.OPERATIONS)

    def step() -> None:
        dna = made.propose()
        made.feedback(dna, score(names[position] for position in dna.to_numbers()))

    return begun(step)


def wide(searcher: Searcher, space: SearchSpace) -> Step:
    """Return a step in a space of one wide domain, after as many trials as surrogates begin to learn with."""
    searcher.start(space, random.Random(0))
    numbers = itertools.count()

    def step() -> None:
        values = searcher.ask()
        assert values is not None, "the domain has many values"
        gain = zlib.crc32(repr(values).encode()) / 2**32
        searcher.tell(FinishedTrial(next(numbers), values, (gain,), budget=searcher.budget(values)))

    for _ in range(50):
        step()
    return step


# --- the table -------------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A searcher of ours, its limit in microseconds, and the peers' algorithms of its kind."""

    searcher: Callable[[], Searcher]
    limit_us: int | None = None
    optuna: str = ""
    pyglove: str = ""


ROWS = {
    "random": Row(searchers.RandomSearch, 50, "RandomSampler", "random"),
    "regularized evolution": Row(searchers.RegularizedEvolution, 100, pyglove="regularized_evolution"),
    "genetic algorithm": Row(searchers.GeneticAlgorithm),
    "NSGA-II": Row(searchers.NSGA2, optuna="NSGAIISampler", pyglove="nsga2"),
    "local search": Row(searchers.LocalSearch, pyglove="hill_climb"),
    "Monte Carlo tree search": Row(searchers.MonteCarloTreeSearch, 100),
    "REINFORCE": Row(searchers.Reinforce, 200),
    "proximal policy": Row(searchers.ProximalPolicy),
    "BOHB": Row(searchers.BOHB, optuna="TPESampler"),
    "surrogate": Row(searchers.SurrogateSearch, 20_000, optuna="GPSampler"),
}


WIDE: dict[str, Callable[[], object]] = {
    "10 of 10,000": lambda: da.subset(range(10_000), 10, name="h"),
    "0 to 10**9": lambda: da.integer(0, 10**9, name="h"),
    "one of 100,000": lambda: da.choice(range(100_000), name="h"),
    "order of 200": lambda: da.permutation(range(200), name="h"),
}


def peers() -> dict[str, Callable[[str], Step]]:
    """Return the peers that are installed."""
    found: dict[str, Callable[[str], Step]] = {}
    for peer in (optuna, pyglove):
        with contextlib.suppress(ImportError):
            importlib.import_module(peer.__name__)
            found[peer.__name__] = peer
    return found


def cells(row: Row) -> Iterator[str]:
    """Yield what the table says of a searcher."""
    us = seconds(lambda: ours(row.searcher())) * 1e6
    yield f"{us:9,.0f} us"
    yield f"{row.limit_us:9,} us" if row.limit_us else f"{'':12}"
    for peer, start in peers().items():
        if algorithm := getattr(row, peer):
            peer_us = seconds(functools.partial(start, algorithm)) * 1e6
            yield f"  {algorithm:22}{peer_us:9,.0f} us{peer_us / us:6.0f} x"
        else:
            yield f"{'':43}"


def one_of(domain: Callable[[], object]) -> SearchSpace:
    """Return the space of one hyperparameter."""
    return da.space(lambda x: da.wrap(dict)(value=domain())(x))


def print_wide() -> None:
    """Print the times of all searchers on wide domains, and their ratios to a random proposal."""
    names = [name for name in ROWS if name != "random"]
    print(f"\n{'wide domain':24}{'random':>12}", *[f"{name[:16]:>20}" for name in names])
    for label, domain in WIDE.items():
        space = one_of(domain)
        space.sample(0)  # unfolds it, which is not timed
        draw_us = seconds(functools.partial(functools.partial, space.sample, random.Random(0))) * 1e6
        print(f"{label:24}{draw_us:9,.0f} us", end="")
        for name in names:
            us = seconds(functools.partial(wide, ROWS[name].searcher(), space)) * 1e6
            print(f"{us:10,.0f} us{us / draw_us:6.0f} x", end="", flush=True)
        print()


def main() -> None:
    names = "".join(f"  {peer:41}" for peer in peers()).rstrip()
    warnings.filterwarnings("ignore", module="optuna")  # says that some samplers are experimental
    print(f"{'searcher':24}{'deep_arch':>12}{'at most':>12}{names}")
    for name, row in ROWS.items():
        print(f"{name:24}", end="")
        for text in cells(row):
            print(text, end="", flush=True)
        print()
    print_wide()


if __name__ == "__main__":
    main()
