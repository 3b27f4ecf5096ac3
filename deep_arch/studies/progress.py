"""Progress: how a study that runs shows how far it is, as a bar in a terminal or notebook, and as lines elsewhere."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from deep_arch.storage.rows import ENDED, RowState

if TYPE_CHECKING:
    from types import TracebackType

    from deep_arch.studies.directions import Direction
    from deep_arch.studies.trial import Trial

_EVERY_S: Final = 5.0
"""The least time between two lines, of which a log is to hold few."""


class Progress:
    """Shows how far a run is, on standard error, and is silent where that is closed: it never breaks a search.

    In a terminal or notebook it is a bar; elsewhere a line now and then, and one at the end::

        12/100 trials, best 0.913, 1 failed, 3.2 trials/s, about 27 s left

    Args:
        total: how many trials there are to be in all; None where that is open.
        directions: of the objectives.
        shown: False for nothing at all.
        file: where it is shown; standard error if left out.
        clock: seconds that pass.
    """

    def __init__(
        self,
        total: int | None,
        directions: Sequence[Direction],
        shown: bool | None = None,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._clock = total, clock
        self._file = sys.stderr if file is None else file
        self._shown = shown is not False and bool(self._file)  # which a program without a console lacks
        self._is_one = len(directions) == 1
        self._began = self._next = 0.0
        self._before: int | None = None
        self._latest: str | None = None
        self._bar: Any = None

    def __enter__(self) -> Progress:
        self._began = self._clock()
        self._next = self._began + _EVERY_S
        if self._shown and _draws(self._file):
            self._safely(self._open_bar)
        return self

    def update(
        self, counts: Mapping[RowState, int], best: tuple[float, ...] | None, latest: Trial | None = None
    ) -> None:
        """Show how far it is.

        Args:
            counts: how many trials stand in which way, those of earlier runs and of other workers included.
            best: the best scores so far; None where there are none, or no best among several.
            latest: the trial that ended just now.
        """
        if not self._shown:
            return
        done = sum(counts.get(state, 0) for state in ENDED)
        if self._before is None:
            self._before = done - (latest is not None)
        words = [self._count(done), *_best(best if self._is_one else None), *_others(counts), *self._pace(done)]
        if self._bar is not None:
            self._safely(lambda: self._draw(done, words))
            return
        self._latest = ", ".join(words)
        if self._clock() >= self._next:
            self._next = self._clock() + _EVERY_S
            self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._safely(self._bar.stop)
        elif self._latest is not None:
            self._write()

    # --- what is said --------------------------------------------------------------------------------------------

    def _count(self, done: int) -> str:
        return f"{done} trial{'s' if done != 1 else ''}" if self._total is None else f"{done}/{self._total} trials"

    def _pace(self, done: int) -> list[str]:
        """Return how fast trials end in this run, and how long the rest takes so."""
        passed, ended = self._clock() - self._began, done - (self._before or 0)
        if passed <= 0 or ended <= 0:
            return []
        left = 0 if self._total is None else max(self._total - done, 0)
        return [_rate(ended / passed), *([f"about {_duration(left * passed / ended)} left"] if left else [])]

    # --- how it is shown -----------------------------------------------------------------------------------------

    def _write(self) -> None:
        line, self._latest = self._latest, None
        self._safely(lambda: print(line, file=self._file, flush=True))

    def _open_bar(self) -> None:
        from rich import progress
        from rich.console import Console

        # Drawn as trials end, and not by a thread, which a stream that closes would break.
        text = progress.TextColumn("{task.description}", markup=False)
        console = Console() if _is_notebook() else Console(file=self._file)
        bar = progress.Progress(
            progress.BarColumn(24),
            text,
            console=console,
            auto_refresh=False,
            redirect_stdout=_is_terminal(sys.stdout),  # else what a script prints would come out here
            redirect_stderr=self._file is sys.stderr,
        )
        self._task = bar.add_task("", total=self._total)
        bar.start()
        self._bar = bar

    def _draw(self, done: int, words: Sequence[str]) -> None:
        self._bar.update(self._task, completed=done, description=", ".join(words), refresh=True)

    def _safely(self, show: Callable[[], object]) -> None:
        """Show something, and nothing any more where that fails: the stream is closed, say, or its reader is gone."""
        try:
            show()
        except Exception:  # whatever it is, a search is worth more
            self._shown = False


def _is_terminal(file: Any) -> bool:
    try:
        return bool(file.isatty())
    except (AttributeError, ValueError):  # no stream, or a closed one
        return False


def _draws(file: Any) -> bool:
    """Return whether a bar can be drawn there."""
    if _is_notebook():
        return True
    return _is_terminal(file) and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _is_notebook() -> bool:
    """Return whether this is a notebook that can draw: without widgets, it has lines too."""
    return "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets") is not None


def _best(best: tuple[float, ...] | None) -> list[str]:
    return [] if not best else [f"best {', '.join(f'{score:.4g}' for score in best)}"]


def _others(counts: Mapping[RowState, int]) -> list[str]:
    named: tuple[RowState, ...] = ("failed", "skipped", "running")
    return [f"{counts[state]} {state}" for state in named if counts.get(state)]


def _rate(per_s: float) -> str:
    """Return a rate in the unit in which it is no small fraction."""
    units = ((1.0, "s"), (60.0, "min"), (3600.0, "h"))
    times, unit = next((u for u in units if per_s * u[0] >= 1), units[-1])
    return f"{_digits(per_s * times)} trials/{unit}"


def _digits(number: float) -> str:
    return f"{number:.1f}" if number < 99.95 else f"{number:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 59.5:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
