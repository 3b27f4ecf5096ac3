"""Bottom-up enumeration finds each distinct behaviour once, at its smallest size, as trying every program does."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import BadArgument, NotCountable, NotSpecified, NotSupported
from deep_arch.searchers import BottomUp, DistinctPrograms
from deep_arch.searchers.parts.columns import FAILURES
from deep_arch.searchers.parts.exact import exact
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES


def as_text(module: da.Module) -> Callable[..., Any]:
    """Let an operation give what it is and what it is called on, so that all programs differ."""
    return lambda *values: (repr(module), *values)


class TestBottomUp(SearcherContract):
    refused = ("decided_by_shapes", "some")

    def make(self) -> BottomUp:
        return BottomUp(["x"], meaning=as_text)


def test_it_says_why_it_refuses_a_space() -> None:
    for name, error, text in [
        ("decided_by_shapes", NotSpecified, "depends on the shape of a value(.|\n)*Give it a number"),
        ("some", NotSpecified, "is left open(.|\n)*Keep it in `where`"),
    ]:
        with pytest.raises(error, match=text):
            list(DistinctPrograms(SPACES[name], ["x"], meaning=as_text))


# --- random grammars -----------------------------------------------------------------------------------------------


def _head(xs: Any) -> Any:
    return xs[0]


FUNCTIONS: dict[str, Callable[..., Any]] = {
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
    return da.wrap(lambda of: FUNCTIONS[of], outputs=2 if name == "both" else 1)(of=name)(*values)


def constant(x: Any) -> Any:
    return da.wrap(lambda n: lambda x: n)(n=da.choice([0, 2, True]))(x)


def grammar(seed: int) -> da.SearchSpace:
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


EXAMPLES = [((3, -1, 2), 2), ((), 1), ((5, 0), -1)]
"""Of a list and a number."""


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


def bottom_up(space: da.SearchSpace, examples: Sequence[Any], most: int) -> dict[Any, int]:
    """Return the size of each behaviour that is found, and check that it is what the program does."""
    found: dict[Any, int] = {}
    for program in DistinctPrograms(space, examples if len(space.inputs) > 1 else [x for (x,) in examples]):
        if program.size > most:
            break
        built = python_backend.build(space.at(program.values))
        key = exact(program.answers)
        assert key == exact(tuple([built(*example) for example in examples])), program
        assert key not in found, program
        found[key] = program.size
    return found


@pytest.mark.parametrize("seed", range(int(os.environ.get("OBS_FROM", "0")), int(os.environ.get("OBS_TO", "24"))))
def test_each_behaviour_is_found_once_at_its_smallest_size(seed: int) -> None:
    space = grammar(seed)
    most = next(n for n in itertools.count(3) if n == 9 or len(list(itertools.islice(sized(space, n + 1), 400))) == 400)
    assert bottom_up(space, EXAMPLES, most) == by_brute_force(space, EXAMPLES, most)


def test_bodies_are_met_within_bodies() -> None:
    """A map in a map, whose body reads the other's variable and the outermost input."""

    @da.rule
    def number(around: int) -> Any:
        names = {f"v{i}": lambda *e, i=i: e[i] for i in range(around)}
        sums = {"add": lambda *e: function("add", number(around)(*e), number(around)(*e))}
        inner = {"sum": lambda *e: function("sum", numbers(around)(*e))}
        return da.or_({**names, **sums, **inner} if around < 3 else {**names, **sums})

    @da.rule
    def numbers(around: int) -> Any:
        mapped = {"map": lambda *e: da.map_(lambda v: number(around + 1)(v, *e))(numbers(around)(*e))}
        return da.or_({"xs": lambda *e: e[-1], **mapped})

    space = da.space(lambda xs: numbers(0)(xs))
    examples = [(1, 2, 4), (3,), ()]
    wanted = [tuple(sum(v + w for w in xs) for v in xs) for xs in examples]
    found = next(DistinctPrograms(space, examples).matching(wanted))
    assert [*found.values.values()] == ["map", "xs", "sum", "map", "xs", "add", "v0", "v1"] and found.size == 8
    assert bottom_up(space, [[xs] for xs in examples], 6) == by_brute_force(space, [[xs] for xs in examples], 6)


def test_a_state_that_only_later_frames_tell_apart() -> None:
    """Bodies are told apart on states that none of them begins with."""

    @da.rule
    def state() -> Any:
        def late(h: Any, v: Any) -> Any:
            return da.wrap(lambda: lambda h, v: -100 if h == 6 else h + v)()(h, v)

        return da.or_({"sum": lambda h, v: function("add", h, v), "late": late, "unit": lambda h, v: state()(h, v)})

    space = da.space(lambda h, xs: da.scan(lambda h, v: state()(h, v))(h, xs))
    found = [(p.size, p.answers) for p in DistinctPrograms(space, [(0, (1, 2, 3)), (0, (1, 2, 3, 4)), (0, (2, 4, 1))])]
    assert found == [(1, (6, 10, 7)), (1, (6, -100, -100))]


