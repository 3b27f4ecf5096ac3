from __future__ import annotations

from deep_arch.searchers import SurrogateSearch
from deep_arch.testing.searcher_contract import SearcherContract


class TestSurrogateSearch(SearcherContract):
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)


class TestOfGraphKernel(SearcherContract):
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch("weisfeiler_lehman", initial=6, candidates=10, pool=30)


class TestOfForest(SearcherContract):
    n_trials = 16

    def make(self) -> SurrogateSearch:
        return SurrogateSearch("forest", initial=6, candidates=10, pool=30)


class TestOfTwoObjectives(SearcherContract):
    n_objectives = 2
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)


class TestOfThreeObjectives(SearcherContract):
    n_objectives = 3
    n_trials = 20

    def make(self) -> SurrogateSearch:
        return SurrogateSearch(initial=6, candidates=10, pool=30)
