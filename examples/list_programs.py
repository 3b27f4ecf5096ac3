"""Find programs over lists from examples, by bottom-up enumeration; about a minute on one core.

    python examples/list_programs.py

The language is a grammar of rules in words of our own, after the public description of DeepCoder's (Balog et al.,
DeepCoder: learning to write programs, 2017). A program is found from five examples, and of terms that give equal
answers on all of them only the first goes on: the first table shows what that saves. The second has tasks for functions
that read what is around them. There the fixed functions of `map`, `filter` and others are exchanged for lambdas, whose
bodies are terms like all others; the same tasks are tried with the fixed ones, for ten times as long or until a million
terms are held.
"""

from __future__ import annotations

import functools
import itertools
import operator
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import deep_arch as da
from deep_arch.backends import python_backend
from deep_arch.searchers import DistinctPrograms

Numbers = tuple[int, ...]

EXAMPLES: list[Numbers] = [
    (3, -1, 4, 1, -5, 9),
    (2, 7, -1, 8),
    (6, -3, 2, 2, -8, 1, 5),
    (-4, 10, 3, -6, 3),
    (12, 5, -2, 7, 4),
]
"""What programs are run on. Each task says what they are to give."""

# --- the words -------------------------------------------------------------------------------------------------------


def short(of: Callable[[int, int], int]) -> Callable[[int, int], int]:
    """Return arithmetic without numbers of seven digits, which no task needs and loops soon make."""

    def bounded(a: int, b: int) -> int:
        if abs(result := of(a, b)) >= 1_000_000:
            raise OverflowError("seven digits")
        return result

    return bounded


def natural(n: int) -> int:
    """Return a number of elements."""
    if n < 0:
        raise ValueError("fewer than none")
    return n


def mapping(of: Callable[..., int]) -> Callable[..., Numbers]:
    """Return what applies a function to each element of a list, or to those of several."""
    return lambda *lists: tuple(map(of, *lists))


def filtering(test: Callable[[int], bool]) -> Callable[[Numbers], Numbers]:
    """Return what keeps the elements that a test holds for."""
    return lambda xs: tuple(filter(test, xs))


def counting(test: Callable[[int], bool]) -> Callable[[Numbers], int]:
    """Return what counts the elements that a test holds for."""
    return lambda xs: sum(map(test, xs))


def scanning(of: Callable[[int, int], int]) -> Callable[[Numbers], Numbers]:
    """Return what combines each element with what came of those before."""
    return lambda xs: tuple(itertools.accumulate(xs, of))


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": short(operator.add),
    "-": short(operator.sub),
    "*": short(operator.mul),
    "min": min,
    "max": max,
}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {"<": operator.lt, "=": operator.eq}
CHANGES: dict[str, Callable[[int], int]] = {
    "+1": lambda v: v + 1,
    "-1": lambda v: v - 1,
    "*2": lambda v: v * 2,
    "*3": lambda v: v * 3,
    "*4": lambda v: v * 4,
    "/2": lambda v: v // 2,
    "squared": lambda v: v * v,
    "negated": operator.neg,
}
TESTS: dict[str, Callable[[int], bool]] = {
    "positive": lambda v: v > 0,
    "negative": lambda v: v < 0,
    "even": lambda v: v % 2 == 0,
    "odd": lambda v: v % 2 == 1,
}
TO_NUMBER: dict[str, Callable[[Numbers], int]] = {
    "first": lambda xs: xs[0],
    "last": lambda xs: xs[-1],
    "minimum": min,
    "maximum": max,
    "sum": sum,
    "length": len,
    "mean": lambda xs: sum(xs) // len(xs),
}
TO_LIST: dict[str, Callable[[Numbers], Numbers]] = {
    "reverse": lambda xs: xs[::-1],
    "sort": lambda xs: tuple(sorted(xs)),
}
OF_NUMBER: dict[str, Callable[[int, Numbers], Numbers]] = {
    "take": lambda n, xs: xs[: natural(n)],
    "drop": lambda n, xs: xs[natural(n) :],
}
FIXED_TO_NUMBER: dict[str, Callable[[Numbers], int]] = {f"count {name}": counting(of) for name, of in TESTS.items()}
FIXED_TO_LIST: dict[str, Callable[[Numbers], Numbers]] = {
    **{f"map {name}": mapping(of) for name, of in CHANGES.items()},
    **{f"filter {name}": filtering(of) for name, of in TESTS.items()},
    **{f"scan {name}": scanning(of) for name, of in ARITHMETIC.items()},
}
FIXED_OF_TWO: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    f"zip {name}": mapping(of) for name, of in ARITHMETIC.items()
}
WORDS: Mapping[str, Callable[..., Any]] = {
    "0": lambda _: 0,
    "1": lambda _: 1,
    "2": lambda _: 2,
    "kept": lambda xs, mask: tuple(itertools.compress(xs, mask)),
    "number": sum,
    **(ARITHMETIC | COMPARISONS | TESTS | TO_NUMBER | TO_LIST | OF_NUMBER),
    **(FIXED_TO_NUMBER | FIXED_TO_LIST | FIXED_OF_TWO),
}


