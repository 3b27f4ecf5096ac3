"""The document of the operations names them all, and its table of weights is what they have."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight

DOCUMENT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
ONE_BY_ONE, _, WEIGHTS = DOCUMENT.partition("## Weights")
EXPORTED = [name for name, value in vars(ops).items() if isinstance(value, type) and issubclass(value, Operation)]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def held(row: list[str]) -> tuple[Operation, dict[str, Weight]]:
    """Return the operation of a row and its weights for the row's input."""
    op: Operation = eval(f"ops.{row[0].strip('`')}", {"ops": ops})
    spec = Spec(ast.literal_eval(row[1]), "int64" if isinstance(op, ops.Embedding) else "float32")
    return op, dict(op.weights(spec))


def initial(weight: Weight) -> str:
    if isinstance(weight.initial, float):
        return f"{weight.initial:g}"
    words = {"glorot_uniform": "Glorot", "unit_forget": "1 for the forget gate and else 0"}
    return words.get(weight.initial, weight.initial)


def test_every_operation_stands_in_one_row() -> None:
    named = [name for row in rows(ONE_BY_ONE) for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(EXPORTED) and len(EXPORTED) == 89


def test_every_row_says_what_each_backend_does() -> None:
    assert all(len(row) == 5 and all(row) for row in rows(ONE_BY_ONE))


@pytest.mark.parametrize("row", rows(WEIGHTS), ids=lambda row: row[0].strip("`"))
def test_the_weights_are_those_of_the_document(row: list[str]) -> None:
    _, weights = held(row)
    shown = re.findall(r"`([\w.]+)` (\([\d, ]+\))", row[2])
    assert [(name, ast.literal_eval(shape)) for name, shape in shown] == [(n, w.shape) for n, w in weights.items()]
    assert row[3] == ", ".join(initial(weight) for weight in weights.values())
    frozen = [name for name, weight in weights.items() if not weight.trained]
    assert ("the last two are not trained" in row[2]) == (frozen == list(weights)[-2:])


def test_every_operation_with_weights_has_a_row() -> None:
    shown = {type(held(row)[0]).__name__ for row in rows(WEIGHTS)}
    assert shown == {name for name in EXPORTED if getattr(ops, name).weights is not Operation.weights}
