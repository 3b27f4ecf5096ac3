"""The command line as its users run it: exit codes, streams, interrupts, completion, and the examples of its help."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from deep_arch.command_line import app as application

Process = Callable[..., "subprocess.CompletedProcess[str]"]
SEARCH = ("search", "net.py:net", "--trials", "4")


def test_results_are_alone_on_standard_output(process: Process) -> None:
    done = process(*SEARCH, "--objective", "net.py:chatty", "--workers", "2", "--json", "--seed", "0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "complete"
    assert done.stderr.count("this objective prints") == 4 and "4/4 trials, best " in done.stderr
    assert process("best", "--json").stdout == done.stdout


def test_exit_codes(process: Process) -> None:
    assert process("size", "net.py:net").returncode == 0
    missing = process("size", "net.py:nte")
    assert (missing.returncode, missing.stdout) == (1, "") and missing.stderr.startswith("error: net.py:nte: ")
    assert process("size").returncode == 2
    assert process(*SEARCH, "--objective", "net.py:fails", "--quiet").returncode == 3


def test_debugging_shows_the_traceback(process: Process) -> None:
    assert "Traceback" not in process("size", "net.py:broken").stderr
    assert 'net.py", line' in process("size", "net.py:broken", DEEP_ARCH_DEBUG="1").stderr


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_an_interrupted_search_goes_on(workers: tuple[str, ...], process: Process, folder: Path) -> None:
    command = [sys.executable, "-m", "deep_arch", *SEARCH, "--objective", "net.py:waits", *workers]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stderr is not None
    for line in started.stderr:
        if "two are done" in line:
            break
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert out == "" and "Traceback" not in err and err.rstrip().endswith("interrupted")
    command_to_go_on = re.search("to go on: deep-arch (.*)", err)
    assert command_to_go_on
    (folder / "net.py").write_text((folder / "net.py").read_text().replace("time.sleep(600)", "pass"))
    assert process(*shlex.split(command_to_go_on[1])).returncode == 0
    trials = json.loads(process("trials", "--json").stdout)
    assert [trial["state"] for trial in trials] == ["complete"] * 4


def test_a_reader_that_has_seen_enough_is_no_error(process: Process) -> None:
    command = [sys.executable, "-m", "deep_arch", "sample", "net.py:net", "--number", "3000"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_is_offered(process: Process) -> None:
    done = process(_DEEP_ARCH_COMPLETE="complete_bash", COMP_WORDS="deep-arch re", COMP_CWORD="1")
    assert done.stdout.split() == ["resume"]
    assert "--install-completion" in process("--help").stdout


def test_every_command_has_an_example_in_its_help(process: Process) -> None:
    help_text = process("--help").stdout
    commands = ["size", "sample", "show", "search", "resume", "studies", "trials", "best", "export"]
    assert re.findall(r"^  ([a-z]+)  ", help_text.partition("Commands:")[2].partition("A worked")[0], re.M) == commands
    for command in commands:
        shown = process(command, "--help").stdout
        assert f"deep-arch {command}" in shown and "\b" not in shown
    assert "..." not in help_text.partition("Commands:")[2].partition("A worked")[0], "no sentence is cut off"


def test_the_example_of_the_help_runs_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = subprocess.run([sys.executable, "-m", "deep_arch", "-h"], capture_output=True, text=True).stdout
    code = shown.partition("net.py:\n")[2].partition("Then copy")[0]
    (tmp_path / "net.py").write_text(textwrap.dedent(code))
    commands = re.findall(r"^      deep-arch (.*)$", shown, re.M)
    assert len(commands) == 7 and "\b" not in shown
    for command in commands:
        arguments = [sys.executable, "-m", "deep_arch", *shlex.split(command)]
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 60


def test_the_installed_program_is_this_one() -> None:
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text()
    assert "deep-arch = deep_arch.command_line:main" in setup and callable(application.main)