def meaning(word: str) -> Callable[..., Any]:
    """Return what a word does."""
    return WORDS[word]


def say(word: str, *values: da.Value) -> da.Value:
    """Apply a word to values."""
    return da.wrap(meaning)(word=word)(*values)


# --- the language with fixed functions -------------------------------------------------------------------------------


def of_terms(words: Mapping[str, Any], *rules: Callable[[], Any]) -> dict[str, Any]:
    """Return productions: each word applied to a term of each rule, all on the same values."""
    return {word: lambda *e, word=word: say(word, *[rule()(*e) for rule in rules]) for word in words}


@da.rule
def number() -> Any:
    return da.or_({**of_terms(TO_NUMBER | FIXED_TO_NUMBER, numbers), **constants("1", "2")})


@da.rule
def numbers() -> Any:
    of_lists = of_terms(TO_LIST | FIXED_TO_LIST, numbers)
    return da.or_(
        {
            "x": lambda x: x,
            **of_lists,
            **of_terms(OF_NUMBER, number, numbers),
            **of_terms(FIXED_OF_TWO, numbers, numbers),
        }
    )


def constants(*words: str) -> dict[str, Any]:
    """Return productions without rules inside."""
    return {word: lambda *e, word=word: say(word, e[0]) for word in words}


# --- and with lambdas ------------------------------------------------------------------------------------------------


@da.rule
def value() -> Any:
    """Derive a number outside of lambdas, from the list x."""
    return da.or_({**of_terms(TO_NUMBER, values), **constants("0", "1", "2"), "count": count, "fold": fold})


@da.rule
def values() -> Any:
    """Derive a list."""
    lambdas: dict[str, Any] = {"map": map_, "filter": filter_, "scan": scan, "zip": zip_}
    return da.or_({"x": lambda x: x, **of_terms(TO_LIST, values), **of_terms(OF_NUMBER, value, values), **lambdas})


@da.rule
def local(names: str) -> Any:
    """Derive a number inside of lambdas, from local variables and the list x."""
    variables = {name: lambda *e, i=i: e[i] for i, name in enumerate(names)}
    inner = {"count": lambda *e: count(*e, names=names)} if len(names) == 1 else {}
    outer = {"outer": lambda *e: value()(e[-1])}
    own = of_terms(ARITHMETIC, lambda: local(names), lambda: local(names))
    return da.or_({**variables, **constants("0", "1"), **outer, **own, **inner})


@da.rule
def truth(names: str) -> Any:
    """Derive whether something holds, from local variables and the list x."""
    tests = of_terms({"even": None}, lambda: local(names))
    return da.or_({**tests, **of_terms(COMPARISONS, lambda: local(names), lambda: local(names))})


def map_(x: da.Value) -> Any:
    """v => local, on each element."""
    return da.map_(lambda v: local("v")(v, x))(values()(x))


def filter_(x: da.Value) -> Any:
    """v => truth, of which elements to keep."""
    elements = values()(x)
    return say("kept", elements, da.map_(lambda v: truth("v")(v, x))(elements))


def count(*around: da.Value, names: str = "") -> Any:
    """Count the elements w of x for which a truth holds, also where another lambda has a variable."""
    return say("number", da.map_(lambda w: truth("w" + names)(w, *around))(around[-1]))


def fold(x: da.Value) -> Any:
    """(h, v) => local, the next h, along a list; the last one."""
    return da.scan(lambda h, v: local("hv")(h, v, x))(value()(x), values()(x))


def scan(x: da.Value) -> Any:
    """(h, v) => local, the next h, along a list; all of them."""

    def body(h: da.Value, v: da.Value) -> Any:
        new = local("hv")(h, v, x)
        return new, new

    return da.scan(body)(value()(x), values()(x))[1]


def zip_(x: da.Value) -> Any:
    """(v, w) => local, on the elements of two lists."""
    return da.map_(lambda v, w: local("vw")(v, w, x))(values()(x), values()(x))


SPACES = {
    ("fixed", int): da.space(lambda x: number()(x)),
    ("fixed", tuple): da.space(lambda x: numbers()(x)),
    ("lambdas", int): da.space(lambda x: value()(x)),
    ("lambdas", tuple): da.space(lambda x: values()(x)),
}
"""By what the functions of words are, and what a program gives."""

