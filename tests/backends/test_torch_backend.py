"""The torch backend by its contract, and what only torch has: state dicts, compilation, export, generated code."""

from __future__ import annotations

import copy
import io
import pickle
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import BadArgument, NotSupported, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.measures.module_names import ModuleNames
from deep_arch.testing.backend_contract import IMAGE, BackendContract
from deep_arch.testing.substitution_pairs import conv
from deep_arch.testing.torch_runner import TorchRunner


class TestTorchBackend(TorchRunner, BackendContract):
    reference = None

    def native(self, units: Any) -> da.Module:
        return torch_backend.wrap(nn.Linear)(4, units)


def transformer(x: Any) -> Any:
    """Return logits of token sequences, with most of what has submodules."""
    x = ops.Embedding(11, 8)(x)
    x = da.residual(lambda: da.sequential(ops.LayerNormalization, lambda: ops.MultiHeadAttention(2, 4)))(x)
    x = da.residual(lambda: da.sequential(ops.RMSNormalization, lambda: ops.Dense(16), ops.GELU, lambda: ops.Dense(8)))(
        x
    )
    x = ops.DropPath(0.1)(ops.Scale(0.5)(x))
    return ops.Dense(3)(ops.GlobalAveragePooling1D()(x))


def image_net(x: Any) -> Any:
    """Return two outputs of images, with padding that is not even, pooling, merging and tied weights."""
    stem = ops.Conv2D(6, 3, strides=2, groups=2)
    x = ops.ReLU()(ops.BatchNormalization()(stem(x)))
    a = da.repeat(lambda: da.sequential(lambda: ops.SeparableConv2D(6, 5), ops.SELU), 2)(x)
    b = ops.AveragePooling2D(3, strides=1)(ops.Conv2DTranspose(6, 3, strides=2)(ops.MaxPooling2D(3, strides=2)(x)))
    left, right = ops.Split(2)(ops.Concatenate()(a, b, ops.Zero()(x)))
    return ops.Add()(left, ops.Multiply()(right, right)), ops.Flatten()(ops.Cropping2D(1)(x))


def recurrent(x: Any) -> Any:
    x = ops.LSTM(5, return_sequences=True)(x)
    return ops.GRU(4, go_backwards=True, reset_after=False)(x)


NETS: dict[str, tuple[Any, Spec]] = {
    "transformer": (transformer, da.tokens(6, vocabulary=11)),
    "image": (image_net, IMAGE),
    "recurrent": (recurrent, da.sequence(length=5, features=3)),
}


def build(fn: Any, inputs: Any = IMAGE, seed: int | None = 0, **values: Any) -> Any:
    return torch_backend.build(da.space(fn).at(values), inputs, seed)


@pytest.fixture(params=NETS)
def built(request: pytest.FixtureRequest) -> tuple[fx.GraphModule, Tensor]:
    """A model in inference and an input for it."""
    fn, spec = NETS[request.param]
    shape = (2, *spec.shape)
    x = torch.randint(11, shape) if spec.dtype == "int64" else torch.randn(shape, generator=torch.manual_seed(0))
    return build(fn, spec).eval(), x


def test_state_dict_round_trips(built: tuple[fx.GraphModule, Tensor], request: pytest.FixtureRequest) -> None:
    model, x = built
    fn, spec = NETS[request.node.callspec.params["built"]]
    other = build(fn, spec, seed=1).eval()
    assert list(other.state_dict()) == list(model.state_dict())
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), model(x))


def test_copies_pickles_and_saved_models_compute_the_same(built: tuple[fx.GraphModule, Tensor]) -> None:
    model, x = built
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(file, weights_only=False)]
    for other in others:
        torch.testing.assert_close(other(x), model(x))


def test_models_compile_without_a_break(built: tuple[fx.GraphModule, Tensor]) -> None:
    model, x = built
    torch._dynamo.reset()
    # Dynamo leaves nn.LSTM and nn.GRU to Python, which is a break of the graph but no error.
    whole = not any(isinstance(layer, nn.RNNBase) for layer in model.modules())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing asks tensors of its own for gradients that they do not keep
        compiled = torch.compile(model, backend="eager", fullgraph=whole)(x)
    torch.testing.assert_close(compiled, model(x))


