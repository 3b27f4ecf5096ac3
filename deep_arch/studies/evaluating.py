"""Evaluating: an objective and a trial, in whatever process, and what came of it as plain data."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from deep_arch.errors import TimeLimit, TrialError
from deep_arch.studies.trial import Trial

Objective = Callable[[Trial], Any]
"""A function of a trial that returns its score, or a tuple of scores, or ends it itself and returns None."""

_AGAIN_S: Final = 1.0
"""After so long a trial that caught what was to stop it is stopped again."""


def evaluate(objective: Objective, trial: Trial, limit_s: float | None = None) -> None:
    """Run an objective on a trial, which has then ended, whatever the objective did.

    Args:
        objective: what to run.
        trial: one that is running.
        limit_s: seconds after which it is stopped and has failed; a call that does not return to Python is not stopped.
    """
    try:
        with time_limit(limit_s, f"trial {trial.number}"):
            score = objective(trial)
        if trial.state == "running":
            trial.tell(score)
    except KeyboardInterrupt:
        raise
    except TrialError as error:  # of a wrong number of scores, or a misuse by the objective
        _fail(trial, str(error) if trial.state == "running" else error)
    except SystemExit as error:
        _fail(trial, f"trial {trial.number}: its objective exits the interpreter.\n{_trace(error)}")
    except TimeLimit as error:
        _fail(trial, f"{error}\n{_trace(error)}")
    except Exception as error:
        _fail(trial, error)


def _fail(trial: Trial, error: BaseException | str) -> None:
    if trial.state == "running":
        trial.fail(error)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@contextmanager
def time_limit(seconds: float | None, what: str) -> Generator[None]:
    """Raise TimeLimit in this thread where the block takes longer, as soon as it runs Python, and at its end."""
    if seconds is None:
        yield
        return
    text = (
        f"{what}: took longer than it may.\n  Got more than {seconds:g} s.\n"
        "  Raise trial_timeout, or train for less: trial.budget and trial.should_stop() say how long."
    )
    passed = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    with (_stop_by_signal if is_main and _HAS_ALARM else _stop_thread)(seconds, text, passed):
        yield
    if passed.is_set():  # and the block caught what was to stop it
        raise TimeLimit(text)


_HAS_ALARM: Final = hasattr(signal, "setitimer")


@contextmanager
def _stop_by_signal(seconds: float, text: str, passed: threading.Event) -> Generator[None]:
    """Stop the main thread, which a signal wakes from a call that waits."""
    over = False

    def stop(_signal: int, _frame: Any) -> None:
        if not over:
            passed.set()
            raise TimeLimit(text)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        try:
            yield
        finally:
            over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _stop_thread(seconds: float, text: str, passed: threading.Event) -> Generator[None]:
    """Stop a thread by an exception that it raises the next time that it runs Python."""

    class Stopped(TimeLimit):
        def __init__(self) -> None:
            super().__init__(text)

    thread = threading.get_ident()
    # Locks, which are taken and given whole; in the midst of an Event the exception would leave it broken.
    begun, ended = threading.Lock(), threading.Lock()
    begun.acquire()
    ended.acquire()
    watches = [True]

    def watch() -> None:
        begun.acquire()
        wait = seconds
        while not ended.acquire(timeout=wait):
            passed.set()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))
            wait = _AGAIN_S
        watches.clear()

    threading.Thread(target=watch, name="deep_arch time limit", daemon=True).start()
    try:
        begun.release()
        yield
    finally:
        _end_watch(ended, watches)


def _end_watch(ended: threading.Lock, watches: list[bool]) -> None:
    """Let what watches a thread end, and an exception that is on its way arrive here, and not later."""
    while True:
        try:
            if watches and ended.locked():
                ended.release()
            while watches:
                time.sleep(1e-4)
            for _ in range(100):
                time.sleep(0)
            return
        except TimeLimit:
            continue
