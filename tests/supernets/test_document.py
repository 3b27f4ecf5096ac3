"""What docs/weight_sharing.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import errors, searchers
from deep_arch.testing.documents import shown

TEXT = (Path(__file__).parents[2] / "docs" / "weight_sharing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_document_is_right() -> None:
    torch = pytest.importorskip("torch")
    names: dict[str, Any] = {"__name__": "weight_sharing_document"}
    with torch.random.fork_rng():
        lines = [line for block in BLOCKS for line in shown(block, names, "weight_sharing.md")]
    assert len(lines) >= 8
    for expression, comment, value in lines:
        if expression != "supernet.load(model, small)":
            assert comment == value, expression


def test_a_wrong_value_is_found() -> None:
    ((_, comment, value),) = shown("1 + 1  # 3", {}, "weight_sharing.md")
    assert comment != value


def test_what_it_names_exists() -> None:
    assert all(hasattr(errors, name) for name in re.findall(r"\| `(\w+)`", TEXT) if name[0].isupper())
    assert all(hasattr(da, name) for name in re.findall(r"\bda\.(\w+)", TEXT))
    named = {"DARTS", "GDAS", "SETN", "GumbelMasking", "InterpolatedWidths", "Sandwich", "WidestFirst", "FairSampling"}
    assert named <= set(re.findall(r"\w+", TEXT)) and all(hasattr(searchers, name) for name in named)