# --- what is compared ----------------------------------------------------------------------------------------------


def one_of(*options: Any) -> da.SearchSpace:
    """Return a space that gives one of some values."""

    @da.rule
    def term() -> Any:
        given = [da.wrap(lambda i: lambda x: options[i]) for _ in options]
        return da.or_([lambda x, i=i, of=of: of(i=i)(x) for i, of in enumerate(given)])

    return da.space(lambda x: term()(x))


def test_answers_are_compared_exactly() -> None:
    numpy = pytest.importorskip("numpy")
    nan, ones = float("nan"), numpy.ones(3)
    groups: list[list[Any]] = [
        [1, 1],
        [True],
        [1.0, 1.0],
        [numpy.int64(1)],
        [0.0],
        [-0.0],
        [nan, -nan],
        [(1, 2), (1, 2)],
        [[1, 2], [1, 2]],
        [(1, True), (1, True)],
        [(1, 1)],
        [{"a": [1]}, {"a": [1]}],
        [{1, 2}, {2, 1}],
        ["ab", "".join(["a", "b"])],
        [ones, ones.copy()],
        [ones.astype("float32")],
        [ones.reshape(3, 1)],
        [numpy.array([1, "a"], dtype=object), numpy.array([1, "a"], dtype=object)],
        [range(3), range(0, 3, 1)],
        [bytearray(b"a"), bytearray(b"a")],
        [None],
    ]
    programs = DistinctPrograms(one_of(*[value for group in groups for value in group]), [0])
    found = [exact(program.answers[0]) for program in programs]
    assert found == [exact(group[0]) for group in groups]


def test_what_cannot_be_compared_is_told() -> None:
    class Opaque:
        __hash__ = None  # type: ignore[assignment]

        def __reduce__(self) -> Any:
            raise TypeError("opaque")

    with pytest.raises(BadArgument, match=r"expected answers that can be compared(.|\n)*Got(.|\n)*__hash__"):
        list(DistinctPrograms(one_of(Opaque()), [0]))


def test_another_error_of_an_operation_goes_through() -> None:
    space = da.space(lambda x: da.wrap(lambda: lambda x: x + "a")()(x))
    with pytest.raises(TypeError, match="unsupported operand"):
        list(DistinctPrograms(space, [1]))


# --- how an enumeration ends ---------------------------------------------------------------------------------------


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


def test_it_ends_where_there_are_no_further_behaviours() -> None:
    """An infinite grammar of finitely many behaviours, of which some wait for long chains of rules."""

    @da.rule
    def truth() -> Any:
        both = da.wrap(lambda: lambda a, b: a and b)
        no = da.wrap(lambda: lambda a: not a)
        chain = {"chain": lambda a, b: link(6)(a, b)}
        return da.or_(
            {
                "a": lambda a, b: a,
                "not": lambda a, b: no()(truth()(a, b)),
                "and": lambda a, b: both()(truth()(a, b), truth()(a, b)),
                **chain,
            }
        )

    @da.rule
    def link(n: int) -> Any:
        return (lambda a, b: link(n - 1)(a, b)) if n else (lambda a, b: b)

    space = da.space(lambda a, b: truth()(a, b))
    found = list(DistinctPrograms(space, list(itertools.product([False, True], repeat=2))))
    assert len({program.answers for program in found}) == len(found) == 16
    assert [program.size for program in found][:3] == [1, 2, 4]


def test_it_ends_with_a_finite_space_and_where_no_program_matches() -> None:
    limited = expressions.limit(2)
    assert bottom_up(limited, [[1], [3]], 99) == by_brute_force(limited, [[1], [3]], 99)
    assert not list(DistinctPrograms(limited, [1, 3]).matching([7, 9]))


def test_no_more_terms_are_held_than_allowed() -> None:
    programs = DistinctPrograms(expressions, [1, 3, 8], most=50)
    found = list(programs)
    assert 10 < len(found) < programs.kept <= 50 and list(programs.matching([0, 0, 1])) == []
    searcher = BottomUp([1, 3, 8], most=50)
    searcher.start(expressions, random.Random(0))
    assert len(list(iter(searcher.ask, None))) == len(found) and searcher.ask() is None


def test_merging_halves_what_is_tried_at_least() -> None:
    sizes = {}
    for merge in (True, False):
        programs = DistinctPrograms(expressions, [2, 5, 11], merge=merge)
        for program in programs:
            if program.size > 5:
                break
        sizes[merge] = programs.tried
    assert sizes[True] < sizes[False] / 2


def test_unmerged_it_yields_every_program() -> None:
    programs = DistinctPrograms(expressions.limit(3), [1, 4], merge=False)  # and does so again
    assert len({tuple(program.values.items()) for program in programs}) == len(list(programs))
    run = [p for _, a in sized(expressions.limit(3), 99) if (p := _outcome(a, [1, 4])) is not None]
    assert sorted(run) == sorted(program.answers for program in programs)


