from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.modules import Module
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.values import Value
from deep_arch.visualization.plan.wording import constants, domain_text, formula, operation_name, value_text


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (Choice([64, 128]), "{64, 128}"),
        (Choice(["relu", len, None]), "{'relu', len, None}"),
        (Choice(range(20)), "{0, 1, 2, 3, 4, 5, … 20 in all}"),
        (Choice(["a" * 30, "b" * 30]), "{'" + "a" * 26 + "…, … 2 in all}"),
        (Integer(1, 3), "{1, 2, 3}"),
        (Integer(1, 30), "{1, …, 30}"),
        (Integer(8, 64, 8), "{8, 16, …, 64}"),
        (Integer(1, 1024, log=True), "{1, …, 1024} log"),
        (Real(0, 0.5), "[0, 0.5]"),
        (Real(1e-5, 0.1, log=True), "[1e-05, 0.1] log"),
        (Subset("abc", 2), "2 of {'a', 'b', 'c'}"),
        (Subset("ab", 2, distinct=False, ordered=True), "2 repeatable ordered of {'a', 'b'}"),
        (Permutation(range(3)), "orders of {0, 1, 2}"),
    ],
)
def test_domains_read_as_sets_and_intervals(domain: Domain, text: str) -> None:
    assert domain_text(domain) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.333333"),
        (ops.ReLU, "ReLU"),
        (frozenset("ba"), "{'a', 'b'}"),
        ("x" * 50, "'" + "x" * 26 + "…"),
        (True, "True"),
    ],
)
def test_values_read_the_same_everywhere(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_a_value_shows_no_memory_address() -> None:
    assert "0x" not in value_text(object())


def _formula(dependent: Any) -> str:
    """Return the formula of what `dependent(a, b)` computes."""

    @da.space
    def net(x: Value) -> Value:
        a, b = da.choice([1, 2], name="a"), da.choice([3, 4], name="b")
        return ops.Dense(dependent(a, b))(x)

    return formula(net.start().graph.calls[0].arguments[0])


@pytest.mark.parametrize(
    ("dependent", "text"),
    [
        (lambda a, b: 2 * a + b, "2 · a + b"),
        (lambda a, b: 2 * (a + b), "2 · (a + b)"),
        (lambda a, b: a - (b - 1), "a − (b − 1)"),
        (lambda a, b: (a - b) - 1, "a − b − 1"),
        (lambda a, b: (a**b) ** 2, "(a ** b) ** 2"),
        (lambda a, b: a ** (b**2), "a ** b ** 2"),
        (lambda a, b: -a // b % 3, "−a // b % 3"),
        (lambda a, b: -(a + b) / 2, "−(a + b) / 2"),
        (lambda a, b: da.dependent(max, a, b + 1), "max(a, b + 1)"),
        (lambda a, b: da.dependent(lambda p, q: p * q, a, b), "f(a, b)"),
    ],
)
def test_formulas_read_as_python_computes_them(dependent: Any, text: str) -> None:
    assert _formula(dependent) == text


def divmod_by(number: int) -> Any:
    return lambda x: divmod(x, number)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (ops.Conv2D(8, 3), ["filters=8", "3×3"]),
        (ops.Conv2D(8, (3, 5), strides=2, use_bias=False), ["filters=8", "3×5", "strides=2", "use_bias=False"]),
        (ops.ReLU(), []),
        (da.wrap(divmod_by)(number=3), ["number=3"]),
    ],
)
def test_constants_that_are_defaults_are_left_out(module: Module, text: list[str]) -> None:
    assert constants(module) == text


def test_operations_have_the_name_that_a_reader_knows() -> None:
    assert operation_name(ops.ReLU6()) == "ReLU6"
    assert operation_name(da.wrap(divmod_by)(number=3)) == "divmod_by"
    assert operation_name(da.split_combine(ops.ReLU, ops.Add, 2)) == "split_combine"
    assert operation_name(da.repeat(ops.ReLU, 2, name="stem")) == "repeat stem"
