from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument
from deep_arch.searchers import GeneticAlgorithm, RegularizedEvolution, SurrogateSearch
from deep_arch.studies.searcher import Values
from deep_arch.testing.readme_space import net
from deep_arch.testing.searcher_contract import SearcherContract


class TestRegularizedEvolution(SearcherContract):
    def make(self) -> RegularizedEvolution:
        return RegularizedEvolution(population=8, sample=3)


def test_what_is_no_mutation_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"RegularizedEvolution: mutation is a function(.|\n)*Got 3 \(int\)"):
        RegularizedEvolution(mutation=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("searcher", [RegularizedEvolution, GeneticAlgorithm, SurrogateSearch])
def test_a_mutation_that_returns_nothing_is_named(searcher: Any) -> None:
    def forgetful(space: da.SearchSpace, values: Values, rng: random.Random) -> None: ...

    least = {RegularizedEvolution: {"population": 2, "sample": 1}, GeneticAlgorithm: {"population": 2}}
    made = searcher(mutation=forgetful, **least.get(searcher, {"initial": 2}))
    with pytest.raises(BadArgument, match=r"forgetful: expected an operator to return values(.|\n)*space.complete"):
        for trial in da.search(net, made, trials=10, seed=0):
            trial.tell(1)
