from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import BadArgument, InvalidDomain, NotSpecified, ShapeMismatch, TrialError, ValueOutsideDomain
from deep_arch.language.values import Value
from deep_arch.searchers import LocalSearch, NoRepeats, RandomSearch, RegularizedEvolution
from deep_arch.spaces.describing import description
from deep_arch.studies.searcher import FinishedTrial


def _pair(x: Value) -> Value:
    return ops.Add()(expr()(x), expr()(x))


@da.rule
def expr() -> Any:
    parts = {"leaf": lambda: ops.Dense(4), "relu": ops.ReLU, "pair": lambda: _pair}
    return da.or_(parts, hole=lambda: ops.Dense(4, use_bias=False))


@da.space
def net(x: Value) -> Any:
    return expr()(x)


@da.rule
def _without_holes() -> Any:
    return da.or_(
        {
            "leaf": lambda: ops.Dense(4),
            "relu": ops.ReLU,
            "pair": lambda x: ops.Add()(_without_holes()(x), _without_holes()(x)),
        }
    )


plain = da.space(lambda x: _without_holes()(x))
PAIR = {"expr/or.which": "pair"}
LEFT, RIGHT = "expr/or[pair]/expr/or.which", "expr/or[pair]/expr_1/or.which"
X = da.vector(4)


def test_no_space_knows_holes() -> None:
    for depth in range(1, 4):
        assert net.limit(depth).size() == plain.limit(depth).size()
        listed = [architecture.values for architecture in net.limit(depth).enumerate()] if depth < 4 else []
        assert all("hole" not in values.values() for values in listed)
        assert len(listed) == net.limit(depth).size()
    limited, rng = net.limit(4), random.Random(0)
    for _ in range(50):
        assert not limited.sample(rng).holes and not limited.sample(rng, uniform="architectures").holes
    assert not limited.nth(17).holes
    point = net.start().unassigned[0]
    assert point.domain.size == 3 and [*point.domain.values()] == ["leaf", "relu", "pair"]
    assert [*point.domain.neighbours("leaf")] == ["relu", "pair"] and point.has_hole
    for other in limited.neighbours(limited.at({**PAIR, LEFT: "leaf", RIGHT: "relu"})):
        assert not other.holes


def test_partial_is_start_with_assignments() -> None:
    state = net.partial({**PAIR, RIGHT: "relu"})
    assert state == net.start().assign("expr/or.which", "pair").assign(RIGHT, "relu")
    assert [point.address for point in state.unassigned] == [LEFT]
    assert net.partial({}) == net.start()
    assert net.partial({**PAIR, LEFT: "hole"}).holes == (LEFT,)


@pytest.mark.parametrize("values", [{}, PAIR, {**PAIR, LEFT: "pair"}, {**PAIR, RIGHT: "leaf"}])
def test_one_completion_of_each_partial_state(values: Mapping[str, Any]) -> None:
    state = net.partial(values)
    completed = state.completed()
    assert completed == state.completed() == completed.completed() and completed.is_specified
    holes = {point.address for point in state.unassigned}
    assert set(completed.holes) == holes
    assert completed.values == {**values, **dict.fromkeys(holes, "hole")}


def test_a_completion_without_holes_is_the_program() -> None:
    for program in net.limit(3).enumerate():
        assert program.completed() == program == net.at(program.values) and not program.holes


def test_addresses_of_the_decided_part_are_unchanged() -> None:
    state = net.partial({**PAIR, LEFT: "pair"})
    decided = {call.address for call in state.graph.calls if not call.is_open}
    assert decided and decided <= {call.address for call in state.completed().graph.calls}
    later = state.assign(RIGHT, "leaf").completed()
    weights = {call.address for call in later.graph.calls}
    assert {a for a in weights if not a.startswith(RIGHT.removesuffix("or.which"))} == {
        call.address
        for call in state.completed().graph.calls
        if not call.address.startswith(RIGHT.removesuffix("or.which"))
    }


