"""A table of features: one row for each architecture, one column for each feature that came up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deep_arch.searchers.parts.features import Features


class FeatureTable:
    """Rows of numbers that can be taken back, under columns that come up in the course of a search.

    Attributes:
        columns: block and label of each column, in the order in which they came up.
    """

    def __init__(self) -> None:
        self.columns: dict[tuple[str, str], int] = {}
        self._numbers = np.zeros((64, 64))
        self._free = list(range(64))[::-1]

    def add(self, features: Features) -> int:
        """Write features into a free row, and return its number."""
        places = [self.columns.setdefault(feature, len(self.columns)) for feature in features]
        n_rows, n_columns = self._numbers.shape
        if len(self.columns) > n_columns:
            self._numbers = np.hstack([self._numbers, np.zeros((n_rows, len(self.columns)))])
        if not self._free:
            self._numbers = np.vstack([self._numbers, np.zeros_like(self._numbers)])
            self._free = list(range(n_rows, 2 * n_rows))[::-1]
        row = self._free.pop()
        self._numbers[row] = 0.0
        self._numbers[row, places] = list(features.values())
        return row

    def free(self, row: int) -> None:
        """Take back a row."""
        self._free.append(row)

    def rows(self, rows: list[int]) -> NDArray[np.float64]:
        """Return some rows as an array of their own."""
        return np.ascontiguousarray(self._numbers[rows, : len(self.columns)])

    def blocks(self) -> dict[str, NDArray[np.intp]]:
        """Return the columns of each block."""
        found: dict[str, list[int]] = {}
        for (block, _), column in self.columns.items():
            found.setdefault(block, []).append(column)
        return {block: np.array(columns) for block, columns in found.items()}

    def state(self) -> list[Any]:
        """Return the columns as JSON can hold them."""
        return [list(column) for column in self.columns]

    def load(self, state: list[Any]) -> None:
        """Begin anew with columns in a known order, and no rows."""
        self.columns = {(block, label): place for place, (block, label) in enumerate(state)}
        self._free = list(range(len(self._numbers)))[::-1]
