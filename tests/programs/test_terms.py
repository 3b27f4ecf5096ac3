"""Programs as terms: what is written is read again, on random grammars with odd names and on other spaces."""

from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, TooDeep, UnreadableTerm
from deep_arch.testing import programs, searcher_spaces, supernet_spaces
from deep_arch.testing.random_rules import ODD_NAMES, random_grammar


def _leaf(x: Any) -> Any:
    return ops.Dense(1)(x)


@da.rule
def atom() -> Any:
    return da.or_(
        {
            "Add": lambda x: ops.Add()(atom()(x), atom()(x)),
            "Speed": _leaf,
            "Angle": lambda x: ops.Dense(1, use_bias=da.boolean())(x),
            "Window": lambda x: atom()(ops.Scale(initial=da.integer(1, 9), name="before")(x)),
        },
        hole=_leaf,
    )


net = da.space(lambda x: atom()(x))


def check_round_trip(space: da.SearchSpace, seed: int) -> str:
    architecture = space.sample(seed=seed)
    term = da.text(architecture)
    again = da.parse(term, space)
    assert again == architecture, term
    assert list(again.values) == list(architecture.values)
    assert da.text(again) == term
    return term


@pytest.mark.parametrize("block", range(4))
def test_a_thousand_random_programs_are_read_as_they_were(block: int) -> None:
    terms: set[str] = set()
    for seed in range(50 * block, 50 * block + 50):
        space = random_grammar(seed).limit(max_depth=5)
        terms |= {check_round_trip(space, i) for i in range(5)}
    assert len(terms) > 120


def every_name(name: Any) -> da.SearchSpace:
    fns = {name: lambda x: ops.Dense(da.choice([1, 2], name="units"))(x), "other": ops.ReLU}
    return da.space(lambda x: ops.Add()(da.or_(fns)(x), da.or_(fns)(x)))


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if name is not None], ids=repr)
def test_every_odd_name_is_read_as_it_was(name: Any) -> None:
    space = every_name(name)
    for architecture in space.enumerate():
        assert da.parse(da.text(architecture), space) == architecture


def test_names_that_are_no_words_are_in_quotes() -> None:
    first = {"or.which": "sep 3x3", "or[sep 3x3]/units": 1, "or_1.which": "other"}
    assert da.text(every_name("sep 3x3").at(first)) == '"sep 3x3"(units=1), other'
    names = ("True", True, "1", 1, 2.5, (1, "a"))
    space = da.space(lambda x: da.sequential(*[da.or_({name: ops.ReLU}) for name in names])(x))
    assert da.text(space.sample(seed=0)) == '"True", True, "1", 1, 2.5, (1, a)'


def test_what_has_no_literal_goes_by_its_number() -> None:
    options: list[Any] = [ops.ReLU, {"rate": 0.5}, [1, (2,)], None, float("inf"), {"option": 1}]

    def configured(x: Any) -> Any:
        da.config(kind=da.choice(options))
        return ops.ReLU()(x)

    space = da.space(configured)
    terms = [da.text(each) for each in space.enumerate()]
    assert terms == ["kind=#0", 'kind=#{"rate": 0.5}', "kind=[1, (2,)]", "kind=None", "kind=#4", "kind=#5"]
    assert [da.text(da.parse(term, space)) for term in terms] == terms


SPACES = {
    name: space
    for module in (searcher_spaces, supernet_spaces)
    for name, space in vars(module).items()
    if isinstance(space, da.SearchSpace)
}


@pytest.mark.parametrize("name", SPACES)
def test_any_space_has_terms(name: str) -> None:
    for seed in range(3):
        try:
            check_round_trip(SPACES[name], seed)
        except TooDeep:
            assert name == "recursive"


def test_recorded_programs_have_terms() -> None:
    terms = {check_round_trip(da.space(programs.program_of(programs.whole_plan(seed))), 0) for seed in range(40)}
    assert len(terms) > 20


def test_arguments_are_called_by_what_tells_them_apart() -> None:
    def stack(x: Any) -> Any:
        x = ops.Dense(da.choice([1, 2]))(x)
        return ops.Conv1D(da.choice([1, 2]), da.choice([3, 5]))(ops.Dense(da.choice([1, 2]))(x))

    stacks = da.space(lambda x: da.or_({"stack": stack, "none": ops.ReLU})(x))
    values = {"dense.units": 2, "conv1d.filters": 1, "conv1d.kernel_size": 3, "dense_1.units": 2}
    term = da.text(stacks.at({"or.which": "stack", **{f"or[stack]/{name}": v for name, v in values.items()}}))
    assert term == "stack(dense.units=2, filters=1, kernel_size=3, dense_1.units=2)"
    whole = "stack(dense.units=2, conv1d.filters=1, conv1d.kernel_size=3, dense_1.units=2)"
    assert da.parse(whole, stacks) == da.parse(term, stacks), "a longer name does as well"


def test_what_decides_nothing_is_left_open() -> None:
    pick = {"first": lambda a, b: a, "second": lambda a, b: b}

    def both(x: Any) -> Any:
        given = atom()(x), atom()(x)
        return da.or_(pick)(*given)

    either = da.space(both)
    values = {"atom_1/or.which": "Angle", "atom_1/or[Angle]/dense.use_bias": True, "or.which": "second"}
    term = da.text(either.at(values))
    assert term == "?, Angle(use_bias=True), second"
    assert da.parse(term, either).values == values


