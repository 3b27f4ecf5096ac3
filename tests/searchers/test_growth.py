from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends.torch_backend import stacks
from deep_arch.errors import BadArgument
from deep_arch.searchers import Growth, Move, Origin, Swap
from deep_arch.searchers.parts.moves import grown_by
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.program_language import language
from deep_arch.testing.program_tasks import GROUPS, WINDOWS, program_task
from deep_arch.testing.searcher_contract import SearcherContract

LEAVES = list(GROUPS)
MOVES = [
    Move("Add", keep=0, fresh=LEAVES),
    Move("Multiply", keep=0, fresh=LEAVES, start={"kernel": 0.0, "bias": 1.0}),
    Move("ITE", keep=(1, 2), fresh=LEAVES, start={"kernel": 0.5, "bias": 0.0}),
]
SPACE = language(GROUPS, WINDOWS)


class TestGrowth(SearcherContract):
    def make(self) -> Growth:
        return Growth([Move("sum", keep=0, fresh=["leaf"])], beam=2, first=6, most=8)


def started(space: da.SearchSpace = SPACE, **options: Any) -> Growth:
    searcher = Growth(options.pop("moves", MOVES), **options)
    searcher.start(space, random.Random(0))
    return searcher


def test_the_first_round_are_the_smallest_programs() -> None:
    searcher = started()
    asked = [searcher.ask() for _ in range(30)]
    assert searcher.ask() is None, "30 trials are out"
    terms = [da.text(SPACE.at(values)) for values in asked if values]
    assert terms[0] == "Last4(Speed)" and terms[-1] == "Fold(Size)" and len(set(terms)) == 30
    assert all(searcher.origin(values) is None for values in asked if values)


def test_many_smallest_programs_are_drawn() -> None:
    searcher = started(first=5)
    assert len(list(iter(searcher.ask, None))) == 5


def second_round(best: str, **options: Any) -> tuple[Growth, dict[str, Values]]:
    """Return a searcher after its first round, in which one program is the best, and what it proposes next."""
    searcher = started(**options)
    for number, values in enumerate(list(iter(searcher.ask, None))):
        gain = 1.0 if da.text(SPACE.at(values)) == best else 0.0
        searcher.tell(FinishedTrial(number, values, (gain,)))
    return searcher, {da.text(SPACE.at(values)): values for values in iter(searcher.ask, None)}


def test_the_best_grow_in_every_place_by_every_move() -> None:
    _, grown = second_round("Last4(Turn)", beam=1)
    assert sorted(grown) == sorted(
        [f"Last4({name}(Turn, {leaf}))" for name in ("Add", "Multiply") for leaf in LEAVES]
        + [f"Last4(ITE({leaf}, Turn, Turn))" for leaf in LEAVES]
    )
    searcher, _ = second_round("Fold(Turn)", beam=1)
    values = {"sequence/or.which": "Fold"}
    place = "sequence/or[Fold]/scan/atom/"
    values |= {
        f"{place}or.which": "Add",
        f"{place}or[Add]/atom/or.which": "Turn",
        f"{place}or[Add]/atom_1/or.which": "Size",
    }
    origin = searcher.origin(values)
    assert origin is not None and origin.place == place and origin.moved == ((place, f"{place}or[Add]/atom/"),)
    assert dict(origin.start) == {f"{place}or[Add]/atom_1/*.kernel": 0.0, f"{place}or[Add]/atom_1/*.bias": 0.0}


def test_productions_are_swapped_with_their_arguments() -> None:
    moves = [Swap(["Last4", "Whole", "Fold"]), Swap(["Turn", "Size"]), Swap(["Speed", "Add"])]
    _, grown = second_round("Last4(Turn)", beam=1, moves=moves[:2])
    assert not grown, "all were among the smallest"
    program = da.parse("Last4(ITE(Turn, Speed, Touch))", SPACE)
    found = {da.text(SPACE.at(p.values)): p for p in grown_by(SPACE, program.values, 7, moves, random.Random(0))}
    added = [name for name in found if name.startswith("Last4(ITE(Turn, Add(")]
    assert len(added) == 1, "what is new is drawn"
    assert sorted(found) == sorted(
        ["Whole(ITE(Turn, Speed, Touch))", "Fold(ITE(Turn, Speed, Touch))", "Last4(ITE(Size, Speed, Touch))", *added]
    )
    origin = found["Whole(ITE(Turn, Speed, Touch))"].origin
    assert origin is not None and origin.parent == 7
    assert origin.moved == (("sequence/or[Last4]/atom/", "sequence/or[Whole]/atom/"),)
    known = {"sequence/or[Last4]/atom/or[ITE]/atom/or[Turn]/dense.bias": 2.0, "sequence/or[Last4]/own.bias": 1.0}
    assert origin.weights(known) == {"sequence/or[Whole]/atom/or[ITE]/atom/or[Turn]/dense.bias": 2.0}
    origin = found["Last4(ITE(Size, Speed, Touch))"].origin
    assert origin is not None and origin.moved == () and not origin.start