def test_models_export(built: tuple[fx.GraphModule, Tensor]) -> None:
    model, x = built
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nn.LSTM keeps a list of its weights, which export warns of
        exported = torch.export.export(model, (x,))
    torch.testing.assert_close(exported.module()(x), model(x))


def test_code_reads_as_if_written_by_hand() -> None:
    @da.space
    def net(x: Any) -> Any:
        n = da.choice([1, 2, 4], name="n")
        x = conv(da.choice([64, 128]))(x)
        x = da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5])))(x)
        a = da.repeat(lambda: conv(8), n)(x)
        b = da.repeat(lambda: da.sequential(lambda: conv(8), ops.ReLU), 2 * n)(x)
        return ops.Concatenate()(a, b)

    values = {"n": 1, "conv2d.filters": 64, "optional.use": True, "optional/dropout.rate": 0.5}
    model: Any = torch_backend.build(net.at(values), IMAGE)
    lines = [line.partition(";")[0] for line in model.code.strip().splitlines()]
    expected = """
        def forward(self, x):
            conv2d = self.conv2d(x)
            optional_dropout = self.optional.dropout(conv2d)
            repeat_0_conv2d = self.repeat_0.conv2d(optional_dropout)
            repeat_1_0_sequential_0_conv2d = self.repeat_1_0.sequential_0.conv2d(optional_dropout)
            relu = torch.relu(repeat_1_0_sequential_0_conv2d)
            repeat_1_1_sequential_0_conv2d = self.repeat_1_1.sequential_0.conv2d(relu)
            relu_1 = torch.relu(repeat_1_1_sequential_0_conv2d)
            cat = torch.cat((repeat_0_conv2d, relu_1), dim = 1)
            return cat
    """
    assert lines == textwrap.dedent(expected).strip().splitlines()
    assert type(model).__name__ == "net"
    assert repr(model.repeat_0.conv2d) == "Conv2d(64, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"


def test_a_seed_leaves_the_global_generator_as_it_was() -> None:
    state = torch.get_rng_state()
    first, again = build(conv_net, seed=7), build(conv_net, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(first.state_dict(), again.state_dict())


def conv_net(x: Any) -> Any:
    return conv()(x)


def test_without_a_seed_weights_come_from_the_global_generator() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first, second = build(conv_net, seed=None), build(conv_net, seed=None)
        torch.manual_seed(3)
        torch.testing.assert_close(build(conv_net, seed=None).state_dict(), first.state_dict())
    assert not torch.equal(first.conv2d.weight, second.conv2d.weight)


def test_a_seed_that_is_no_int_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"seed must be an int(.|\n)*1\.5"):
        build(conv_net, seed=1.5)  # type: ignore[arg-type]


def test_tied_weights_are_one_parameter() -> None:
    def net(x: Any) -> Any:
        shared = conv()
        return da.repeat(shared, 3)(shared(x))

    model = build(net)
    assert [name for name, _ in model.named_parameters(remove_duplicate=False)] == ["conv2d.weight", "conv2d.bias"]
    assert model.code.count("self.conv2d(") == 4


# --- names -----------------------------------------------------------------------------------------------------------


def test_different_addresses_have_different_names_in_order_of_the_calls() -> None:
    names = ModuleNames()
    addresses = ("or[a b]/conv2d", "or[a_b]/conv2d", "or[a b]/conv2d_1", "or_a_b", "or_a_b/x", "or[1/2]/x")
    paths = [names.path(address) for address in addresses]
    assert paths == ["or_a_b.conv2d", "or_a_b_.conv2d", "or_a_b.conv2d_1", "or_a_b__", "or_a_b__.x", "or_1_2.x"]
    assert names.path("or[a_b]/conv2d") == "or_a_b_.conv2d"


