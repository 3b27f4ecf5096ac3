"""What every backend does alike: the checks of lowerings, weights and seeds, on the PyTorch backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight

WIDE = Spec((3,), "float64")


def build(fn: Any, inputs: Any, seed: int | None = 0) -> Any:
    return torch_backend.build(da.space(fn).at({}), inputs, seed)


def dense(x: Any) -> Any:
    return ops.Dense(2)(x)


class Wrong(Operation):
    """Its lowering gives what a test put there."""

    given: Any = None

    def shape(self, x: Spec) -> Spec:
        return x

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        return {"none": None, "list": [x], "three": (x, x, x)}[self.given]


@pytest.mark.parametrize(
    ("given", "got"), [("none", "1: NoneType"), ("list", "1: list"), ("three", "3: Node, Node, Node")]
)
def test_a_lowering_gives_a_value_for_each_output(given: str, got: str) -> None:
    cls = type("Wrong", (Wrong,), {"given": given})
    with pytest.raises(
        BadArgument, match=rf"^wrong: expected to_torch of Wrong .* outputs: 1.\n  Got {got}.\n  Return"
    ):
        build(lambda x: ops.ReLU()(cls()(x)), da.vector(3))


@pytest.mark.parametrize("weights", [None, [1.0]])
def test_weights_are_a_mapping(weights: Any) -> None:
    with pytest.raises(BadArgument, match=r"^torch_backend.set_weights: expected a mapping from names to arrays"):
        torch_backend.set_weights(build(dense, da.vector(3)), weights)


@pytest.mark.parametrize("array", [None, "a", np.full((3, 2), None), np.full((3, 2), "a"), np.ones((3, 2)) * 1j])
def test_a_weight_holds_real_numbers(array: Any) -> None:
    model = build(dense, da.vector(3))
    weights = {**torch_backend.get_weights(model), "dense.kernel": array}
    with pytest.raises(BadArgument, match=r"^dense.kernel: torch_backend.set_weights needs an array of real numbers"):
        torch_backend.set_weights(model, weights)


def test_a_tensor_with_a_gradient_says_how_to_make_an_array() -> None:
    model = build(dense, da.vector(3))
    weights = {**torch_backend.get_weights(model), "dense.kernel": torch.ones(3, 2, requires_grad=True)}
    with pytest.raises(BadArgument, match=r"Got Tensor of torch.float32.\n  .*tensor.detach\(\).cpu\(\).numpy\(\)"):
        torch_backend.set_weights(model, weights)


def test_weights_may_be_lists() -> None:
    model = build(dense, da.vector(3))
    weights = torch_backend.get_weights(model)
    torch_backend.set_weights(model, {name: (array + 1.0).tolist() for name, array in weights.items()})
    np.testing.assert_allclose(torch_backend.get_weights(model)["dense.kernel"], weights["dense.kernel"] + 1.0)


@pytest.mark.parametrize("module", [ops.ReLU, lambda: ops.Dense(2)])
def test_a_shared_module_has_one_type(module: Any) -> None:
    def tied(a: Any, b: Any) -> Any:
        shared = module()
        return shared(a), shared(b)

    with pytest.raises(ShapeMismatch, match=r"expected floats of one type in all calls.*\n  Got float32 and float64"):
        build(tied, {"a": da.vector(3), "b": WIDE})


def test_a_table_of_float32_is_no_head_of_float64() -> None:
    def tied(tokens: Any, wide: Any) -> Any:
        embedding, flat = ops.ReversibleEmbedding(9, 4), ops.Flatten()
        return embedding(wide), embedding(tokens), flat(wide), flat(tokens)

    inputs = {"tokens": da.tokens(3, vocabulary=9), "wide": da.vector(4, "float64")}
    with pytest.raises(
        ShapeMismatch, match=r"reversible_embedding: expected floats of one type.*\n  Got float64 and float32"
    ):
        build(tied, inputs)
    build(lambda tokens, wide: (lambda flat: (flat(tokens), flat(wide)))(ops.Flatten()), inputs)


@pytest.mark.parametrize("seed", [-1, 2**70, -(2**70)])
def test_a_seed_is_any_int(seed: int) -> None:
    first, again = (torch_backend.get_weights(build(dense, da.vector(3), seed)) for _ in range(2))
    np.testing.assert_array_equal(first["dense.kernel"], again["dense.kernel"])


def test_a_weight_of_one_axis_may_be_drawn() -> None:
    class Gate(ops.Scale):
        def weights(self, x: Spec) -> Any:
            return {"scale": Weight((x.channels,))}

    scale = torch_backend.get_weights(build(lambda x: Gate()(x), da.vector(4)))["gate.scale"]
    assert scale.shape == (4,) and len(set(scale.tolist())) == 4


def test_what_is_no_spec_is_not_offered_as_its_own_correction() -> None:
    with pytest.raises(BadArgument, match=r"'x' is missing, or no spec.$"):
        build(dense, {"x": None})
