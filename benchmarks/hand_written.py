"""The three spaces of the speed table, sampled by loops written by hand: the yardstick of every ratio.

Each draws the same choices as the space with the standard library's own `Random.choice`, into nested tuples.
"""

from __future__ import annotations

import random
from typing import Any


def conv(rng: random.Random) -> tuple[Any, ...]:
    return ("conv2d", rng.choice((64, 128)), 3)


def poster(rng: random.Random) -> tuple[Any, ...]:
    """The space of the README."""
    n = rng.choice((1, 2, 4))
    stem = conv(rng)
    drop = ("dropout", rng.choice((0.25, 0.5))) if rng.choice((False, True)) else None
    a = tuple([conv(rng) for _ in range(n)])
    b = tuple([conv(rng) for _ in range(2 * n)])
    return ("concatenate", n, stem, drop, a, b)


CELL_OPERATIONS = ("zero", "identity", "conv1", "conv3", "pool")


def cell(rng: random.Random) -> tuple[Any, ...]:
    """A cell of six edges, each one of five operations."""
    return tuple([(rng.choice(CELL_OPERATIONS), source, target) for target in (1, 2, 3) for source in range(target)])


def chain(rng: random.Random) -> tuple[Any, ...]:
    """A chain of 100 blocks, each one of three operations with two or three hyperparameters."""
    blocks: list[tuple[Any, ...]] = []
    for _ in range(100):
        which = rng.choice((0, 1, 2))
        if which == 0:
            blocks.append(("a", rng.choice((1, 2, 3)), rng.choice((1, 2, 3, 4, 5, 6))))
        elif which == 1:
            blocks.append(("b", rng.choice((1, 2, 3)), rng.choice((1, 2))))
        else:
            blocks.append(("c", rng.choice((1, 2)), rng.choice((1, 2))))
    return tuple(blocks)
