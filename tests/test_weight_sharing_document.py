"""What docs/weight_sharing.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "weight_sharing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def run(code: str, names: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Run a block, and return each expression that has a comment, the comment, and the value."""
    shown: list[tuple[str, str, str]] = []
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), "weight_sharing.md", "exec", dont_inherit=True), names)
            continue
        expression = ast.unparse(statement)
        value = eval(compile(ast.Expression(statement.value), "weight_sharing.md", "eval", dont_inherit=True), names)
        comment = lines[(statement.end_lineno or 0) - 1][statement.end_col_offset or 0 :].strip()
        if comment:
            shown.append((expression, comment.removeprefix("# "), repr(value)))
    return shown


def test_the_document_is_right() -> None:
    pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "weight_sharing_document"}
    shown = [line for block in BLOCKS for line in run(block, names)]
    assert len(shown) >= 20
    for expression, comment, value in shown:
        assert comment == value, expression


def test_a_wrong_value_is_found() -> None:
    ((_, comment, value),) = run("1 + 1  # 3", {})
    assert comment != value


def test_the_tables_name_what_there_is() -> None:
    import deep_arch as da
    from deep_arch import searchers

    rows = [line.split("|")[1] for line in TEXT.split("## Errors")[1].splitlines() if line.startswith("| `")]
    errors = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(errors) >= 8
    assert all(hasattr(da.errors, name) for name in errors)
    named = re.findall(r"`([A-Z]\w+)\((?:\)|steps)", TEXT)
    assert {"DARTS", "GDAS", "SETN", "GumbelMasking", "InterpolatedWidths", "FairSampling"} <= set(named)
    assert all(hasattr(searchers, name) for name in named)
