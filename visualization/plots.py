"""Plotting how the scores of a search develop."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.extras import missing
from deep_arch.studies.search import Search
from deep_arch.visualization import palette


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """What a plot of scores shows.

    Attributes:
        positions: the places of the trials that have a score, counted from 1.
        scores: their scores.
        best: the best score up to each.
        n_trials: the number of trials, those without a score included.
    """

    positions: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[float, ...]
    n_trials: int


def score_curve(trials: Search | Iterable[Any], minimize: bool | None = None) -> ScoreCurve:
    """Return the scores of trials and the best so far, leaving out trials that have no score, or holes.

    Args:
        trials: a search; or numbers, or objects with a `score` that is a number or None, in the order in which they
            ended.
        minimize: whether the best score is the lowest; left out, as the search has it, and otherwise not.

    Raises:
        BadArgument: a score is not a single number.
    """
    if isinstance(trials, Search):
        minimize = trials.directions[0] == "minimize" if minimize is None else minimize
        trials = trials.trials
    given = [_score(trial, i) for i, trial in enumerate(trials)]
    positions = [i for i, score in enumerate(given, start=1) if score is not None]
    scores = [score for score in given if score is not None]
    best: list[float] = []
    for score in scores:
        best.append((min if minimize else max)(score, best[-1]) if best else score)
    return ScoreCurve(tuple(positions), tuple(scores), tuple(best), len(given))


def _score(trial: Any, position: int) -> float | None:
    score = getattr(trial, "score", trial)
    if score is None or getattr(trial, "holes", None):
        return None
    try:
        number = float(score)
    except (TypeError, ValueError) as error:
        raise BadArgument(
            f"plot_scores: trial {position}: expected a number, or an object whose score is a number or None.\n"
            f"  Got {score!r} ({type(score).__name__}).\n"
            "  Of several objectives plot one: plot_scores([trial.scores[0] for trial in search.trials])."
        ) from error
    return None if math.isnan(number) else number


def plot_scores(
    trials: Search | Iterable[Any], path: str | PathLike[str] | None = None, *, minimize: bool | None = None
) -> Any:
    """Plot the score of each trial as a dot and the best so far as a line, and return the matplotlib figure.

    Nothing global is touched: no figure is opened in pyplot, and no backend is chosen.

    Args:
        trials: a search; or numbers, or objects with a `score` that is a number or None, in the order in which they
            ended.
        path: a file to save the plot to, in the format that its ending says.
        minimize: whether the best score is the lowest; left out, as the search has it, and otherwise not.

    Raises:
        BadArgument: a score is not a single number.
        MissingDependency: matplotlib is not installed.
    """
    figure = _draw(score_curve(trials, minimize))
    if path is not None:
        figure.savefig(path)
    return figure


def _draw(curve: ScoreCurve) -> Any:
    figure = matplotlib_figure().Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    fill, line = palette.ROWS["assigned"]
    axes.scatter(curve.positions, curve.scores, s=18, color=fill, edgecolors=line, linewidths=0.8, label="trial")
    # The best so far holds until the last trial, also where that one has no score.
    until = (curve.n_trials,) if curve.positions else ()
    positions, best = (*curve.positions, *until), (*curve.best, *curve.best[-1:])
    axes.step(positions, best, where="post", color=palette.SUBSTITUTION[1], linewidth=1.8, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("score")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def matplotlib_figure() -> Any:
    """Return the module that makes figures without pyplot.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise missing("matplotlib") from error
