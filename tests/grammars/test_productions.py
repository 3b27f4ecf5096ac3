"""What of a space is no grammar is refused, and what is one is read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotCountable, NotSupported
from deep_arch.searchers import DistinctPrograms
from deep_arch.testing.random_grammars import arithmetic, function


def refusal(space: da.SearchSpace, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        list(DistinctPrograms(space, [1, 2]))


def test_it_refuses_what_it_cannot_run() -> None:
    refusal(da.space(lambda x: ops.Dense(8)(x)), NotSupported, "dense: has no meaning(.|\n)*Got(.|\n)*meaning=fn")
    real = da.space(lambda x: da.wrap(lambda n: lambda x: n)(n=da.real(0, 1))(x))
    refusal(real, NotCountable, "too many values to try each(.|\n)*Got(.|\n)*discretize")
    assert len(list(DistinctPrograms(real.discretize(3), [1]))) == 3

    @da.rule
    def endless() -> Any:
        return lambda x: da.or_([lambda x: endless()(x), lambda x: function("negate", endless()(x))])(x)

    refusal(da.space(lambda x: endless()(x)), NotCountable, "endless: has no term that ends")


def test_it_refuses_rules_that_depend_on_their_surroundings() -> None:
    @da.space
    def capturing(x: Any) -> Any:
        y = function("negate", x)

        @da.rule
        def term() -> Any:
            return da.or_([lambda v: function("add", v, y), lambda v: function("add", v, x), lambda v: v])

        return term()(x)

    refusal(capturing, NotSupported, r"term: the rule reads what is around it(.|\n)*Got(.|\n)*term\(\)\(x, a value\)")

    @da.space
    def sharing(x: Any) -> Any:
        n = da.choice([1, 2], name="n")

        @da.rule
        def term() -> Any:
            return da.or_([lambda v: v, lambda v: da.wrap(lambda n: lambda v: n + v)(n=n)(term()(v))])

        return term()(x)

    refusal(sharing, NotSupported, "n: is shared by applications of rules(.|\n)*space.fix")
    found = list(itertools.islice(DistinctPrograms(sharing.fix({"n": 2}), [1, 5]), 3))
    assert [program.answers for program in found] == [(1, 5), (3, 7), (5, 9)]

    @da.space
    def tied(x: Any) -> Any:
        term = arithmetic()
        return function("add", term(x), term(function("negate", x)))

    refusal(tied, NotSupported, "arithmetic: one use of a rule is called on several values(.|\n)*Got two calls")


def test_holes_are_no_productions() -> None:
    @da.rule
    def term() -> Any:
        return da.or_({"x": lambda x: x, "-": lambda x: function("negate", term()(x))}, hole=lambda x: x)

    found = DistinctPrograms(da.space(lambda x: term()(x)), [1])
    assert [[*program.values.values()] for program in found] == [["x"], ["-", "x"]]
