"""Programs that are fitted as one stack: what stacks, that each equals its model, and that the steps are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.backends.build_plan import build_plan
from deep_arch.backends.torch_backend import stacks
from deep_arch.backends.torch_backend.stacks.losses import LOSSES, LogLoss, SoftmaxLoss
from deep_arch.backends.torch_backend.stacks.running import Operations
from deep_arch.backends.torch_backend.stacks.skeletons import read
from deep_arch.backends.torch_backend.stacks.stack import Stack
from deep_arch.backends.torch_backend.wrapped import TorchModule
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec

N, CHANNELS, LENGTH = 40, 5, 6


@dataclass(eq=False)
class Columns(Operation):
    """Give some channels, as an operation of one's own."""

    indices: tuple[int, ...]

    def shape(self, x: Spec) -> Spec:
        return x.with_shape(len(self.indices), *x.shape[1:])

    def to_torch(self, emit: torch_backend.Emitter, specs: Any, x: fx.Node) -> fx.Node:
        return emit.function(_columns, x, list(self.indices))


def _columns(x: torch.Tensor, indices: list[int]) -> torch.Tensor:
    return x[:, indices]


@dataclass(eq=False)
class Noise(Operation):
    """Draw random numbers."""

    stateless = False

    def shape(self, x: Spec) -> Spec:
        return x

    def to_torch(self, emit: torch_backend.Emitter, specs: Any, x: fx.Node) -> fx.Node:
        return emit.function(torch.neg, x)


def affine(*indices: int, units: int = 1) -> Callable[[Any], Any]:
    return lambda x: ops.Dense(units)(Columns(indices)(x))


def mean(x: Any) -> Any:
    return ops.GlobalAveragePooling1D()(x)


def weightless(x: Any) -> Any:
    return mean(da.scan(lambda h, f: (ops.Multiply()(h, ops.Tanh()(f)), h))(ops.Dense(CHANNELS)(mean(x)), x)[1])


def carried(x: Any, **options: Any) -> Any:
    return da.scan(lambda h, f: ops.Tanh()(ops.Dense(2)(ops.Concatenate()(h, Columns((1, 2))(f)))), **options)(
        first(x), x
    )


def first(x: Any) -> Any:
    return ops.Dense(2)(mean(x))


def tied(x: Any) -> Any:
    dense = ops.Dense(1)
    return ops.Add()(dense(Columns((0, 1))(mean(x))), ops.Tanh()(dense(Columns((3, 4))(mean(x)))))


def tied_after(x: Any) -> Any:
    dense = ops.Dense(2)
    return dense(ops.Tanh()(dense(Columns((0, 1))(mean(x)))))


def captured(x: Any) -> Any:
    outer, still = ops.Dense(1)(mean(x)), Columns((2,))(mean(x))

    def body(h: Any, f: Any) -> Any:
        return ops.Add()(
            ops.Multiply()(outer, h), ops.Multiply()(still, ops.Dense(1)(ops.Multiply()(still, Columns((0,))(f))))
        )

    return da.scan(body)(affine(1)(mean(x)), x)


def joined(x: Any) -> Any:
    """Read of a frame, of what is around, and of states, side by side; one of what is joined is read otherwise too."""
    outer, still = ops.Dense(2)(mean(x)), Columns((2, 3))(mean(x))

    def body(h: Any, f: Any) -> Any:
        parts = ops.Concatenate()(outer, Columns((0,))(f), h, still, Columns((1, 4))(f))
        read = ops.Concatenate()(h, still)
        return ops.Tanh()(ops.Add()(ops.Dense(1)(parts), ops.Multiply()(ops.Dense(1)(read), Columns((0,))(read))))

    return ops.Dense(1)(ops.Concatenate()(da.scan(body)(affine(1)(mean(x)), x), Columns((0,))(still)))


