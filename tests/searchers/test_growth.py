from __future__ import annotations

from deep_arch.searchers import Growth, Move
from deep_arch.testing.searcher_contract import SearcherContract


class TestGrowth(SearcherContract):
    def make(self) -> Growth:
        return Growth([Move("sum", keep=0, fresh=["leaf"])], beam=2, first=6, most=8)
