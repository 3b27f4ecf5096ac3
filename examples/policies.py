"""Search policies that are short programs, by what they earn; 3 to 80 seconds a seed on one core, by environment.

    python examples/policies.py --environment MountainCar-v0 --searcher evolution --seeds 5 --output policies

A policy is a term of a grammar, of a few nodes: sums, products and branches of affine functions of what is observed.
The search loop proposes terms, and the cross-entropy method fits the numbers of each, where all candidates drive copies
of the environment at once, as arrays. A node has a price. The best term, with its numbers as they are printed, is
tested on 100 episodes of gymnasium's own environment, stepped one by one, from seeds that no search draws.

References:
    Mannor, Rubinstein and Gat, The cross entropy method for fast policy search (ICML 2003).
    Szita and Lorincz, Learning Tetris using the noisy cross-entropy method (Neural Computation, 2006).
    Qiu and Zhu, Programmatic reinforcement learning without oracles (ICLR 2022): grammars of such policies.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from classic_control import Acrobots, MountainCars, Pendulums

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.backends.python_backend import PythonProgram
from deep_arch.errors import MissingDependency
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.measures.module_names import ModuleNames
from deep_arch.searchers import GeneticAlgorithm, MonteCarloTreeSearch, RandomSearch, RegularizedEvolution
from deep_arch.studies.search import Search
from deep_arch.visualization.plots import plot_scores

N_CANDIDATES, N_ELITE, N_EPISODES, N_ROUNDS = 48, 9, 16, 24  # of the cross-entropy method
N_TESTS = 100
FIRST_TEST = 2**30
"""Of the seeds of episodes for the test, above all that fitting draws."""

SEARCHERS: dict[str, Callable[[], da.Searcher]] = {
    "evolution": lambda: RegularizedEvolution(population=8, sample=3),
    "genetic": lambda: GeneticAlgorithm(population=8),
    "tree": MonteCarloTreeSearch,
    "random": RandomSearch,
}


# --- the grammar -----------------------------------------------------------------------------------------------------


class Affine(ops.Dense):
    """Weigh what is observed, (candidates, episodes, features), and add a constant.

    Attributes:
        numbers: (candidates, features + 1), the constant last; each candidate drives its own episodes.
    """

    numbers: Any

    def to_python(self, x: Any) -> Any:
        return (x @ self.numbers[:, :-1, None])[..., 0] + self.numbers[:, -1:]


class IfPositive(Operation):
    def shape(self, condition: Spec, a: Spec, b: Spec) -> Spec:
        return a

    def to_python(self, condition: Any, a: Any, b: Any) -> Any:
        return np.where(condition > 0, a, b)


@da.rule
def number() -> da.Module:
    """Return a function from what is observed to a number, of which the policy takes the nearest action."""
    return da.or_(
        {
            "Affine": lambda: Affine(1),
            "Add": lambda x: ops.Add()(number()(x), number()(x)),
            "Multiply": lambda x: ops.Multiply()(number()(x), number()(x)),
            "ITE": lambda x: IfPositive()(number()(x), number()(x), number()(x)),
        }
    )


@da.space
def policies(observation: Any) -> Any:
    """Decide by a number."""
    return number()(observation)


# --- the environments ------------------------------------------------------------------------------------------------


class Task(NamedTuple):
    """An environment and how it is searched.

    Attributes:
        copies: returns so many copies that step together.
        features: names of what is observed.
        unit: of the price of a node: the size of the return at which gymnasium calls it solved, if it does.
        trials: how many programs are fitted.
        best: a return that no policy exceeds.
    """

    name: str
    copies: Callable[[int], Any]
    features: tuple[str, ...]
    unit: float
    trials: int
    best: float = 0.0


_carts = functools.partial(gymnasium.make_vec, "CartPole-v1", vectorization_mode="vector_entry_point")
_angles = ("cos_one", "sin_one", "cos_two", "sin_two", "speed_one", "speed_two")
TASKS = {
    task.name: task
    for task in (
        Task("CartPole-v1", lambda n: _carts(num_envs=n), ("x", "speed", "angle", "turning"), 475, 6, best=500),
        Task("MountainCar-v0", MountainCars, ("position", "velocity"), 110, 50),
        Task("Acrobot-v1", Acrobots, _angles, 100, 16),
        Task("Pendulum-v1", Pendulums, ("cos", "sin", "speed"), 200, 40),
    )
}


def nearest(actions: Any, numbers: Any) -> Any:
    """Return the actions that are nearest to numbers, whose zero stands for the middle one."""
    if isinstance(actions, gymnasium.spaces.Discrete):
        return np.rint(numbers + (actions.n - 1) / 2).clip(0, actions.n - 1).astype(int)
    return (numbers * actions.high).clip(actions.low, actions.high).astype(np.float32)[:, None]


def returns(program: Callable[[Any], Any], envs: Any, n_candidates: int, seed: int) -> Any:
    """Return what each candidate earns in the first episode of each of its copies, (candidates, episodes)."""
    observed, _ = envs.reset(seed=seed)
    running, earned = np.ones(envs.num_envs, bool), np.zeros(envs.num_envs)
    while running.any():
        numbers = program(observed.reshape(n_candidates, -1, observed.shape[-1])).ravel()
        observed, rewards, ended, late, _ = envs.step(nearest(envs.single_action_space, numbers))
        earned += rewards * running
        running &= ~(ended | late)
    return earned.reshape(n_candidates, -1)


def spread(task: Task, seed: int) -> tuple[Any, Any]:
    """Return the mean and the standard deviation of each feature under random actions."""
    envs, rng = task.copies(100), np.random.default_rng(seed)
    seen = [envs.reset(seed=seed)[0]]
    for _ in range(100):
        seen.append(envs.step(nearest(envs.single_action_space, rng.uniform(-1.5, 1.5, 100)))[0])
    return np.concatenate(seen).mean(0), np.concatenate(seen).std(0)


# --- fitting ---------------------------------------------------------------------------------------------------------


class Policy:
    """A program whose numbers are to be fitted to a task.

    Attributes:
        program: takes what is observed, (candidates, episodes, features).
        n_numbers: how many it has.
    """

    def __init__(self, architecture: da.Architecture, task: Task, scale: tuple[Any, Any]) -> None:
        self.architecture, self.task = architecture, task
        self.program: PythonProgram = python_backend.build(architecture)
        self._leaves = [part for part in self.program.modules.values() if isinstance(part, Affine)]
        self._scale, self.n_numbers = scale, len(self._leaves) * (len(task.features) + 1)

    def take(self, numbers: Any, digits: int | None = None) -> None:
        """Let the program have numbers, (candidates, numbers), which are those of standardised features."""
        mean, deviation = self._scale
        for leaf, part in zip(self._leaves, np.split(numbers, len(self._leaves), axis=1), strict=True):
            weights = part[:, :-1] / deviation
            raw = np.hstack([weights, part[:, -1:] - weights @ mean[:, None]])
            leaf.numbers = raw if digits is None else np.vectorize(lambda n: float(f"{n:.{digits}g}"))(raw)

    def fit(self, rng: np.random.Generator) -> Any:
        """Return good numbers, (1, numbers), by the cross-entropy method, with added noise that falls to nothing."""
        envs = self.task.copies(N_CANDIDATES * N_EPISODES)
        mean, deviation = np.zeros(self.n_numbers), np.ones(self.n_numbers)
        for i in range(N_ROUNDS):
            drawn = mean + deviation * rng.standard_normal((N_CANDIDATES, self.n_numbers))
            drawn[0] = mean
            elite, worst = self._best(drawn, envs, rng)
            mean, deviation = elite.mean(0), elite.std(0) + max(0.0, 0.3 - 0.45 * i / N_ROUNDS)
            if worst >= self.task.best:
                break
        drawn = np.vstack([mean, elite, drawn])[:N_CANDIDATES]
        return self._best(drawn, envs, rng)[0][:1]

    def _best(self, drawn: Any, envs: Any, rng: np.random.Generator) -> tuple[Any, float]:
        """Return the numbers that earn most, best first, and what the last of them earns."""
        self.take(drawn)
        earned = returns(self.program, envs, len(drawn), int(rng.integers(FIRST_TEST))).mean(1)
        order = np.argsort(-earned, kind="stable")[:N_ELITE]
        return drawn[order], float(earned[order[-1]])

    def __str__(self) -> str:
        names, weights = ModuleNames(), dict[str, Any]()
        for call in self.architecture.graph.calls:
            path, part = names.path(call.module_address), self.program.modules[call.module_address]
            if isinstance(part, Affine):
                weights |= {f"{path}.kernel": part.numbers[:1, :-1].T, f"{path}.bias": part.numbers[0, -1:]}
        return da.text(self.architecture, weights, self.task.features)


# --- the search ------------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What came of one search.

    Attributes:
        policy: the best program with its numbers, rounded.
        earned: its return in each of the episodes of the test.
        duration_s: the processor's time for all of it.
    """

    search: Search
    policy: Policy
    earned: Any
    duration_s: float


