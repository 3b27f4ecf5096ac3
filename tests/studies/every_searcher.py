"""Every searcher, with settings that are small enough for it to learn within some dozen trials."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import deep_arch as da
import deep_arch.searchers
from deep_arch import searchers
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher


def _evolution() -> Searcher:
    return searchers.RegularizedEvolution(population=5, sample=2)


def _is_short(architecture: da.Architecture) -> bool:
    return len(architecture.values) < 6


def _is_number(point: ChoicePoint) -> bool:
    return point.domain.size > 3


def _is_option(point: ChoicePoint) -> bool:
    return not _is_number(point)


MADE: dict[str, Callable[[da.SearchSpace], Searcher]] = {
    "AsynchronousHalving": lambda _: searchers.AsynchronousHalving(max_budget=9),
    "BOHB": lambda _: searchers.BOHB(max_budget=3, samples=4, least_points=3),
    "DARTS": lambda _: searchers.DARTS(learning_rate=0.3),
    "EarlyStopping": lambda _: searchers.EarlyStopping(searchers.Hyperband(max_budget=3), searchers.median_rule()),
    "FairSampling": lambda _: searchers.FairSampling(),
    "Feasible": lambda _: searchers.Feasible(searchers.RandomSearch(), _is_short),
    "GDAS": lambda _: searchers.GDAS(learning_rate=0.3),
    "GeneticAlgorithm": lambda _: searchers.GeneticAlgorithm(population=6, tournament=2, elite=2),
    "GridSearch": lambda _: searchers.GridSearch(order="shuffled", levels=3),
    "GumbelMasking": lambda _: searchers.GumbelMasking(learning_rate=0.3),
    "Hyperband": lambda _: searchers.Hyperband(max_budget=9),
    "InterpolatedWidths": lambda _: searchers.InterpolatedWidths(learning_rate=0.3),
    "LocalSearch": lambda _: searchers.LocalSearch(),
    "MonteCarloTreeSearch": lambda _: searchers.MonteCarloTreeSearch(branches=3),
    "NSGA2": lambda _: searchers.NSGA2(population=6),
    "NoRepeats": lambda _: searchers.NoRepeats(_evolution()),
    "OptunaSearcher": lambda _: searchers.OptunaSearcher(),
    "Partitioned": lambda _: searchers.Partitioned([(_is_number, searchers.LocalSearch()), (_is_option, _evolution())]),
    "ProximalPolicy": lambda _: searchers.ProximalPolicy(batch=4),
    "RandomSearch": lambda _: searchers.RandomSearch(),
    "RegularizedEvolution": lambda _: searchers.RegularizedEvolution(population=8, sample=3),
    "Reinforce": lambda _: searchers.Reinforce(),
    "SETN": lambda _: searchers.SETN(learning_rate=0.3),
    "Sandwich": lambda _: searchers.Sandwich(),
    "SuccessiveHalving": lambda _: searchers.SuccessiveHalving(max_budget=9),
    "SurrogateSearch": lambda _: searchers.SurrogateSearch(initial=6, candidates=10, pool=30),
    "WarmStart": lambda space: searchers.WarmStart(
        _evolution(), [FinishedTrial(i, space.sample(i).values, (float(i),)) for i in range(4)]
    ),
    "WidestFirst": lambda _: searchers.WidestFirst(searchers.Reinforce(), trials=40, fraction=0.5),
}
"""Name to what makes the searcher for a space."""

RELAXED = ("DARTS", "GDAS", "GumbelMasking", "InterpolatedWidths", "SETN")
"""Those that are told slopes too."""

OF_SCORES = tuple(name for name in MADE if name not in RELAXED)
"""Those that learn from scores alone."""

OF_GRAMMARS = ("BestFirstSearch", "BottomUp", "DPads", "EnumerationByCost", "Growth")
"""Those that search grammars, whose contracts have them go on from their states."""

EXPORTED = {
    name
    for name, cls in inspect.getmembers(deep_arch.searchers, inspect.isclass)
    if issubclass(cls, Searcher) and not inspect.isabstract(cls) and name not in OF_GRAMMARS
}
