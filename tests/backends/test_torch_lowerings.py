"""Each lowering of the torch backend, alone: shapes, parameters, costs, and what it computes."""

from __future__ import annotations

import copy
import itertools
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from deep_arch import ops
from deep_arch.backends.torch_backend import layers
from deep_arch.backends.torch_backend.lowerings import LOWERINGS
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.testing.operation_strategies import OPERATIONS

BATCH = 2
CLASSES = [cls for cls in vars(ops).values() if isinstance(cls, type) and issubclass(cls, Operation)]
COUNTED = {cls for cls in CLASSES if cls.__name__.startswith(("Conv", "Depthwise", "Separable"))} - {ops.Concatenate}
COUNTED |= {
    ops.Dense,
    ops.MatMul,
    ops.MultiHeadAttention,
    ops.GroupQueryAttention,
    ops.ReversibleEmbedding,
}  # where torch's counter counts what it runs


def example(spec: Spec) -> Tensor:
    shape = (BATCH, *spec.shape)
    if spec.dtype == "bool":
        return torch.rand(shape) < 0.7
    return torch.randn(shape) if spec.dtype == "float32" else torch.randint(spec.vocabulary or 2, shape)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_every_operation_has_a_lowering_and_a_strategy() -> None:
    assert set(CLASSES) == set(LOWERINGS) == set(OPERATIONS)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_lowering_agrees_with_the_rules_of_its_operation(lowered: Any, cls: type[Operation]) -> None:
    @settings(max_examples=40, deadline=None, database=None)
    @given(OPERATIONS[cls])
    def agrees(case: tuple[Operation, tuple[Spec, ...]]) -> None:
        op, specs = case
        model = lowered(op, *specs)
        counter = FlopCounterMode(display=False)
        # The fused kernels of attention are not all counted, the plain products are.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            outputs = model(*map(example, specs))
        expected = op.shape(*specs)
        assert isinstance(outputs, tuple) == isinstance(expected, tuple)
        if not isinstance(expected, tuple):
            expected, outputs = (expected,), (outputs,)
        assert [tuple(x.shape) for x in outputs] == [(BATCH, *spec.shape) for spec in expected]
        assert [str(x.dtype) for x in outputs] == [f"torch.{spec.dtype}" for spec in expected]
        assert count(model) == op.parameters(*specs)
        if cls in COUNTED:
            assert counter.get_total_flops() == 2 * BATCH * op.macs(*specs)

    agrees()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_stateless_operations_have_no_submodules(lowered: Any, cls: type[Operation]) -> None:
    op, specs = _first(cls)
    submodules = [name for name, _ in lowered(op, *specs).named_children()]
    assert submodules == ([] if op.stateless else ["layer"])


def _first(cls: type[Operation]) -> Any:
    found: list[Any] = []

    @settings(max_examples=1, deadline=None, database=None, derandomize=True)
    @given(OPERATIONS[cls])
    def take(case: Any) -> None:
        found.append(case)

    take()
    return found[0]


# --- dense and normalisation -----------------------------------------------------------------------------------------


def test_dense_acts_on_the_channels_of_each_cell(compute: Any) -> None:
    x, weight, bias = torch.randn(2, 3, 4, 5), torch.randn(6, 3), torch.randn(6)
    expected = torch.einsum("bchw,uc->buhw", x, weight) + bias[:, None, None]
    torch.testing.assert_close(compute(ops.Dense(6), x, weight=weight, bias=bias), expected)


def test_embedding_puts_features_first(lowered: Any) -> None:
    model = lowered(ops.Embedding(7, 3), Spec((4,), "int64", 7))
    tokens = torch.randint(7, (2, 4))
    torch.testing.assert_close(model(tokens), model.layer.weight[tokens].transpose(1, 2))


def test_batch_normalization_has_the_momentum_of_keras(lowered: Any) -> None:
    x = torch.randn(8, 3, 4, 4) + 1.0
    model = lowered(ops.BatchNormalization(momentum=0.9, epsilon=1e-3), Spec((3, 4, 4))).train()
    model(x)
    torch.testing.assert_close(model.layer.running_mean, 0.1 * x.mean((0, 2, 3)))
    torch.testing.assert_close(model.layer.running_var, 0.9 + 0.1 * x.var((0, 2, 3), correction=0))
    model.eval()
    mean, variance = (s[:, None, None] for s in (model.layer.running_mean, model.layer.running_var))
    torch.testing.assert_close(model(x), (x - mean) / torch.sqrt(variance + 1e-3))


