"""Each distinct behaviour is found once, at its smallest size, as trying every program finds it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import BadArgument
from deep_arch.searchers import DistinctPrograms
from deep_arch.searchers.parts.columns import FAILURES
from deep_arch.searchers.parts.exact import exact
from deep_arch.testing.random_grammars import EXAMPLES, by_brute_force, expressions, function, random_grammar, sized


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


@pytest.mark.parametrize("seed", range(24))
def test_each_behaviour_is_found_once_at_its_smallest_size(seed: int) -> None:
    space = random_grammar(seed)
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


# --- parts of a space ---------------------------------------------------------------------------------------------


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


def test_neutral_operations_mean_what_the_python_backend_runs() -> None:
    @da.rule
    def number() -> Any:
        pairs = {kind.__name__: kind for kind in (ops.Add, ops.Subtract, ops.Multiply, ops.Maximum, ops.Minimum)}
        kinds: dict[str, Any] = {
            name: lambda *x, kind=kind: kind()(number()(*x), number()(*x)) for name, kind in pairs.items()
        }
        kinds["Where"] = lambda *x: ops.Where(hard=True)(number()(*x), number()(*x), number()(*x))
        return da.or_({"x": lambda x, y: x, "y": lambda x, y: y, "ReLU": lambda *x: ops.ReLU()(number()(*x)), **kinds})

    space = da.space(lambda x, y: number()(x, y))
    examples = [(1.0, -2.0), (-3.0, 0.5), (4.0, 4.0)]
    found = list(itertools.islice(DistinctPrograms(space, examples), 400))
    assert {"Where", "Maximum", "ReLU"} <= {value for program in found for value in program.values.values()}
    for program in found:
        run = python_backend.build(space.at(program.values))
        assert program.answers == tuple([run(*example) for example in examples])
