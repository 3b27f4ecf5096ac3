"""Search multilayer perceptrons and how to train them, on eight tasks whose 30,000 results each are in a table.

    OMP_NUM_THREADS=1 python examples/mlp_tables.py --runs 50 --trials 200 --searchers random,evolution,tpe

Each searcher evaluates some configurations; the score of one is its validation accuracy, the mean of the table's five
seeds. Its regret is how far the best that it found is below the best of the table. Optuna's tree-structured Parzen
estimator runs on the same tables, written for Optuna alone. Each proposal counts, also when it was proposed before.
"""

from __future__ import annotations

import argparse
import functools
import operator
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from benchmark_tables import load, run_all

import deep_arch as da
from deep_arch import ops, searchers

TASKS = ("australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment", "vehicle")

GRID: dict[str, list[Any]] = {  # the table's values, evenly spaced on a logarithmic scale but for the depth
    "alpha": [10 ** (-8 + 8 * i / 9) for i in range(10)],  # of the L2 penalty on the weights
    "batch_size": [4, 6, 10, 16, 25, 40, 64, 101, 161, 256],
    "depth": [1, 2, 3],
    "learning_rate_init": [10 ** (-5 + 5 * i / 9) for i in range(10)],
    "width": [16, 25, 40, 64, 101, 161, 256, 406, 645, 1024],
}


# --- the search space ------------------------------------------------------------------------------------------------


def on_grid(name: str) -> Any:
    """Return the value of a hyperparameter whose position on the grid is searched, so that its order is known."""
    return da.dependent(GRID[name].__getitem__, da.integer(0, len(GRID[name]) - 1, name=name))


@da.space
def mlp(features: Any) -> Any:
    """Stack equal layers below the one that a task's number of classes decides."""
    training = ("alpha", "batch_size", "learning_rate_init")
    da.config(**{name: on_grid(name) for name in training})
    width, depth = on_grid("width"), on_grid("depth")
    return da.repeat(lambda: da.sequential(lambda: ops.Dense(units=width), ops.ReLU), depth)(features)


# --- the tables ------------------------------------------------------------------------------------------------------


@functools.cache
def accuracies(task: str) -> Any:
    """Return mean accuracies in percent, with an axis of grid positions for each hyperparameter."""
    return 100 * load("hpobench_mlp")[f"val_acc_{task}"].mean(axis=1, dtype=float).reshape(
        tuple(map(len, GRID.values()))
    )


def accuracy(task: str, positions: Mapping[str, int]) -> float:
    """Return what the table says about a configuration."""
    return float(accuracies(task)[tuple([positions[name] for name in GRID])])


# --- the searches ----------------------------------------------------------------------------------------------------

SEARCHERS: dict[str, Callable[[], da.Searcher]] = {
    "random": searchers.RandomSearch,
    "evolution": searchers.RegularizedEvolution,
    "local": searchers.LocalSearch,
    "genetic": searchers.GeneticAlgorithm,
    "mcts": searchers.MonteCarloTreeSearch,
    "reinforce": searchers.Reinforce,
    "ppo": searchers.ProximalPolicy,
    "surrogate": searchers.SurrogateSearch,
}


def regret_of_ours(name: str, task: str, n_trials: int, seed: int) -> float:
    """Return how far the best that one of our searchers finds is below the best of the table."""
    search = da.search(mlp, SEARCHERS[name](), trials=n_trials, seed=seed, duplicates="give")
    for trial in search:
        trial.tell(accuracy(task, trial.values))
    return float(accuracies(task).max()) - search.best.scores[0]


def regret_of_tpe(task: str, n_trials: int, seed: int) -> float:
    """Return the same of Optuna's tree-structured Parzen estimator."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))

    def objective(trial: optuna.Trial) -> float:
        return accuracy(task, {name: trial.suggest_int(name, 0, len(grid) - 1) for name, grid in GRID.items()})

    study.optimize(objective, n_trials)
    return float(accuracies(task).max()) - study.best_value


def run(name: str, task: str, n_trials: int, seed: int) -> float:
    """Return the regret of one search."""
    return regret_of_tpe(task, n_trials, seed) if name == "tpe" else regret_of_ours(name, task, n_trials, seed)


def main() -> None:
    """Repeat the searches, and print mean regrets in percent and on how many tasks each is ahead of TPE."""
    parser = argparse.ArgumentParser(description="Search multilayer perceptrons on eight tasks.")
    parser.add_argument("--runs", type=int, default=50, help="how often to repeat each search (50)")
    parser.add_argument("--trials", type=int, default=200, help="how many configurations to evaluate in each (200)")
    parser.add_argument("--searchers", default=",".join(SEARCHERS), help=f"of {', '.join(SEARCHERS)}; tpe is added")
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--workers", type=int, default=2, help="how many processes (2)")
    arguments = parser.parse_args()
    tasks = arguments.tasks.split(",")
    print(f"{'mean regret':14}" + "".join(f"{task[:10]:>11}" for task in tasks) + f"{'ahead of TPE on':>18}")
    of_tpe: list[float] = []
    for name in ["tpe", *arguments.searchers.split(",")]:
        print(f"{name:14}", end="", flush=True)
        regrets = list[float]()
        for task in tasks:
            one_run = functools.partial(run, name, task, arguments.trials)
            regrets.append(statistics.fmean(run_all(one_run, arguments.runs, arguments.workers)))
            print(f"{regrets[-1]:11.3f}", end="", flush=True)
        of_tpe = of_tpe or regrets
        print(f"{sum(map(operator.lt, regrets, of_tpe)):15} of {len(tasks)}")


if __name__ == "__main__":
    main()