def test_batch_normalization_may_be_called_twice_in_training_and_compiled(lowered: Any) -> None:
    model = lowered(ops.BatchNormalization(), Spec((3, 4, 4))).train()
    assert repr(model.layer).startswith("BatchNorm2d(3, eps=0.001, momentum=0.01")
    other, x = copy.deepcopy(model), torch.randn(4, 3, 4, 4)
    compiled = torch.compile(other, backend="eager", fullgraph=True)
    for run, layer in ((model, model.layer), (compiled, other.layer)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing asks tensors of its own for gradients that they do not keep
            run(run(x)).pow(3).sum().backward()
        assert layer.weight.grad is not None and layer.num_batches_tracked == 2
    torch.testing.assert_close(other.layer.state_dict(), model.layer.state_dict())


@pytest.mark.parametrize("rank", [1, 2, 3, 4, 5, 6])
def test_batch_normalization_takes_any_rank(lowered: Any, rank: int) -> None:
    x = torch.randn(4, 3, *[2] * (rank - 1))
    model = lowered(ops.BatchNormalization(), Spec(tuple(x.shape[1:]))).train()
    axes = [0, *range(2, x.dim())]
    expected = (x - x.mean(axes, keepdim=True)) / torch.sqrt(x.var(axes, keepdim=True, correction=0) + 1e-3)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize(("center", "scale"), list(itertools.product([True, False], repeat=2)))
@pytest.mark.parametrize("cls", [ops.BatchNormalization, ops.LayerNormalization, ops.GroupNormalization])
def test_normalization_trains_what_it_is_asked_to(lowered: Any, cls: Any, center: bool, scale: bool) -> None:
    more: dict[str, Any] = {"groups": 2} if cls is ops.GroupNormalization else {}
    model = lowered(cls(center=center, scale=scale, **more), Spec((4, 5))).train()
    expected = {"layer.bias"} if center else set()
    assert {name for name, _ in model.named_parameters()} == expected | ({"layer.weight"} if scale else set())
    model(torch.randn(2, 4, 5, requires_grad=True)).pow(3).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_layer_normalization_is_over_the_channels_of_each_cell(compute: Any) -> None:
    x = torch.randn(2, 4, 5)
    expected = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True, correction=0) + 1e-3)
    torch.testing.assert_close(compute(ops.LayerNormalization(), x), expected)


def test_rms_normalization_is_over_the_channels_of_each_cell(compute: Any) -> None:
    x = torch.randn(2, 4, 3, 3)
    expected = x / torch.sqrt(x.pow(2).mean(1, keepdim=True) + 1e-6)
    torch.testing.assert_close(compute(ops.RMSNormalization(), x), expected)


# --- sequences -------------------------------------------------------------------------------------------------------


def lstm(x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """Return each state, (batch, units, length), by the equations; gates are input, forget, cell, output."""
    state = cell = x.new_zeros(x.shape[0], weight_hh.shape[1])
    states = []
    for step in x.unbind(2):
        i, f, g, o = (step @ weight_ih.T + state @ weight_hh.T + bias).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        state = torch.sigmoid(o) * torch.tanh(cell)
        states.append(state)
    return torch.stack(states, 2)


def gru(x: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """Return each state by the equations of the reset before the product; gates are reset, update, new."""
    state, n = x.new_zeros(x.shape[0], weight_hh.shape[1]), weight_hh.shape[1]
    states = []
    for step in x.unbind(2):
        inputs = step @ weight_ih.T + bias
        r, z = torch.sigmoid(inputs[:, : 2 * n] + state @ weight_hh[: 2 * n].T).chunk(2, 1)
        new = torch.tanh(inputs[:, 2 * n :] + (r * state) @ weight_hh[2 * n :].T)
        state = z * state + (1 - z) * new
        states.append(state)
    return torch.stack(states, 2)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_recurrent_layers_follow_their_equations(compute: Any, backwards: bool, sequences: bool) -> None:
    x = torch.randn(2, 3, 5)
    flags: dict[str, Any] = {"return_sequences": sequences, "go_backwards": backwards}
    seen = x.flip(2) if backwards else x
    weights = torch.randn(16, 3), torch.randn(16, 4), torch.randn(16)
    named = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), weights, strict=True))
    expected = lstm(seen, *weights)
    torch.testing.assert_close(compute(ops.LSTM(4, **flags), x, **named), expected if sequences else expected[..., -1])
    weights = torch.randn(12, 3), torch.randn(12, 4), torch.randn(12)
    named = dict(zip(("weight_ih", "weight_hh", "bias"), weights, strict=True))
    expected = gru(seen, *weights)
    result = compute(ops.GRU(4, reset_after=False, **flags), x, **named)
    torch.testing.assert_close(result, expected if sequences else expected[..., -1])


