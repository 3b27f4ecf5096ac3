"""Waiting ends with what is waited for, or with an error."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deep_arch.testing.waiting import has_ended, wait_until


def test_what_holds_after_a_while_is_waited_for() -> None:
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), "the third answer")
    assert next(answers, None) is None


def test_what_never_holds_is_an_error() -> None:
    with pytest.raises(AssertionError) as caught:
        wait_until(lambda: False, "the impossible", 0.01)
    assert str(caught.value) == (
        "waiting: expected the impossible within 0.01 s.\n  Got nothing of the kind.\n"
        "  See what holds it up, or wait longer on a slow machine."
    )


def test_a_process_has_ended_before_and_after_its_parent_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not has_ended(child.pid)
        child.communicate(b"\n")
    assert has_ended(child.pid)
    with subprocess.Popen([sys.executable, "-c", ""]) as unnoticed:
        wait_until(lambda: has_ended(unnoticed.pid), "the end of the child")
        assert unnoticed.returncode is None
