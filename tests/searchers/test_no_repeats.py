from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import NoRepeats, RandomSearch, RegularizedEvolution
from deep_arch.studies.searcher import FinishedTrial, Searcher
from deep_arch.testing.searcher_contract import SearcherContract


class TestNoRepeats(SearcherContract):
    def make(self) -> NoRepeats:
        return NoRepeats(RegularizedEvolution(population=5, sample=2))


class Recording(RandomSearch):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[FinishedTrial] = []

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


@da.space
def branches(x: Any) -> Any:
    """Have architectures of other values that compute the same: a sum's branches can change places."""
    a, b = (ops.Dense(units=da.choice([1, 2, 3]))(x) for _ in range(2))
    return ops.Add()(a, b)


def test_architectures_that_compute_the_same_are_proposed_once() -> None:
    searcher = NoRepeats(RandomSearch())
    searcher.start(branches, random.Random(0))
    proposed = [branches.at(values) for values in iter(searcher.ask, None)]
    assert branches.size() == 9 and len(proposed) == 6
    assert len({architecture.fingerprint() for architecture in proposed}) == 6


def test_a_repeat_is_told_from_the_record_as_soon_as_that_is_known() -> None:
    inner = Recording()
    searcher = NoRepeats(inner, attempts=50)
    searcher.start(branches, random.Random(0))
    proposed = [searcher.ask() for _ in range(7)]
    assert proposed[-1] is None and inner.told == []
    for number, values in enumerate(proposed[:-1]):
        assert values is not None
        searcher.tell(FinishedTrial(number, values, (float(number),)))
    assert len(inner.told) > 50, "the repeats that waited"
    for told in inner.told:
        first = proposed[told.number]
        assert first is not None and told.gains == (float(told.number),)
        assert branches.at(told.values).fingerprint() == branches.at(first).fingerprint()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"NoRepeats: expected a searcher to wrap(.|\n)*RandomSearch\(\)"):
        NoRepeats(RandomSearch)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"NoRepeats: attempts is an int of at least 1"):
        NoRepeats(RandomSearch(), attempts=0)


def test_a_searcher_without_proposals_stays_without() -> None:
    class Mute(Searcher):
        def ask(self) -> None:
            return None

        def tell(self, trial: FinishedTrial) -> None: ...

    searcher = NoRepeats(Mute())
    searcher.start(branches, random.Random(0))
    assert searcher.ask() is None