def search_policies(task: Task, searcher: da.Searcher, n_trials: int, size: int, price: float, seed: int) -> Outcome:
    """Search programs for a task, and test the best one."""
    start, scale = time.process_time(), spread(task, seed)
    fresh = task.copies(N_CANDIDATES * N_EPISODES)
    fitted = dict[int, Policy]()
    # A program that comes again is fitted again, from other numbers.
    search = da.search(policies.limit(max_size=size), searcher, trials=n_trials, seed=seed, duplicates="give")
    for trial in search:
        policy, rng = Policy(trial.architecture, task, scale), np.random.default_rng([seed, trial.number])
        policy.take(policy.fit(rng), digits=3)
        earned = returns(policy.program, fresh, 1, int(rng.integers(FIRST_TEST))).mean()
        trial.tell(earned - price * task.unit * len(trial.values))
        fitted[trial.number] = policy
    best = fitted[search.best.number]
    own = gymnasium.make_vec(task.name, num_envs=N_TESTS, vectorization_mode="sync")  # ordinary ones, one after another
    earned = returns(best.program, own, 1, FIRST_TEST + seed * N_TESTS)[0]
    return Outcome(search, best, earned, time.process_time() - start)


def row(seed: int, outcome: Outcome) -> str:
    """Return a line of the table."""
    nodes, earned = len(outcome.policy.architecture.values), outcome.earned
    error = statistics.stdev(earned) / len(earned) ** 0.5
    mean = f"{statistics.mean(earned):.1f} ± {error:.1f}"
    return f"{seed:>4}{nodes:>7}{mean:>16}{min(earned):>9.1f}{outcome.duration_s:>13.1f}\n      {outcome.policy}"


