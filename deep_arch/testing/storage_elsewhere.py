"""What tests of storages do in other processes, which may be killed at any line."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, Final

from deep_arch.storage.rows import End, TrialRow
from deep_arch.storage.storage import Storage

DEADLINE_S: Final = 120.0
"""After so long a process is held to wait for ever; a test that passes never waits for this."""

Act = Callable[..., Iterator[Any]]


class Elsewhere:
    """An act on a storage in a process of its own.

    Args:
        contract: what opens the storage there, an object of a class at the top of a Python file.
        storage: which one.
        act: a function of this module, as it is found there by its name; what it yields is sent here.
        arguments: of the act, after the storage.
        killed_at: the line, counted from the act's first `yield`, at which the process kills itself.
    """

    def __init__(
        self, contract: object, storage: Storage, act: Act, *arguments: Any, killed_at: int | None = None
    ) -> None:
        # A server forks the processes: each is new, and imports nothing.
        context: Any = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
        if sys.platform != "win32":
            context.set_forkserver_preload([__name__, "deep_arch.storage", "pytest", "hypothesis"])
        cls = type(contract)
        self._answers, answers = context.Pipe(duplex=False)
        order = (inspect.getfile(cls), cls.__qualname__, storage.url, act.__name__, arguments, killed_at, answers)
        self._process = context.Process(target=_obey, args=order, daemon=True)
        self._process.start()
        answers.close()

    def answers(self) -> list[Any]:
        """Return what the act yielded, once the process has ended.

        Raises:
            AssertionError: it ended by an error, or not in time.
        """
        found: list[Any] = []
        with contextlib.suppress(EOFError):
            while self._answers.poll(DEADLINE_S):
                found.append(self._answers.recv())
        self._answers.close()
        self._process.join(DEADLINE_S)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join()
        assert code in (0, -signal.SIGKILL), f"another process ended with {code}; it answered {found}"
        return found


def _obey(file: str, cls: str, url: str, act: str, arguments: Any, killed_at: int | None, answers: Connection) -> None:
    storage = _contract(file, cls)().again(url)
    for answer in _counted(globals()[act](storage, *arguments), killed_at):
        answers.send(answer)
    answers.close()


def _contract(file: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None, "the contract's subclass stands in a Python file"
    found: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _counted(answers: Iterator[Any], killed_at: int | None) -> Iterator[Any]:
    """Yield what an act does, kill the process at a line after the first, and yield how many lines there were last."""
    yield next(answers)
    n_lines = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal n_lines
        n_lines += event == "line"
        if n_lines == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    while True:
        sys.settrace(trace)
        try:
            answer = next(answers, None)
        finally:
            sys.settrace(None)
        if answer is None:
            break
        yield answer
    yield {"n_lines": n_lines}


# --- acts ----------------------------------------------------------------------------------------------------------


def whole_turn(storage: Storage, name: str) -> int:
    """Take a turn with something of everything, after which the study is as `is_whole` has it."""
    with storage.turn(name) as turn:
        n = turn.n_given
        turn.queue(f"queued {n}")
        turn.give(TrialRow(n, "{}", f"digest {n}", turn.position + 1, key=f"key {n}", worker="me"))
        turn.end(n, End("complete", (float(n),)))
        turn.saw(f"seen {n}")
        turn.save(f"{n + 1}")
    return n + 1


def is_whole(storage: Storage, name: str, n: int) -> bool:
    """Return whether a study is as so many whole turns leave it, and nothing else."""
    with storage.turn(name) as turn:
        numbers = (turn.position, turn.saved_at, turn.n_given, turn.n_ended, turn.n_queued(), turn.n_seen())
        found = (*numbers, turn.saved(), len(turn.events(0)), storage.counts(name).get("complete", 0))
    return found == (2 * n, 2 * n, n, n, n, 2 * n, str(n), n, n) and len(list(storage.rows(name))) == n


def take_turns(storage: Storage, name: str, n: int) -> Iterator[Any]:
    """Take whole turns, and tell how many there were after each."""
    storage.begin("another", {}, "0")
    whole_turn(storage, "another")  # so that the lines that are counted are those of turns alone
    yield "ready"
    for _ in range(n):
        yield whole_turn(storage, name)


def count_alone(storage: Storage, name: str, n: int, folder: str) -> Iterator[Any]:
    """Take turns that each make the study's state one more, and leave word of it where another was inside."""
    yield "ready"
    for _ in range(n):
        with storage.turn(name) as turn, alone(Path(folder)):
            turn.save(str(int(turn.saved()) + 1), counts=True)


@contextmanager
def alone(folder: Path) -> Generator[None, None, None]:
    """Fail where another thread or process is in such a block of this folder."""
    inside = folder / "inside"
    try:
        inside.touch(exist_ok=False)
    except FileExistsError:
        raise AssertionError("two turns were taken at once") from None
    try:
        yield
    finally:
        inside.unlink()


def begin(storage: Storage, name: str, mine: int) -> Iterator[Any]:
    """Begin a study, and tell what is known of it."""
    yield "ready"
    yield dict(storage.begin(name, {"of": mine}, "0", [f"of {mine}"]))


def read(storage: Storage, name: str) -> Iterator[Any]:
    """Tell all rows of a study."""
    yield list(storage.rows(name))
