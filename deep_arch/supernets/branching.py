"""Branches: searches that go on from the weights of a super-network in several ways."""

from __future__ import annotations

from typing import NamedTuple


class Branch(NamedTuple):
    """Whose weights a trial trains; what a searcher has as its `branch`.

    Attributes:
        number: which one, from 0.
        parent: the one from whose weights it begins; None for the first weights.
        needed: the branches whose weights may be asked for again.
    """

    number: int = 0
    parent: int | None = None
    needed: frozenset[int] = frozenset()
