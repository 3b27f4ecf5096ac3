"""Early stopping: a wrapper that ends trials whose learning curve falls behind, whatever proposed them."""

from __future__ import annotations

import functools
import random
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deep_arch.errors import wrong_kind
from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of a trial on the way.

    Attributes:
        scores: step to score, to be maximised.
        complete: whether the trial ended with a score of its own.
    """

    scores: Mapping[int, float]
    complete: bool = False


Rule = Callable[[Curve, Iterable[Curve]], bool]
"""From the curve of a trial that is out, which has a score, and those of all others, to whether it should stop."""


class EarlyStopping(Wrapper):
    """Propose what the searcher inside proposes, and advise `trial.should_stop()` by a rule.

    A trial that stops still ends with `trial.tell`, so that the searcher inside learns of it, or with `trial.skip`.

    Args:
        searcher: what proposes.
        rule: tells whether to stop, such as `median_rule()` or `halving_rule()`.

    Raises:
        BadArgument: what is no searcher, or no function.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import EarlyStopping, RandomSearch, median_rule
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
        >>> search = da.search(net, EarlyStopping(RandomSearch(), median_rule()), trials=30, seed=0)
        >>> for trial in search:
        ...     score = 0.0
        ...     for epoch in range(10):
        ...         score = trial.values["dense.units"] * (1 - 0.5**epoch)
        ...         trial.report(score, step=epoch)
        ...         if trial.should_stop():
        ...             break
        ...     trial.tell(score)
        >>> sum(len(trial.intermediate) for trial in search.trials)  # of 300
        258
    """

    def __init__(self, searcher: Searcher, rule: Rule) -> None:
        super().__init__(searcher)
        makers: tuple[Any, ...] = (median_rule, halving_rule)
        if not callable(rule) or rule in makers:
            raise wrong_kind("EarlyStopping", "a rule", rule, "Write EarlyStopping(searcher, median_rule()).")
        self.rule = rule

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin without curves."""
        super().start(space, rng)
        self._curves: dict[int, Curve] = {}

    def ask(self) -> Values | None:
        """Propose what the searcher inside proposes."""
        return self.searcher.ask()

    def should_stop(self, number: int, values: Values, intermediate: Mapping[int, float]) -> bool:
        """Return whether the rule or the searcher inside would stop a trial that has reported a score."""
        inside = self.searcher.should_stop(number, values, intermediate)
        if not intermediate:
            return inside
        self._curves[number] = curve = Curve(dict(intermediate))
        return self.rule(curve, [other for i, other in self._curves.items() if i != number]) or inside

    def tell(self, trial: FinishedTrial) -> None:
        """Keep the curve, and tell the searcher inside."""
        if trial.intermediate:
            # Several that are of no trial of this search may have one number.
            number = trial.number if trial.number >= 0 else min([0, *self._curves]) - 1
            self._curves[number] = Curve(dict(trial.intermediate), trial.state == "complete")
        super().tell(trial)

    def state_dict(self) -> dict[str, Any]:
        """Return the curves, and the state of the searcher inside."""
        curves = [[number, list(c.scores.items()), c.complete] for number, c in self._curves.items()]
        return {**super().state_dict(), "curves": curves}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the curves."""
        super().load_state_dict(state)
        self._curves = {number: Curve(dict(scores), complete) for number, scores, complete in state["curves"]}


def median_rule(warmup_steps: int = 0, least_trials: int = 5) -> Rule:
    """Return the rule that stops below the median of the trials before.

    A trial stops at a step if its best score so far is less than the median of the others' averages: of each complete
    trial, the mean of its scores up to that step.

    Args:
        warmup_steps: no trial stops at a step below this.
        least_trials: no trial stops before so many others are complete.

    Raises:
        BadArgument: a count that is none.

    References:
        Golovin, Solnik, Moitra, Kochanski, Karro and Sculley, Google Vizier: a service for black-box optimization
        (KDD 2017), section 3.2.2.
    """
    check_count(median_rule, least=0, warmup_steps=warmup_steps)
    check_count(median_rule, least_trials=least_trials)

    return functools.partial(_below_median, warmup_steps, least_trials)  # which can be pickled


def _below_median(warmup_steps: int, least_trials: int, curve: Curve, others: Iterable[Curve]) -> bool:
    step = max(curve.scores)
    so_far = [[score for at, score in other.scores.items() if at <= step] for other in others if other.complete]
    averages = [sum(scores) / len(scores) for scores in so_far if scores]
    if step < warmup_steps or len(averages) < least_trials:
        return False
    return max(curve.scores.values()) < statistics.median(averages)


def halving_rule(eta: int = 3, first_step: int = 1) -> Rule:
    """Return the rule that stops what is not among the best `1 / eta` of all that came so far.

    At the steps `first_step`, `first_step * eta`, `first_step * eta**2`, ..., or the first report after, a trial stops
    unless its score there is among the best `1 / eta` that were reported there, its own included. Between these steps
    no trial stops.

    Args:
        eta: how many trials compete for one place.
        first_step: where they compete first.

    Raises:
        BadArgument: a count that is none, or an `eta` below 2.

    References:
        Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar, A system for massively parallel hyperparameter
        tuning (MLSys 2020), in the variant that stops trials rather than promoting them.
    """
    check_count(halving_rule, least=2, eta=eta)
    check_count(halving_rule, first_step=first_step)

    return functools.partial(_below_share, eta, first_step)


def _below_share(eta: int, first_step: int, curve: Curve, others: Iterable[Curve]) -> bool:
    *earlier, step = sorted(curve.scores)
    rung = _last_rung(step, eta, first_step)
    if step < first_step or (earlier and earlier[-1] >= rung):
        return False
    own = curve.scores[step]
    reached = [other.scores[min(steps)] for other in others if (steps := [s for s in other.scores if s >= rung])]
    return sum([score > own for score in reached]) >= max(1, (len(reached) + 1) // eta)


def _last_rung(step: int, eta: int, rung: int) -> int:
    while rung * eta <= step:
        rung *= eta
    return rung
