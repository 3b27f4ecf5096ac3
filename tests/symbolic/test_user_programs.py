"""Programs that someone wrote, and the same with a search in them: few lines differ, and the search finds better."""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_USERS = _ROOT / "examples" / "users"
_PROGRAMS = {"pipeline": "sklearn", "training": "torch"}


def added(name: str) -> list[str]:
    """Return the lines that the search adds to a program or changes in it, but for blank ones."""
    before, after = ((_USERS / f"{name}{end}.py").read_text("utf-8").splitlines() for end in ("", "_searched"))
    return [line[2:] for line in difflib.ndiff(before, after) if line.startswith("+ ") and line[2:].strip()]


def accuracies(name: str, seed: int) -> dict[str, float]:
    """Run a program and return the accuracies that it prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
    command = [sys.executable, str(_USERS / f"{name}.py"), str(seed)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return {what: float(accuracy) for what, accuracy in re.findall(r"(\w+) accuracy ([\d.]+)", run.stdout)}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_a_search_takes_ten_lines(name: str) -> None:
    assert len(added(name)) <= 10, "\n".join(added(name))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", _PROGRAMS)
def test_the_search_finds_better(name: str, seed: int) -> None:
    pytest.importorskip(_PROGRAMS[name])
    static, searched = accuracies(name, seed), accuracies(f"{name}_searched", seed)
    assert static.keys() == searched.keys() >= {"validation"}
    for what in static:
        assert searched[what] > static[what] + 0.01, (what, static, searched)