def test_arguments_are_kept_as_far_as_there_are_places_for_them() -> None:
    program = da.parse("Last4(ITE(Turn, Speed, Touch))", SPACE)
    swaps = [Swap(["ITE", "Add", "Heading"])]
    found = {da.text(SPACE.at(p.values)): p for p in grown_by(SPACE, program.values, 7, swaps, random.Random(0))}
    assert sorted(found) == ["Last4(Add(Turn, Speed))", "Last4(Heading)"]


def test_at_most_so_many_are_drawn_of_a_round() -> None:
    _, grown = second_round("Last4(Turn)", beam=1, most=7)
    assert len(grown) == 7
    _, grown = second_round("Last4(Turn)", beam=2)
    assert len(grown) == 36


def test_a_limit_of_the_space_holds() -> None:
    searcher = started(SPACE.limit(2))
    for number, values in enumerate(list(iter(searcher.ask, None))):
        searcher.tell(FinishedTrial(number, values, (0.0,)))
    assert searcher.ask() is None


def test_weights_move_with_the_part_that_grows() -> None:
    origin = Origin(3, "a/", (("a/", "a/or[ITE]/b/"), ("a/", "a/or[ITE]/c/")), {"a/or[ITE]/d/*.bias": 0.0})
    moved = origin.weights({"a/x.kernel": 1, "ab/x.kernel": 2, "other.bias": 3})
    assert moved == {
        "a/or[ITE]/d/*.bias": 0.0,
        "a/or[ITE]/b/x.kernel": 1,
        "a/or[ITE]/c/x.kernel": 1,
        "ab/x.kernel": 2,
        "other.bias": 3,
    }


@pytest.mark.parametrize("best", ["Last4(Turn)", "Fold(Turn)", "Whole(Heading)"])
def test_what_grows_computes_what_its_parent_does(best: str) -> None:
    given = program_task("affine")
    task = stacks.Task(given.x["valid"], given.y["valid"])
    searcher = started(beam=1)
    first = list(iter(searcher.ask, None))
    fitted = stacks.fit([SPACE.at(values) for values in first], task, steps=4)
    for number, values in enumerate(first):
        searcher.tell(FinishedTrial(number, values, (float(da.text(SPACE.at(values)) == best),)))
    parent = next(number for number, values in enumerate(first) if da.text(SPACE.at(values)) == best)
    children = list(iter(searcher.ask, None))
    starts = [searcher.start_of(values, {parent: fitted[parent].weights}) for values in children]
    grown = stacks.fit([SPACE.at(values) for values in children], task, starts, steps=0)
    assert len(children) == 18
    for each in grown:
        assert each.outputs == pytest.approx(fitted[parent].outputs, abs=1e-4), da.text(each.architecture)
    assert searcher.start_of(children[0], {}) is None, "the parent's weights are not known"


def test_equal_answers_are_grown_once() -> None:
    def grown(answers: bool) -> set[str]:
        searcher = started(beam=2)
        for number, values in enumerate(list(iter(searcher.ask, None))):
            good = da.text(SPACE.at(values)) in ("Last4(Turn)", "Last8(Turn)", "Whole(Size)")
            kept = {"answers": [1, 0] if good and "Turn" in da.text(SPACE.at(values)) else number} if answers else {}
            gain = good - number / 1000
            searcher.tell(FinishedTrial(number, values, (gain,), attributes=kept))
        return {da.text(SPACE.at(values)).partition("(")[0] for values in iter(searcher.ask, None)}

    assert grown(False) == {"Last4", "Last8"} and grown(True) == {"Last4", "Whole"}


@pytest.mark.parametrize(("price", "grows"), [(0.0, "ITE(Size, Turn, Turn)"), (0.5, "Add(Turn, Size)")])
def test_a_price_makes_small_programs_better(price: float, grows: str) -> None:
    gains = {"Last4(Turn)": 2.0, "Last4(Add(Turn, Size))": 0.9, "Last4(ITE(Size, Turn, Turn))": 1.0}
    searcher, grown = started(beam=1, price=price), list[str]()
    for _ in range(2):
        for number, values in enumerate(list(iter(searcher.ask, None)), 30 * len(grown)):
            searcher.tell(FinishedTrial(number, values, (gains.get(da.text(SPACE.at(values)), -10.0),)))
            grown.append(da.text(SPACE.at(values)))
    children = [da.text(SPACE.at(values)) for values in iter(searcher.ask, None)]
    assert f"Last4(Add({grows}, Speed))" in children


