"""What docs/command_line.md shows is run in a shell, and so is what the README shows of it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands that a document shows, and their comments."""
    lines = "".join(re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)).splitlines()
    split = [re.split(r"\s{2,}# ", line) for line in lines if line.startswith("deep-arch")]
    return [(command[0], "".join(command[1:])) for command in split]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which has net.py; the program `deep-arch` is found."""
    (tmp_path / "net.py").write_text("".join(re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)))
    program = tmp_path / "bin" / "deep-arch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m deep_arch "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


@pytest.mark.slow
def test_the_commands_of_the_page_run(shell: Path) -> None:
    for package in ("graphviz", "optuna"):
        pytest.importorskip(package)
    shown = commands(TEXT)
    printed = {command: run(command) for command, _ in shown}
    assert len(printed) == 19
    compared = [printed[command].strip() == comment for command, comment in shown if re.fullmatch(r"[\d,]+", comment)]
    assert compared == [True]
    names = {"net.svg", "best.svg", "trials.csv", "trials.jsonl", "optuna.db", "runs.db"}
    assert names <= {path.name for path in shell.iterdir()}
    assert len((shell / "trials.jsonl").read_text().splitlines()) == 80


@pytest.mark.slow
def test_the_commands_of_the_readme_run(shell: Path) -> None:
    shown = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) >= 2
    for command, comment in shown:
        run(command)
        for other in re.findall(r"\w+", comment.removeprefix("also")):
            run(f"deep-arch {other} --help")


def test_the_page_tells_every_exit_code_and_kind_of_input() -> None:
    from deep_arch.command_line import telling
    from deep_arch.command_line.written_specs import read_specs

    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, flags=re.MULTILINE)}
    assert codes == {0, 2, telling.FAILED, telling.NOTHING_FOUND, telling.INTERRUPTED}
    written = re.findall(r"`((?:\w+=)?\w+:[^`]+)`", TEXT.partition("is written as")[2].partition("## Searches")[0])
    assert len(written) == 8 and all(read_specs(text) for text in written)