def test_gru_that_resets_after_is_that_of_torch(compute: Any) -> None:
    x, reference = torch.randn(2, 3, 5), nn.GRU(3, 4, batch_first=True)
    result = compute(ops.GRU(4, return_sequences=True), x, **dict(reference.named_parameters()))
    torch.testing.assert_close(result, reference(x.transpose(1, 2))[0].transpose(1, 2))


def test_lstm_trains_and_saves_one_bias() -> None:
    layer = layers.SingleBiasLSTM(3, 4)
    assert list(layer.state_dict()) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"]
    layer.reset_parameters()
    assert not layer.bias_hh_l0.any()
    layer.double()(torch.randn(2, 5, 3, dtype=torch.float64))[0].sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_attention_is_that_of_torch_where_both_can_be_written(compute: Any) -> None:
    x, y = torch.randn(2, 6, 5), torch.randn(2, 6, 7)
    reference = nn.MultiheadAttention(6, 2, batch_first=True)
    query, key, value = reference.in_proj_weight.chunk(3)
    weights = {"query__weight": query, "key__weight": key, "value__weight": value}
    biases = dict(zip(("query__bias", "key__bias", "value__bias"), torch.randn(3, 6), strict=True))
    reference.in_proj_bias.data.copy_(torch.cat(list(biases.values())))
    out = {"output__weight": reference.out_proj.weight, "output__bias": reference.out_proj.bias}
    result = compute(ops.MultiHeadAttention(2, 3), x, y, **weights, **biases, **out)
    expected = reference(x.transpose(1, 2), y.transpose(1, 2), y.transpose(1, 2))[0].transpose(1, 2)
    torch.testing.assert_close(result, expected)


def test_attention_takes_query_value_and_key_in_this_order(lowered: Any) -> None:
    model = lowered(ops.MultiHeadAttention(2, 3, value_dim=4), Spec((5, 9)), Spec((6, 8)), Spec((7, 8)))
    layer = model.layer
    assert [layer.query.in_features, layer.value.in_features, layer.key.in_features] == [5, 6, 7]
    assert [layer.key.out_features, layer.value.out_features, layer.output.out_features] == [6, 8, 5]


