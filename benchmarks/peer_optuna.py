"""The three spaces by Optuna's random sampler: one trial asked for, its suggestions taken."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna


def poster(trial: Any) -> None:
    n = trial.suggest_categorical("n", [1, 2, 4])
    trial.suggest_categorical("conv.filters", [64, 128])
    if trial.suggest_categorical("use", [False, True]):
        trial.suggest_categorical("rate", [0.25, 0.5])
    for branch, times in (("a", n), ("b", 2 * n)):
        for i in range(times):
            trial.suggest_categorical(f"{branch}{i}.filters", [64, 128])


def cell(trial: Any) -> None:
    for i in range(6):
        trial.suggest_categorical(f"edge{i}", ["zero", "identity", "conv1", "conv3", "pool"])


def chain(trial: Any) -> None:
    for i in range(100):
        which = trial.suggest_categorical(f"{i}.which", [0, 1, 2])
        if which == 0:
            trial.suggest_categorical(f"{i}.0.filters", [8, 16, 32])
            trial.suggest_categorical(f"{i}.0.kernel", [1, 2, 3, 4, 5, 6])
        elif which == 1:
            trial.suggest_categorical(f"{i}.1.filters", [8, 16, 32])
            trial.suggest_categorical(f"{i}.1.kernel", [3])
            trial.suggest_categorical(f"{i}.1.strides", [1, 2])
        else:
            trial.suggest_categorical(f"{i}.2.pool", [2, 3])
            trial.suggest_categorical(f"{i}.2.strides", [1, 2])


def sampler(name: str) -> Callable[[], object]:
    """Return a function that draws one configuration."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    suggest: Callable[[Any], None] = {"poster": poster, "cell": cell, "chain": chain}[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def draw() -> object:
        trial = study.ask()
        suggest(trial)
        return trial

    return draw