def _outcome(architecture: da.Architecture, examples: list[Any]) -> Any:
    program = python_backend.build(architecture)
    try:
        return tuple([program(example) for example in examples])
    except FAILURES:
        return None


# --- the searcher --------------------------------------------------------------------------------------------------


def test_its_first_proposal_solves_the_task_and_is_the_last() -> None:
    search = da.search(expressions, BottomUp([1, 2, 7], [2, 5, 15]), trials=10)
    for trial in search:
        program = python_backend.build(trial.architecture)
        trial.tell(float([program(x) for x in (1, 2, 7)] == [2, 5, 15]))
    assert [trial.scores for trial in search.trials] == [(1.0,)]


def test_examples_by_name_and_in_order() -> None:
    space = da.space(lambda a, b: function("add", a, b))
    for inputs in ([(1, 2), (3, 4)], [{"b": 2, "a": 1}, {"a": 3, "b": 4}]):
        assert [program.answers for program in DistinctPrograms(space, inputs)] == [(3, 7)]
    for wrong in ([(1, 2, 3)], [(1,)], [{"a": 1, "c": 2}], [5]):
        with pytest.raises(BadArgument, match=r"each example to have 2 values(.|\n)*Got(.|\n)*Give it a and b"):
            DistinctPrograms(space, wrong)
    with pytest.raises(BadArgument, match=r"inputs: expected a list of examples(.|\n)*Got 5 "):
        DistinctPrograms(space, 5)  # type: ignore[arg-type]


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(BadArgument, match="2 outputs, one for each example"):
        BottomUp([1, 2], [1])
    with pytest.raises(BadArgument, match="most is an int of at least 1"):
        BottomUp([1], most=0)
    with pytest.raises(BadArgument, match="meaning is a function"):
        BottomUp([1], meaning=5)  # type: ignore[arg-type]


def test_configuration_takes_its_first_value() -> None:
    @da.space
    def net(x: Any) -> Any:
        da.config(rate=da.real(0.25, 0.5), kind=da.choice(["a", "b"]))
        return function("negate", x)

    assert [dict(p.values) for p in DistinctPrograms(net, [1])] == [{"rate": 0.25, "kind": "a"}]


def test_fixed_choices_hold_where_they_are() -> None:
    address = "arithmetic/or[+]/arithmetic/or.which"
    for space in (expressions.fix({address: "1"}).limit(3), expressions.fix({address: "%"}).limit(3)):
        assert bottom_up(space, [[2], [5]], 99) == by_brute_force(space, [[2], [5]], 99)


# --- what it refuses -----------------------------------------------------------------------------------------------


def refusal(space: da.SearchSpace, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        list(DistinctPrograms(space, [1, 2]))


def test_it_refuses_what_it_cannot_run() -> None:
    refusal(da.space(lambda x: ops.Dense(8)(x)), NotSupported, "dense: has no meaning(.|\n)*Got(.|\n)*meaning=fn")
    real = da.space(lambda x: da.wrap(lambda n: lambda x: n)(n=da.real(0, 1))(x))
    refusal(real, NotCountable, "too many values to try each(.|\n)*Got(.|\n)*discretize")
    assert len(list(DistinctPrograms(real.discretize(3), [1]))) == 3

    @da.rule
    def endless() -> Any:
        return lambda x: da.or_([lambda x: endless()(x), lambda x: function("negate", endless()(x))])(x)

    refusal(da.space(lambda x: endless()(x)), NotCountable, "endless: has no term that ends")


def test_it_refuses_rules_that_depend_on_their_surroundings() -> None:
    @da.space
    def capturing(x: Any) -> Any:
        y = function("negate", x)

        @da.rule
        def term() -> Any:
            return da.or_([lambda v: function("add", v, y), lambda v: function("add", v, x), lambda v: v])

        return term()(x)

    refusal(capturing, NotSupported, r"term: the rule reads what is around it(.|\n)*Got(.|\n)*term\(\)\(x, a value\)")

    @da.space
    def sharing(x: Any) -> Any:
        n = da.choice([1, 2], name="n")

        @da.rule
        def term() -> Any:
            return da.or_([lambda v: v, lambda v: da.wrap(lambda n: lambda v: n + v)(n=n)(term()(v))])

        return term()(x)

    refusal(sharing, NotSupported, "n: is shared by applications of rules(.|\n)*space.fix")
    found = list(itertools.islice(DistinctPrograms(sharing.fix({"n": 2}), [1, 5]), 3))
    assert [program.answers for program in found] == [(1, 5), (3, 7), (5, 9)]

    @da.space
    def tied(x: Any) -> Any:
        term = arithmetic()
        return function("add", term(x), term(function("negate", x)))

    refusal(tied, NotSupported, "arithmetic: one use of a rule is called on several values(.|\n)*Got two calls")
