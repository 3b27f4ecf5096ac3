"""Hypothesis strategies that build random search spaces, for property tests of searchers, backends and the language.

A space is drawn as a plan, plain nested tuples that print well, and `space_of` makes the space of a plan. All
parts keep the shape of what they get, so every architecture of every space has shapes on any vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value

Plan = tuple[Any, ...]

_OPTIONS = st.integers(1, 3)

_OF_ONE = ["optional", "shared optional", "residual", "capture", "tied part"]
_OF_ONE_AND_OPTIONS = ["repeat", "shared repeat", "split", "dense block", "config"]
_OF_SEVERAL = ["or", "sequence", "permute", "pick"]
_STACKED = ["stack", "stack of cells", "two deciders"]
_BOUNDED = ["bounded repeat", "bounded optional", "bounded or", "ordered"]
SUBSTITUTIONS = frozenset([*_OF_ONE, *_OF_ONE_AND_OPTIONS, *_OF_SEVERAL, *_STACKED, *_BOUNDED])
"""The kinds of plans that are no leaves."""


def plans(
    max_leaves: int = 6, leaves: st.SearchStrategy[Plan] | None = None, entangled: bool = False
) -> st.SearchStrategy[Plan]:
    """Return a strategy of plans: nested, shared and dependent hyperparameters, captured values, tied modules.

    Args:
        max_leaves: about how many leaves a plan has at most.
        leaves: draws them; None for modules that scale vectors.
        entangled: whether there are also copies of cells that share their decisions, and domains that depend on others.
    """
    if leaves is None:
        kinds = ["own", "shared", "dependent", "tie", *(["bounded", "stepped", "optioned"] if entangled else [])]
        leaves = st.tuples(st.sampled_from(kinds), _OPTIONS)

    def extend(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
        several = st.lists(inner, min_size=1, max_size=2)
        kinds: list[st.SearchStrategy[Plan]] = [
            st.tuples(st.sampled_from(_OF_ONE), inner),
            st.tuples(st.sampled_from(_OF_ONE_AND_OPTIONS), inner, _OPTIONS),
            st.tuples(st.sampled_from(_OF_SEVERAL), several),
        ]
        if entangled:
            kinds.append(st.tuples(st.sampled_from(_STACKED), several, _OPTIONS))
            kinds.append(st.tuples(st.sampled_from(_BOUNDED), inner))
        return st.one_of(kinds)

    return st.recursive(leaves, extend, max_leaves=max_leaves)


def spaces(max_leaves: int = 6) -> st.SearchStrategy[da.SearchSpace]:
    """Return a strategy of spaces with one input, `x`."""
    return plans(max_leaves, entangled=True).map(space_of)


def space_of(plan: Plan) -> da.SearchSpace:
    """Return the space that a plan describes."""

    def net(x: Value) -> Value:
        shared = da.choice([0, 1, 2], name="shared")
        tied = ops.Scale(initial=da.choice([0.5, 2.0]), name="tied")
        return compose(plan, Scope([x], [shared], tied, _scaling))(x)

    net.__name__ = net.__qualname__ = "random_space"
    return da.space(net)


@dataclass(frozen=True)
class Scope:
    """What a part of a space can use of its surroundings.

    Attributes:
        values: values of the functions around it.
        shared: hyperparameters of the functions around it; ints of at least 0.
        tied: a module that several leaves call.
        leaf: makes the module of a leaf from its plan.
    """

    values: list[Value]
    shared: list[Any]
    tied: da.Module
    leaf: Callable[[Plan, Scope], Callable[[Value], Value]]


def _options(n: int) -> Any:
    return da.choice([float(i + 1) for i in range(n)])


def _scaling(plan: Plan, scope: Scope) -> Callable[[Value], Value]:
    kind, n = plan
    if kind == "own":
        return ops.Scale(initial=_options(n))
    if kind == "bounded":
        return ops.Scale(initial=da.integer(n - 1, n + scope.shared[-1]))
    if kind == "stepped":
        return ops.Scale(initial=da.real(0.5, 0.5 + 0.1 * scope.shared[-1], step=0.1 * n))
    if kind == "optioned":  # equal ones at some values
        return ops.Scale(initial=da.choice([0.5, 1.0 * scope.shared[-1], 1.0 * n * scope.shared[0]]))
    return ops.Scale(initial=scope.shared[-1] if kind == "shared" else scope.shared[-1] * 2 + _options(n))


def compose(plan: Plan, scope: Scope) -> Callable[[Value], Value]:
    """Return the function of a plan; it makes its hyperparameters when it runs, inside the fragment it runs in."""
    kind, *rest = plan

    def part(x: Value) -> Value:
        if kind == "tie":
            return scope.tied(x)
        if kind in SUBSTITUTIONS:
            return _substitution(kind, rest, scope, x)
        return scope.leaf(plan, scope)(x)

    return part


def _same(x: Value) -> Value:
    return x


def _pick(position: int) -> Callable[..., Value]:
    return lambda *values: values[position]


def _positive(value: int) -> bool:
    return value > 0


def _substitution(kind: str, rest: list[Any], scope: Scope, x: Value) -> Value:
    if kind == "pick":  # a substitution that ignores some of its inputs
        given = [compose(plan, scope)(x) for plan in rest[0]]
        return da.or_([_pick(i) for i in range(len(given))])(*given)
    if kind in ("or", "sequence", "permute"):
        parts = [compose(plan, scope) for plan in rest[0]]
        return (da.sequential(*parts) if kind == "sequence" else da.or_(parts) if kind == "or" else da.permute(parts))(
            x
        )
    if kind in _STACKED:
        return _stack(kind, [compose(plan, scope) for plan in rest[0]], rest[1], scope)(x)
    inner = compose(rest[0], scope)
    if kind == "optional":
        return da.optional(inner)(x)
    if kind == "shared optional":
        return da.optional(inner, use=da.dependent(_positive, scope.shared[-1]))(x)
    if kind == "repeat":
        own = da.choice(range(rest[1] + 1))
        nested = replace(scope, values=[*scope.values, x], shared=[*scope.shared, own])
        return da.repeat(compose(rest[0], nested), own)(x)
    if kind in _BOUNDED:
        return _bounded(kind, rest[0], scope, x)
    if kind == "shared repeat":
        return da.repeat(inner, scope.shared[-1])(x)
    if kind == "split":
        return da.split_combine(inner, ops.Add, da.choice(range(1, rest[1] + 1)))(x)
    if kind == "dense block":
        return da.dense_block(inner, da.choice(range(rest[1])) if rest[1] > 1 else 1, ops.Add)(x)
    if kind == "residual":
        return da.residual(inner)(x)
    if kind == "capture":  # a value that only the inside of an optional uses
        side = inner(x)

        def capturing(y: Value) -> Value:
            return ops.Add()(y, side, scope.values[-1])

        return da.optional(capturing)(x)
    if kind == "tied part":
        twice = da.optional(inner)

        def again(y: Value) -> Value:
            return twice(y)

        return ops.Add()(twice(x), da.optional(again)(x))

    def configured(y: Value) -> Value:
        da.config(rate=_options(rest[1]))
        return inner(y)

    return da.sequential(configured)(x)


def _stack(kind: str, parts: list[Callable[[Value], Value]], copies: int, scope: Scope) -> Callable[[Value], Value]:
    """Return copies in a row of what the same hyperparameters decide."""

    def two(a: int, b: int) -> Callable[[Value], Value]:
        return parts[(a * b) % len(parts)] if a + b else _same

    def stack(x: Value) -> Value:
        which, join = da.choice(range(len(parts))), da.choice(range(3))
        for _ in range(copies):
            if kind == "two deciders":
                x = da.substitute(two, a=scope.shared[-1], b=join)(x)
                continue
            y = da.or_(parts, which=which)(x)
            joined = da.or_([_pick(0), _pick(1), ops.Add], which=join)
            x = y if kind == "stack" else joined(y, x)
        return x

    return stack


def _truths(n: int) -> list[bool]:
    return [False, True][: n + 1]


def _bounded(kind: str, plan: Plan, scope: Scope, x: Value) -> Value:
    """Compose a part that is decided by a hyperparameter whose domain depends on another."""
    own = da.integer(0, scope.shared[-1])
    if kind == "ordered":
        high = da.integer(own, own + 1)
        return da.or_([compose(plan, scope), _same], which=high - own)(ops.Scale(initial=high)(x))
    inner = compose(plan, replace(scope, values=[*scope.values, x], shared=[*scope.shared, own]))
    if kind == "bounded repeat":
        return da.repeat(inner, own)(x)
    if kind == "bounded optional":
        return da.optional(inner, da.choice(da.dependent(_truths, own)))(x)
    return da.or_([_same, inner, inner, _same], own)(x)
