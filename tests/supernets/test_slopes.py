"""Laws of slopes: what a view says is what differences of the score tell, of the second order too."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

import deep_arch as da
from deep_arch import ops
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.supernet_spaces import NAMED

WITHIN = 1e-6
"""Central differences of 1e-5 leave about 1e-10 of rounding, and 1e-10 of the third derivative, which is large here."""


def scoring(supernet: Any, batch: Mapping[str, Tensor]) -> Callable[[Mapping[str, Any]], tuple[Any, Tensor]]:
    def score(state: Mapping[str, Any]) -> tuple[Any, Tensor]:
        view = supernet.at(state)
        return view, contract.score_of(view(**batch))

    return score


@pytest.mark.parametrize("name", sorted(set(NAMED) - {"readme"}))
def test_slopes_are_differences(name: str) -> None:
    space, inputs, as_values, _ = NAMED[name]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    supernet.eval()
    state = contract.softened(supernet, contract.decisions_of(supernet), as_values)
    contract.check_slopes(scoring(supernet, batch), state, WITHIN)


def test_slopes_are_differences_in_training() -> None:
    space, inputs, *_ = NAMED["nats size"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    supernet.train()
    contract.check_slopes(scoring(supernet, batch), contract.softened(supernet, {}), WITHIN)


def test_slopes_of_tensors_that_carry_gradients_go_on() -> None:
    space = da.space(lambda x: da.or_([ops.Tanh, lambda: ops.Dense(3)], name="d")(x))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    logits = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    weights = logits.softmax(0)
    given: Any
    for given in (weights, [*weights]):
        view = supernet.at({"d.which": contract.mixed((0, 1), given)})
        score = contract.score_of(view(**batch))
        slopes = torch.tensor(view.slopes(score)["d.which"], dtype=torch.float64)
        (by_logit,) = torch.autograd.grad(score, logits, retain_graph=True)
        chained = weights * (slopes - (weights * slopes).sum())
        contract.assert_close([by_logit], [chained.detach()], "slopes of logits")


def test_weights_are_trained_with_the_same_graph() -> None:
    space = da.space(lambda x: da.or_([ops.Tanh, lambda: ops.Dense(3)], name="d")(x))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    view = supernet.at({"d.which": da.Mixture((0, 1), (0.5, 0.5))})
    score = contract.score_of(view(**batch))
    first = view.slopes(score)
    torch.autograd.backward(score, retain_graph=True)
    assert all(p.grad is not None for p in supernet.parameters())
    assert view.slopes(score) == first


def test_a_weight_that_is_not_reached_has_no_gradient() -> None:
    space = da.space(lambda x: da.or_([ops.Tanh, lambda: ops.Dense(3), lambda: ops.Dense(3)], name="d")(x))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    view = supernet.at({"d.which": contract.mixed((0, 1, 2), (0.5, 0.5, 0.0), active=[0, 2])})
    contract.backward(contract.score_of(view(**batch)))
    assert [p.grad is None for p in supernet.parameters()] == [True, True, False, False]


# --- one step of the weights -----------------------------------------------------------------------------------------


@da.space
def deeper(x: da.Value) -> da.Value:
    x = da.or_([ops.Tanh, lambda: ops.Dense(4)], name="first")(ops.Dense(4)(x))
    return ops.Dense(2)(ops.Tanh()(ops.Dense(da.choice([2, 4], name="width"))(x)))


def test_unrolled_slopes_are_differences_of_the_unrolled_score() -> None:
    supernet = contract.network_of(deeper, da.vector(3))
    train, valid = (contract.examples(deeper, da.vector(3), seed=seed) for seed in (1, 2))
    state = {"first.which": da.Mixture((0, 1), (0.4, 0.6)), "width": da.Mixture((2, 4), (0.7, 0.3))}
    before = [p.detach().clone() for p in supernet.parameters()]

    class Unrolled:
        def __init__(self, view: Any) -> None:
            self.view = view

        def slopes(self, _: Tensor) -> Any:
            loss = contract.score_of(self.view(**train)).square()
            return self.view.slopes(lambda: contract.score_of(self.view(**valid)), unrolled=(loss, 0.01))

    def score(state: Mapping[str, Any]) -> tuple[Any, Tensor]:
        view = supernet.at(state)
        loss = contract.score_of(view(**train)).square()
        slopes = torch.autograd.grad(loss, [*supernet.parameters()])
        with torch.no_grad():
            for p, slope in zip(supernet.parameters(), slopes, strict=True):
                p.sub_(0.01 * slope)
            after = contract.score_of(view(**valid))
            for p, kept in zip(supernet.parameters(), before, strict=True):
                p.copy_(kept)
        return Unrolled(view), after

    contract.check_slopes(score, state, WITHIN)
    assert all(torch.equal(p, kept) for p, kept in zip(supernet.parameters(), before, strict=True))


def test_a_step_is_undone() -> None:
    supernet, batch = contract.network_of(deeper, da.vector(3)), contract.examples(deeper, da.vector(3))
    view = supernet.at(deeper.sample(seed=0))
    parameters = [*supernet.parameters()]
    before = view(**batch)
    with supernet.step(contract.score_of(view(**batch)), 0.1):
        assert not torch.equal(view(**batch), before)
    assert torch.equal(view(**batch), before)
    assert all(p is q for p, q in zip(supernet.parameters(), parameters, strict=True))
    with pytest.raises(KeyError), supernet.step(contract.score_of(view(**batch)), 0.1):
        raise KeyError
    assert torch.equal(view(**batch), before)


def test_a_step_is_that_of_an_optimizer() -> None:
    supernet, batch = contract.network_of(deeper, da.vector(3)), contract.examples(deeper, da.vector(3))
    view = supernet.at(deeper.sample(seed=0))
    with supernet.step(contract.score_of(view(**batch)), 0.1, weight_decay=0.2):
        stepped = view(**batch)
    optimizer = torch.optim.SGD(supernet.parameters(), lr=0.1, weight_decay=0.2)
    contract.backward(contract.score_of(view(**batch)))
    optimizer.step()
    contract.assert_close([stepped], [view(**batch)], "outputs")
