"""What docs/symbolic.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "symbolic.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def run(code: str, names: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Run a block, and return each expression that has a comment, the comment, and the value."""
    shown: list[tuple[str, str, str]] = []
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        if not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), "symbolic.md", "exec", dont_inherit=True), names)
            continue
        expression = ast.unparse(statement)
        value = eval(compile(ast.Expression(statement.value), "symbolic.md", "eval", dont_inherit=True), names)
        comment = lines[(statement.end_lineno or 0) - 1][statement.end_col_offset or 0 :].strip()
        shown.append((expression, comment.removeprefix("# "), repr(value)))
    return shown


def test_the_document_is_right() -> None:
    pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "symbolic_document"}
    shown = [line for block in BLOCKS for line in run(block, names)]
    assert len(shown) >= 30
    for expression, comment, value in shown:
        assert comment == value, expression


def test_a_wrong_value_is_found() -> None:
    ((_, comment, value),) = run("1 + 1  # 3", {})
    assert comment != value


def test_the_table_names_what_there_is() -> None:
    import deep_arch as da
    from deep_arch import symbolic

    ours = [row.split("|")[2] for row in TEXT.splitlines() if row.startswith("| `")]
    assert len(ours) >= 20
    assert all(hasattr(da, name) for row in ours for name in re.findall(r"da\.(\w+)", row))
    words = {name for row in ours for name in re.findall(r"`(\w+)(?:\(|`)", row)}
    assert {"diff", "walk", "get", "to_json", "from_json"} <= words
    assert all(hasattr(symbolic, name) for name in ("diff", "walk", "get", "copies", "DELETE", "to_json", "from_json"))
