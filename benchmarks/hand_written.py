"""The three spaces of the speed table, sampled by loops written by hand: the yardstick of every ratio.

Each draws the same choices as the space with the standard library's own `Random.choice`, into nested tuples.
"""

from __future__ import annotations

import random
from typing import Any

Nested = tuple[Any, ...]


def conv(rng: random.Random, x: Nested) -> Nested:
    return ("conv2d", {"filters": rng.choice((64, 128)), "kernel_size": 3}, x)


def poster(rng: random.Random) -> Nested:
    """The space of the README."""
    x: Nested = ("input",)
    n = rng.choice((1, 2, 4))
    x = conv(rng, x)
    if rng.choice((False, True)):
        x = ("dropout", {"rate": rng.choice((0.25, 0.5))}, x)
    a = b = x
    for _ in range(n):
        a = conv(rng, a)
    for _ in range(2 * n):
        b = conv(rng, b)
    return ("concatenate", {}, a, b)


OPERATIONS = ("zero", "identity", "conv1", "conv3", "pool")


def edge(rng: random.Random, x: Nested) -> Nested:
    return (rng.choice(OPERATIONS), {}, x)


def cell(rng: random.Random) -> Nested:
    """A cell of six edges, each one of five operations, whose sums are its nodes."""
    x: Nested = ("input",)
    first = edge(rng, x)
    second: Nested = ("add", {}, edge(rng, x), edge(rng, first))
    return ("add", {}, edge(rng, x), edge(rng, first), edge(rng, second))


def chain(rng: random.Random) -> Nested:
    """A chain of 100 blocks, each one of three operations with two or three hyperparameters."""
    x: Nested = ("input",)
    for _ in range(100):
        which = rng.choice((0, 1, 2))
        if which == 0:
            x = ("conv2d", {"filters": rng.choice((8, 16, 32)), "kernel_size": rng.choice((1, 2, 3, 4, 5, 6))}, x)
        elif which == 1:
            shape = {"filters": rng.choice((8, 16, 32)), "kernel_size": rng.choice((3,)), "strides": rng.choice((1, 2))}
            x = ("depthwise", shape, x)
        else:
            x = ("pool", {"pool_size": rng.choice((2, 3)), "strides": rng.choice((1, 2))}, x)
    return x