# --- the tasks -------------------------------------------------------------------------------------------------------


def running(step: Callable[[int, int], int], first: int = 0) -> Callable[[Numbers], Numbers]:
    """Return what gives the states of a loop."""
    return lambda xs: tuple(itertools.accumulate(xs, step, initial=first))[1:]


FIXED_TASKS: dict[str, Callable[[Numbers], Any]] = {
    "sum of the positive": lambda xs: sum(v for v in xs if v > 0),
    "largest even": lambda xs: max(v for v in xs if v % 2 == 0),
    "range": lambda xs: max(xs) - min(xs),
    "squares, largest first": lambda xs: tuple(sorted((v * v for v in xs), reverse=True)),
    "running maximum of sizes": lambda xs: running(max)(tuple(map(abs, xs))),
    "sums with the reverse": lambda xs: tuple(map(sum, zip(xs, xs[::-1], strict=True))),
    "without as many as are odd": lambda xs: xs[sum(v % 2 for v in xs) :],
    "doubled but the smallest": lambda xs: tuple(2 * v for v in sorted(xs)[1:]),
    "two smallest positive": lambda xs: sum(sorted(v for v in xs if v > 0)[:2]),
}
LOCAL_TASKS: dict[str, Callable[[Numbers], Any]] = {
    "how many above the mean": lambda xs: sum(v > sum(xs) // len(xs) for v in xs),
    "only those above the mean": lambda xs: tuple(v for v in xs if v > sum(xs) // len(xs)),
    "rank of each": lambda xs: tuple(sum(w < v for w in xs) for v in xs),
    "running sum, never negative": running(lambda h, v: max(h + v, 0)),
    "alternating sum": lambda xs: functools.reduce(lambda h, v: v - h, xs, 0),
}
"""Those of the second table need what a lambda reads: a number of the whole list, another variable, a state."""

# --- searching -------------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """What a search came to.

    Attributes:
        size: of the program, in applications of rules; 0 where none was found.
        term: the program, as text.
        tried: how many terms were run.
        seconds: of CPU time.
    """

    size: int
    term: str
    tried: int
    seconds: float


def search(functions: str, task: Callable[[Numbers], Any], merge: bool = True, seconds: float = 60.0) -> Result:
    """Return the smallest program that does a task on the examples, checked by running it as a program of its own."""
    outputs = tuple(map(task, EXAMPLES))
    space = SPACES[functions, type(outputs[0])]
    began = time.process_time()
    programs = DistinctPrograms(space, EXAMPLES, merge=merge)
    for program in programs:
        if program.answers == outputs:
            taken, architecture = time.process_time() - began, space.at(program.values)
            assert tuple(map(python_backend.build(architecture), EXAMPLES)) == outputs, "a program does what was found"
            return Result(program.size, text(architecture.values), programs.tried, taken)
        if time.process_time() - began > seconds:
            break
    return Result(0, "", programs.tried, time.process_time() - began)


def text(values: Mapping[str, Any], prefix: str = "") -> str:
    """Return a term as text, from its words by address."""
    within = {address: word for address, word in values.items() if address.startswith(prefix)}
    below = {address: f"{address.removesuffix('.which')}[{word}]/" for address, word in within.items()}
    top = [address for address in within if not address.startswith(tuple(below.values()))]
    inner = [text(within, below[address]) for address in top]
    return " ".join([f"({within[a]} {i})" if i else str(within[a]) for a, i in zip(top, inner, strict=True)])


def main() -> None:
    """Search for all tasks, and print two tables."""
    print(f"{'fixed functions':<29}size{'tried':>10}{'s':>7}{'unmerged':>12}{'s':>7}  program")
    for name, task in FIXED_TASKS.items():
        merged, unmerged = search("fixed", task), search("fixed", task, merge=False)
        more = "" if unmerged.size else ">"
        counts = (
            f"{merged.tried:>10,}{merged.seconds:>7.2f}{more + format(unmerged.tried, ','):>12}{unmerged.seconds:>7.2f}"
        )
        print(f"{name:<29}{merged.size:>4}{counts}  {merged.term}", flush=True)
    print(f"\n{'lambdas':<29}size{'tried':>10}{'s':>7}{'fixed':>12}{'s':>7}  program")
    for name, task in LOCAL_TASKS.items():
        found = search("lambdas", task)
        fixed = search("fixed", task, seconds=10 * found.seconds)
        counts = f"{found.tried:>10,}{found.seconds:>7.2f}{'found' if fixed.size else 'none':>12}{fixed.seconds:>7.2f}"
        print(f"{name:<29}{found.size:>4}{counts}  {found.term}", flush=True)


if __name__ == "__main__":
    main()
