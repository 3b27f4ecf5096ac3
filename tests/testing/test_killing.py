"""Programs are killed at the moments that a seed draws, and are heard out."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from deep_arch.testing.killing import killed_until_done, run_and_kill
from deep_arch.testing.waiting import has_ended, wait_until

psutil = pytest.importorskip("psutil")

LIVES = "print('born', flush=True); import signal; signal.alarm(60); signal.pause()"

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.alarm(60); signal.pause()"])
print(child.pid, flush=True)
child.wait()
"""

COUNTS = """
import pathlib, sys, time
file = pathlib.Path(sys.argv[1])
print("from", file.stat().st_size, flush=True)
while file.stat().st_size < 100:
    with file.open("a") as open_file:
        open_file.write(".")
    time.sleep(0.01)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def test_a_program_is_killed_after_its_sign_of_life() -> None:
    died = run_and_kill(python(LIVES), random.Random(0), within_s=0.1)
    assert (died.code, died.output, died.killed) == (-signal.SIGKILL, "born\n", True)


def test_the_sign_of_life_is_waited_for() -> None:
    code = "print('first', flush=True); input_ = [i for i in range(10**6)]; print('ready', flush=True);" + LIVES
    died = run_and_kill(python(code), random.Random(0), within_s=0.0, wait_for="ready")
    assert died.killed and died.output.startswith("first\nready\n")


def test_a_program_that_ends_before_is_not_killed() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run_and_kill(python(code), random.Random(0), within_s=60.0)
    assert (done.code, sorted(done.output.split()), done.killed) == (3, ["err", "out"], False)
    silent = run_and_kill(python("pass"), random.Random(0), within_s=60.0)
    assert (silent.code, silent.output, silent.killed) == (0, "", False)


def test_a_program_without_a_sign_of_life_is_an_error_and_ends() -> None:
    with pytest.raises(AssertionError) as caught:
        run_and_kill(python("print(1, flush=True);" + LIVES), random.Random(0), wait_for="never", deadline_s=0.5)
    said = str(caught.value)
    assert "to print 'never' within 0.5 s.\n  Got one that still runs. It printed:\n" in said
    assert said.endswith("  Run it by itself to see why, or give it more time.")
    assert not [child for child in psutil.Process().children() if LIVES in " ".join(child.cmdline())]


@pytest.mark.parametrize("group", [False, True], ids=["alone", "group"])
def test_what_a_program_began_dies_with_it_only_if_asked(group: bool) -> None:
    died = run_and_kill(python(PARENT), random.Random(0), within_s=0.0, group=group)
    assert died.killed
    child = int(died.output)
    if group:
        wait_until(lambda: has_ended(child), "the child to end")
    else:
        assert not has_ended(child)
        os.kill(child, signal.SIGKILL)


def test_variables_reach_the_program() -> None:
    code = "import os; print(os.environ['OF_THE_TEST'], 'PATH' in os.environ)"
    done = run_and_kill(python(code), random.Random(0), within_s=60.0, env={"OF_THE_TEST": "7"})
    assert done.output == "7 True\n"


def test_each_run_draws_one_moment() -> None:
    rng, same = random.Random(3), random.Random(3)
    run_and_kill(python(LIVES), rng, within_s=0.01)
    same.uniform(0.0, 0.01)
    assert rng.getstate() == same.getstate()


def test_a_program_that_goes_on_where_it_was_comes_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.touch()
    hits = killed_until_done(python(COUNTS, str(file)), random.Random(0), kills=5, within_s=0.05)
    assert hits == 5 and file.read_text() == "." * 100


def test_a_program_that_is_done_sooner_tells_how_often_it_was_hit(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("." * 100)
    assert killed_until_done(python(COUNTS, str(file)), random.Random(0), kills=5, within_s=60.0) == 0


@pytest.mark.parametrize("kills", [0, 1])
def test_a_program_that_fails_is_shown(kills: int) -> None:
    with pytest.raises(AssertionError) as caught:
        killed_until_done(python("raise ValueError('of its own')"), random.Random(0), kills=kills, within_s=60.0)
    said = str(caught.value)
    assert "to end with code 0 after 0 kills.\n  Got one that ended with code 1. It printed:\n" in said
    assert "ValueError: of its own" in said


def test_a_last_run_without_end_is_ended() -> None:
    with pytest.raises(AssertionError, match=r"to end with code 0 after 0 kills\.\n  Got one that still runs"):
        killed_until_done(python(LIVES), random.Random(0), kills=0, deadline_s=1.0)
    assert not [child for child in psutil.Process().children() if LIVES in " ".join(child.cmdline())]