def main() -> None:
    """Search once for each seed, print what came of it, and draw the best."""
    parser = argparse.ArgumentParser(description="Search policies that are short programs.")
    parser.add_argument("--environment", choices=TASKS, default="MountainCar-v0", help="of gymnasium (MountainCar-v0)")
    parser.add_argument("--searcher", choices=SEARCHERS, default="evolution", help="what proposes programs (evolution)")
    parser.add_argument("--trials", type=int, help="how many programs are fitted (6 to 50, by environment)")
    parser.add_argument("--size", type=int, default=7, help="of programs: nodes, at most (7)")
    parser.add_argument(
        "--price", type=float, default=0.005, help="of a node, as a share of what counts as solved (0.005)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many searches (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the first one (0)")
    parser.add_argument("--output", type=Path, help="a folder for pictures")
    arguments = parser.parse_args()
    task, outcomes = TASKS[arguments.environment], list[Outcome]()
    print(f"{policies.limit(max_size=arguments.size).size()} programs; each test is {N_TESTS} episodes.")
    print("seed  nodes   test, mean ± se    worst  CPU seconds, then the program of the number that decides")
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        searcher, n_trials = SEARCHERS[arguments.searcher](), arguments.trials or task.trials
        outcomes.append(search_policies(task, searcher, n_trials, arguments.size, arguments.price, seed))
        print(row(seed, outcomes[-1]), flush=True)
    if arguments.output:
        draw(outcomes[0], arguments.output)


def draw(outcome: Outcome, folder: Path) -> None:
    """Draw the space, the best program and, where matplotlib is installed, the scores over the trials."""
    folder.mkdir(parents=True, exist_ok=True)
    policies.render(folder / "space.svg")
    outcome.policy.architecture.render(folder / "best.svg")
    with contextlib.suppress(MissingDependency):
        plot_scores(outcome.search.trials, folder / "scores.svg")
    print(f"Pictures are in {folder}/: {', '.join(sorted(path.name for path in folder.iterdir()))}")


if __name__ == "__main__":
    main()
