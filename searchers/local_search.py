"""Local search: climb from neighbour to neighbour, and start again from every top."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final, Literal

from deep_arch.searchers.parts.checks import check_option
from deep_arch.searchers.parts.decisions import identity, remember
from deep_arch.searchers.parts.mutation import complete, mutable, steps
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class LocalSearch(Searcher):
    """Try the neighbours of the best so far, which differ in one hyperparameter; start again where none is better.

    Where more proposals are wanted than there are neighbours left, while results are still out, further starts are
    drawn: the search never waits.

    Args:
        move: go to the "first" neighbour that is better, or to the "best" once all were tried.
        restarts: whether to draw another start at the top of a hill, or to end there.

    Raises:
        BadArgument: `move` is neither.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import LocalSearch
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x))
        >>> search = da.search(net, LocalSearch(restarts=False), trials=300, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 42))
        >>> search.best.values
        {'dense.units': 42}

    References:
        White, Nolen and Savani, Exploring the loss landscape in neural architecture search (UAI 2021), algorithm 1.
    """

    n_objectives: int | None = 1

    def __init__(self, move: Literal["first", "best"] = "first", restarts: bool = True) -> None:
        check_option(self, "move", move, ("first", "best"))
        check_option(self, "restarts", restarts, (True, False))
        self.move: Final = move
        self.restarts: Final = restarts

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with no place to climb from."""
        super().start(space, rng)
        self._here: tuple[Values, float] | None = None
        self._higher: tuple[Values, float] | None = None
        self._steps: list[tuple[str, Any]] = []
        self._over = False
        # Each start is on a hill of its own; what is tried from there belongs to it, also if its result comes late.
        self._hill = self._n_starts = 0
        self._out: dict[Any, tuple[Values, int]] = {}
        self._tops: dict[int, float] = {}

    def ask(self) -> Values | None:
        """Propose a neighbour that was not tried yet, or a new start."""
        if not self._steps and self._higher:
            self._climb(self._higher)
        if self._steps and self._here:
            address, value = self._steps.pop()
            return self._sent(complete(self.space, {**self._here[0], address: value}, self.rng), self._hill)
        self._over = self._over or (self._here is not None and not self.restarts)
        if self._over:
            return None
        self._n_starts += 1
        return self._sent(self.space.sample(self.rng).values, self._n_starts)

    def _sent(self, values: Values, hill: int) -> Values:
        remember(self._out, values, (values, hill))
        return values

    def tell(self, trial: FinishedTrial) -> None:
        """Go on from what is better or, at a top, from a new start."""
        _, hill = self._out.pop(identity(trial.values), (None, self._hill))
        if trial.state != "complete":
            return
        place = trial.values, trial.gain
        if self._here is None or (hill > self._hill and not self._steps and not self._higher):
            self._hill = hill
            self._climb(place)
        elif place[1] > max(self._here[1], self._tops.get(hill, self._here[1])):
            if self.move == "first":
                self._climb(place)
            elif self._higher is None or place[1] > self._higher[1]:
                self._higher = place

    def _climb(self, place: tuple[Values, float]) -> None:
        values, self._tops[self._hill] = place
        self._here, self._higher = place, None
        domains = mutable(self.space, values)
        self._steps = [(a, other) for a, domain in domains.items() for other in steps(domain, values[a], self.rng)]
        self.rng.shuffle(self._steps)

    def state_dict(self) -> dict[str, Any]:
        """Return where the search stands, and the steps that it has not tried there."""
        places = [place and [self.encode(place[0]), place[1]] for place in (self._here, self._higher)]
        domains = self.space.decidable(self._here[0]) if self._here else {}
        steps = [[address, domains[address].encode(value)] for address, value in self._steps]
        return {
            **super().state_dict(),
            "places": places,
            "steps": steps,
            "over": self._over,
            "hills": [self._hill, self._n_starts, list(self._tops.items())],
            "out": [[self.encode(values), hill] for values, hill in self._out.values()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where the search stood."""
        super().load_state_dict(state)
        self._here, self._higher = [place and (self.decode(place[0]), place[1]) for place in state["places"]]
        domains = self.space.decidable(self._here[0]) if self._here else {}
        self._steps = [(address, domains[address].decode(written)) for address, written in state["steps"]]
        self._over = state["over"]
        self._hill, self._n_starts, tops = state["hills"]
        self._tops = dict(tops)
        out = [(self.decode(text), hill) for text, hill in state["out"]]
        self._out = {identity(values): (values, hill) for values, hill in out}