def test_it_finds_a_program_and_goes_on_from_a_state() -> None:
    """Find `Last8(ITE(Turn, Speed, Distance))`, in a search that is written down after each batch."""
    given = program_task("either")
    task = stacks.Task(given.x["train"][:400], given.y["train"][:400], given.x["valid"], given.y["valid"], ridge=1e-4)
    space = language(GROUPS, {"Last8": (7, 0)}, fold=False)
    growth, known = Growth(MOVES, beam=3), dict[int, Any]()
    search, history = da.search(space, growth, trials=150, seed=0), list[str]()
    for trials in search.batches(50):
        starts = [growth.start_of(trial.values, known) for trial in trials]
        state = json.loads(json.dumps(growth.state_dict()))
        again = started(space, beam=3)
        again.load_state_dict(state)
        assert [again.start_of(trial.values, known) for trial in trials].count(None) == starts.count(None)
        assert json.dumps(again.state_dict()) == json.dumps(state)
        for trial, fitted in zip(
            trials, stacks.fit([t.architecture for t in trials], task, starts, noise=0.1), strict=True
        ):
            known[trial.number] = fitted.weights
            trial.set_attribute("answers", np.round(fitted.outputs[:32, 0].astype(float), 1).tolist())
            trial.tell(-fitted.valid_loss - 0.002 * len(trial.values))
            history.append(da.text(trial.architecture))
    best = da.text(search.best.architecture)
    assert "ITE(Turn" in best and "Speed" in best and "Distance" in best
    assert search.best.score is not None and search.best.score > -0.25


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_what_is_no_move() -> None:
    with pytest.raises(
        BadArgument, match=r"^Growth: expected moves\.\n  Got 'Add' \(str\)\.\n  Write \[Move\('Add', keep=0"
    ):
        Growth(["Add"])  # type: ignore[list-item]


@pytest.mark.parametrize("options", [{"beam": 0}, {"first": 0}, {"most": "many"}, {"price": -1}])
def test_numbers_out_of_their_range(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(BadArgument, match=rf"^Growth: {name} is an? \w+ of at least"):
        Growth(MOVES, **options)


def test_what_was_told_otherwise_is_no_program_of_its_own() -> None:
    searcher = started()
    values = searcher.ask()
    assert values is not None
    searcher.tell(FinishedTrial(0, values, state="failed"))
    searcher.tell(FinishedTrial(7, SPACE.sample(seed=3).values, (5.0,)))
    assert searcher.state_dict()["told"] == []


def test_moves_may_leave_more_to_be_drawn() -> None:
    net = da.space(lambda x: ops.Dense(da.choice([1, 2, 3]))(x))
    searcher = started(net, moves=[Move(3, keep=())], first=2)
    for number, values in enumerate(list(iter(searcher.ask, None))):
        searcher.tell(FinishedTrial(number, values, (0.0,)))
    assert [dict(values) for values in iter(searcher.ask, None)] in ([], [{"dense.units": 3}])


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (Move("Ad", fresh=["Turn"]), r"Got 'Ad' in Move\(production='Ad'(.|\n)*Did you mean 'Add'"),
        (Move("Add", fresh=["Turm"]), r"Got 'Turm' in (.|\n)*Did you mean 'Turn'"),
        (Swap(["Turn", "Sise"]), r"Got 'Sise' in Swap(.|\n)*Did you mean 'Size'"),
    ],
)
def test_a_production_that_no_choice_has_is_refused(move: Move | Swap, said: str) -> None:
    with pytest.raises(BadArgument, match=said):
        da.search(SPACE, Growth([Move("Multiply", fresh=["Turn"]), move]), trials=10, seed=0)
    da.search(SPACE.without("Fold"), Growth([Swap(["Fold", "Last4"])]), trials=10, seed=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Swap("Speed"), r"Swap: productions: expected a list(.|\n)*Got 'Speed'"),
        (lambda: Swap(5), "Swap: productions: expected a list"),  # type: ignore[arg-type]
        (lambda: Move("Add", 0, "Speed"), r"Move: fresh: expected a list(.|\n)*Got 'Speed'"),
        (lambda: Move("Add", (0, -1)), "Move: keep is an int of at least 0"),
        (lambda: Move("Add", start={"kernel": "a"}), r"Move: start\['kernel'\] is a finite number"),  # type: ignore[dict-item]
        (lambda: Move("Add", start=0.0), "Move: start: expected first weights by name"),  # type: ignore[arg-type]
        (lambda: Growth(Move("Add")), "Growth: moves: expected a list"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_move_is_refused(make: Any, said: str) -> None:
    with pytest.raises(BadArgument, match=said):
        make()
