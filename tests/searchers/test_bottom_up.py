"""The searcher keeps its contract, and ends with the program that solves its task."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch.backends import python_backend
from deep_arch.errors import BadArgument, NotSpecified
from deep_arch.searchers import BottomUp, DistinctPrograms
from deep_arch.testing.random_grammars import expressions, function
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES


def as_text(module: da.Module) -> Callable[..., Any]:
    """Let an operation give what it is and what it is called on, so that all programs differ."""
    return lambda *values: (repr(module), *values)


class TestBottomUp(SearcherContract):
    refused = ("decided_by_shapes", "some")

    def make(self) -> BottomUp:
        return BottomUp(["x"], meaning=as_text)


def test_it_says_why_it_refuses_a_space() -> None:
    for name, error, text in [
        ("decided_by_shapes", NotSpecified, "depends on the shape of a value(.|\n)*Give it a number"),
        ("some", NotSpecified, "is left open(.|\n)*Keep it in `where`"),
    ]:
        with pytest.raises(error, match=text):
            list(DistinctPrograms(SPACES[name], ["x"], meaning=as_text))


def test_its_first_proposal_solves_the_task_and_is_the_last() -> None:
    search = da.search(expressions, BottomUp([1, 2, 7], [2, 5, 15]), trials=10)
    for trial in search:
        program = python_backend.build(trial.architecture)
        trial.tell(float([program(x) for x in (1, 2, 7)] == [2, 5, 15]))
    assert [trial.scores for trial in search.trials] == [(1.0,)]


def test_examples_by_name_and_in_order() -> None:
    space = da.space(lambda a, b: function("add", a, b))
    for inputs in ([(1, 2), (3, 4)], [{"b": 2, "a": 1}, {"a": 3, "b": 4}]):
        assert [program.answers for program in DistinctPrograms(space, inputs)] == [(3, 7)]
    for wrong in ([(1, 2, 3)], [(1,)], [{"a": 1, "c": 2}], [5]):
        with pytest.raises(BadArgument, match=r"each example to have 2 values(.|\n)*Got(.|\n)*Give it a and b"):
            DistinctPrograms(space, wrong)
    with pytest.raises(BadArgument, match=r"inputs: expected a list of examples(.|\n)*Got 5 "):
        DistinctPrograms(space, 5)  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match=r"inputs: expected a list of examples(.|\n)*Got \[\](.|\n)*one value"):
        DistinctPrograms(space, [])


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(BadArgument, match="2 outputs, one for each example"):
        BottomUp([1, 2], [1])
    with pytest.raises(BadArgument, match=r"inputs: expected a list of examples(.|\n)*without examples all programs"):
        BottomUp([], [])
    with pytest.raises(BadArgument, match="most is an int of at least 1"):
        BottomUp([1], most=0)
    with pytest.raises(BadArgument, match="meaning is a function"):
        BottomUp([1], meaning=5)  # type: ignore[arg-type]


def test_it_ends_where_no_more_terms_may_be_held() -> None:
    searcher = BottomUp([1, 3, 8], most=50)
    searcher.start(expressions, random.Random(0))
    assert 10 < len(list(iter(searcher.ask, None))) < 50 and searcher.ask() is None
