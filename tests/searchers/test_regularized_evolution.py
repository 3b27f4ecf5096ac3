from __future__ import annotations

import pytest

from deep_arch.errors import BadArgument
from deep_arch.searchers import RegularizedEvolution
from deep_arch.testing.searcher_contract import SearcherContract


class TestRegularizedEvolution(SearcherContract):
    def make(self) -> RegularizedEvolution:
        return RegularizedEvolution(population=8, sample=3)


def test_what_is_no_mutation_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"RegularizedEvolution: mutation is a function(.|\n)*Got 3 \(int\)"):
        RegularizedEvolution(mutation=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
