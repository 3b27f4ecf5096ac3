"""Random grammars: spaces of rules with productions of all kinds and odd names, for tests of programs.

A grammar is drawn from a seed. Its rules have one argument, so that types are pairs of a rule and a number; productions
hold hyperparameters, copies, optional parts and other choices; some ignore what was decided for them, so that there is
dead code. All parts keep the shape of what they get.
"""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value

ODD_NAMES: Final = (
    *(
        "sep 3x3",
        "a, b",
        "f(x)",
        "it's",
        'say "x"',
        "[0]",
        "]",
        "1/2",
        "a.b",
        "True",
        "None",
        "1",
        "",
        " ",
        "?",
        "_",
        "x=1",
    ),
    *("{", "}", "\\", "tab\tend", "line\nend", "größe", "速度", "None(", "#1", "*", "-"),
    *(0, 1, -3, 2.5, 1e-9, True, False, None, (1, 2), "Add"),
)
"""Keys of alternatives that a text has to quote, or that are no texts."""

_PLAIN = ("Add", "Speed", "ITE", "Window", "Angle_2", "Last10Avg", "Mul")

_Fn = Callable[..., Any]
_Make = Callable[[int], _Fn]


def random_grammar(seed: int, odd: bool = True) -> da.SearchSpace:
    """Return an infinite space of programs on one value.

    Args:
        seed: what it is drawn from.
        odd: whether names are any of `ODD_NAMES`, or else identifiers.
    """
    rng = random.Random(seed)
    rules: list[Any] = []
    for _ in range(rng.randint(1, 3)):
        rules.append(_rule(rng, rules, odd))
    first, copies = rng.randrange(len(rules)), rng.choice([1, 1, 2])

    def grammar(x: Value) -> Any:
        for size in range(copies):
            x = rules[first](size + 1)(x)
        return x

    return da.space(grammar)


def _rule(rng: random.Random, rules: list[Any], odd: bool) -> Any:
    """Return a rule, which may lead to itself and to all rules of a grammar."""
    names = [*_PLAIN, *(ODD_NAMES if odd else ())]
    makers = [_leaf, *[rng.choice(_KINDS) for _ in range(rng.randint(2, 6))]]
    productions: dict[Any, _Make] = {}
    for name, maker in zip(_distinct(rng, names), makers, strict=False):
        productions[name] = maker(rng, lambda n: rules[n % len(rules)], rng.randrange(100))
    in_list = rng.random() < 0.2

    @da.rule
    def expr(size: int) -> Any:
        made = {name: make(size) for name, make in productions.items()}
        return da.or_(list(made.values()) if in_list else made)

    return expr


def _distinct(rng: random.Random, names: list[Any]) -> list[Any]:
    """Return names in some order, of which none equals another: a dict has True and 1 as one key."""
    return list(dict.fromkeys(rng.sample(names, len(names))))


def _leaf(rng: random.Random, rule: Any, n: int) -> _Make:
    return lambda size: lambda: ops.Dense(3)


def _valued(rng: random.Random, rule: Any, n: int) -> _Make:
    options = rng.choice([[0.5, 2.0], ["relu", "a, b"], [1, "1", True]])

    def body(x: Value) -> Any:
        x = ops.Scale(initial=da.real(0.1, 2.0))(x)
        x = ops.Scale(initial=da.integer(1, 9, name="before"))(x)
        return da.or_([ops.ReLU, ops.Tanh], which=da.choice([0, 1], name="kind"))(da.optional(ops.ReLU)(x))

    def other(x: Value) -> Any:
        da.config(setting=da.choice(options))
        return ops.Dense(3)(x)

    return lambda size: body if n % 2 else other


def _unary(rng: random.Random, rule: Any, n: int) -> _Make:
    return lambda size: lambda x: ops.Tanh()(rule(n)(size)(x))


def _binary(rng: random.Random, rule: Any, n: int) -> _Make:
    return lambda size: lambda x: ops.Add()(rule(n)(size)(x), rule(n + 1)(size % 2 + 1)(x))


def _copies(rng: random.Random, rule: Any, n: int) -> _Make:
    return lambda size: lambda x: da.repeat(lambda y: rule(n)(size)(y), da.integer(0, 2))(x)


def _optional(rng: random.Random, rule: Any, n: int) -> _Make:
    return lambda size: lambda x: da.residual(lambda y: da.optional(lambda: rule(n)(size))(y))(x)


def _inner(rng: random.Random, rule: Any, n: int) -> _Make:
    def body(size: int) -> _Fn:
        first, second = ops.ReLU, lambda: ops.Dense(3)
        return lambda x: rule(n)(size)(da.or_({"in": first, "out": second})(da.or_([first, second], name="pick")(x)))

    return body


def _forgetful(rng: random.Random, rule: Any, n: int) -> _Make:
    """Choose which of two results goes on, so that the other need not be decided."""

    def body(size: int) -> _Fn:
        def pick(x: Value) -> Any:
            both = rule(n)(size)(x), rule(n + 1)(size)(x)
            return da.or_({"first": lambda a, b: a, "second": lambda a, b: b, "sum": ops.Add})(*both)

        return pick

    return body


def _tied(rng: random.Random, rule: Any, n: int) -> _Make:
    def body(size: int) -> _Fn:
        def twice(x: Value) -> Any:
            module = rule(n)(size)
            return module(module(x))

        return twice

    return body


_KINDS = (_valued, _unary, _binary, _binary, _copies, _optional, _inner, _forgetful, _tied)
