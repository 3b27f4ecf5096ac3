"""Columns: a table of trials, of which no more is held at once than its cells."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from deep_arch.extras import imported
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

Cells = Callable[[Trial], Mapping[str, Any]]
"""What a row holds of a trial, by the name of the column."""

_TEXTS: Final = ("state", "worker", "error")


class Columns:
    """Some columns of a table, of which each row has a cell or NaN.

    Args:
        cells: what a row holds.
        names: columns that are there without a cell too; others follow as they are met.
    """

    def __init__(self, cells: Cells, names: Iterable[str] = ()) -> None:
        self._cells_of = cells
        self._columns: dict[str, list[Any]] = {name: [] for name in names}
        self._n_rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that were met so far."""
        return tuple(self._columns)

    def add(self, trial: Trial) -> None:
        """Add a row."""
        for name, cell in self._cells_of(trial).items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = []
            self._fill(column)
            column.append(cell)
        self._n_rows += 1

    def _fill(self, column: list[Any]) -> None:
        if len(column) < self._n_rows:
            column += [math.nan] * (self._n_rows - len(column))

    def series(self, index: Any) -> dict[str, Any]:
        """Return the columns by name."""
        made: dict[str, Any] = {}
        for name, column in self._columns.items():
            self._fill(column)
            # What has no cell to tell its type by is to go together with other tables; None is an option or what a
            # user set, which pandas would show as NaN.
            kind: Any = float if not column and name not in _TEXTS else None
            kind = object if any(cell is None for cell in column) else kind
            made[name] = imported("pandas").Series(column, index=index, dtype=kind)
        return made


def tabulated(trials: Iterable[Trial], parts: Sequence[Columns]) -> DataFrame:
    """Return a table with a row for each trial, of columns that stand in the order of their parts."""
    numbers: list[int] = []
    for trial in trials:
        numbers.append(trial.number)
        for part in parts:
            part.add(trial)
    index = by_number(numbers)
    columns = {name: column for part in parts for name, column in part.series(index).items()}
    return cast("DataFrame", imported("pandas").DataFrame(columns, index=index))


def by_number(numbers: Sequence[int]) -> Any:
    """Return the index of a table with a row for each trial."""
    return imported("pandas").Index(numbers, name="trial", dtype=int)


def results(n_objectives: int) -> Columns:
    """Return the columns `state`, `budget` and `score`, or `score_0`, `score_1`, ... for several objectives."""
    names = ["score"] if n_objectives == 1 else [f"score_{i}" for i in range(n_objectives)]

    def cells(trial: Trial) -> dict[str, Any]:
        budget = math.nan if trial.budget is None else trial.budget
        return {"state": trial.state, "budget": budget, **dict(zip(names, trial.scores, strict=False))}

    return Columns(cells, ["state", "budget", *names])


def values(taken: Iterable[str], prefixes: tuple[str, ...] = ()) -> Columns:
    """Return a column for each address.

    Args:
        taken: names of other columns: an address of such a name is written as `value.state`.
        prefixes: what the names of other columns begin with.
    """
    others, prefixes = frozenset(taken), ("value.", *prefixes)  # so that no two have one name

    @functools.cache
    def named(address: str) -> str:
        return f"value.{address}" if address in others or address.startswith(prefixes) else address

    return Columns(lambda trial: {named(address): value for address, value in trial.values.items()})
