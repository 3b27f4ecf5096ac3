"""Generations: what genetic algorithms share, whatever they take for the best of a population."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.searchers.parts.checks import check_count, check_function, check_number
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.mutation import Crossover, Mutation, applied
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_ATTEMPTS: Final = 10
"""After so many proposals that are known already, a repeat is given out, since the space may hold nothing else."""


class Member(NamedTuple):
    """An architecture of a population, with the gains that it was told last."""

    values: Values
    gains: tuple[float, ...]


class GenerationalSearcher(Searcher):
    """Breed each generation from the one before: tournament, crossover, mutation.

    A generation is over as soon as `population` others than those in it were told gains, whenever they were
    proposed, so that no result is waited for. Until the first is over, proposals are drawn at random. What is in the
    population, was told since, or is out is not proposed again if something else can be found.
    """

    def __init__(
        self, population: int, tournament: int, crossover: Crossover, crossover_rate: float, mutation: Mutation
    ) -> None:
        check_count(self, population=population, tournament=tournament)
        check_number(self, 0, 1, crossover_rate=crossover_rate)
        check_function(self, crossover=crossover, mutation=mutation)
        self.population: Final = population
        self.tournament: Final = tournament
        self.crossover: Final = crossover
        self.crossover_rate: Final = crossover_rate
        self.mutation: Final = mutation

    @abstractmethod
    def survivors(self, parents: Sequence[Member], children: Sequence[Member]) -> list[Member]:
        """Return the next population, best first, out of the last one, best first, and what was told since."""

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin without a population."""
        super().start(space, rng)
        self._parents: dict[Any, Member] = {}
        self._children: dict[Any, Member] = {}
        self._out: dict[Any, Values] = {}

    def ask(self) -> Values:
        """Propose a child of the population, or what is drawn at random until there is one."""
        parents = list(self._parents.values())
        key, values = self._propose(parents)
        for _ in range(_ATTEMPTS - 1):
            if key not in self._parents and key not in self._children and key not in self._out:
                break
            key, values = self._propose(parents)
        self._out[key] = values
        return values

    def _propose(self, parents: list[Member]) -> tuple[Any, Values]:
        values = self._breed(parents) if parents else self.space.sample(self.rng).values
        return identity(values), values

    def _breed(self, parents: list[Member]) -> Values:
        child = self._select(parents)
        if self.rng.random() < self.crossover_rate:
            child = applied(self.crossover, self.space, child, self._select(parents), self.rng)
        return applied(self.mutation, self.space, child, self.rng)

    def _select(self, parents: list[Member]) -> Values:
        """Return the best of some that are drawn with replacement; the best stand first."""
        random, n = self.rng.random, len(parents)
        return parents[min([int(random() * n) for _ in range(self.tournament)])].values

    def tell(self, trial: FinishedTrial) -> None:
        """Take a complete trial in, and go on to the next generation where this was the last of the population."""
        key = identity(trial.values)
        self._out.pop(key, None)
        if trial.state != "complete":
            return
        self._children[key] = Member(trial.values, trial.gains)
        if len(self._children) == self.population:
            parents = [member for known, member in self._parents.items() if known not in self._children]
            self._parents = _by_identity(self.survivors(parents, list(self._children.values())))
            self._children = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the population, what was told since, and what is out."""
        parents, children = self._write(self._parents), self._write(self._children)
        out = [self.encode(values) for values in self._out.values()]
        return {**super().state_dict(), "parents": parents, "children": children, "out": out}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a population."""
        super().load_state_dict(state)
        self._parents, self._children = self._read(state["parents"]), self._read(state["children"])
        self._out = {identity(values): values for values in map(self.decode, state["out"])}

    def _write(self, members: Mapping[Any, Member]) -> list[Any]:
        return [[self.encode(member.values), member.gains] for member in members.values()]

    def _read(self, written: list[Any]) -> dict[Any, Member]:
        return _by_identity([Member(self.decode(text), tuple(gains)) for text, gains in written])


def _by_identity(members: Sequence[Member]) -> dict[Any, Member]:
    return {identity(member.values): member for member in members}