@pytest.mark.parametrize("name", ["forward", "training", "lambda", "graph", "self", "None", "ﬁlter"])
def test_names_that_mean_something_to_torch_or_python_are_safe(name: str) -> None:
    def net(x: Any) -> Any:
        return da.or_({"3x3": lambda: ops.Conv2D(2, 3, name=name), "1": ops.ReLU}, which="3x3")(x)

    model = build(net)
    assert model(torch.randn(1, 4, 8, 8)).shape == (1, 2, 8, 8)
    assert sum(p.numel() for p in model.parameters()) == 2 * (4 * 9 + 1)


def test_inputs_may_have_any_name() -> None:
    model = torch_backend.build(
        da.space(lambda self, input: ops.Add()(self, input)).at({}), {"self": IMAGE, "input": IMAGE}
    )
    x = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(model(x, input=x), 2 * x)


# --- modules of the user ---------------------------------------------------------------------------------------------


def test_wrapped_classes_have_shapes_costs_and_hyperparameters() -> None:
    wrapped = torch_backend.wrap(nn.Conv2d)
    space = da.space(lambda x: ops.ReLU()(wrapped(4, out_channels=da.choice([8, 16]), kernel_size=3)(x)))
    architecture = space.at({"conv2d.out_channels": 16})
    cost = architecture.cost(IMAGE)
    assert architecture.shapes(IMAGE)["conv2d"] == (16, 6, 6)
    assert (cost.parameters, cost.macs) == (16 * (4 * 9 + 1), 16 * 36 * 4 * 9)
    model: Any = torch_backend.build(architecture, IMAGE)
    assert isinstance(model.conv2d, nn.Conv2d)
    assert model(torch.randn(2, 4, 8, 8)).shape == (2, 16, 6, 6)


def test_wrapped_attention_is_counted_as_the_neutral_one() -> None:
    wrapped = torch_backend.wrap(lambda: _SelfAttention())
    x = da.sequence(length=5, features=6)
    assert wrapped().macs(x) == ops.MultiHeadAttention(2, 3).macs(x)


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        x = x.transpose(1, 2)
        return self.attention(x, x, x, need_weights=False)[0].transpose(1, 2)


def test_wrapped_classes_may_take_unhashable_arguments_and_give_several_outputs() -> None:
    class Chunks(nn.Module):
        def __init__(self, sizes: list[int]) -> None:
            super().__init__()
            self.sizes = sizes

        def forward(self, x: Tensor) -> Any:
            return x.split(self.sizes, dim=1)  # type: ignore[no-untyped-call]

    chunks = torch_backend.wrap(Chunks, outputs=2)
    model = build(lambda x: ops.Concatenate()(*[chunks([1, 3])(x)[i] for i in (1, 0)]))
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(model(x), torch.cat([x[:, 1:], x[:, :1]], 1))
    with pytest.raises(ShapeMismatch, match=r"^chunks: (.|\n)*outputs=2"):
        build(lambda x: torch_backend.wrap(Chunks)([1, 3])(x))


def test_wrap_names_the_nearest_argument() -> None:
    with pytest.raises(BadArgument, match="kernel_size"):
        torch_backend.wrap(nn.Conv2d)(4, 8, kernel_sise=3)
    with pytest.raises(BadArgument, match="without a call"):
        torch_backend.wrap(nn.ReLU())


def test_a_wrapped_class_that_does_not_fit_is_refused_with_the_address() -> None:
    wrapped = torch_backend.wrap(nn.Conv2d)
    with pytest.raises(ShapeMismatch, match=r"^repeat\[0\]/conv2d: (.|\n)*in_channels=5"):
        build(lambda x: da.repeat(lambda: wrapped(in_channels=5, out_channels=8, kernel_size=3), 1)(x))
    with pytest.raises(ShapeMismatch, match="flat tuple"):
        build(lambda x: torch_backend.wrap(nn.LSTM)(input_size=3, hidden_size=3)(x), da.tensor(5, 3))