# --- randomness ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "axes"),
    [
        (ops.Dropout(0.5), ()),
        (ops.SpatialDropout2D(0.5), (2, 3)),
        (ops.DropPath(0.5), (1, 2, 3)),
    ],
    ids=["cells", "channels", "examples"],
)
def test_dropout_zeroes_whole_units_and_scales_the_rest(lowered: Any, op: Operation, axes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.ones(64, 16, 4, 4)
    model = lowered(op, Spec((16, 4, 4)))
    torch.testing.assert_close(model(x), x)
    y = model.train()(x)
    assert set(y.unique().tolist()) == {0.0, 2.0}
    if axes:
        assert (y.amax(axes) == y.amin(axes)).all()
    units = y.amax(axes) if axes else y
    # Six standard deviations of a mean of n draws of 0 or 2, each of variance 1.
    assert abs(units.mean().item() - 1.0) < 6 / units.numel() ** 0.5


def test_noise_is_for_training_only(lowered: Any) -> None:
    torch.manual_seed(0)
    x = torch.zeros(100, 100)
    model = lowered(ops.GaussianNoise(0.5), Spec((100,)))
    torch.testing.assert_close(model(x), x)
    assert abs(model.train()(x).std().item() - 0.5) < 0.05


# --- the rest --------------------------------------------------------------------------------------------------------


def test_flatten_and_reshape_are_row_major_with_channels_first(compute: Any) -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    torch.testing.assert_close(compute(ops.Flatten(), x), torch.arange(24.0)[None])
    torch.testing.assert_close(compute(ops.Reshape((4, -1)), x), torch.arange(24.0).reshape(1, 4, 6))


def test_transpose_counts_axes_without_batch(compute: Any) -> None:
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(compute(ops.Transpose((2, 0, 1)), x), x.permute(0, 3, 1, 2))


def test_padding_and_cropping_take_axes_in_order(compute: Any) -> None:
    x = torch.randn(2, 3, 5, 6)
    sides = ((0, 1), (2, 3))
    padded = compute(ops.ZeroPadding2D(sides), x)
    torch.testing.assert_close(padded, F.pad(x, (2, 3, 0, 1)))
    torch.testing.assert_close(compute(ops.Cropping2D(sides), padded), x)


def test_split_undoes_concatenate(compute: Any) -> None:
    xs = torch.randn(3, 2, 4, 5).unbind(0)
    for part, x in zip(compute(ops.Split(3), compute(ops.Concatenate(), *xs)), xs, strict=True):
        torch.testing.assert_close(part, x)


def test_parts_of_other_sizes_lie_one_after_another(compute: Any) -> None:
    x = torch.randn(2, 6, 4, 5)
    parts = compute(ops.Split((1, 3, 2)), x)
    for part, start, stop in zip(parts, (0, 1, 4), (1, 4, 6), strict=True):
        torch.testing.assert_close(part, x[:, start:stop])
        torch.testing.assert_close(compute(ops.Slice(start, stop), x), x[:, start:stop])
    torch.testing.assert_close(compute(ops.Split((1, 4), axis=2), x)[1], x[..., 1:])
    torch.testing.assert_close(compute(ops.Concatenate(axis=1), x, x[:, :, :1]), torch.cat([x, x[:, :, :1]], 2))
    assert compute(ops.Slice(0, 3), x).data_ptr() == x.data_ptr(), "no copy"


def test_merges_take_any_number_of_inputs(compute: Any) -> None:
    a, b, c = torch.randn(3, 2, 4)
    expected = {
        ops.Add: a + b + c,
        ops.Multiply: a * b * c,
        ops.Average: (a + b + c) / 3,
        ops.Maximum: torch.stack([a, b, c]).amax(0),
        ops.Minimum: torch.stack([a, b, c]).amin(0),
        ops.Stack: torch.stack([a, b, c], 1),
    }
    for cls, value in expected.items():
        torch.testing.assert_close(compute(cls(), a, b, c), value)
    torch.testing.assert_close(compute(ops.Subtract(), a, b), a - b)


def test_upsampling_repeats_or_interpolates(compute: Any) -> None:
    x = torch.tensor([[[[0.0, 4.0]]]])
    torch.testing.assert_close(compute(ops.UpSampling2D((1, 2)), x)[0, 0], torch.tensor([[0.0, 0.0, 4.0, 4.0]]))
    result = compute(ops.UpSampling2D((1, 2), "bilinear"), x)[0, 0]
    torch.testing.assert_close(result, torch.tensor([[0.0, 1.0, 3.0, 4.0]]))


def test_activations_have_the_values_of_their_formulas(compute: Any) -> None:
    x = torch.linspace(-8, 8, 33)[None]
    sigmoid, hard = 1 / (1 + torch.exp(-x)), (x / 6 + 0.5).clamp(0, 1)
    expected = {
        ops.ReLU(): x.clamp(min=0),
        ops.ReLU6(): x.clamp(0, 6),
        ops.LeakyReLU(): torch.where(x > 0, x, 0.3 * x),
        ops.ELU(0.5): torch.where(x > 0, x, 0.5 * (torch.exp(x) - 1)),
        ops.SELU(): torch.where(x > 0, 1.05070098 * x, 1.75809934 * (torch.exp(x) - 1)),
        ops.SiLU(): x * sigmoid,
        ops.Sigmoid(): sigmoid,
        ops.Tanh(): 2 / (1 + torch.exp(-2 * x)) - 1,
        ops.Softplus(): torch.log1p(torch.exp(x)),
        ops.Softsign(): x / (1 + x.abs()),
        ops.HardSigmoid(): hard,
        ops.HardSwish(): x * hard,
        ops.Mish(): x * torch.tanh(torch.log1p(torch.exp(x))),
        ops.Exponential(): torch.exp(x),
        ops.GELU(): x * (1 + torch.erf(x / 2**0.5)) / 2,
        ops.GELU(True): x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2,
        ops.Softmax(): torch.exp(x) / torch.exp(x).sum(),
        ops.LogSoftmax(): x - torch.exp(x).sum().log(),
    }
    for op, value in expected.items():
        torch.testing.assert_close(compute(op, x), value, atol=1e-5, rtol=1e-4, msg=str(op))


def test_softmax_is_over_the_channels_of_each_cell(compute: Any) -> None:
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(compute(ops.Softmax(), x).sum(1), torch.ones(2, 4, 5))


def test_prelu_and_scale_have_one_weight_a_channel(compute: Any) -> None:
    x, weight = torch.randn(2, 3, 4, 5), torch.tensor([0.1, 0.2, 0.3])
    each = weight[:, None, None]
    torch.testing.assert_close(compute(ops.PReLU(), x, weight=weight), torch.where(x > 0, x, each * x))
    torch.testing.assert_close(compute(ops.Scale(), x, scale=weight), x * each)


def test_zero_gives_zeros_whatever_the_input(compute: Any) -> None:
    x = torch.full((2, 3, 5, 5), torch.nan)
    torch.testing.assert_close(compute(ops.Zero(2), x), torch.zeros(2, 3, 3, 3))
