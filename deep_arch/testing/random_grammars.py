"""Random grammars of numbers and lists, with lambdas under maps and folds, and what all their programs do."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import deep_arch as da
from deep_arch.backends import python_backend
from deep_arch.searchers.parts.columns import FAILURES
from deep_arch.searchers.parts.exact import exact


def _head(xs: Any) -> Any:
    return xs[0]


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a // b,
    "negate": lambda a: -a,
    "is_positive": lambda a: a > 0,
    "head": _head,
    "sum": sum,
    "length": len,
    "reverse": lambda xs: xs[::-1],
    "sort": lambda xs: tuple(sorted(xs)),
    "pair": lambda a, b: (a, b),
    "take": lambda n, xs: xs[:n],
    "compress": lambda xs, mask: tuple(itertools.compress(xs, mask)),
    "both": lambda a, b: (a, b),
}


def function(name: str, *values: Any) -> Any:
    """Apply one of the functions to values."""
    return da.wrap(lambda of: FUNCTIONS[of], outputs=2 if name == "both" else 1)(of=name)(*values)


def constant(x: Any) -> Any:
    """Choose a number, or a truth value that is equal to one."""
    return da.wrap(lambda n: lambda x: n)(n=da.choice([0, 2, True]))(x)


def random_grammar(seed: int) -> da.SearchSpace:
    """Return a space of random rules: of numbers and lists, in environments of variables, which bodies add to."""

    @da.rule
    def term(kind: str, around: str) -> Any:
        rng = random.Random(f"{seed} {kind} {around}")
        pool = {**variables(kind, around), **(numbers if kind == "n" else lists)(around)}
        leaves = [name for name in pool if name.isupper()]
        chosen = {rng.choice(leaves), *rng.sample(sorted(pool), min(4, len(pool)))}
        return da.or_({name: pool[name] for name in sorted(chosen)})

    def variables(kind: str, around: str) -> dict[str, Any]:
        return {f"V{i}": lambda *e, i=i: e[i] for i, of in enumerate(around) if of == kind}

    def numbers(around: str) -> dict[str, Any]:
        def n(*e: Any) -> Any:
            return term("n", around)(*e)

        def xs(*e: Any) -> Any:
            return term("l", around)(*e)

        def squared(*e: Any) -> Any:
            one = n(*e)
            return function("multiply", one, one)

        def swapped(*e: Any) -> Any:
            a, b = function("both", n(*e), constant(e[0]))
            return function("add", function("negate", b), a)

        def folded(*e: Any) -> Any:
            return da.scan(lambda h, v: term("n", around + "nn")(*e, h, v))(n(*e), xs(*e))

        found: dict[str, Any] = {
            "CONSTANT": lambda *e: constant(e[0]),
            "add": lambda *e: function("add", n(*e), n(*e)),
            "divide": lambda *e: function("divide", n(*e), n(*e)),
            "is_positive": lambda *e: function("is_positive", n(*e)),
            "unit": lambda *e: n(*e),
            "squared": squared,
            "swapped": swapped,
            "head": lambda *e: function("head", xs(*e)),
            "sum": lambda *e: function("sum", xs(*e)),
        }
        return found | ({"folded": folded, "folded too": folded} if len(around) < 3 else {})

    def lists(around: str) -> dict[str, Any]:
        def n(*e: Any) -> Any:
            return term("n", around)(*e)

        def xs(*e: Any) -> Any:
            return term("l", around)(*e)

        def filtered(*e: Any) -> Any:
            sequence = xs(*e)
            mask = da.map_(lambda v: function("is_positive", term("n", around + "n")(*e, v)))(sequence)
            return function("compress", sequence, mask)

        def scanned(*e: Any) -> Any:
            return da.scan(lambda h, v: (term("n", around + "nn")(*e, h, v), h), reverse=True)(n(*e), xs(*e))[1]

        def two_bodies(*e: Any) -> Any:
            def body(a: Any, b: Any, v: Any) -> Any:
                return term("n", "nn")(a, v), term("n", "nn")(b, a), function("add", a, b)

            return da.scan(body, carry=2)(n(*e), constant(e[0]), xs(*e))[2]

        found: dict[str, Any] = {
            "EMPTY": lambda *e: function("take", constant(e[0]), function("pair", constant(e[0]), e[-1])),
            "pair": lambda *e: function("pair", n(*e), n(*e)),
            "reverse": lambda *e: function("reverse", xs(*e)),
            "take": lambda *e: function("take", n(*e), xs(*e)),
        }
        lifted = {
            "mapped": lambda *e: da.map_(lambda v: term("n", around + "n")(*e, v))(xs(*e)),
            "mapped twice": lambda *e: da.map_(lambda a, b: function("add", term("n", "nn")(a, b), b))(xs(*e), xs(*e)),
            "filtered": filtered,
            "scanned": scanned,
            "two bodies": two_bodies,
        }
        return found | (lifted if len(around) < 3 else {})

    kind = random.Random(seed).choice("nl")
    return da.space(lambda x, n: term(kind, "ln")(x, n))


EXAMPLES: Final = [((3, -1, 2), 2), ((), 1), ((5, 0), -1)]
"""Of a list and a number."""


@da.rule
def arithmetic() -> Any:
    """Derive x, 1, a sum or a remainder of two."""
    return da.or_(
        {
            "x": lambda x: x,
            "1": lambda x: da.wrap(lambda: lambda x: 1)()(x),
            "+": lambda x: function("add", arithmetic()(x), arithmetic()(x)),
            "%": lambda x: da.wrap(lambda: lambda a, b: a % b)()(arithmetic()(x), arithmetic()(x)),
        }
    )


@da.space
def expressions(x: Any) -> Any:
    """Have sums and remainders."""
    return arithmetic()(x)


def sized(space: da.SearchSpace, most: int) -> Iterator[tuple[int, da.Architecture]]:
    """Yield every program of at most so many applications of rules, with their number."""
    todo = [space.start()]
    while todo:
        state = todo.pop()
        frames = state._unfolding.frames.values()  # pyright: ignore[reportPrivateUsage]
        size = sum(frame.call is not None and frame.call.module.deepens for frame in frames)
        if size > most:
            continue
        if not state.unassigned:
            yield size, state
        else:
            todo += [state.assign(state.unassigned[0], value) for value in state.unassigned[0].domain.values()]


def by_brute_force(space: da.SearchSpace, examples: Sequence[Any], most: int) -> dict[Any, int]:
    """Return the smallest size of each behaviour that a program of at most some size has."""
    found: dict[Any, int] = {}
    for size, architecture in sized(space, most):
        program = python_backend.build(architecture)
        try:
            key = exact(tuple([program(*example) for example in examples]))
        except FAILURES:
            continue
        found[key] = min(size, found.get(key, size))
    return found
