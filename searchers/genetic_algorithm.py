"""The genetic algorithm: generations bred by tournament, crossover and mutation, of which an elite lives on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deep_arch.searchers.parts.checks import check_count
from deep_arch.searchers.parts.generations import GenerationalSearcher, Member
from deep_arch.searchers.parts.mutation import Crossover, Mutation, cross_uniformly, mutate_each
from deep_arch.studies.searcher import FinishedTrial


class GeneticAlgorithm(GenerationalSearcher):
    """Breed each generation from the one before it, of which only the best few live on.

    A generation ends when so many results as the population is large were told, in whatever order, so several trials
    may be out at once.

    Args:
        population: how large a generation is; the first is drawn at random.
        tournament: how many members, drawn with replacement, compete to be a parent.
        elite: how many of the best go on to the next generation, in the place of its worst.
        crossover: makes a child's values out of two parents'.
        crossover_rate: how often a child has two parents.
        mutation: changes a child's values.

    Raises:
        BadArgument: a number that is no int of at least 1 (`elite`: of at least 0), or a rate that is no number from
            0 to 1.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import GeneticAlgorithm
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, GeneticAlgorithm(population=20), trials=200, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -20
        True

    References:
        Holland, Adaptation in natural and artificial systems (1975). De Jong, An analysis of the behavior of a class
        of genetic adaptive systems (1975), for the elite. Goldberg and Deb, A comparative analysis of selection
        schemes used in genetic algorithms (1991), for the tournament.
    """

    n_objectives: int | None = 1

    def __init__(
        self,
        population: int = 30,
        tournament: int = 3,
        elite: int = 1,
        crossover: Crossover = cross_uniformly,
        crossover_rate: float = 0.9,
        mutation: Mutation = mutate_each,
    ) -> None:
        super().__init__(population, tournament, crossover, crossover_rate, mutation)
        check_count(self, least=0, elite=elite)
        self.elite: Final = elite

    def tell(self, trial: FinishedTrial) -> None:
        """Take a result into the next generation."""
        if trial.state == "complete":
            _ = trial.gain  # of several objectives it learns nothing
        super().tell(trial)

    def survivors(self, parents: Sequence[Member], children: Sequence[Member]) -> list[Member]:
        """Return the children without the worst, and the elite."""
        together = [*parents[: self.elite], *children]
        return sorted(together, key=lambda member: member.gains, reverse=True)[: self.population]
