"""Regularised evolution: a population in which the oldest dies, whatever its score."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from deep_arch.searchers.parts.checks import check_count, check_function
from deep_arch.searchers.parts.mutation import Mutation, applied, mutate_one
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class RegularizedEvolution(Searcher):
    """Mutate the best of a random sample of the population, from which the oldest member is removed each time.

    Args:
        population: how many of the latest results form the population; until it is full, proposals are drawn at random,
            at most so many.
        sample: how many members, drawn with replacement, compete to be the parent.
        mutation: makes the child's values out of the parent's.

    Raises:
        BadArgument: a number that is no int of at least 1, or a mutation that is no function.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RegularizedEvolution
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, RegularizedEvolution(population=20, sample=5), trials=200, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -20
        True

    References:
        Real, Aggarwal, Huang and Le, Regularized evolution for image classifier architecture search (AAAI 2019),
        algorithm 1.
    """

    n_objectives: int | None = 1

    def __init__(self, population: int = 50, sample: int = 10, mutation: Mutation = mutate_one) -> None:
        check_count(self, population=population, sample=sample)
        check_function(self, mutation=mutation)
        self.population: Final = population
        self.sample: Final = sample
        self.mutation: Final = mutation

    def start(self, space: Any, rng: Any) -> None:
        """Begin with an empty population."""
        super().start(space, rng)
        self._n_drawn = 0
        self._members: deque[tuple[Values, float]] = deque(maxlen=self.population)

    def ask(self) -> Values:
        """Propose a child of the best of a sample, or what is drawn at random until the population is full."""
        random, members = self.rng.random, self._members
        if not members or len(members) < self.population > self._n_drawn:
            self._n_drawn += 1
            return self.space.sample(self.rng).values
        competing = [members[int(random() * len(members))] for _ in range(self.sample)]
        parent, _ = max(competing, key=lambda member: member[1])
        return applied(self.mutation, self.space, parent, self.rng)

    def tell(self, trial: FinishedTrial) -> None:
        """Take a complete trial into the population, and its oldest member out."""
        if trial.state == "complete":
            self._members.append((trial.values, trial.gain))

    def state_dict(self) -> dict[str, Any]:
        """Return the population, oldest first."""
        members = [[self.encode(values), gain] for values, gain in self._members]
        return {**super().state_dict(), "n_drawn": self._n_drawn, "members": members}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a population."""
        super().load_state_dict(state)
        self._n_drawn = state["n_drawn"]
        self._members.clear()
        self._members.extend((self.decode(text), gain) for text, gain in state["members"])
