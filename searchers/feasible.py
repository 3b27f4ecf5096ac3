"""Feasibility: what cannot be used is rejected before anything is built."""

from __future__ import annotations

import functools
import random
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from deep_arch.errors import ShapeMismatch, is_kind, nearest, wrong_kind
from deep_arch.language.foreign import plain
from deep_arch.language.specs import Inputs
from deep_arch.measures.costs import Cost
from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.wrapper import Wrapper
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.known import completed
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning

Predicate = Callable[[Architecture], bool]


class Feasible(Wrapper):
    """Propose what the searcher inside proposes, if it is feasible; the searcher is told of what is not as failed.

    After so many infeasible proposals in a row that nothing feasible can be expected, it warns and ends.

    Args:
        searcher: what proposes.
        predicate: whether an architecture is feasible; `within` makes one of bounds on its cost.
        attempts: infeasible proposals in a row after which the search ends.

    Raises:
        BadArgument: what is no searcher, a predicate that cannot be called, or a number that is no int of at least 1.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import Feasible, RandomSearch, within
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x))
        >>> small = within(da.vector(8), parameters=90)
        >>> search = da.search(net, Feasible(RandomSearch(), small), trials=5, seed=0)
        >>> for trial in search:
        ...     trial.tell(trial.architecture.cost(da.vector(8)).parameters)
        >>> [trial.score for trial in search.trials]
        [18.0, 9.0, 81.0, 45.0, 27.0]
    """

    def __init__(self, searcher: Searcher, predicate: Predicate, attempts: int = 1000) -> None:
        super().__init__(searcher)
        if not callable(predicate):
            raise wrong_kind("Feasible", "a function of an architecture", predicate, "Pass within(inputs, macs=1e6).")
        check_count(self, attempts=attempts)
        self.predicate: Final = predicate
        self.attempts: Final = attempts

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin a search of the searcher inside."""
        super().start(space, rng)
        self._over = False

    def ask(self) -> Values | None:
        """Propose what is feasible, or None after too many attempts."""
        for _ in range(0 if self._over else self.attempts):
            values = self.searcher.ask()
            if values is None or self.predicate(self.space.proposed(values)):
                return values
            budget = self.searcher.budget(values)
            self.searcher.tell(FinishedTrial(NO_TRIAL, values, state="failed", budget=budget))
        if not self._over:
            self._over = True
            self._warn()
        return None

    def propose(self, values: Values) -> Values:
        """Propose what has these values, and is feasible unless they decide all, or no attempt was."""
        proposal = completed(self.space, values, self.rng)
        for _ in range(0 if len(proposal) == len(values) else self.attempts):
            if self.predicate(self.space.proposed(proposal)):
                break
            proposal = completed(self.space, values, self.rng)
        return self.searcher.propose(proposal)

    def _warn(self) -> None:
        warnings.warn(
            f"{self.space.name}: the search ends, since {self.attempts} proposals in a row were infeasible.\n"
            "  Loosen the bounds, leave out of the space what cannot be feasible, or raise `attempts`.",
            SearchWarning,
            stacklevel=3,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the searcher inside, and whether the search is over."""
        return {**super().state_dict(), "over": self._over}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the searcher inside."""
        super().load_state_dict(state)
        self._over = state["over"]


NO_TRIAL: Final = -1
"""The number under which a searcher is told of what is no trial of its search."""


def within(inputs: Inputs, **bounds: float) -> Predicate:
    """Return a predicate that holds for architectures whose shapes fit and whose cost is within bounds.

    Args:
        inputs: the spec of the input, or a mapping from the names of the inputs to their specs.
        bounds: the most that an architecture may cost, by the names of `da.Cost`: parameters, macs, ...

    Raises:
        BadArgument: a bound on what is no cost.
    """
    known = [name for name in dir(Cost) if not name.startswith("_")]
    bounds = plain(bounds)
    for name, bound in bounds.items():
        if name not in known or is_kind(bound, bool) or not is_kind(bound, int | float):
            raise wrong_kind(
                "within",
                f"bounds by the names {', '.join(known)}",
                f"{name}={bound!r}",
                f"Write macs=1e6.{nearest(name, known)}",
            )

    return functools.partial(_is_within, inputs, bounds)  # which can be pickled


def _is_within(inputs: Inputs, bounds: Mapping[str, float], architecture: Architecture) -> bool:
    try:
        cost = architecture.cost(inputs)
    except ShapeMismatch:
        return False
    return all(getattr(cost, name) <= bound for name, bound in bounds.items())
