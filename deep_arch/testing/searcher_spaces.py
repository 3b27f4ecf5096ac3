"""Small spaces that have between them everything a searcher can meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import deep_arch as da
from deep_arch import ops


@da.space
def constant(x: Any) -> Any:
    """Leave nothing to choose."""
    return ops.Dense(units=8)(x)


@da.space
def flat(x: Any) -> Any:
    """Have every kind of domain, and options that JSON cannot hold."""
    da.config(rate=da.real(1e-4, 1e-1, log=True), order=da.permutation(["a", "b", "c"]), parts=da.subset(range(4), 2))
    x = ops.Dense(units=da.integer(1, 1000, log=True))(x)
    activation = da.choice([ops.ReLU, ops.Tanh], name="activation")
    return da.optional(da.substitute(_itself, kind=activation), da.boolean(name="active"))(x)


def _itself(kind: Any) -> Any:
    return kind


@da.space
def shared_and_dependent(x: Any) -> Any:
    """Share hyperparameters, and compute others from them."""
    n, units = da.choice([1, 2, 3], name="n"), da.choice([4, 8], name="units")
    x = da.repeat(lambda: ops.Dense(units=units), n)(x)
    return da.repeat(lambda: ops.Dense(units=2 * units, use_bias=da.boolean()), n + 1)(x)


@da.space
def conditional(x: Any) -> Any:
    """Decide with some hyperparameters whether others exist."""
    dense = da.sequential(lambda: ops.Dense(units=da.choice([4, 8])), ops.ReLU)
    x = da.or_({"dense": dense, "deep": lambda: da.repeat(lambda: dense, da.integer(0, 3)), "none": ops.Identity})(x)
    return da.permute([lambda: da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5]))), ops.Tanh])(x)


@da.rule
def expression() -> Any:
    """Derive a leaf, or a sum of two expressions."""
    return da.or_({"leaf": ops.ReLU, "sum": _sum})


def _sum(x: Any) -> Any:
    return ops.Add()(expression()(x), expression()(x))


@da.space
def recursive(x: Any) -> Any:
    """Nest without end."""
    return expression()(x)


@da.rule
def term() -> Any:
    """Derive a leaf, a layer, or a sum of two terms, or leave it open."""
    parts = {"leaf": ops.ReLU, "layer": lambda: ops.Dense(units=da.choice([2, 4])), "sum": _sum_of_terms}
    return da.or_(parts, hole=ops.Identity)


def _sum_of_terms(x: Any) -> Any:
    return ops.Add()(term()(x), term()(x))


@da.space
def holed(x: Any) -> Any:
    """Have holes for what is not decided yet, and choices without them."""
    return term()(x)


@da.space
def decided_by_shapes(x: Any) -> Any:
    """Compute arguments from shapes, and let shapes decide between parts, in which there are hyperparameters."""

    def block(x: Any) -> Any:
        units = da.choice([4, 8], name="units")
        x = da.residual(lambda: ops.Dense(units), project=lambda: ops.Dense(units, use_bias=da.boolean()))(x)
        return ops.Dense(da.channels(x) // da.choice([1, 2], name="ratio"))(x)

    return da.repeat(block, 2)(x)


@da.space
def rising(x: Any) -> Any:
    """Bound numbers by others, on every kind of scale."""
    a = da.integer(0, 7, name="a")
    b = da.integer(a + 1, 8, name="b")
    c = da.integer(b + 1, 24, step=a + 1, name="c")
    d = da.integer(c, 64, log=True, name="d")
    rate = da.real(0.0, 0.1 * b, name="rate")
    da.config(rate=rate, share=da.real(0.1, 0.1 * (a + 2), step=0.1), scale=da.real(1e-4, 1e-3 * b, log=True))
    return ops.Dense(units=c + d)(x)


def _divisors(width: int) -> list[int]:
    return [n for n in range(1, 7) if width % n == 0]


_KINDS: Final = {"number": [1, 2.5], "word": ["a", "b", "c"], "class": [ops.ReLU, ops.Tanh], "truth": (True, 1, 1.0)}


@da.space
def dividing(x: Any) -> Any:
    """Let options depend on others: divisors, options of other types, equal ones, and how many are taken of them."""
    width = da.choice([8, 12, 30], name="width")
    heads = da.choice(da.dependent(_divisors, width), name="heads")
    kind = da.choice(list(_KINDS), name="kind")
    of_kind = da.choice(da.dependent(_KINDS.__getitem__, kind), name="of_kind")
    some = da.subset(da.dependent(_divisors, width), da.integer(0, 2), name="some")
    several = da.choice([1, heads, 2 * heads], weights=[1, 2, 3], name="several")
    da.config(of_kind=of_kind, some=some, order=da.permutation(da.choice([["a", "b"], [1, 2, 3]], name="ordered")))
    return ops.Dense(units=width * several)(x)


_most: Final = da.integer(1, 3, name="most")
_width: Final = da.integer(1, _most, name="width")


@da.space
def narrowing(x: Any) -> Any:
    """Bound what is inside by what is around it, how often a part is repeated, and what was made outside."""
    n = da.integer(1, _most, name="n")

    def block() -> Any:
        width = da.integer(1, n + _width)
        narrow = da.optional(lambda: ops.Dense(units=da.integer(1, width)), da.choice([False, True]))
        return da.sequential(lambda: ops.Dense(units=width), narrow)

    x = da.repeat(block, da.integer(0, n))(x)
    return da.or_([ops.ReLU, ops.Tanh, block], da.integer(0, n - 1))(x)


DEPENDING: Final[Mapping[str, da.SearchSpace]] = {
    "rising": rising,
    "dividing": dividing,
    "narrowing": narrowing,
    "gridded": rising.discretize(levels=3),
    "left_open": dividing.where(lambda point: point.name != "kind"),
}
"""Spaces with domains that depend on other hyperparameters."""

SPACES: Final[Mapping[str, da.SearchSpace]] = {
    "constant": constant,
    "flat": flat,
    "shared_and_dependent": shared_and_dependent,
    "conditional": conditional,
    "decided_by_shapes": decided_by_shapes,
    "limited": recursive.limit(max_depth=4),
    "holed": holed.limit(max_depth=3),
    "fixed": shared_and_dependent.fix({"n": 2}),
    "some": shared_and_dependent.where(lambda point: point.name in ("n", "units")),
    "dividing": dividing,
    "narrowing": narrowing,
    "rest": shared_and_dependent.where(lambda point: point.name != "units").fix({"units": 8}),
}
"""By name, so that another process finds the same one."""
