"""What docs/program_synthesis.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import errors
from deep_arch.testing.documents import shown

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "program_synthesis.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_document_is_right() -> None:
    pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "program_synthesis_document"}
    lines = [line for block in BLOCKS for line in shown(block, names, "program_synthesis.md")]
    assert len(lines) >= 12
    for expression, comment, value in lines:
        assert comment == value, expression
    assert re.fullmatch(
        r"LastAvg\(Add\(Multiply\(Near\{.*near.*\}, Speed\{.*speed.*\}\), Angle\{.*angle.*\}\)\)", names["aloud"]
    )


def test_what_it_names_exists() -> None:
    assert all(hasattr(da, name) for name in re.findall(r"\bda\.(\w+)", TEXT))
    refused = TEXT.partition("## What is refused")[2]
    names = re.findall(r"^\| `(\w+)`", refused, flags=re.MULTILINE)
    assert names and all(hasattr(errors, name) for name in names)
    examples = re.findall(r"`(examples/\w+\.py)`", TEXT)
    assert examples and all((ROOT / example).is_file() for example in examples)
