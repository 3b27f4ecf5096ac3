"""A folder with a space and objectives, and the command line run in it: in this process, or as its users do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deep_arch.command_line.app import app

NET = '''
"""A space, and objectives of it."""

import sys
import time

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch


@da.space
def net(x):
    x = ops.Dense(units=da.choice([16, 32, 64]))(x)
    return da.repeat(lambda: ops.Dense(units=da.integer(1, 100)), da.integer(1, 3))(x)


@da.space
def wide(x):
    for _ in range(5000):
        x = da.or_([ops.ReLU, ops.GELU, ops.Tanh, ops.Sigmoid, ops.Identity, ops.SiLU, ops.ELU, ops.SELU])(x)
    return x


@da.space
def broken(x):
    return 1 / 0


@da.space
def two_inputs(left, right):
    return ops.Concatenate()(ops.Dense(units=da.choice([1, 2]))(left), right)


@da.space
def endless(x):
    return ops.Dense(units=2)(ops.Dropout(rate=da.real(0.0, 0.5))(x))


def made():
    return da.space(lambda x: ops.Dense(units=da.integer(1, 9))(x))


def score(trial):
    return -abs(sum(trial.values.values()) - 100)


def chatty(trial):
    print("this objective prints")
    return trial.values["dense.units"]


def pair(trial):
    return trial.values["dense.units"], trial.values["repeat.times"]


def fails(trial):
    raise RuntimeError("out of luck")


def skips(trial):
    trial.skip()


def waits(trial):
    if trial.number == 2:
        print("two are done", file=sys.stderr, flush=True)
        time.sleep(600)
    return 1.0


number = 7


class Mine(da.Searcher):
    def choose(self, point):
        return point.domain.draw(self.rng)

    def tell(self, trial): ...


mine = RandomSearch()
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds net.py."""
    (tmp_path / "net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # what a file is loaded from is added
    monkeypatch.delenv("DEEP_ARCH_DEBUG", raising=False)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Callable[..., Result]:
    """Runs a command in this process: `run("size", "net.py:net").stdout`."""
    return lambda *arguments, input=None: CliRunner().invoke(app, list(arguments), input=input, prog_name="deep-arch")


@pytest.fixture
def fine(run: Callable[..., Result]) -> Callable[..., str]:
    """Runs a command that ends well, and returns what it printed."""

    def checked(*arguments: str, input: str | None = None) -> str:
        result = run(*arguments, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    return checked


@pytest.fixture
def wrong(run: Callable[..., Result]) -> Callable[..., str]:
    """Runs a command that ends with an error, prints no result, and returns the text of the error."""

    def checked(*arguments: str, code: int = 1) -> str:
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (code, ""), result.output
        return result.stderr

    return checked


@pytest.fixture
def process(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command as its users do: `process("size", "net.py:net").returncode`."""

    def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deep_arch", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)

    return started
