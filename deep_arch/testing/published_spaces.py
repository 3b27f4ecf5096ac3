"""Spaces of published searches, as programs: many copies of cells that share their decisions, and stages of blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value


def conv(kernel: int) -> Callable[[], da.Module]:
    return lambda: ops.Conv2D(16, kernel)


OPERATIONS: Final[Mapping[str, Any]] = {
    "none": ops.Zero,
    "skip": ops.Identity,
    "conv": conv(1),
    "wide": conv(3),
    "pool": lambda: ops.Conv2D(16, 5),
}


def nats_bench(copies: int, operations: Mapping[str, Any] = OPERATIONS) -> da.SearchSpace:
    """Return the space of a cell of 6 edges, whose decisions all copies share (NATS-Bench, section 3.1)."""

    def net(x: Value) -> Value:
        edges = {(i, j): da.choice(list(operations), name=f"e{i}{j}") for j in range(1, 4) for i in range(j)}
        for _ in range(copies):
            nodes = [x]
            for j in range(1, 4):
                parts = [da.or_(operations, which=edges[i, j])(nodes[i]) for i in range(j)]
                nodes.append(parts[0] if j == 1 else ops.Add()(*parts))
            x = nodes[3]
        return x

    return da.space(net)


def darts(layers: int) -> da.SearchSpace:
    """Return the space of two cells of 4 nodes, each an operation on each of two of its inputs (DARTS, section 2.1)."""
    operations = {name: conv(i + 1) for i, name in enumerate("abcdefg")}

    def node(which: list[Any]) -> Callable[..., Any]:
        def of_pair(pair: tuple[int, int]) -> Callable[..., Value]:
            return lambda *values: ops.Add()(*[da.or_(operations, which=which[i])(values[i]) for i in pair])

        return of_pair

    def net(x: Value) -> Value:
        pairs, which = dict[tuple[str, int], Any](), dict[tuple[str, int], list[Any]]()
        for kind, j in itertools.product(("normal", "reduce"), range(4)):
            pairs[kind, j] = da.subset(range(j + 2), 2, name=f"{kind}{j}")
            which[kind, j] = [da.choice(list(operations), name=f"{kind}{j}_{i}") for i in range(j + 2)]
        before = last = ops.Conv2D(16, 3)(x)
        for layer in range(layers):
            kind = "reduce" if layer in (layers // 3, 2 * layers // 3) else "normal"
            states = [before, last]
            for j in range(4):
                states.append(da.substitute(node(which[kind, j]), pair=pairs[kind, j])(*states))
            before, last = last, ops.Concatenate()(*states[2:])
        return last

    return da.space(net)


def once_for_all() -> da.SearchSpace:
    """Return the space of 5 stages of 2 to 4 blocks, each of 3 kernels and 3 expansions (Once-for-all, section 3.2)."""

    def block() -> da.Module:
        return da.sequential(
            lambda: ops.Conv2D(16, da.choice([3, 5, 7])), lambda: ops.Conv2D(16 * da.choice([3, 4, 6]), 1)
        )

    def net(x: Value) -> Value:
        for _ in range(5):
            x = da.repeat(block, da.choice([2, 3, 4]))(x)
        return x

    return da.space(net)
