"""What docs/weight_sharing.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import errors, searchers

TEXT = (Path(__file__).parents[2] / "docs" / "weight_sharing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def run(code: str, names: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Run a block, and return each expression with a comment, the comment, and the value."""
    shown: list[tuple[str, str, str]] = []
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        comment = lines[(statement.end_lineno or 0) - 1][statement.end_col_offset or 0 :].strip().removeprefix("# ")
        if not isinstance(statement, ast.Expr) or not comment:
            exec(compile(ast.Module([statement], []), "weight_sharing.md", "exec", dont_inherit=True), names)
            continue
        value = eval(compile(ast.Expression(statement.value), "weight_sharing.md", "eval", dont_inherit=True), names)
        shown.append((ast.unparse(statement), comment, repr(value)))
    return shown


def test_the_document_is_right() -> None:
    torch = pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "weight_sharing_document"}
    with torch.random.fork_rng():
        shown = [line for block in BLOCKS for line in run(block, names)]
    assert len(shown) >= 8
    for expression, comment, value in shown:
        if expression != "supernet.load(model, small)":
            assert comment == value, expression


def test_a_wrong_value_is_found() -> None:
    ((_, comment, value),) = run("1 + 1  # 3", {})
    assert comment != value


def test_what_it_names_exists() -> None:
    assert all(hasattr(errors, name) for name in re.findall(r"\| `(\w+)`", TEXT) if name[0].isupper())
    assert all(hasattr(da, name) for name in re.findall(r"\bda\.(\w+)", TEXT))
    named = {"DARTS", "GDAS", "SETN", "GumbelMasking", "InterpolatedWidths", "Sandwich", "WidestFirst", "FairSampling"}
    assert named <= set(re.findall(r"\w+", TEXT)) and all(hasattr(searchers, name) for name in named)
