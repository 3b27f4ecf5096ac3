"""How a run shows how far it is: lines by a clock that the test moves, and a bar in a real terminal."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch
from deep_arch.studies.progress import Progress


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


ENDED: Any = SimpleNamespace(number=0)


def shown(steps: Sequence[tuple[float, dict[Any, int], tuple[float, ...] | None]], **options: Any) -> list[str]:
    """Return the lines of a run: at each step so many seconds have passed, and so many trials stand so."""
    clock, file = Clock(), io.StringIO()
    options = {"total": 100, "directions": ("maximize",), **options}
    with Progress(**options, file=file, clock=clock) as progress:
        for passed, counts, best in steps:
            clock.now = 100.0 + passed
            progress.update(counts, best, ENDED)
    return file.getvalue().splitlines()


def test_a_line_says_all_that_there_is_to_say() -> None:
    steps = [(1.0, {"complete": 1}, (0.5,)), (3.75, {"complete": 11, "failed": 1, "running": 4}, (0.91349,))]
    assert shown(steps) == ["12/100 trials, best 0.9135, 1 failed, 4 running, 3.2 trials/s, about 28 s left"]


def test_there_are_few_lines_and_one_at_the_end() -> None:
    lines = shown([(float(second), {"complete": second}, None) for second in range(1, 14)])
    assert [line.partition(",")[0] for line in lines] == ["5/100 trials", "10/100 trials", "13/100 trials"]


def test_the_last_line_comes_once() -> None:
    lines = shown([(4.0, {"complete": 2}, None), (5.0, {"complete": 4}, None)])
    assert lines == ["4/100 trials, 36.0 trials/min, about 3 min left"]


def test_trials_of_earlier_runs_count_and_do_not_make_the_rate() -> None:
    steps = [(10.0, {"complete": 91}, None), (20.0, {"complete": 92}, None)]
    assert shown(steps)[-1] == "92/100 trials, 6.0 trials/min, about 1 min left"


@pytest.mark.parametrize(
    "seconds, done, said",
    [
        (0.5, 99, "198 trials/s, about 1 s left"),
        (10.0, 2, "12.0 trials/min, about 8 min left"),
        (3600.0, 4, "4.0 trials/h, about 1 d 0 h left"),
        (7200.0, 40, "20.0 trials/h, about 3 h 0 min left"),
        (100.0, 100, "1.0 trials/s"),
    ],
)
def test_rates_and_times_are_in_units_that_fit(seconds: float, done: int, said: str) -> None:
    clock, file = Clock(), io.StringIO()
    with Progress(100, ("maximize",), file=file, clock=clock) as progress:
        progress.update({}, None)
        clock.now += seconds
        progress.update({"complete": done}, None)
    assert file.getvalue() == f"{done}/100 trials, {said}\n"


def test_without_a_bound_nothing_is_said_to_be_left() -> None:
    assert shown([(2.0, {"complete": 1, "skipped": 1}, (3.0,))], total=None) == [
        "2 trials, best 3, 1 skipped, 30.0 trials/min"
    ]
    assert shown([(2.0, {"complete": 1}, None)], total=None) == ["1 trial, 30.0 trials/min"]


def test_several_objectives_have_no_best() -> None:
    steps: Any = [(1.0, {"complete": 100}, (0.5, 2.0))]
    assert shown(steps, directions=("maximize", "minimize")) == ["100/100 trials, 1.0 trials/s"]


def test_quiet_writes_nothing() -> None:
    assert shown([(9.0, {"complete": 5}, None)], shown=False) == []


def test_a_run_without_trials_says_so() -> None:
    file = io.StringIO()
    with Progress(0, ("maximize",), file=file) as progress:
        progress.update({}, None)
    assert file.getvalue() == "0/0 trials\n"


def test_a_closed_stream_is_ignored() -> None:
    file = io.StringIO()
    with Progress(5, ("maximize",), file=file) as progress:
        file.close()
        progress.update({"complete": 1}, None)


def test_a_stream_that_nobody_reads_is_ignored() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as file:
        clock = Clock()
        with Progress(5, ("maximize",), file=file, clock=clock) as progress:
            clock.now += 60
            progress.update({"complete": 1}, None)
            progress.update({"complete": 2}, None)
        with contextlib.suppress(BrokenPipeError):
            file.close()


def test_a_study_shows_its_progress_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    study = da.Study(da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x)), RandomSearch(), None, seed=0)
    study.run(lambda trial: trial.values["dense.units"], trials=3)
    out, err = capsys.readouterr()
    best = study.best.values["dense.units"]
    assert out == "" and re.fullmatch(rf"3/3 trials, best {best}(, [\d.]+ trials/s)?\n", err)
    study.run(lambda trial: 1.0, trials=4, progress=False)
    assert capsys.readouterr() == ("", "")


SCRIPT = """
import sys
from deep_arch.studies.progress import Progress

with Progress(4, ("maximize",)) as progress:
    for n in range(1, 5):
        print("own output", n)
        progress.update({"complete": n, "running": 4 - n}, (n / 8,))
        if "close" in sys.argv and n == 2:
            sys.stderr.close()
print("ended")
"""


def in_terminal(folder: Path, *arguments: str, **environment: str) -> tuple[str, str]:
    """Run the script with a terminal for standard error; return its output, and what the terminal got."""
    pty = pytest.importorskip("pty")
    (folder / "script.py").write_text(SCRIPT)
    ours, theirs = pty.openpty()
    command = [sys.executable, str(folder / "script.py"), *arguments]
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=variables)
    os.close(theirs)
    drawn = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # as Linux tells that the other side is closed
            break
        if not piece:
            break
        drawn += piece
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, drawn.decode()
    return out, drawn.decode()


OWN = "".join(f"own output {n}\n" for n in range(1, 5)) + "ended\n"


def test_in_a_terminal_it_is_a_bar(tmp_path: Path) -> None:
    out, drawn = in_terminal(tmp_path)
    assert out == OWN, "what a script prints stays where it was printed to"
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", drawn)
    states = re.findall(r"(\d/4) trials, best ([\d.]+)", text)
    assert [state for i, state in enumerate(states) if state not in states[:i]] == [
        ("1/4", "0.125"), ("2/4", "0.25"), ("3/4", "0.375"), ("4/4", "0.5")
    ]  # fmt: skip
    assert "━" * 24 in text and "3 running" in text and "\x1b[" in drawn


def test_a_terminal_that_can_do_little_gets_lines(tmp_path: Path) -> None:
    out, drawn = in_terminal(tmp_path, TERM="dumb")
    assert out == OWN and drawn.count("\n") == 1
    assert drawn.startswith("4/4 trials, best 0.5") and "\x1b" not in drawn


def test_a_terminal_that_closes_breaks_nothing(tmp_path: Path) -> None:
    assert in_terminal(tmp_path, "close")[0] == OWN
