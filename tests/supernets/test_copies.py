"""Laws of copies: a super-network is a module like any other."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.supernet_spaces import NAMED, mobile

NAME = "mobile"


@pytest.fixture
def supernet() -> Any:
    return contract.network_of(*NAMED[NAME][:2]).eval()


@pytest.fixture
def batch() -> dict[str, Tensor]:
    return contract.examples(*NAMED[NAME][:2])


def outputs(supernet: Any, batch: Mapping[str, Tensor]) -> list[Tensor]:
    """Return what some paths and a relaxed state give."""
    paths = [mobile.sample(seed=seed) for seed in range(3)]
    relaxed = contract.softened(supernet, contract.decisions_of(supernet))
    return [contract.listed(supernet.at(state)(**batch))[0].detach() for state in (*paths, relaxed)]


def assert_same(supernet: Any, other: Any, batch: Mapping[str, Tensor]) -> None:
    for a, b in zip(outputs(supernet, batch), outputs(other, batch), strict=True):
        assert torch.equal(a, b)


def move(supernet: Any) -> None:
    with torch.no_grad():
        for tensor in contract.shared_tensors(supernet).values():
            tensor.add_(0.1)


def check_copy(supernet: Any, other: Any, batch: Mapping[str, Tensor]) -> None:
    """Check that a copy gives the same, and goes its own way."""
    before = outputs(supernet, batch)
    assert_same(supernet, other, batch)
    assert type(other) is type(supernet)
    assert other.training == supernet.training
    assert [*other.decisions] == [*supernet.decisions]
    move(other)
    assert all(torch.equal(a, b) for a, b in zip(before, outputs(supernet, batch), strict=True))
    assert not torch.equal(before[0], outputs(other, batch)[0])


def test_a_state_dict_goes_into_a_new_super_network(supernet: Any, batch: dict[str, Tensor]) -> None:
    new = torch_backend.supernet(mobile, NAMED[NAME].inputs, seed=5).double().eval()
    assert new.load_state_dict(supernet.state_dict()).missing_keys == []
    check_copy(supernet, new, batch)


def test_a_deep_copy_is_its_own(supernet: Any, batch: dict[str, Tensor]) -> None:
    outputs(supernet, batch)  # so that there is something to copy beside weights
    check_copy(supernet, copy.deepcopy(supernet), batch)


def test_a_pickle_is_its_own(supernet: Any, batch: dict[str, Tensor]) -> None:
    outputs(supernet, batch)
    next(supernet.parameters()).requires_grad_(False)
    new = pickle.loads(pickle.dumps(supernet))
    assert [p.requires_grad for p in new.parameters()] == [p.requires_grad for p in supernet.parameters()]
    check_copy(supernet, new, batch)


def test_torch_saves_and_loads(supernet: Any, batch: dict[str, Tensor]) -> None:
    file = io.BytesIO()
    torch.save(supernet, file)
    file.seek(0)
    check_copy(supernet, torch.load(file, weights_only=False), batch)


def test_a_copy_of_a_module_that_holds_one(supernet: Any, batch: dict[str, Tensor]) -> None:
    holder = nn.ModuleDict({"net": supernet})
    check_copy(supernet, copy.deepcopy(holder)["net"], batch)
    assert {name.split(".")[0] for name in holder.state_dict()} == {"net"}


def test_the_type_of_numbers_changes_in_place(supernet: Any, batch: dict[str, Tensor]) -> None:
    exact = outputs(supernet, batch)
    inputs = {name: x.float() for name, x in batch.items()}
    single = outputs(supernet.float(), inputs)
    assert {y.dtype for y in single} == {torch.float32}
    contract.assert_close([y.double() for y in single], exact, "outputs", 1e-5)
    contract.assert_close(outputs(supernet.double(), batch), exact, "outputs", 1e-6)


def test_functional_calls_have_other_weights(supernet: Any, batch: dict[str, Tensor]) -> None:
    other = contract.network_of(mobile, NAMED[NAME].inputs, seed=5).eval()
    before = outputs(supernet, batch)
    for state in (mobile.sample(seed=0), contract.softened(supernet, contract.decisions_of(supernet))):
        given = torch.func.functional_call(supernet, other.state_dict(), tuple(batch.values()), {"at": state})
        assert torch.equal(given, other.at(state)(**batch))
    assert all(torch.equal(a, b) for a, b in zip(before, outputs(supernet, batch), strict=True))


def test_functional_calls_carry_gradients(supernet: Any, batch: dict[str, Tensor]) -> None:
    weights = {name: p.detach().clone().requires_grad_() for name, p in supernet.named_parameters()}
    architecture = mobile.sample(seed=0)
    given = torch.func.functional_call(supernet, weights, tuple(batch.values()), {"at": architecture})
    found = torch.autograd.grad(contract.score_of(given), [*weights.values()], allow_unused=True)
    contract.run(supernet.at(architecture), batch, training=False)
    for name, slope in zip(weights, found, strict=True):
        expected = supernet.get_parameter(name).grad
        assert (slope is None) == (expected is None)
        assert slope is None or torch.equal(slope, expected)


def test_the_mode_is_that_of_the_super_network(supernet: Any, batch: dict[str, Tensor]) -> None:
    one, other = supernet.at(mobile.sample(seed=0)), supernet.at(mobile.sample(seed=1))
    one.train()
    assert supernet.training
    in_training = other(**batch)
    other.eval()
    assert not supernet.training
    assert not torch.equal(in_training, other(**batch))


def test_weights_that_are_replaced_are_used(supernet: Any, batch: dict[str, Tensor]) -> None:
    view = supernet.at(mobile.sample(seed=0))
    before = view(**batch)
    for name, p in [*supernet.named_parameters()]:
        owner, _, key = name.rpartition(".")
        setattr(supernet.get_submodule(owner), key, nn.Parameter(p.detach() + 0.1))
    assert not torch.equal(before, view(**batch))


def test_frozen_weights_have_no_gradient(supernet: Any, batch: dict[str, Tensor]) -> None:
    frozen = [*supernet.parameters()][::2]
    for p in frozen:
        p.requires_grad_(False)
    contract.run(supernet.at(mobile.sample(seed=0)), batch, training=True)
    assert all(p.grad is None for p in frozen)
    assert any(p.grad is not None for p in supernet.parameters())


def test_threads_have_views_of_their_own(supernet: Any, batch: dict[str, Tensor]) -> None:
    architectures = [mobile.sample(seed=seed) for seed in range(4)]
    expected = [supernet.at(architecture)(**batch) for architecture in architectures]
    found: dict[int, list[Tensor]] = {}

    def work(i: int) -> None:
        found[i] = [supernet.at(architectures[i])(**batch) for _ in range(5)]

    threads = [Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(y, expected[i]) for i in range(4) for y in found[i])


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_distributed_training_is_the_same(supernet: Any, batch: dict[str, Tensor], tmp_path: Path) -> None:
    if not torch.distributed.is_gloo_available():
        pytest.skip("torch was built without gloo")
    architecture = mobile.sample(seed=0)
    contract.backward(contract.score_of(supernet.at(architecture)(**batch)))
    expected = [None if p.grad is None else p.grad.clone() for p in supernet.parameters()]
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(supernet, find_unused_parameters=True)
        supernet.zero_grad(set_to_none=True)
        contract.backward(contract.score_of(parallel(*batch.values(), at=architecture)))
    finally:
        torch.distributed.destroy_process_group()
    for p, slope in zip(supernet.parameters(), expected, strict=True):
        assert p.grad is None or slope is not None or not bool(p.grad.any())
        assert slope is None or torch.equal(p.grad, slope)


def test_a_space_without_weights() -> None:
    space = da.space(lambda x: da.optional(ops.Tanh, name="d")(x))
    supernet, batch = contract.network_of(space, da.vector(3)), contract.examples(space, da.vector(3))
    relaxed = supernet.at({"d.use": da.Mixture((True, False), (0.25, 0.75))})(**batch)
    expected = 0.25 * batch["x"].tanh() + 0.75 * batch["x"]
    contract.assert_close([relaxed], [expected], "outputs", 1e-6)
