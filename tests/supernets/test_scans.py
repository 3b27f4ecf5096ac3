"""Scans in super-networks: one architecture, and relaxed bodies, whose alternatives are added at each step."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ShapeMismatch
from deep_arch.supernets.expected_costs import expected_cost
from deep_arch.testing.random_scans import RandomScan

torch: Any = pytest.importorskip("torch")

from deep_arch.backends import torch_backend  # noqa: E402
from deep_arch.searchers import DARTS, DPads, Stage  # noqa: E402
from deep_arch.testing.supernet_contract import assert_close, examples, listed, network_of  # noqa: E402

INPUTS = {"x": da.sequence(5, 4), "h": da.vector(3)}
KINDS = {"tanh": ops.Tanh, "relu": ops.ReLU, "same": ops.Identity}


def cell(state: Any, frame: Any) -> Any:
    wide = ops.Dense(da.choice([2, 6], name="units"), name="wide")(ops.Concatenate()(state, frame))
    new = ops.Dense(3, name="back")(da.or_(KINDS, name="kind")(wide))
    return new, da.optional(lambda: ops.Dense(3, name="more"), da.boolean(name="more"), name="maybe")(new)


@da.space
def net(x: Any, h: Any) -> Any:
    last, states = da.scan(cell, reverse=da.boolean(name="backwards"))(h, x)
    return last, states


RELAXED: Mapping[str, Any] = {
    "backwards": da.Mixture((False, True), (0.6, 0.4)),
    "scan/units": da.Mixture((2, 6), (0.3, 0.7)),
    "scan/kind.which": da.Mixture(tuple(KINDS), (0.2, 0.5, 0.3)),
    "scan/more": da.Mixture((False, True), (0.25, 0.75)),
}


def test_every_random_scan_is_the_model_that_is_built() -> None:
    for seed in range(30):
        scan = RandomScan(seed)
        space = scan.space()
        shared, architecture, given = network_of(space, scan.inputs), space.sample(seed=0), examples(space, scan.inputs)
        expected = listed(shared.build(architecture)(**given))
        assert_close(listed(shared.at(architecture)(**given)), expected, f"scan {seed}")
        assert shared.at(architecture).cost() == architecture.cost(scan.inputs)


def test_every_architecture_and_mixture_of_it_alone_is_the_model_that_is_built() -> None:
    shared, given = network_of(net, INPUTS), examples(net, INPUTS)
    assert {*shared.decisions} == {*RELAXED}
    architectures = list(net.enumerate())
    assert len(architectures) == 24
    for architecture in architectures:
        model, view = shared.build(architecture), shared.at(architecture)
        expected = listed(model(**given))
        assert_close(listed(view(**given)), expected, str(architecture.values))
        assert sorted(n for n, _ in view.named_parameters()) == sorted(n for n, _ in model.named_parameters())
        alone = {
            address: da.Mixture(
                mixture.values, [float(value == architecture.values[address]) for value in mixture.values]
            )
            for address, mixture in RELAXED.items()
        }
        assert_close(listed(shared.at(alone)(**given)), expected, f"the mixture of {architecture.values}")


def by_hand(shared: Any, x: Any, h: Any, weights: Mapping[str, Any], backwards: bool) -> tuple[Any, Any]:
    """Return what the relaxed cell gives where its loop is written out."""
    held = dict(shared.named_parameters())
    wide, back, more = [
        (held[f"scan.{name}.weight"], held[f"scan.{name}.bias"]) for name in ("wide", "back", "maybe.more")
    ]
    units, kinds, has = weights["scan/units"], weights["scan/kind.which"], weights["scan/more"]
    scale, given = torch.stack([units.sum()] * 2 + [units[1]] * 4), []
    linear = torch.nn.functional.linear
    for t in reversed(range(x.shape[-1])) if backwards else range(x.shape[-1]):
        z = linear(torch.cat([h, x[..., t]], 1), *wide)
        z = scale * (kinds[0] * torch.tanh(z) + kinds[1] * torch.relu(z) + kinds[2] * z)
        h = linear(z, *back)
        given.append(has[0] * h + has[1] * linear(h, *more))
    return h, torch.stack(given[::-1] if backwards else given, -1)


def test_a_relaxed_body_is_added_at_each_step_and_whole_scans_after_the_last() -> None:
    """The direction belongs to the scan and not to its body; a width is a mask on what each alternative gives."""
    shared, given = network_of(net, INPUTS), examples(net, INPUTS)
    view = shared.at(RELAXED)
    outputs = view(**given)
    weights = {a: torch.tensor(m.numbers, dtype=torch.float64, requires_grad=True) for a, m in RELAXED.items()}
    both = [by_hand(shared, given["x"], given["h"], weights, backwards) for backwards in (False, True)]
    first, second = weights["backwards"]
    expected = [first * forward + second * backward for forward, backward in zip(*both, strict=True)]
    assert_close(listed(outputs), expected, "the relaxed run", 1e-10)
    score = sum((y**2).sum() for y in listed(outputs))
    sum((y**2).sum() for y in expected).backward()
    for address, slope in view.slopes(score).items():
        assert_close([torch.tensor(slope)], [weights[address].grad.float()], f"the slope of {address}", 1e-4)


def test_a_value_of_one_step_that_an_inner_function_reads_is_none_of_another() -> None:
    """What the inner function is called on is the same at each step, and what it reads is not."""

    def body(state: Any, frame: Any, around: Any) -> Any:
        mixed = da.or_({"sum": ops.Add, "product": ops.Multiply}, name="outer")(state, frame)
        inner = {"add": lambda y: ops.Add()(ops.Tanh()(y), mixed), "multiply": lambda y: ops.Multiply()(y, mixed)}
        return da.or_(inner, name="inner")(around)

    space = da.space(lambda x, h: da.scan(lambda state, frame: body(state, frame, h))(h, x))
    inputs = {"x": da.sequence(40, 3), "h": da.vector(3)}
    shared, given = torch_backend.supernet(space, inputs, seed=0), examples(space, inputs)
    x, h = given["x"], given["h"]
    state = h
    for t in range(40):
        mixed = 0.3 * (state + x[..., t]) + 0.7 * state * x[..., t]
        state = 0.5 * (torch.tanh(h) + mixed) + 0.5 * h * mixed
    decided = {
        "scan/outer.which": da.Mixture(("sum", "product"), (0.3, 0.7)),
        "scan/inner.which": da.Mixture(("add", "multiply"), (0.5, 0.5)),
    }
    with torch.no_grad():
        assert_close([shared.at(decided)(**given)], [state], "the scan", 1e-6)


def test_what_a_relaxed_scan_costs_is_the_mean_over_architectures() -> None:
    expected = expected_cost(net, INPUTS, RELAXED)
    for name in ("macs", "activation_bytes", "parameters"):
        total = 0.0
        for architecture in net.enumerate():
            odds = [m.numbers[m.values.index(architecture.values[a])] for a, m in RELAXED.items()]
            total += math.prod(odds) * getattr(architecture.cost(INPUTS), name)
        assert getattr(expected, name) == pytest.approx(total)


def test_latencies_are_taken_at_each_step() -> None:
    taken = expected_cost(net, INPUTS, RELAXED, latency=lambda address, module, specs: float(address == "scan/back"))
    assert taken.latency == pytest.approx(5.0)


def test_copies_and_pickles_run_scans() -> None:
    shared, given = network_of(net, INPUTS), examples(net, INPUTS)
    expected = listed(shared.at(RELAXED)(**given))
    for other in (copy.deepcopy(shared), pickle.loads(pickle.dumps(shared))):
        assert_close(listed(other.at(RELAXED)(**given)), expected, "the copy")


def test_sequences_may_have_another_length() -> None:
    shared = network_of(net, INPUTS)
    architecture, given = net.sample(seed=3), examples(net, {"x": da.sequence(9, 4), "h": da.vector(3)})
    assert_close(listed(shared.at(architecture)(**given)), listed(shared.build(architecture)(**given)), "longer")


def test_a_state_that_changes_its_shape_is_refused() -> None:
    space = da.space(lambda x, h: da.scan(lambda state, frame: ops.Dense(da.choice([3, 4]))(frame))(h, x))
    shared = torch_backend.supernet(space, INPUTS, seed=0)
    state = {"scan/dense.units": da.Mixture((3, 4), (0.5, 0.5))}
    with pytest.raises(ShapeMismatch, match=r"scan/exit: expected the new state 0 to have the shape"):
        shared.at(state)(**{name: x.float() for name, x in examples(space, INPUTS).items()})


def test_darts_finds_the_cell_that_made_the_data() -> None:
    """Of two cells: one forgets, the other counts."""
    cells = {"sum": lambda h, x: ops.Add()(h, x), "last": lambda h, x: ops.Identity()(x)}
    space = da.space(lambda x, h: da.scan(lambda state, frame: da.or_(cells)(state, frame))(h, x))
    inputs = {"x": da.sequence(6, 2), "h": da.vector(2)}
    shared = torch_backend.supernet(space, inputs, seed=0)
    generator = torch.Generator().manual_seed(0)
    searcher = DARTS(learning_rate=0.1)
    for trial in da.search(space, searcher, trials=40, seed=0):
        x = torch.randn(8, 2, 6, generator=generator)
        model = shared.at(trial)
        score = -((model(x, torch.zeros(8, 2)) - x.sum(-1)) ** 2).mean()
        trial.tell(score.item(), slopes=model.slopes(score))
    (best,) = searcher.best()
    assert best == {"scan/or.which": "sum"}


def test_dpads_unfolds_bodies_of_folds() -> None:
    leaves = {"first": lambda *x: ops.Take((0,))(x[0]), "second": lambda *x: ops.Take((1,))(x[0])}

    @da.rule
    def atom() -> Any:
        """A number for a frame and a state."""
        kinds = {"Add": lambda *x: ops.Add()(atom()(*x), atom()(*x)), "State": lambda *x: ops.Identity()(x[1])}
        return da.or_({**leaves, **kinds}, hole=lambda *x: ops.Dense(1, name="hole")(ops.Concatenate()(*x)))

    def fold(x: Any) -> Any:
        return da.scan(lambda state, frame: atom()(frame, state))(ops.Zeros(1)(x), x)

    space = da.space(fold).limit(max_depth=2)
    shared = torch_backend.supernet(space, da.sequence(6, 2), seed=0, share="position")
    searcher = DPads(epoch=8, schedule=[Stage(1, 2), Stage(2, 6)], learning_rate=0.1)
    branches, generator = torch_backend.branches(shared, searcher), torch.Generator().manual_seed(0)
    for trial in da.search(space, searcher, trials=2_000, seed=0):
        x = torch.randn(16, 2, 6, generator=generator)
        model = branches.at(trial)
        score = -((model(x) - x[:, 1:].sum(-1)) ** 2).mean()
        trial.tell(score.item(), slopes=model.slopes(score))
    (best,) = searcher.best()
    x = torch.randn(16, 2, 6, generator=generator)
    assert_close([branches.build(space.at(best))(x)], [x[:, 1:].sum(-1)], "the program", 1e-5)
