"""Progress: how far a run of a study is, as a bar in a terminal and as lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from deep_arch.studies.directions import Direction
from deep_arch.studies.trial import Trial

_EVERY_S: Final = 5.0
"""Between two lines, where there is no terminal."""


class Progress:
    """Shows how far a run is; a stream that cannot be written is ignored.

    Args:
        total: how many trials there are to be; None where that is not known.
        directions: of the objectives; with several no best score is shown.
        shown: whether to show anything; None for a bar in a terminal and lines elsewhere.
        file: where; the standard error if left out.
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
        self._total, self._has_best = total, len(directions) == 1
        self._file, self._clock = sys.stderr if file is None else file, clock
        self._is_shown = shown is not False
        self._bar: Any = None
        self._began = self._next = clock()
        self._first: int | None = None

    def __enter__(self) -> Progress:
        if self._is_shown and self._file is not None and self._file.isatty():
            self._bar, self._task = _bar(self._file, self._total)
            self._bar.start()
        return self

    def update(self, counts: Mapping[Any, int], best: tuple[float, ...] | None, latest: Trial | None) -> None:
        """Show how far it is.

        Args:
            counts: how many trials stand in which way.
            best: the scores of the best trial; None before there is one.
            latest: the trial that ended last; None at the end of the run.
        """
        n_ended = sum(counts.get(state, 0) for state in ("complete", "failed", "skipped"))
        if self._first is None:  # what was done before this run tells nothing of its speed
            self._first = n_ended - (latest is not None)
        if not self._is_shown:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=n_ended, total=self._total, told=self._told(counts, best, n_ended))
        elif latest is None or self._clock() >= self._next:
            self._next = self._clock() + _EVERY_S
            of = "" if self._total is None else f"/{self._total}"
            self._write(f"{n_ended}{of} trials{self._told(counts, best, n_ended)}")

    def _told(self, counts: Mapping[Any, int], best: tuple[float, ...] | None, n_ended: int) -> str:
        parts = [f"best {best[0]:.6g}"] if best and self._has_best else []
        parts += [
            f"{n} {state}" for state in ("failed", "skipped", "running", "waiting") if (n := counts.get(state, 0))
        ]
        passed, n = self._clock() - self._began, n_ended - (self._first or 0)
        if n > 0 and passed > 0:
            parts.append(f"{n / passed:.3g} trials/s")
            if self._total is not None and n_ended < self._total:
                parts.append(f"about {_duration((self._total - n_ended) * passed / n)} left")
        return "".join(f", {part}" for part in parts)

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or there is none
            self._file.write(line + "\n")
            self._file.flush()

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(file: TextIO, total: int | None) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("trials{task.fields[told]}"))
    bar = Bar(*columns, console=Console(file=file))
    return bar, bar.add_task("", total=total, told="")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