def with_cells(x: Any) -> Any:
    """Run along time with states and frames that have an axis besides channels."""
    cells = ops.Reshape((CHANNELS, 2, LENGTH // 2))(x)
    still, first = ops.AveragePooling1D(3)(x), ops.AveragePooling1D(3)(ops.Conv1D(1, 1)(x))

    def body(h: Any, f: Any) -> Any:
        return ops.Tanh()(ops.Dense(1)(ops.Concatenate()(f, h, still)))

    return ops.Flatten()(da.scan(body)(first, cells))


def nested(x: Any) -> Any:
    def outer(h: Any, f: Any) -> Any:
        def inner(g: Any, e: Any) -> Any:
            return ops.Tanh()(ops.Add()(ops.Dense(1)(ops.Concatenate()(g, Columns((0, 1))(e))), ops.Dense(1)(f)))

        return da.scan(inner)(h, x)

    return da.scan(outer)(affine(0)(mean(x)), x)


def sequences(x: Any) -> Any:
    _, steps = da.scan(lambda h, f: (ops.Tanh()(ops.Dense(2)(ops.Add()(h, Columns((0, 3))(f)))), h), reverse=True)(
        first(x), x
    )
    return ops.Dense(1)(mean(da.map_(lambda s: ops.Dense(2)(ops.Sigmoid()(s)))(ops.Dense(3)(steps))))


STACKED: dict[str, Callable[[Any], Any]] = {
    "affine": lambda x: affine(0, 1)(mean(x)),
    "without constant": lambda x: ops.Dense(1, use_bias=False)(mean(x)),
    "arithmetic": lambda x: ops.Add()(affine(0)(mean(x)), ops.Multiply()(affine(1, 2)(mean(x)), affine(3)(mean(x)))),
    "gate": lambda x: ops.Multiply()(ops.Sigmoid()(affine(0)(mean(x))), affine(1, 2, 4)(mean(x))),
    "deep": lambda x: ops.Dense(1)(ops.Tanh()(ops.Dense(3)(ops.Sigmoid()(affine(0, 1, units=4)(mean(x)))))),
    "several outputs": lambda x: affine(0, 1, units=3)(mean(x)),
    "at each frame": lambda x: mean(ops.Dense(1)(ops.Tanh()(ops.Dense(2)(x)))),
    "convolution": lambda x: mean(ops.Conv1D(1, 3)(ops.Tanh()(ops.Conv1D(2, 2)(x)))),
    "normalised": lambda x: ops.Dense(1)(ops.LayerNormalization()(ops.Dense(3)(mean(x)))),
    "tied": tied,
    "tied after": tied_after,
    "scan": lambda x: carried(x),
    "scan in reverse": lambda x: carried(x, reverse=True),
    "scan without weights": lambda x: ops.Dense(1)(weightless(x)),
    "captured": captured,
    "joined": joined,
    "with cells": with_cells,
    "nested": nested,
    "sequences": sequences,
}

ALONE: dict[str, Callable[[Any], Any]] = {
    "random": lambda x: ops.Dense(1)(Noise()(mean(x))),
    "dropout": lambda x: ops.Dense(1)(ops.Dropout(0.5)(mean(x))),
    "statistics": lambda x: ops.Dense(1)(ops.BatchNormalization()(mean(x))),
    "of torch": lambda x: torch_backend.wrap(torch.nn.Linear)(CHANNELS, 1)(mean(x)),
    "recurrent": lambda x: ops.Dense(1)(ops.LSTM(2)(x)),
    "without weights": lambda x: Columns((0,))(mean(x)),
}


def data(seed: int = 0, n: int = N) -> Any:
    return np.random.default_rng(seed).normal(size=(n, CHANNELS, LENGTH)).astype(np.float32)


def task(loss: Any = "squared", **options: Any) -> stacks.Task:
    x, valid = data(), data(1, 30)
    answers = {
        "squared": lambda x: x[:, 0].mean(1) - 0.5 * x[:, 1, -1],
        "log": lambda x: x[:, 0].mean(1) + x[:, 1].mean(1) > 0,
        "softmax": lambda x: np.argmax(x[:, :3].mean(2), 1),
    }[loss]
    return stacks.Task(x, answers(x), valid, answers(valid), loss=loss, **options)  # type: ignore[no-untyped-call]


def model_outputs(fitted: stacks.Fitted) -> Any:
    with torch.no_grad():
        return fitted.model(da.sequence(LENGTH, CHANNELS)).eval()(torch.tensor(data(1, 30))).flatten(1).numpy()


@pytest.mark.parametrize("name", STACKED)
def test_a_stacked_program_is_its_model(name: str) -> None:
    space = da.space(STACKED[name])
    (fitted,) = stacks.fit([space.at({})], task(), steps=3)
    assert fitted.stacked and fitted.outputs == pytest.approx(model_outputs(fitted), abs=1e-4)
    model = fitted.model(da.sequence(LENGTH, CHANNELS))
    assert fitted.named_weights.keys() == torch_backend.get_weights(model).keys()


@pytest.mark.parametrize("name", ALONE)
def test_what_does_not_stack_is_trained_alone(name: str) -> None:
    state = torch.get_rng_state()
    before, after = (stacks.fit([da.space(ALONE[name]).at({})], task(), steps=n)[0] for n in (0, 5))
    assert not after.stacked and after.outputs == pytest.approx(model_outputs(after), abs=1e-4)
    assert after.loss < before.loss or name == "without weights"
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize("name", STACKED)
def test_the_jacobian_is_that_of_the_model(name: str) -> None:
    architecture = da.space(STACKED[name]).at({})
    plan = build_plan(architecture, da.sequence(LENGTH, CHANNELS), "torch_backend", TorchModule.of)
    reading, given = read(plan), task()
    assert reading is not None
    stack, (fitted,) = Stack([reading, reading], Operations()), stacks.fit([architecture], given, steps=1)
    weights = stack.packed([fitted.weights] * 2)
    inputs = stack.inputs(given.train.values)
    z, jacobian = stack.jacobian(weights, inputs)
    changes = 1e-3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(0))
    there, back = stack.outputs(weights + changes, inputs), stack.outputs(weights - changes, inputs)
    expected = torch.einsum("pkdn,pd->pnk", jacobian, changes)
    assert ((there - back) / 2).numpy() == pytest.approx(expected.numpy(), abs=2e-5)
    assert z.shape == expected.shape
    assert (jacobian != 0).any(3).any(1).all(), "every weight matters for some example"


def leaves(x: Any) -> Any:
    """Give a sum of two affine functions, of one to three channels each."""

    def leaf(x: Any) -> Any:
        return da.or_({str(indices): affine(*indices) for indices in ((0,), (1, 2), (3, 4, 0))})(x)

    return ops.Add()(leaf(mean(x)), ops.Tanh()(leaf(mean(x))))


def folds(x: Any) -> Any:
    """Give a state, to which an affine function is added, of one to three channels and the state itself."""

    def leaf(h: Any, f: Any) -> Any:
        leaves = {str(i): Columns(i) for i in ((0,), (1, 2), (3, 4, 0))}
        read = {
            name: (lambda h, f, columns=columns: ops.Dense(1)(ops.Concatenate()(columns(f), h)))
            for name, columns in leaves.items()
        }
        return da.or_(read)(h, f)

    return da.scan(lambda h, f: ops.Add()(ops.Sigmoid()(leaf(h, f)), leaf(h, f)))(ops.Zeros(1)(x), x)


@pytest.mark.parametrize("function", [leaves, folds])
def test_programs_that_read_otherwise_are_one_stack(function: Callable[[Any], Any]) -> None:
    architectures = list(da.space(function).enumerate())
    plans = [build_plan(a, da.sequence(LENGTH, CHANNELS), "torch_backend", TorchModule.of) for a in architectures]
    readings = [read(plan) for plan in plans]
    assert len(architectures) == 9 and len({reading.skeleton for reading in readings if reading}) == 1
    given = task()
    together = stacks.fit(architectures, given)
    for fitted in together:
        (alone,) = stacks.fit([fitted.architecture], given)
        assert fitted.outputs == pytest.approx(alone.outputs, abs=1e-3)
        assert fitted.outputs == pytest.approx(model_outputs(fitted), abs=1e-4)


def test_what_needs_no_weights_is_computed_once() -> None:
    calls: list[int] = []

    @dataclass(eq=False)
    class Counted(Operation):
        def shape(self, x: Spec) -> Spec:
            return x

        def to_torch(self, emit: torch_backend.Emitter, specs: Any, x: fx.Node) -> fx.Node:
            return emit.function(counted, x)

    def counted(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return x.neg()

    net = da.space(lambda x: ops.Dense(da.choice([1, 2, 3]))(ops.Tanh()(ops.Dense(2)(mean(Counted()(x))))))
    given = task()
    stacks.fit(list(net.enumerate()), given)
    stacks.fit(list(net.enumerate()), given)
    assert calls == [N, 30]


# --- the steps -------------------------------------------------------------------------------------------------------


def test_one_step_solves_a_linear_problem() -> None:
    given = task(ridge=0.1)
    (fitted,) = stacks.fit([da.space(lambda x: ops.Dense(1)(mean(x))).at({})], given, steps=25)
    x = np.column_stack([data().mean(2), np.ones(N)]).astype(float)
    y = given.train.loss.y[:, 0].numpy().astype(float)
    exact = np.linalg.solve(x.T @ x / N + np.diag([0.2] * CHANNELS + [0]), x.T @ y / N)
    found = np.concatenate([fitted.weights["dense.kernel"][:, 0], fitted.weights["dense.bias"]])
    assert found == pytest.approx(exact, abs=1e-4)
    assert fitted.loss == pytest.approx(((x @ exact - y) ** 2).mean() / 2, abs=1e-5)


@pytest.mark.parametrize("name", ["deep", "scan", "arithmetic"])
def test_second_order_steps_are_no_worse_than_training_alone(name: str) -> None:
    architecture, given = da.space(STACKED[name]).at({}), task("log") if name == "arithmetic" else task()
    losses = [stacks.fit([architecture], given, steps=n)[0].loss for n in (0, 4, 40)]
    assert losses[0] > losses[1] >= losses[2]
    model, optimised = stacks.fit([architecture], given, steps=0)[0].model(da.sequence(LENGTH, CHANNELS)), 0.0
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = given.train.loss.value(model(torch.tensor(data())).flatten(1)[None])[0]
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimised = float(loss.detach())
    assert losses[2] < optimised * 1.5 + 0.01


def test_softmax_of_classes() -> None:
    given = task("softmax", ridge=1e-4)
    (fitted,) = stacks.fit([da.space(STACKED["several outputs"]).at({})], given, steps=30)
    assert fitted.outputs.shape == (30, 3) and fitted.loss < 0.75
    (whole,) = stacks.fit([da.space(lambda x: ops.Dense(3)(mean(x))).at({})], given, steps=30)
    assert whole.loss < 0.1 and (whole.outputs.argmax(1) == given.valid.loss.y.numpy()).mean() > 0.85


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_and_curvature_are_those_of_the_loss(loss: str) -> None:
    rng = torch.Generator().manual_seed(0)
    k = 3 if loss == "softmax" else 2
    y = torch.tensor([0, 2, 1, 1]) if loss == "softmax" else torch.tensor([[0.0, 1], [1, 1], [0, 0], [1, 0]])
    of = LOSSES[loss](y, (1.0, 2.0, 3.0) if loss == "softmax" else (1.0, 1.5))
    z = torch.randn(1, 4, k, generator=rng, dtype=torch.float64)
    z.requires_grad_()
    of.cost = of.cost.double()
    (slope,) = torch.autograd.grad(of.value(z).sum(), z)
    z = z.detach()
    assert (of.slope(z) * of.cost[:, None]).numpy() == pytest.approx(slope.numpy(), abs=1e-6)
    hessian = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
        lambda flat: of.value(flat.view(1, 4, k)).sum(), z.flatten()
    )
    jacobian = torch.randn(1, k, 5, 4, generator=rng, dtype=torch.float64)
    rows = of.rows(z, jacobian).transpose(1, 2).flatten(2)[0]
    by_output = jacobian[0].permute(2, 0, 1).reshape(4 * k, 5)
    assert (rows @ rows.T).numpy() == pytest.approx((by_output.T @ hessian @ by_output).numpy(), rel=1e-3, abs=1e-5)


def test_costs_of_classes() -> None:
    y = torch.tensor([[0.0], [1.0]])
    assert LogLoss(y, 1.5).cost.tolist() == [0.5, 0.75] and LogLoss(y, (2.0, 3.0)).cost.tolist() == [1.0, 1.5]
    assert SoftmaxLoss(torch.tensor([0, 1, 2, 1]), (1.0, 2.0, 4.0)).cost.tolist() == [0.25, 0.5, 1.0, 0.5]
    z = torch.tensor([[[1.0], [1.0]]])
    expected = (np.log1p(np.exp(1)) + 1.5 * np.log1p(np.exp(-1))) / 2
    assert LogLoss(y, 1.5).value(z).item() == pytest.approx(expected)


# --- first weights ---------------------------------------------------------------------------------------------------


def test_first_weights_are_those_that_are_given() -> None:
    architecture = da.space(STACKED["affine"]).at({})
    start = {"dense.kernel": [[2.0], [3.0]], "other.kernel": [1.0]}
    (fitted,) = stacks.fit([architecture], task(), [start], steps=0)
    assert fitted.weights["dense.kernel"].tolist() == [[2], [3]] and fitted.weights["dense.bias"].tolist() == [0]
    (fitted,) = stacks.fit([architecture], task(), [{"den*.kernel": 0.5, "*.bias": 7, "*.kernel": 9}], steps=0)
    assert fitted.weights["dense.kernel"].tolist() == [[0.5], [0.5]] and fitted.weights["dense.bias"].tolist() == [7]


def test_noise_parts_copies_and_follows_the_seed() -> None:
    architecture, start = da.space(STACKED["affine"]).at({}), {"*.kernel": 0.0}
    found = [stacks.fit([architecture], task(), [start], steps=0, noise=0.1, seed=s)[0] for s in (0, 0, 1)]
    kernels = [fitted.weights["dense.kernel"].flatten().tolist() for fitted in found]
    assert kernels[0] == kernels[1] != kernels[2] and kernels[0][0] != kernels[0][1]
    assert max(map(abs, kernels[0])) < 1


def test_what_diverges_keeps_its_first_weights() -> None:
    architecture = da.space(STACKED["arithmetic"]).at({})
    (fitted,) = stacks.fit([architecture], task(), [{"*.kernel": 1e30}], steps=3)
    assert fitted.stacked and not np.isfinite(fitted.loss)


def test_inputs_by_name() -> None:
    net = da.space(lambda a, b: ops.Add()(ops.Dense(1)(b), ops.Dense(1)(ops.Multiply()(a, b))))
    a, b = data()[:, :, 0], data(2)[:, :, 0]
    given = stacks.Task({"b": b, "a": a}, b[:, 0] + (a * b)[:, 1], loss="squared", ridge=0)
    (fitted,) = stacks.fit([net.at({})], given, steps=20)
    assert fitted.loss < 1e-6
    model = fitted.model({"a": da.vector(CHANNELS), "b": da.vector(CHANNELS)})
    with torch.no_grad():
        assert fitted.outputs == pytest.approx(model(torch.tensor(a), torch.tensor(b)).numpy(), abs=1e-4)
