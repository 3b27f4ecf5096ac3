"""Random programs of recorded calls, for property tests: the same plan makes one here, and one of another library.

A plan is nested tuples, drawn from a seed, that print well. `program_of` makes the program of a plan with whatever
records calls and chooses, so that the spaces of two libraries can be compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import deep_arch as da

Plan = tuple[Any, ...]


class Thing:
    """What programs are made of: objects that remember what they were made with, and are equal by that."""

    def __init__(self, a: Any = 0, b: Any = None, **rest: Any) -> None:
        self.a, self.b, self.rest = a, b, rest

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class Red(Thing):
    """A thing."""


class Green(Thing):
    """A thing."""


class Blue(Thing):
    """A thing."""


KINDS: Final = (Red, Green, Blue)


class Language(NamedTuple):
    """What writes programs.

    Attributes:
        call: records a call of one of `KINDS`, by its position, with arguments by name.
        choice: one of several candidates.
        several: `(candidates, size, distinct, is_sorted)`, some of several.
        order: the candidates in some order.
    """

    call: Callable[..., Any]
    choice: Callable[[Sequence[Any]], Any]
    several: Callable[[Sequence[Any], int, bool, bool], Any]
    order: Callable[[Sequence[Any]], Any]


_SYMBOLS: Final = tuple([da.symbolize(kind) for kind in KINDS])


def _call(kind: int, **arguments: Any) -> Any:
    return _SYMBOLS[kind](**arguments)


def _several(candidates: Sequence[Any], size: int, distinct: bool, is_sorted: bool) -> Any:
    return da.subset(candidates, size, distinct=distinct, ordered=not is_sorted)


OURS: Final = Language(_call, da.choice, _several, da.permutation)
"""Programs of deep_arch."""


def random_plan(rng: random.Random, depth: int = 3, within_choice: bool = False) -> Plan:
    """Return the plan of a program; its outermost value is a call, unless it is part of another."""
    kinds = ["call", "call", "list", "dict", "choice", "choice", "several", "order"] if depth else ["constant"]
    kind = rng.choice([*kinds, "constant", "constant"])
    if kind == "constant":
        return kind, rng.randint(0, 9)
    inner = [random_plan(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    if kind == "call":
        return kind, rng.randrange(len(KINDS)), tuple(inner[:2])
    if kind == "several":
        candidates = [*inner, *[random_plan(rng, 0) for _ in range(4 - len(inner))]]
        return kind, tuple(_distinct(candidates)), rng.randint(1, 2), rng.random() < 0.5, rng.random() < 0.5
    return kind, tuple(_distinct(inner) if kind in ("choice", "order") else inner)


def _distinct(plans: Sequence[Plan]) -> list[Plan]:
    """Return plans of which no two are the same value, which a domain would refuse."""
    seen: list[Any] = []
    found: list[Plan] = []
    for i, plan in enumerate(plans):
        held = plan if plan[0] == "call" else plan[1]  # of a list, an order and several alike, what is in them
        found.append(("constant", 100 + i) if plan[0] == "constant" or held in seen else plan)
        seen.append(held)
    return found


def whole_plan(seed: int, depth: int = 3) -> Plan:
    """Return the plan of a whole program, a call of two arguments, from a seed."""
    rng = random.Random(seed)
    return "call", rng.randrange(len(KINDS)), (random_plan(rng, depth), random_plan(rng, depth))


def program_of(plan: Plan, language: Language = OURS) -> Any:
    """Return the program of a plan."""
    kind, *rest = plan
    if kind == "constant":
        return rest[0]
    if kind == "call":
        arguments: Mapping[str, Any] = dict(zip("ab", [program_of(p, language) for p in rest[1]], strict=False))
        return language.call(rest[0], **arguments)
    inner = [program_of(p, language) for p in rest[0]]
    if kind == "list":
        return inner
    if kind == "dict":
        return {f"key{i}": value for i, value in enumerate(inner)}
    if kind == "choice":
        return language.choice(inner)
    if kind == "several":
        _, size, distinct, is_sorted = rest
        return language.several(inner, min(size, len(inner)), distinct, is_sorted)
    return language.order(inner)
