"""Kill a program at a random moment of its life, or again and again until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a program.

    Args:
        code: as in `subprocess`: -9 where it was killed.
        output: what it printed, errors included.
        killed: whether the kill hit it; it may have ended before.
    """

    code: int
    output: str
    killed: bool


def run_and_kill(
    command: Sequence[str],
    rng: random.Random,
    *,
    within_s: float = 1.0,
    wait_for: str = "\n",
    group: bool = False,
    deadline_s: float = 60.0,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program, and kill it by SIGKILL at a random moment after it gave a sign of life.

    Args:
        command: the program and its arguments. One in Python must flush what it prints: print(..., flush=True).
        rng: draws the moment, one number a call.
        within_s: the latest moment, in seconds from the sign of life.
        wait_for: the sign of life: a text that it prints; by default its first line.
        group: whether to kill the processes that it began too; otherwise they live on, as after a crash.
        deadline_s: how long the sign of life may take.
        env: variables of its environment, beside those of this process.

    Raises:
        AssertionError: it gave no sign of life in time.
    """
    after_s = rng.uniform(0.0, within_s)
    with _program(command, env) as (process, log):
        _await(process, log, wait_for, deadline_s)
        if not _ends(process, after_s):
            _kill(process, group)
        code = process.wait()
        return Ended(code, log.read_text(errors="replace"), code == -signal.SIGKILL)


def killed_until_done(
    command: Sequence[str],
    rng: random.Random,
    kills: int = 50,
    *,
    within_s: float = 1.0,
    wait_for: str = "\n",
    group: bool = False,
    deadline_s: float = 600.0,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program again and again, killing each run at a random moment, until one ends by itself.

    Choose `within_s` as about twice the time of its whole work over `kills`: with less it may never come to
    its end before the kills are used up, with more it ends before them.

    Args:
        command: as in `run_and_kill`, as are the other arguments.
        rng: draws the moments.
        kills: after so many, it may run to its end.
        within_s: the latest moment.
        wait_for: the sign of life.
        group: whether to kill the processes that it began too.
        deadline_s: how long the last run may take, and each sign of life.
        env: variables of its environment.

    Returns:
        How many runs the kill hit before they ended by themselves.

    Raises:
        AssertionError: it ended by itself with another code than 0, or not in time.
    """
    for hits in range(kills):
        ended = run_and_kill(
            command, rng, within_s=within_s, wait_for=wait_for, group=group, deadline_s=deadline_s, env=env
        )
        if not ended.killed:
            _check(command, ended.code, ended.output, f"after {hits} kills")
            return hits
    with _program(command, env) as (process, log):
        in_time = _ends(process, deadline_s)
        _check(command, process.poll() if in_time else None, log.read_text(errors="replace"), f"after {kills} kills")
    return kills


@contextmanager
def _program(
    command: Sequence[str], env: Mapping[str, str] | None
) -> Generator[tuple[subprocess.Popen[bytes], Path], None, None]:
    # It prints to a file: a pipe would stay open, and the reader wait, while a process lives that it began.
    with tempfile.TemporaryDirectory(prefix="deep_arch-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        try:
            yield process, log
        finally:
            if process.poll() is None:
                _kill(process, group=True)
                process.wait()


def _await(process: subprocess.Popen[bytes], log: Path, sign: str, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while sign.encode() not in log.read_bytes() and process.poll() is None:
        if time.monotonic() > deadline:
            raise _unlike(
                process.args, f"print {sign!r} within {deadline_s:g} s", None, log.read_text(errors="replace")
            )
        time.sleep(0.002)


def _ends(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes], group: bool) -> None:
    if not group:
        process.kill()
        return
    with suppress(PermissionError):  # macOS, where it just ended by itself
        os.killpg(process.pid, signal.SIGKILL)  # it has not been waited for, so no other has its number


def _check(command: Any, code: int | None, output: str, when: str) -> None:
    if code != 0:
        raise _unlike(command, f"end with code 0 {when}", code, output)


def _unlike(command: Any, expected: str, code: int | None, output: str) -> AssertionError:
    state = "one that still runs" if code is None else f"one that ended with code {code}"
    shown = output[-4000:].strip().replace("\n", "\n    ")
    return AssertionError(
        f"killing: expected {command!r} to {expected}.\n  Got {state}. It printed:\n    {shown}\n"
        "  Run it by itself to see why, or give it more time."
    )
