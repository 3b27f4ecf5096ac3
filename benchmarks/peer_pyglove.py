"""The three spaces in PyGlove: a symbolic value with `oneof`, one DNA drawn at random and materialised.

PyGlove builds every alternative up front; the repeated parts are a list for each number of repeats.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pyglove as pg


def _conv() -> Any:
    return pg.Dict(filters=pg.oneof([64, 128]), kernel_size=3)


def poster() -> Any:
    return pg.Dict(
        stem=_conv(),
        drop=pg.oneof([None, pg.Dict(rate=pg.oneof([0.25, 0.5]))]),
        body=pg.oneof([pg.Dict(a=[_conv() for _ in range(n)], b=[_conv() for _ in range(2 * n)]) for n in (1, 2, 4)]),
    )


def cell() -> Any:
    return pg.List([pg.oneof(["zero", "identity", "conv1", "conv3", "pool"]) for _ in range(6)])


def chain() -> Any:
    return pg.List(
        [
            pg.oneof(
                [
                    pg.Dict(filters=pg.oneof([8, 16, 32]), kernel=pg.oneof([1, 2, 3, 4, 5, 6])),
                    pg.Dict(filters=pg.oneof([8, 16, 32]), kernel=3, strides=pg.oneof([1, 2])),
                    pg.Dict(pool=pg.oneof([2, 3]), strides=pg.oneof([1, 2])),
                ]
            )
            for _ in range(100)
        ]
    )


def sampler(name: str) -> Callable[[], object]:
    """Return a function that draws one value."""
    template = pg.template({"poster": poster, "cell": cell, "chain": chain}[name]())
    rng = random.Random(0)
    spec = template.dna_spec()
    return lambda: template.decode(pg.random_dna(spec, rng))
