"""dPads on a super-network: the ordinary loop, what a stage leaves, branches of weights, and a planted program."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import DARTS, DPads, Stage
from deep_arch.supernets.branching import Branch


@da.rule
def term() -> Any:
    """An affine function of all features, or what two terms give together."""

    def pair(op: Any) -> Any:
        return lambda x: op()(term()(x), term()(x))

    return da.or_(
        {
            "Affine": lambda x: ops.Dense(1)(x),
            "Add": pair(ops.Add),
            "Multiply": pair(ops.Multiply),
            "Bounded": lambda x: ops.Tanh()(ops.Dense(1)(x)),
        },
        hole=lambda x: ops.Dense(1)(ops.ReLU()(ops.Dense(4)(x))),
    )


terms = da.space(lambda x: term()(x)).limit(max_depth=2)
SCHEDULE = [Stage(1, 3), Stage(2, 5, keep=3), Stage(2, 2, keep=2)]
PATIENT = [Stage(2, 20), Stage(2, 10, keep=2)]
Run = tuple[DPads, da.Search, torch_backend.Branches]


def task(seed: int) -> tuple[Tensor, Tensor]:
    """Return a product of two affine functions."""
    x = torch.randn(128, 3, generator=torch.Generator().manual_seed(seed))
    return x, ((x[:, :1] - 0.5) * (x[:, 1:2] + x[:, 2:] + 1.0))


def made(schedule: list[Stage] = SCHEDULE) -> DPads:
    return DPads(epoch=8, schedule=schedule, neural_epochs=2, symbolic_epochs=6, price=0.02, learning_rate=0.05)


def run(
    seed: int,
    trials: int = 2_000,
    look: Callable[[DPads, da.Trial, Any], None] | None = None,
    schedule: list[Stage] = SCHEDULE,
) -> Run:
    """Run the loop that users write, until it ends by itself."""
    searcher = made(schedule)
    supernet = torch_backend.supernet(terms, da.vector(3), seed=seed, share="position")
    branches = torch_backend.branches(supernet, searcher)
    (x, y), held_out = task(0), task(1)
    optimizer = torch.optim.Adam(supernet.parameters(), lr=0.05)
    search = da.search(terms, searcher, trials=trials, seed=seed)
    for trial in search:
        model = branches.at(trial)
        optimizer.zero_grad(set_to_none=True)
        (model(x) - y).square().mean().backward()
        optimizer.step()
        score = -(model(held_out[0]) - held_out[1]).square().mean()
        slopes = model.slopes(score)
        if look is not None:
            look(searcher, trial, model)
        trial.tell(score.item(), slopes=slopes)
    return searcher, search, branches


@pytest.mark.parametrize("seed", [2, 3])
def test_a_planted_program_is_found(seed: int) -> None:
    searcher, search, branches = run(seed, schedule=PATIENT)
    assert search.ending == "the searcher had nothing left to propose"
    (values,) = searcher.best()
    assert [*values.values()] == ["Multiply", "Affine", "Affine"]
    x, y = task(2)
    assert (branches.build(terms.at(values))(x) - y).square().mean() < 0.1 * y.var()


def test_the_same_seed_gives_the_same_search() -> None:
    (one, first, _), (other, second, _) = run(seed=0), run(seed=0)
    assert one.best() == other.best()
    assert [trial.scores for trial in first.trials] == [trial.scores for trial in second.trials]


def test_stages_unfold_and_prune_and_states_fix_until_a_program_is_left() -> None:
    seen: dict[tuple[int, int], set[tuple[str, tuple[str, ...]]]] = {}

    def look(searcher: DPads, trial: da.Trial, model: Any) -> None:
        met = {(address, mixture.values) for address, mixture in trial.mixtures.items()}
        seen.setdefault((searcher._stage, searcher.branch.number), met)
        assert seen[searcher._stage, searcher.branch.number] == met, "nothing changes within a stage or state"

    run(0, look=look)
    stages = [dict(met) for met in seen.values()]
    holes = {address for address, values in stages[0].items() if values == ("hole",)}
    assert {*stages[0]} - holes == {"term/or.which"} and len(holes) == 4, "two arguments of two alternatives"
    assert len(stages[0]["term/or.which"]) == 4
    for kept, stage in zip((3, 2), stages[1:3], strict=True):
        assert len(stage["term/or.which"]) == kept and "hole" not in str(stage)
        # What was first met in this stage lies deep, where one rule alone ends, of two alternatives.
        assert all(len(values) == kept or address != "term/or.which" for address, values in stage.items())
    open_decisions = [sum([len(values) > 1 for values in stage.values()]) for stage in stages[3:]]
    assert 0 in open_decisions and open_decisions[0] < sum([len(values) > 1 for values in stages[2].values()])


def test_weights_stay_where_they_are_when_programs_unfold() -> None:
    before: dict[str, Tensor] = {}

    def look(searcher: DPads, trial: da.Trial, model: Any) -> None:
        if trial.number == 23:  # the last of the first stage
            before.update(copy.deepcopy(dict(model.supernet.state_dict())))

    _, _, branches = run(0, trials=24, look=look)
    for name, tensor in branches.supernet.state_dict().items():
        assert torch.equal(tensor, before[name])
    moved = torch_backend.supernet(terms, da.vector(3), seed=0, share="position").state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, moved[name])}
    assert changed and all("Affine" in n or "Bounded" in n or "hole" in n for n in changed)
    assert not any("term" in n and n.count("Affine") and n.startswith("term.or.term") for n in changed), "not unfolded"


def test_branches_begin_where_their_parents_were() -> None:
    searcher = DARTS()
    supernet = torch_backend.supernet(terms, da.vector(3), seed=0, share="position")
    branches = torch_backend.branches(supernet, searcher)
    weight = next(supernet.parameters())

    def let(value: float) -> None:
        with torch.no_grad():
            weight.fill_(value)

    let(1.0)
    branches.enter(Branch(1, 0, frozenset({0})))
    assert weight.flatten()[0] == 1.0
    let(2.0)
    branches.enter(Branch(2, 0, frozenset({0, 1})))
    assert weight.flatten()[0] == 1.0, "and not what the sibling made of it"
    let(3.0)
    branches.enter(Branch(3, 1, frozenset({1})))
    assert weight.flatten()[0] == 2.0
    branches.enter(Branch(1, 0, frozenset({1})))
    assert weight.flatten()[0] == 2.0, "a branch that is entered again is as it was left"
    assert next(supernet.parameters()) is weight, "so that one optimizer trains all branches"
    let(5.0)
    branches.enter(Branch(4, 2, frozenset()))
    assert weight.flatten()[0] == 5.0, "what is needed no more is forgotten"


def test_other_searchers_have_one_branch() -> None:
    supernet = torch_backend.supernet(terms, da.vector(3), seed=0)
    branches = torch_backend.branches(supernet, DARTS())
    architecture, x = terms.sample(seed=0), torch.randn(4, 3)
    assert torch.equal(branches.at(architecture)(x), supernet.at(architecture)(x))
    assert torch.equal(branches.build(architecture)(x), supernet.at(architecture)(x))


@pytest.mark.parametrize("half", [10, 60, 85, 180])
def test_a_search_goes_on_from_its_state(half: int) -> None:
    searcher, _, _ = run(0, trials=half)
    state = json.loads(json.dumps(searcher.state_dict(), allow_nan=False))
    again = made()
    again.start(terms, random.Random(9))
    again.load_state_dict(state)
    assert again.branch == searcher.branch and again.ask() == searcher.ask()
    assert json.dumps(again.state_dict()) == json.dumps(searcher.state_dict())


def test_slopes_are_clipped_together() -> None:
    climbed: list[float] = []
    for clip in (1e9, 1e-12):
        searcher = DPads(epoch=100, schedule=[(2, 1)], clip=clip, learning_rate=0.1)
        supernet = torch_backend.supernet(terms, da.vector(3), seed=0, share="position")
        x, y = task(0)
        for trial in da.search(terms, searcher, trials=1, seed=0):
            model = supernet.at(trial)
            score = -(model(x) - y).square().mean()
            trial.tell(score.item(), slopes=model.slopes(score))
        logits = [p for found in searcher._logits.values() for p in found.values()]
        climbed.append(max([abs(p.value) for p in logits]))
    assert climbed[0] == pytest.approx(0.1, rel=1e-3) and climbed[1] < 1e-3