def test_what_da_wrap_makes_is_built_if_it_works_on_tensors() -> None:
    def scaled(factor: float) -> Any:
        return lambda x: factor * x

    model = build(lambda x: ops.Dense(2)(da.wrap(nn.Flatten)()(da.wrap(scaled)(factor=2.0)(x))))
    assert model(torch.randn(3, 4, 8, 8)).shape == (3, 2)
    torch.testing.assert_close(model.scaled(torch.ones(1)), torch.full((1,), 2.0))
    with pytest.raises(BadArgument, match=r"^optional/dict: (.|\n)*function of tensors"):
        build(lambda x: da.optional(lambda: da.wrap(dict)(), use=True)(x))


class Swish(Operation):
    """An operation of a user, with its own lowering."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]

    def to_torch(self, emit: torch_backend.Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
        return emit.function(torch.mul, x, emit.module(lambda: nn.PReLU(specs[0].channels), x, name="slope"))


class Same(ops.ReLU):
    """An operation of a user that is lowered as what it inherits from."""


def test_operations_of_the_user_are_lowered() -> None:
    model = build(lambda x: Same()(Swish()(x)))
    assert [name for name, _ in model.named_parameters()] == ["swish.slope.weight"]
    assert "torch.relu(mul)" in model.code


def test_an_operation_without_lowering_names_both_mends() -> None:
    class Unheard(Operation):
        def shape(self, *inputs: Spec) -> Spec:
            return inputs[0]

    with pytest.raises(NotSupported, match=r"^unheard: (.|\n)*to_torch(.|\n)*torch_backend\.wrap"):
        build(lambda x: Unheard()(x))


def test_parameters_that_the_outputs_do_not_need_are_left_out() -> None:
    def net(x: Any) -> Any:
        conv(5)(x)
        return conv(2)(x)

    assert [tuple(p.shape) for p in build(net).parameters()] == [(2, 4, 3, 3), (2,)]


def test_arrays_of_the_contract_are_what_torch_has() -> None:
    x = np.arange(6, dtype="float32").reshape(1, 2, 3)
    assert TestTorchBackend().run(nn.Identity(), {"input": x})[0].tolist() == x.tolist()


def test_a_wrapped_class_is_of_the_type_of_its_inputs() -> None:
    space = da.space(lambda x: torch_backend.wrap(nn.Linear)(4, 3)(x))
    x = torch.ones(2, 4, dtype=torch.float64)
    assert torch_backend.build(space.at({}), Spec((4,), "float64"), 0)(x).dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32


def test_a_lazy_class_learns_the_sizes_of_its_inputs() -> None:
    space = da.space(lambda x: torch_backend.wrap(nn.LazyBatchNorm2d)()(torch_backend.wrap(nn.LazyConv2d)(3, 1)(x)))
    model = torch_backend.build(space.at({}), IMAGE, 0)
    weights = torch_backend.get_weights(model)
    assert weights["lazy_conv2d.weight"].shape == (3, 4, 1, 1) and model.get_submodule("lazy_batch_norm2d").training
    np.testing.assert_array_equal(weights["lazy_batch_norm2d.running_var"], np.ones(3))
    assert space.at({}).cost(IMAGE).parameters == sum(p.numel() for p in model.parameters())


def test_a_shared_batch_normalization_takes_inputs_of_several_ranks() -> None:
    def tied(a: Any, b: Any) -> Any:
        shared = ops.BatchNormalization()
        return shared(a), shared(b)

    model = torch_backend.build(da.space(tied).at({}), {"a": da.vector(4), "b": IMAGE}, 0)
    vectors, images = torch.randn(8, 4), torch.randn(8, 4, 8, 8)
    for x in (*model(vectors, images), *fx.symbolic_trace(model.eval())(vectors, images)):
        assert x.shape in (vectors.shape, images.shape)


def test_inputs_may_be_named_like_what_generated_code_reads() -> None:
    def net(self: Any, torch: Any, inf: Any) -> Any:
        return ops.ReLU()(ops.Add()(self, torch, inf))

    space = da.space(net)
    model = torch_backend.build(space.at({}), dict.fromkeys(space.inputs, da.vector(3)), 0)
    ones = torch.ones(2, 3)
    torch.testing.assert_close(model(ones, torch_=ones, inf_=ones), 3.0 * ones)
