"""Programs of a user's, run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DEADLINE_S = 120
"""What takes so long hangs."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a script, where variables may be set, or unset with None."""
    begun: list[subprocess.Popen[str]] = []

    def started(code: str, **variables: str | None) -> subprocess.Popen[str]:
        script = tmp_path / "script.py"
        script.write_text(code)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        kept = {name: value for name, value in environment.items() if value is not None}
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, str(script)], env=kept, stdout=pipe, stderr=pipe, text=True)
        begun.append(process)
        return process

    yield started
    for process in begun:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def printed(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., list[str]]:
    """Return a function that returns the lines that a script prints, and checks that it ends well."""

    def read(code: str, **variables: str | None) -> list[str]:
        process = start(code, **variables)
        out, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, errors
        return out.splitlines()

    return read
