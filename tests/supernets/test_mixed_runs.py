"""Laws of relaxed states: what runs, and how often; which decisions count, and where."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections import Counter

import pytest
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.supernet_spaces import NAMED


def alternatives(x: da.Value) -> da.Value:
    return da.or_({tag: lambda tag=tag: contract.counting(tag) for tag in "abc"}, name="d")(x)


def test_active_is_enough() -> None:
    space = da.space(alternatives)
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    view = supernet.at({"d.which": contract.mixed(("a", "b", "c"), (0.3, 0.3, 0.4), active=[1])})
    assert contract.runs_of(view, batch) == ["b"]
    assert view.slopes(contract.score_of(view(**batch)))["d.which"][::2] == (0.0, 0.0)
    two = contract.mixed(("a", "b", "c"), (0.3, 0.3, 0.4), active=[2, 0])
    assert sorted(contract.runs_of(supernet.at({"d.which": two}), batch)) == ["a", "c"]
    assert contract.runs_of(supernet.at({"d.which": "c"}), batch) == ["c"]


def test_one_active_value_counts_with_its_weight() -> None:
    space = da.space(alternatives)
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    relaxed = supernet.at({"d.which": contract.mixed(("a", "b", "c"), (0.3, 0.25, 0.4), active=[1])})(**batch)
    contract.assert_close([relaxed], [0.25 * supernet.at({"d.which": "b"})(**batch)], "outputs")


def test_mixing_runs_each_operation_once() -> None:
    uniform = da.Mixture((1, 2, 4), (0.3, 0.3, 0.4))
    for make in (da.repeat, lambda fn, n, name: da.dense_block(fn, n, ops.Add, name=name)):
        space = da.space(lambda x, make=make: make(lambda: contract.counting("r"), da.choice([1, 2, 4]), name="d")(x))
        supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
        assert len(contract.runs_of(supernet.at({"d.times": uniform}), batch)) == 4
        assert len(contract.runs_of(supernet.at({"d.times": 4}), batch)) == 4


def test_orders_share_what_they_begin_with() -> None:
    space = da.space(lambda x: da.permute([lambda tag=tag: contract.counting(tag) for tag in "abc"], name="d")(x))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    orders = [*supernet.decisions["d.order"].values()]
    ran = Counter(contract.runs_of(supernet.at({"d.order": da.Mixture(tuple(orders), [1 / 6] * 6)}), batch))
    assert ran == {"a": 5, "b": 5, "c": 5}  # 3 first, 6 second, 6 last ones


def test_the_order_of_decisions_is_immaterial() -> None:
    space, inputs, as_values, _ = NAMED["dense blocks"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    state = contract.softened(supernet, contract.decisions_of(supernet), as_values)
    backwards = dict(reversed([*state.items()]))
    assert torch.equal(supernet.at(state)(**batch), supernet.at(backwards)(**batch))


def test_mixtures_that_were_met() -> None:
    space = da.space(lambda x: da.optional(lambda: ops.Dense(da.choice([2, 3])), name="d")(ops.Dense(3)(x)))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    state = {
        "d.use": False,
        "d/dense.units": da.Mixture((2, 3), (0.5, 0.5)),
    }
    state = {address: state.get(address, state.get("d/dense.units")) for address in supernet.decisions}
    view = supernet.at(state)
    view(**batch)
    assert view.mixtures == {}
    (inner,) = set(supernet.decisions) - {"d.use"}
    view = supernet.at({"d.use": True, inner: state[inner]})
    view(**batch)
    assert dict(view.mixtures) == {inner: state[inner]}


def test_a_tied_decision_is_mixed_at_each_place() -> None:
    """One decision of several cells has the same weights in each (DARTS, section 2.1)."""

    def net(x: da.Value) -> da.Value:
        which = da.choice(["a", "b"], name="which")
        for _ in range(2):
            x = da.or_({"a": lambda: ops.Dense(3), "b": ops.Tanh}, which=which)(x)
        return x

    space = da.space(net)
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    mixed = supernet.at({"which": da.Mixture(("a", "b"), (0.3, 0.7))})(**batch)
    first, second = [p for _, p in supernet.named_parameters()][:2], [p for _, p in supernet.named_parameters()][2:]
    x = batch["x"]
    for weight, bias in (first, second):
        x = 0.3 * torch.nn.functional.linear(x, weight, bias) + 0.7 * x.tanh()
    contract.assert_close([mixed], [x], "outputs")


def test_what_config_attaches_is_the_expectation() -> None:
    space, inputs, *_ = NAMED["configured"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    values = contract.decisions_of(supernet)
    rate = next(address for address in supernet.decisions if "learning_rate" in address)
    view = supernet.at({**values, rate: da.Mixture((1e-3, 1e-1), (0.25, 0.75))})
    view(**batch)
    assert view.config["learning_rate"].item() == pytest.approx(0.25e-3 + 0.075)