def test_an_architecture_with_holes_is_like_any_other() -> None:
    completed = net.partial({**PAIR, LEFT: "leaf"}).completed()
    assert completed.cost(X).parameters == 20 + 16
    assert "or[hole]/dense" in completed.summary(X)
    assert "hole" in completed.render()
    assert da.Architecture.from_json(completed.to_json(), net) == completed
    assert pickle.loads(pickle.dumps(completed)).values == completed.values
    swapped = net.partial({**PAIR, RIGHT: "leaf"}).completed()
    assert completed.fingerprint() == swapped.fingerprint() != net.start().completed().fingerprint()


def test_a_limit_leaves_holes() -> None:
    state = net.limit(2).partial(PAIR)
    assert [*state.unassigned[0].domain.values()] == ["leaf", "relu"]
    assert state.completed().holes == (LEFT, RIGHT)
    assert state.assign(LEFT, "hole").holes == (LEFT,)


def test_at_refuses_holes() -> None:
    with pytest.raises(ValueOutsideDomain, match=r"expr/or.which: 'hole' stands for what is not decided yet") as error:
        net.at({"expr/or.which": "hole"})
    assert "write space.partial(values) for a program with holes" in str(error.value)
    with pytest.raises(ValueOutsideDomain, match="is no value of a program"):
        net.fix({"expr/or.which": "hole"})
    with pytest.raises(ValueOutsideDomain, match=r"'hole' is not one of \('leaf', 'relu', 'pair'\)"):
        plain.partial({"_without_holes/or.which": "hole"})


def test_what_has_no_hole_stays_open() -> None:
    @da.space
    def half(x: Value) -> Value:
        x = da.or_([ops.ReLU, ops.Tanh], name="first")(x)
        return da.or_([ops.ReLU, ops.Tanh], hole=ops.Identity, name="second")(x)

    with pytest.raises(NotSpecified, match=r"first.which: is open, and has no hole.*one of \(0, 1\).") as error:
        half.start().completed()
    assert "give the choice a hole: da.or_(..., hole=fn)" in str(error.value)
    assert half.partial({"first.which": 1}).completed().holes == ("second.which",)


def test_a_value_named_like_a_hole_is_none() -> None:
    named = da.space(lambda x: ops.Dense(da.choice([4, 8]))(da.or_({"hole": ops.ReLU, "tanh": ops.Tanh})(x)))
    architecture = named.at({"or.which": "hole", "dense.units": 4})
    assert architecture.holes == () and named.size() == 4


def test_refusals() -> None:
    with pytest.raises(
        InvalidDomain, match=r"or: the alternative 'hole' is the one that hole= gives.\n.*beside a hole"
    ):
        da.space(lambda x: da.or_({"hole": ops.ReLU}, hole=ops.Tanh)(x)).start()
    with pytest.raises(BadArgument, match="expected a hole in a choice of its own"):
        da.space(lambda x: da.or_([ops.ReLU, ops.Tanh], da.choice([0, 1]), hole=ops.Tanh)(x)).start()


def test_shapes_of_open_states_tell_of_completion() -> None:
    with pytest.raises(NotSpecified, match=r"one with holes from architecture.completed\(\)"):
        net.start().shapes(X)
    with pytest.raises(NotSpecified, match=r"or take architecture.completed\(\)"):
        net.start().fingerprint()
    wrong = da.space(lambda x: ops.Add()(x, da.or_([ops.ReLU], hole=lambda: ops.Dense(5))(x)))
    with pytest.raises(ShapeMismatch):
        wrong.start().completed().shapes(X)


def test_a_description_tells_of_holes() -> None:
    with_hole, without = description(net), description(plain)
    assert any("or a hole" in line for line in with_hole) and not any(
        "hole]" in line or "a hole" in line for line in without
    )
    assert any("[hole]" in line for line in with_hole)


def _n_holes(trial: da.Trial) -> int:
    return len(trial.architecture.holes)


