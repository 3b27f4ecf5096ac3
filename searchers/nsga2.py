"""NSGA-II: a genetic algorithm for several objectives at once."""

from __future__ import annotations

from collections.abc import Sequence

from deep_arch.searchers.parts.generations import GenerationalSearcher, Member
from deep_arch.searchers.parts.mutation import Crossover, Mutation, cross_uniformly, mutate_each
from deep_arch.studies.pareto import crowding_distances, fronts


class NSGA2(GenerationalSearcher):
    """Breed a population of which those survive that fewest others dominate, and of these the least crowded.

    The result is not one architecture but a front of them, each the best for some balance of the objectives. With one
    objective it is a genetic algorithm in which the best of parents and children survive. A generation ends when so
    many results as the population is large were told, in whatever order, so several trials may be out at once.

    Args:
        population: how many survive; so many proposals are drawn at random first.
        crossover: makes a child's values out of two parents', each the better of two drawn from the population.
        crossover_rate: how often a child has two parents.
        mutation: changes a child's values.

    Raises:
        BadArgument: a population that is no int of at least 1, or a rate that is no number from 0 to 1.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import NSGA2
        >>> @da.space
        ... def net(x):
        ...     return da.repeat(lambda: ops.Dense(units=da.choice([8, 16, 32])), da.choice([1, 2, 3, 4]))(x)
        >>> search = da.search(net, NSGA2(population=20), trials=60, seed=0, directions=["maximize", "minimize"])
        >>> for trial in search:
        ...     units = [value for address, value in trial.values.items() if address.endswith("units")]
        ...     trial.tell((sum(units), trial.architecture.cost(da.vector(8)).parameters))
        >>> sorted({trial.scores for trial in search.front})[:4]
        [(8.0, 72.0), (16.0, 144.0), (24.0, 216.0), (32.0, 288.0)]

    References:
        Deb, Pratap, Agarwal and Meyarivan, A fast and elitist multiobjective genetic algorithm: NSGA-II (IEEE
        Transactions on Evolutionary Computation, 2002), section III.
    """

    def __init__(
        self,
        population: int = 30,
        crossover: Crossover = cross_uniformly,
        crossover_rate: float = 0.9,
        mutation: Mutation = mutate_each,
    ) -> None:
        super().__init__(population, 2, crossover, crossover_rate, mutation)

    def survivors(self, parents: Sequence[Member], children: Sequence[Member]) -> list[Member]:
        """Return front after front, each with its least crowded members first, until the population is full."""
        members = [*parents, *children]
        kept: list[Member] = []
        for front in fronts([member.gains for member in members]):
            kept += _least_crowded_first([members[i] for i in front])
            if len(kept) >= self.population:
                break
        return kept[: self.population]


def _least_crowded_first(front: list[Member]) -> list[Member]:
    distances = crowding_distances([member.gains for member in front])
    return [front[i] for i in sorted(range(len(front)), key=distances.__getitem__, reverse=True)]
