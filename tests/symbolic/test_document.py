"""What docs/symbolic.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from deep_arch.testing.documents import shown

TEXT = (Path(__file__).parents[2] / "docs" / "symbolic.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_document_is_right() -> None:
    pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "symbolic_document"}
    lines = [line for block in BLOCKS for line in shown(block, names, "symbolic.md")]
    assert len(lines) >= 30
    for expression, comment, value in lines:
        assert comment == value, expression


def test_a_wrong_value_is_found() -> None:
    ((_, comment, value),) = shown("1 + 1  # 3", {}, "symbolic.md")
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
