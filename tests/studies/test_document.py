"""What docs/studies.md shows is run, and the values in its comments are compared."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import errors, searchers
from deep_arch.testing.documents import shown

DOCUMENT = Path(__file__).parents[2] / "docs" / "studies.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
MODULE, *BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.slow
def test_the_document_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("distributed", "ray", "optuna", "pandas"):
        pytest.importorskip(package)
    name = MODULE.splitlines()[0].removeprefix("# ")
    (tmp_path / name).write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{DOCUMENT.parents[1]}")
    names: dict[str, Any] = {"__name__": "studies_document"}
    try:
        lines = [line for block in BLOCKS for line in shown(block, names, "studies.md")]
    finally:
        sys.modules.pop("digits", None)
    assert len(lines) >= 20
    for expression, comment, value in lines:
        assert comment == value.replace(f"{tmp_path}/", ""), expression


def test_what_it_names_exists() -> None:
    assert all(hasattr(da, name) for name in re.findall(r"\bda\.(\w+)", TEXT))
    assert all(hasattr(errors, name) for name in re.findall(r"\bda\.errors\.(\w+)", TEXT))
    assert all(hasattr(searchers, name) for name in ("Hyperband", "NSGA2", "RandomSearch", "RegularizedEvolution"))
    calls = {*re.findall(r"\b(?:study|both|bands|trial|worker|reading)\.(\w+)", TEXT)}
    assert {name for name in calls if not hasattr(da.Study, name) and not hasattr(da.Trial, name)} <= {
        *("number", "state", "intermediate", "attributes", "budget", "continues", "error")  # set by each trial
    }


def test_what_it_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (DOCUMENT.parent / target).exists(), target
