from __future__ import annotations

from deep_arch.searchers import RegularizedEvolution
from deep_arch.testing.searcher_contract import SearcherContract


class TestRegularizedEvolution(SearcherContract):
    def make(self) -> RegularizedEvolution:
        return RegularizedEvolution(population=8, sample=3)
