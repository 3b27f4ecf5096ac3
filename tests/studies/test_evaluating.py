"""Evaluating: time limits in the main thread and in others, and what is left once they passed."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import TimeLimit
from deep_arch.searchers import RandomSearch
from deep_arch.studies import evaluating
from deep_arch.studies.evaluating import evaluate, time_limit
from deep_arch.testing.waiting import wait_until
from tests.studies import objectives
from tests.studies.objectives import net

TEXT = r"trial 0: took longer than it may\.\n  Got more than 0\.2 s\.\n  Raise trial_timeout, or train for less"


def trial() -> da.Trial:
    return next(da.search(net, RandomSearch(), 1, seed=0))


def in_main(act: Callable[[], None]) -> None:
    act()


def in_thread(act: Callable[[], None]) -> None:
    raised: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def caught() -> None:
        try:
            act()
        except BaseException as error:
            raised.put(error)
        raised.put(None)

    thread = threading.Thread(target=caught)
    thread.start()
    thread.join()
    if (error := raised.get()) is not None:
        raise error


@pytest.fixture(autouse=True)
def _stops_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "_AGAIN_S", 0.1)


everywhere = pytest.mark.parametrize("where", [in_main, in_thread])


def sleeps_little(_: da.Trial) -> float:
    while True:
        time.sleep(0.01)


@everywhere
@pytest.mark.parametrize("objective", [sleeps_little, objectives.loops])
def test_a_trial_that_takes_too_long_has_failed(where: Any, objective: Any) -> None:
    one = trial()
    where(lambda: evaluate(objective, one, 0.2))
    assert one.state == "failed" and (one.error or "").startswith(
        "trial 0: took longer than it may.\n  Got more than 0.2 s.\n  Raise trial_timeout, or train for less"
    )


def test_a_signal_wakes_the_main_thread() -> None:
    one = trial()
    evaluate(objectives.sleeps, one, 0.2)
    assert one.state == "failed" and "in sleeps" in (one.error or "")


@everywhere
def test_what_ends_in_time_is_left_alone(where: Any) -> None:
    one, before = trial(), signal.getsignal(signal.SIGALRM)
    where(lambda: evaluate(objectives.units, one, 60))
    assert (one.state, one.score) == ("complete", objectives.units(one))
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    watchers = [thread for thread in threading.enumerate() if thread.name == "deep_arch time limit"]
    wait_until(lambda: not any(thread.is_alive() for thread in watchers), "what watches the time to end")


@everywhere
def test_what_was_told_before_the_limit_stays(where: Any) -> None:
    one = trial()

    def objective(of: da.Trial) -> None:
        of.tell(1)
        sleeps_little(of)

    where(lambda: evaluate(objective, one, 0.2))
    assert (one.state, one.score) == ("complete", 1.0)


@everywhere
def test_a_limit_passes_through_what_catches_errors(where: Any) -> None:
    def act() -> None:
        with time_limit(0.2, "trial 0"):
            for _ in range(2):  # and what ends well after it is too late all the same
                with suppress(Exception):
                    sleeps_little(trial())

    with pytest.raises(TimeLimit, match=TEXT):
        where(act)


@everywhere
def test_another_error_is_not_taken_for_the_limit(where: Any) -> None:
    def act() -> None:
        with time_limit(60, "trial 0"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        where(act)


def test_no_limit_comes_late() -> None:
    """Where a thread ends just as its limit passes, what was to stop it does not hit what comes after."""
    late: list[BaseException] = []

    def act() -> None:
        for _ in range(150):
            with suppress(TimeLimit), time_limit(0.001, "trial 0"):
                time.sleep(0.001)
            try:
                sum(range(1000))
            except TimeLimit as error:
                late.append(error)

    in_thread(act)
    assert not late


def test_an_interrupt_is_none_of_ours() -> None:
    one = trial()

    def objective(_: da.Trial) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(objective, one)
    assert one.state == "running"