class _Relaxing(da.Searcher):
    """Proposes partial programs with holes, and then programs."""

    n_objectives = 1

    def __init__(self) -> None:
        self.seen: list[FinishedTrial] = []

    def ask(self) -> Mapping[str, Any] | None:
        states = [{}, PAIR, {**PAIR, LEFT: "leaf"}, {**PAIR, LEFT: "leaf", RIGHT: "leaf"}]
        n = len(self.seen)
        return self.space.partial(states[n]).completed().values if n < len(states) else None

    def tell(self, trial: FinishedTrial) -> None:
        self.seen.append(trial)


def test_a_search_accepts_relaxations() -> None:
    search = da.search(net, _Relaxing(), trials=10, seed=0, directions="minimize")
    for trial in search:
        with pytest.raises(TrialError, match=rf"1 trials without a score(, and {trial.number} that have holes)?\."):
            _ = search.best
        trial.tell(trial.architecture.cost(X).parameters)
    assert [trial.architecture.holes for trial in search.trials][:2] == [("expr/or.which",), (LEFT, RIGHT)]
    assert [trial.score for trial in search.trials] == [16, 32, 36, 40]
    assert search.best.number == 3 and [trial.number for trial in search.front] == [3]


def test_a_study_keeps_relaxations(tmp_path: Path) -> None:
    study = da.Study(net, _Relaxing(), trials=10, seed=0, storage=f"sqlite:///{tmp_path}/studies.db", name="relaxed")
    study.run(_n_holes, 3, progress=False)
    with pytest.raises(TrialError, match="3 that have holes"):
        _ = study.best
    study.run(_n_holes, progress=False)
    assert [trial.architecture.holes for trial in study.trials] == [("expr/or.which",), (LEFT, RIGHT), (RIGHT,), ()]
    assert study.best.number == study.front[0].number == 3, "a relaxation is not the best, though its score is"


def test_every_searcher_leaves_holes_out() -> None:
    limited = net.limit(3)
    for searcher in (RandomSearch(), RegularizedEvolution(population=5, sample=2), LocalSearch()):
        for trial in da.search(limited, searcher, trials=30, seed=0, duplicates="give"):
            assert "hole" not in trial.values.values()
            trial.tell(float(len(trial.values)))


def test_what_was_found_so_far_has_no_holes() -> None:
    pytest.importorskip("pandas")
    from deep_arch import analysis
    from deep_arch.visualization.plots import score_curve

    search = da.search(net, _Relaxing(), trials=10, seed=0)
    for trial in search:
        trial.tell(-float(trial.number))
    best = analysis.best_so_far(search)["best"]
    assert best.isna().tolist() == [True, True, True, False] and best.iloc[-1] == -3
    assert analysis.pareto_front(search).index.tolist() == [3]
    assert score_curve(search).scores == (-3.0,) and score_curve(search).n_trials == 4


@da.rule
def _as_wide_as_a_leaf() -> Any:
    return da.or_({"leaf": lambda: ops.Dense(4)}, hole=lambda: ops.Dense(4))


class _LeafAfterHole(_Relaxing):
    def ask(self) -> Mapping[str, Any] | None:
        n = len(self.seen)
        return {"_as_wide_as_a_leaf/or.which": ("hole", "leaf")[n]} if n < 2 else None


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_program_is_no_duplicate_of_a_relaxation(wrapped: bool) -> None:
    space = da.space(lambda x: _as_wide_as_a_leaf()(x))
    searcher = NoRepeats(_LeafAfterHole()) if wrapped else _LeafAfterHole()
    search = da.search(space, searcher, trials=10, seed=0)
    for trial in search:
        trial.tell(1.0)
    assert [len(trial.architecture.holes) for trial in search.trials] == [1, 0] and search.best.number == 1


def test_a_backend_builds_what_is_completed() -> None:
    with pytest.raises(NotSpecified, match=r"choices have holes, build architecture.completed\(\)"):
        python_backend.build(net.start())
    assert python_backend.build(da.space(lambda x: da.or_([ops.ReLU], hole=ops.Identity)(x)).start().completed())
