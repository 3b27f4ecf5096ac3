"""Hypothesis strategies that build random search spaces, for property tests of searchers, backends and the language.

A space is drawn as a plan, plain nested tuples that print well, and `space_of` makes the space of a plan. All
parts keep the shape of what they get, so every architecture of every space has shapes on any vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.fragments import Value

Plan = tuple[Any, ...]

_OPTIONS = st.integers(1, 3)


def plans(max_leaves: int = 6) -> st.SearchStrategy[Plan]:
    """Return a strategy of plans: nested, shared and dependent hyperparameters, captured values, tied modules."""
    leaves = st.tuples(st.sampled_from(["own", "shared", "dependent", "tie"]), _OPTIONS)

    def extend(inner: st.SearchStrategy[Plan]) -> st.SearchStrategy[Plan]:
        several = st.lists(inner, min_size=1, max_size=2)
        return st.one_of(
            st.tuples(st.sampled_from(["optional", "shared optional", "residual", "capture", "tied part"]), inner),
            st.tuples(st.sampled_from(["repeat", "shared repeat", "split", "dense block"]), inner, _OPTIONS),
            st.tuples(st.sampled_from(["or", "sequence", "permute", "pick"]), several),
            st.tuples(st.just("config"), inner, _OPTIONS),
        )

    return st.recursive(leaves, extend, max_leaves=max_leaves)


def spaces(max_leaves: int = 6) -> st.SearchStrategy[da.SearchSpace]:
    """Return a strategy of spaces with one input, `x`."""
    return plans(max_leaves).map(space_of)


def space_of(plan: Plan) -> da.SearchSpace:
    """Return the space that a plan describes."""

    def net(x: Value) -> Value:
        shared = da.choice([0, 1, 2], name="shared")
        tied = ops.Scale(initial=da.choice([0.5, 2.0]), name="tied")
        return _compose(plan, _Scope([x], [shared], tied))(x)

    net.__name__ = net.__qualname__ = "random_space"
    return da.space(net)


class _Scope:
    """What a part of a space can use of its surroundings."""

    def __init__(self, values: list[Value], shared: list[Any], tied: da.Module) -> None:
        self.values, self.shared, self.tied = values, shared, tied


def _options(n: int) -> Any:
    return da.choice([float(i + 1) for i in range(n)])


def _compose(plan: Plan, scope: _Scope) -> Callable[[Value], Value]:
    """Return the function of a plan; it makes its hyperparameters when it runs, inside the fragment it runs in."""
    kind, *rest = plan

    def part(x: Value) -> Value:
        if kind == "own":
            return ops.Scale(initial=_options(rest[0]))(x)
        if kind == "shared":
            return ops.Scale(initial=scope.shared[-1])(x)
        if kind == "dependent":
            return ops.Scale(initial=scope.shared[-1] * 2 + _options(rest[0]))(x)
        if kind == "tie":
            return scope.tied(x)
        return _substitution(kind, rest, scope, x)

    return part


def _pick(position: int) -> Callable[..., Value]:
    return lambda *values: values[position]


def _positive(value: int) -> bool:
    return value > 0


def _substitution(kind: str, rest: list[Any], scope: _Scope, x: Value) -> Value:
    if kind == "pick":  # a substitution that ignores some of its inputs
        given = [_compose(plan, scope)(x) for plan in rest[0]]
        return da.or_([_pick(i) for i in range(len(given))])(*given)
    if kind in ("or", "sequence", "permute"):
        parts = [_compose(plan, scope) for plan in rest[0]]
        return (da.sequential(*parts) if kind == "sequence" else da.or_(parts) if kind == "or" else da.permute(parts))(
            x
        )
    inner = _compose(rest[0], scope)
    if kind == "optional":
        return da.optional(inner)(x)
    if kind == "shared optional":
        return da.optional(inner, use=da.dependent(_positive, scope.shared[-1]))(x)
    if kind == "repeat":
        own = da.choice(range(rest[1] + 1))
        nested = _Scope([*scope.values, x], [*scope.shared, own], scope.tied)
        return da.repeat(_compose(rest[0], nested), own)(x)
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
