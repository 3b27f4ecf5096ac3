"""Grid search: every architecture once, in a fixed or a shuffled order, in a space of any size."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping
from typing import Any, Final, Literal

from deep_arch.errors import DeepArchError, wrong_kind
from deep_arch.searchers.parts.checks import check_count, check_option
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_ROUNDS: Final = 4
"""Rounds of a Feistel network after which it cannot be told from a random order (Luby and Rackoff, 1988)."""


class GridSearch(Searcher):
    """Propose every architecture once, and then end.

    Architectures are numbered and not listed, so that a search of 10**100 of them begins at once, takes no memory,
    and goes on in the middle. A space of endless recursion is searched by depth: all that is one rule deep, then two.

    Args:
        order: "fixed", the order of `space.nth`, or "shuffled", another order for each seed.
        levels: how many values a real number takes, evenly spaced on its scale, both ends included, unless the space
            is a grid already.

    Raises:
        BadArgument: an unknown order, or fewer than two levels.
        NotCountable: when started on a space that cannot be counted.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import GridSearch
        >>> net = da.space(lambda x: ops.Dropout(rate=da.real(0, 0.5))(ops.Dense(units=da.choice([8, 16]))(x)))
        >>> search = da.search(net, GridSearch(levels=3), trials=100, seed=0)
        >>> for trial in search:
        ...     trial.tell(trial.values["dense.units"] - trial.values["dropout.rate"])
        >>> len(search.trials), search.ending
        (6, 'the searcher had nothing left to propose')

    References:
        Black and Rogaway, Ciphers with arbitrary finite domains (2002), section 4: a shuffled order of any length.
    """

    def __init__(self, order: Literal["fixed", "shuffled"] = "fixed", levels: int = 10) -> None:
        check_option(self, "order", order, ("fixed", "shuffled"))
        check_count(self, 2, levels=levels)
        self.order: Final = order
        self.levels: Final = levels

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Count the space, and begin with its first architecture."""
        super().start(space, rng)
        self._grid = space if space.restrictions.levels else space.discretize(self.levels)
        self._keys = [rng.getrandbits(64) for _ in range(_ROUNDS)]
        self._next = 0
        endless = self._grid.size() == math.inf
        self._go_to(0 if endless else None)

    def _go_to(self, depth: int | None) -> None:
        """Search what is `depth` rules deep next; None for the whole of a finite space."""
        self._depth = depth
        self._part = self._grid if depth is None else self._grid.limit(depth)
        self._size = int(self._part.size())

    def ask(self) -> Values | None:
        """Propose the next architecture, or None after the last."""
        while True:
            if self._next == self._size:
                if self._depth is None:
                    return None
                self._next = 0
                self._go_to(self._depth + 1)
                continue
            index, self._next = self._next, self._next + 1
            values = self._part.nth(index if self.order == "fixed" else shuffled(index, self._size, self._keys)).values
            if not self._depth or not self._is_less_deep(values, self._depth):
                return values

    def _is_less_deep(self, values: Values, depth: int) -> bool:
        try:
            self._grid.limit(depth - 1).at(values)
        except DeepArchError:
            return False
        return True

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return how far the search is."""
        grid = [self.order, self.levels]
        return {**super().state_dict(), "next": self._next, "depth": self._depth, "keys": self._keys, "grid": grid}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the architecture after the last.

        Raises:
            BadArgument: what is no state of such a searcher.
        """
        super().load_state_dict(state)
        if state["grid"] != [self.order, self.levels]:
            mend = "Make the searcher as that one was, so that each architecture comes once."
            raise wrong_kind("GridSearch", f"the state of {[self.order, self.levels]}", state["grid"], mend)
        self._next, self._keys = state["next"], state["keys"]
        self._go_to(state["depth"])


def shuffled(index: int, size: int, keys: list[int]) -> int:
    """Return where `index` stands in an order of range(size) that looks random: a permutation, without listing it.

    A Feistel network permutes the numbers of an even number of bits; what falls outside goes through it again.
    """
    half = ((size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for key in keys:
            digest = hashlib.shake_128(f"{key} {right}".encode()).digest(half // 8 + 1)
            left, right = right, left ^ int.from_bytes(digest, "big") & mask
        index = left << half | right
        if index < size:
            return index
