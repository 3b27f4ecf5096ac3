"""A last will is carried out where a process is killed, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deep_arch.testing.last_will import last_will
from deep_arch.testing.waiting import wait_until

psutil = pytest.importorskip("psutil")


LEAVE = """
import os, signal, sys
from deep_arch.testing.last_will import last_will
from deep_arch.testing.waiting import wait_until

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def fork_and_die():
    if os.fork():
        die()
    wait_until(lambda: os.path.exists(sys.argv[1]), "the command to run")
    os._exit(0)

with last_will(["touch", sys.argv[1]]):
    {end}
"""

ENDS = {"killed": "die()", "exits at once": "os._exit(1)", "a fork lives on": "fork_and_die()"}


@pytest.mark.parametrize("end", ENDS)
def test_it_is_carried_out_where_the_process_does_not_leave_the_block(end: str, tmp_path: Path) -> None:
    code = LEAVE.format(end=ENDS[end])
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "done")], stderr=subprocess.DEVNULL)
    assert done.returncode != 0
    wait_until((tmp_path / "done").exists, "the command to run")


def test_it_is_not_carried_out_where_the_block_is_left(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    with last_will(["touch", str(tmp_path / "done")]):
        (watcher,) = set(psutil.Process().children()) - before
    with pytest.raises(ValueError, match="of the block"), last_will(["touch", str(tmp_path / "done")]):
        raise ValueError("of the block")
    assert not watcher.is_running() and set(psutil.Process().children()) == before
    assert not (tmp_path / "done").exists()