def test_partial_programs_and_holes() -> None:
    for term in ("?", "hole", "Add(Angle(use_bias=?), ?)", "Window(initial=?)(hole)"):
        partial = da.parse(term, net)
        assert da.text(partial) == term
        assert net.partial(partial.values) == partial
    assert da.text(da.parse("Add(?, Speed)", net).completed()) == "Add(hole, Speed)"


def test_deep_programs() -> None:
    term = "Window(initial=3)(" * 400 + "Speed" + ")" * 400
    assert da.text(da.parse(term, net)) == term


def test_blanks_and_braces_are_passed_over() -> None:
    spaced = ' {1} Add {of "}" and {these} (\n\tSpeed{0.3*x}\n ,Angle ( use_bias = True ) {} )'
    assert da.text(da.parse(spaced, net)) == "Add(Speed, Angle(use_bias=True))"


# --- what is refused -----------------------------------------------------------------------------------------------

REFUSED = {
    "Add(Speed, Angl)": "column 12: expected one of Add, Speed, Angle, Window.\n    Add(Speed, Angl)\n"
    "               ^\n  Got Angl for atom/or[Add]/atom_1/or.which.\n  Write one of these.  Did you mean 'Angle'?",
    "Add(Speed)": "column 10: expected one more part, one of Add, Speed, Angle, Window.",
    "": "column 1: expected one more part, one of Add, Speed, Angle, Window.\n    \n    ^\n  Got 0 of the program.\n"
    "  Add one for atom/or.which, or ? to leave it open.",
    "Add(Speed, Speed, Speed)": "column 19: expected at most 2 parts in Add.",
    "Speed(Speed)": "column 7: Speed has no parts.",
    "Speed, Speed": "column 8: expected at most 1 parts in the program.",
    "Angle": "column 1: expected use_bias=, which is one of False, True, in Angle.\n    Angle\n    ^\n"
    "  Got no such argument.\n  Add it, or use_bias=? to leave atom/or[Angle]/dense.use_bias open.",
    "Angle(bias=True)": "column 7: expected one of use_bias.\n    Angle(bias=True)\n          ^\n  Got bias=.\n"
    "  Each is given once.  Did you mean 'use_bias'?",
    "Angle(use_bias=True, use_bias=True)": "column 22: expected one of use_bias.",
    "Speed(units=3)": "column 7: Speed has no arguments.",
    "Window(initial=77)(Speed)": "column 16: expected an integer from 1 to 9.",
    "Add(Speed, Speed": "column 17: expected a comma or a closing parenthesis.\n    Add(Speed, Speed\n"
    "                    ^\n  Got the end of the text.",
    "Add(Speed, Speed))": "column 18: expected a comma or the end.",
    "Add(Speed Speed)": "column 11: expected a comma or a closing parenthesis.",
    "Add(,)": "column 5: expected the name of a production or argument, or a value.",
    "Add(\n  Speed,\n  Sped)": "line 3, column 3: expected one of Add, Speed, Angle, Window.\n      Sped)\n      ^",
    'Add("Spe': "column 5: expected the name of a production",
    "#": "column 1: expected the number of an option after #.",
    "Add{": "column 4: expected a closing brace.",
    "(1, (2": "column 7: expected a comma or a closing parenthesis",
}


@pytest.mark.parametrize("term", REFUSED)
def test_errors_show_where_and_what_was_expected(term: str) -> None:
    with pytest.raises(UnreadableTerm) as caught:
        da.parse(term, net)
    assert str(caught.value).startswith(f"parse, {REFUSED[term]}")


def test_a_missing_argument_is_named_before_the_parts_that_it_leads_to() -> None:
    maybe = da.space(lambda x: da.optional(atom)(x))
    with pytest.raises(UnreadableTerm, match="expected use=, which is one of False, True, in the program"):
        da.parse("Speed", maybe)
    assert da.text(da.parse("use=True, Speed", maybe)) == "use=True, Speed"


def test_sub_spaces_refuse_what_is_outside() -> None:
    term = "Add(Speed, Add(Speed, Speed))"
    with pytest.raises(UnreadableTerm, match=r"column 12: atom/or\[Add\]/atom_1/or.which: 'Add' is not(.|\n)*not in <"):
        da.parse(term, net.limit(2))
    with pytest.raises(UnreadableTerm, match=r"column 1: atom/or.which: 'Add' is not one of \('Speed'\)"):
        da.parse(term, net.fix({"atom/or.which": "Speed"}))
    assert da.parse("Speed", net.fix({"atom/or.which": "Speed"})).values == {"atom/or.which": "Speed"}
    assert da.parse(term, net.limit(3)).space.restrictions.max_depth == 3


def test_arguments_of_other_kinds_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"text: expected an architecture.\n  Got 'Speed' \(str\)"):
        da.text("Speed")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"parse: expected a term as a text.\n  Got 3 \(int\)"):
        da.parse(3, net)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"parse: expected the space of the term"):
        da.parse("Speed", "net")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_whatever_is_written_is_read_or_refused_by_us() -> None:
    rng, refused = random.Random(0), 0
    terms = ['Add(Window(initial=3)(Speed), Angle(use_bias=True){0.3*"x"})', '#0, [1, (2,)], "a\\n", -2.5e3, ?']
    for _ in range(3000):
        letters = list(rng.choice(terms))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(letters))
            letters[at : at + rng.randint(0, 3)] = rng.choice(["", *'(),"{}#[]=?1'])
        try:
            da.parse("".join(letters), net)
        except UnreadableTerm:
            refused += 1
    assert refused > 2000
