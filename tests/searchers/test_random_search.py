"""Random search keeps the contract, and draws as uniformly as it says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import RandomSearch
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES


class TestRandomSearch(SearcherContract):
    def make(self) -> RandomSearch:
        return RandomSearch()


@da.space
def uneven(x: Any) -> Any:
    """Have one architecture behind one of two choices, and three behind the other."""
    return da.or_([ops.ReLU, lambda: ops.Dense(units=da.choice([1, 2, 3]))])(x)


def drawn(searcher: RandomSearch) -> Counter[str]:
    search = da.search(uneven, searcher, trials=4000, seed=0, duplicates="give")
    counts: Counter[str] = Counter()
    for trial in search:
        counts[trial.architecture.to_json()] += 1
        trial.skip()
    return counts


def chi_square(counts: Counter[str], shares: list[float]) -> float:
    expected = [4000 * share for share in shares]
    return sum((n - e) ** 2 / e for n, e in zip(sorted(counts.values(), reverse=True), expected, strict=True))


# 16.27 is the 0.999 quantile of the chi-square distribution with three degrees of freedom.


def test_uniform_over_choices_weighs_by_choice() -> None:
    assert chi_square(drawn(RandomSearch()), [1 / 2, 1 / 6, 1 / 6, 1 / 6]) < 16.27


def test_uniform_over_architectures_weighs_all_alike() -> None:
    counts = drawn(RandomSearch(uniform="architectures"))
    assert chi_square(counts, [1 / 4] * 4) < 16.27
    assert chi_square(counts, [1 / 2, 1 / 6, 1 / 6, 1 / 6]) > 16.27


def test_uniform_over_architectures_stays_in_a_sub_space() -> None:
    for trial in da.search(SPACES["fixed"], RandomSearch("architectures"), trials=5, seed=0):
        assert trial.values["n"] == 2
        trial.skip()


def test_unknown_uniform_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"'choices' or 'architectures'(.|\n)*Got 'graphs'"):
        RandomSearch("graphs")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
