"""Tables of what a search found, one row a trial; the functions of `deep_arch.analysis`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from deep_arch.analysis.columns import by_number, results, tabulated, values
from deep_arch.analysis.sensitivity import total_effects
from deep_arch.errors import is_kind, wrong_kind
from deep_arch.extras import imported
from deep_arch.studies import pareto
from deep_arch.studies.directions import Direction, listed_directions, upward
from deep_arch.studies.search import Search
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

Trials = Search | Sequence[Trial]
Directions = Direction | Sequence[Direction] | None


def frame(trials: Trials) -> DataFrame:
    """Return all trials, one a row, with a column for each address, which holds NaN where it was not reached.

    Before the addresses stand the columns `state`, `budget` and `score`, or `score_0`, `score_1`, ... for several
    objectives. An address that is named like one of these is written as `value.state`.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import analysis, ops
        >>> from deep_arch.searchers import GridSearch
        >>> search = da.search(da.space(lambda x: ops.Dense(units=da.choice([4, 8]))(x)), GridSearch(), trials=2)
        >>> for trial in search:
        ...     trial.tell(1 / trial.values["dense.units"])
        >>> analysis.frame(search)  # doctest: +NORMALIZE_WHITESPACE
                  state  budget  score  dense.units
        trial
        0      complete     NaN  0.250            4
        1      complete     NaN  0.125            8
    """
    given = trials if isinstance(trials, Search) else list(each("frame", trials))
    own = results(len(given.directions if isinstance(given, Search) else _read("frame", given)[2]))
    return tabulated(each("frame", given), [own, values(own.names)])


def best_so_far(trials: Trials, directions: Directions = None) -> DataFrame:
    """Return the best score up to each trial, as the column `best`, which holds NaN before the first score.

    Raises:
        BadArgument: there are several objectives, or no such directions.
    """
    numbers, best, direction = _best("best_so_far", trials, directions)
    return _table(numbers, {"best": [upward([score], [direction])[0] for score in best]})


def regret(trials: Trials, optimum: float, directions: Directions = None) -> DataFrame:
    """Return how far the best score up to each trial is from the best that there is, as the column `regret`.

    Raises:
        BadArgument: there are several objectives, or no such directions.
    """
    _check_numbers("regret", [optimum])
    numbers, best, direction = _best("regret", trials, directions)
    (highest,) = upward([optimum], [direction])
    return _table(numbers, {"regret": [highest - score for score in best]})


def _best(where: str, trials: Trials, directions: Directions) -> tuple[list[int], list[float], Direction]:
    """Return the numbers of the trials, the best score up to each, turned so that more is better, and the direction."""
    numbers, points, (direction, *more) = _read(where, trials, directions)
    if more:
        mend = "For several read analysis.hypervolume or analysis.pareto_front."
        raise wrong_kind(where, "one objective", (direction, *more), mend)
    scores = imported("pandas").Series([point[0] if point else math.nan for point in points], dtype=float)
    return numbers, scores.cummax().ffill().tolist(), direction


def pareto_front(trials: Trials, directions: Directions = None) -> DataFrame:
    """Return the rows of `frame` that no other is at least as good as in everything and better in something.

    They stand in the order of the first objective, its best first.

    Raises:
        BadArgument: there are no such directions.
    """
    _, points, _ = _read("pareto_front", trials, directions)
    complete = [i for i, point in enumerate(points) if point]
    first = sum(pareto.fronts([points[i] for i in complete])[:1], list[int]())
    rows: Any = frame(trials)
    return cast("DataFrame", rows.iloc[[complete[i] for i in first]])


def hypervolume(trials: Trials, reference: Sequence[float], directions: Directions = None) -> DataFrame:
    """Return the volume that the trials up to each dominate, as the column `hypervolume`.

    Args:
        trials: a search, or its trials.
        reference: a score for each objective, worse than what counts; only trials better in everything have volume.
        directions: of the objectives; those of the search unless given.

    Raises:
        BadArgument: a reference of another length, or no such directions.
    """
    numbers, points, turned = _read("hypervolume", trials, directions)
    if not hasattr(reference, "__len__") or len(reference) != len(turned):  # an array too
        expected = f"a reference with a score for each of the {len(turned)} objectives"
        mend = f"Write the worst score that counts, for each of {', '.join(turned)}."
        raise wrong_kind("hypervolume", expected, reference, mend)
    _check_numbers("hypervolume", reference)
    corner, front, volumes = upward(reference, turned), list[pareto.Point](), [0.0]
    for point in points:
        if not point or point in front or any(pareto.dominates(other, point) for other in front):
            volumes.append(volumes[-1])
            continue
        front = [point, *[other for other in front if not pareto.dominates(point, other)]]
        volumes.append(pareto.hypervolume(front, corner))
    return _table(numbers, {"hypervolume": volumes[1:]})


def compare(
    searches: Mapping[str, Sequence[Trials]], measure: Callable[[Trials], DataFrame] = best_so_far
) -> DataFrame:
    """Return how repeated searches got on, by searcher and number of the trial.

    The columns are `mean`, `std` (of the sample), `q25`, `median` and `q75` over the runs. A run that ended keeps its
    last value; where some run has none yet, all columns hold NaN.

    Args:
        searches: the searcher's name to its runs.
        measure: what to compare: `best_so_far`, or a function of a search such as
            `lambda search: analysis.hypervolume(search, reference=(0, 100))`.

    Raises:
        BadArgument: a searcher without runs, or whatever the measure raises.
    """
    tables: dict[str, Any] = {}
    mend = "Write compare({'random': [search_0, search_1], 'evolution': [search_2, search_3]})."
    if not is_kind(searches, Mapping) or not searches:
        raise wrong_kind("compare", "a mapping from the names of searchers to their searches", searches, mend)
    for name, runs in searches.items():
        if not is_kind(runs, Sequence) or not runs:
            raise wrong_kind("compare", f"a list of searches for {name!r}", runs, mend)
        tables[name] = _over_runs([measure(run) for run in runs])
    return cast("DataFrame", imported("pandas").concat(tables, names=["searcher", "trial"]))


def _over_runs(measured: list[Any]) -> Any:
    pandas = imported("pandas")
    runs = pandas.concat([table.iloc[:, 0].reset_index(drop=True) for table in measured], axis=1).ffill()
    runs = runs.where(runs.notna().all(axis=1))
    quantiles = {name: runs.quantile(q, axis=1) for name, q in (("q25", 0.25), ("median", 0.5), ("q75", 0.75))}
    return pandas.DataFrame({"mean": runs.mean(axis=1), "std": runs.std(axis=1), **quantiles})


def importance(trials: Trials, objective: int = 0, n_repeats: int = 10, seed: int = 0) -> DataFrame:
    """Return the share of the variation of the scores that each hyperparameter has a part in, the largest first.

    A random forest learns the score from the values. The column `importance` is the total Sobol index in the forest:
    half of the mean square by which its prediction changes when the hyperparameter alone takes the value that it has
    in another trial, over the variance of its predictions. An interaction counts for all that take part in it, so the
    shares may add up to more than one. `std` is the deviation over repeats.

    A hyperparameter that exists only under some values of others gets, where it does not exist, a value that it has
    elsewhere: that it exists is then known from those others alone, and counts as their importance.

    Args:
        trials: a search, or its trials; those without scores are left out. A few dozen are needed to learn from.
        objective: of which score.
        n_repeats: how often each hyperparameter is shuffled.
        seed: of the forest and of the shuffles; no global random state is moved.

    Raises:
        BadArgument: fewer than two complete trials, or no such objective.

    References:
        Breiman, Random forests (2001). Jansen, Analysis of variance designs for model output (1999), for the index.
        Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter importance (ICML
        2014), for the use.
    """
    complete = [trial for trial in each("importance", trials) if trial.scores]
    if len(complete) < 2:
        raise wrong_kind("importance", "at least two complete trials", trials, "Run the search first.")
    if objective not in range(n := len(complete[0].scores)):
        raise wrong_kind("importance", f"an objective from 0 to {n - 1}", objective, "Leave it out for the first.")
    if type(n_repeats) is not int or n_repeats < 1:
        raise wrong_kind("importance", "n_repeats to be an int of at least 1", n_repeats, "Leave it out for 10.")
    scores = [trial.scores[objective] for trial in complete]
    pandas = imported("pandas")
    effects = pandas.DataFrame.from_dict(total_effects(complete, scores, n_repeats, seed), orient="index")
    table = pandas.DataFrame({"importance": effects.mean(axis=1), "std": effects.std(axis=1)})
    ordered = table.sort_values("importance", ascending=False, kind="stable").rename_axis("hyperparameter")
    return cast("DataFrame", ordered)


def _read(
    where: str, trials: Trials, directions: Directions = None
) -> tuple[list[int], list[pareto.Point], tuple[Direction, ...]]:
    """Return the numbers of the trials, their scores so that more is better, and a direction for each objective."""
    # What has holes is no program, and none of what is found.
    found = [(t.number, () if t.holes else t.scores) for t in each(where, trials)]
    numbers = list(dict.fromkeys([len(scores) for _, scores in found if scores]))
    own = trials.directions if isinstance(trials, Search) else ["maximize"] * max([1, *numbers])
    turned = listed_directions(own if directions is None else directions)
    if any(n != len(turned) for n in numbers):
        expected = f"trials with {len(turned)} scores, one for each of {', '.join(turned)}"
        raise wrong_kind(where, expected, tuple(numbers), "Leave directions out for those of the search.")
    return [number for number, _ in found], [upward(scores, turned) for _, scores in found], turned


def each(where: str, trials: Trials) -> Iterator[Trial]:
    """Yield the trials, those of a study one after the other.

    Raises:
        BadArgument: one that is no trial.
    """
    given: Any = trials.trials if isinstance(trials, Search) else trials
    for trial in given if hasattr(given, "__iter__") else [given]:
        if not isinstance(trial, Trial):
            raise wrong_kind(where, "a search, or a sequence of trials", trial, "Pass what da.search returned.")
        yield trial


def _check_numbers(where: str, scores: Sequence[Any]) -> None:
    for score in scores:
        if isinstance(score, str) or not hasattr(score, "__float__"):
            raise wrong_kind(where, "a number", score, "Write it in the units of the scores.")


def _table(numbers: Sequence[int], data: Mapping[str, Any]) -> DataFrame:
    return cast("DataFrame", imported("pandas").DataFrame(data, index=by_number(numbers)))
