"""What attention computes with masks, causality, groups and rotary positions, on the backend that others follow."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.language.specs import Spec
from deep_arch.testing.language_networks import DECODER, decoder, gpt_2

CAUSAL: tuple[Any, ...] = (
    ops.MultiHeadAttention(2, 4, use_causal_mask=True),
    ops.GroupQueryAttention(4, 4, 2, use_causal_mask=True, rope_max_wavelength=100),
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def model_of(lowered: Any, op: Any, *inputs: Tensor) -> Any:
    """Return a model of an operation, with weights none of which is 0."""
    kinds = {torch.bool: "bool", torch.float32: "float32", torch.float64: "float64"}
    model = lowered(op, *(Spec(tuple(x.shape[1:]), kinds[x.dtype]) for x in inputs))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def by_definition(op: Any, layer: Any, query: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
    """Return what attention gives, head by head and one query after another; (batch, features, length)."""
    heads, output = op.heads, torch.zeros(len(query), query.shape[2], op.heads.queries, op.heads.value_dim)
    q, k, v = (
        p(x.transpose(1, 2)).unflatten(2, (n, -1))
        for p, x, n in (
            (layer.query, query, heads.queries),
            (layer.key, value, heads.keys),
            (layer.value, value, heads.keys),
        )
    )
    for example, head, i in torch.cartesian_prod(
        *map(torch.arange, (*output.shape[:1], heads.queries, query.shape[2]))
    ):
        seen, group = allowed[example, head, i], head * heads.keys // heads.queries
        if seen.any():
            scores = k[example, seen, group] @ q[example, i, head] / heads.key_dim**0.5
            output[example, i, head] = scores.softmax(0) @ v[example, seen, group]
    result: Tensor = layer.output(output.flatten(2)).transpose(1, 2)
    return result


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(6,), (5, 6), (1, 6), (4, 5, 6), (1, 5, 1), (4, 1, 6)])
@pytest.mark.parametrize("op", [ops.MultiHeadAttention(4, 3, value_dim=2), ops.GroupQueryAttention(3, 4, 2)])
def test_a_mask_means_what_it_is_defined_to(lowered: Any, op: Any, shape: tuple[int, ...], causal: bool) -> None:
    op = type(op)(**{**op.arguments, "use_causal_mask": causal})
    query, value, mask = torch.randn(3, 7, 5), torch.randn(3, 4, 6), torch.rand(3, *shape) < 0.5
    mask[0] = False  # what then attends to nothing
    model = model_of(lowered, op, query, value, mask)
    allowed = mask.view(3, *(1,) * (3 - len(shape)), *shape).expand(3, 4, 5, 6)
    allowed = allowed & torch.ones(5, 6).tril().bool() if causal else allowed
    torch.testing.assert_close(model(query, value, mask), by_definition(op, model.layer, query, value, allowed))


def test_what_attends_to_nothing_gets_the_last_bias_and_gives_no_gradient(lowered: Any) -> None:
    x, mask = torch.randn(2, 4, 5, requires_grad=True), torch.zeros(2, 5, dtype=torch.bool)
    model = model_of(lowered, ops.MultiHeadAttention(2, 3), x, mask)
    y = model(x, mask)
    torch.testing.assert_close(y, model.layer.output.bias[None, :, None].expand(2, 4, 5))
    y.sum().backward()
    assert x.grad is not None and not x.grad.any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("op", CAUSAL)
def test_causal_attention_sees_nothing_that_comes_later(lowered: Any, op: Any) -> None:
    x = torch.randn(2, 8, 6)
    model, changed = model_of(lowered, op, x), x.clone()
    changed[..., 4:] = torch.randn(2, 8, 2)
    before, after = model(x), model(changed)
    torch.testing.assert_close(after[..., :4], before[..., :4])
    assert ((after - before)[..., 4:].abs().amax(1) > 1e-3).all()


def test_padding_that_is_hidden_changes_nothing(lowered: Any) -> None:
    x, mask = torch.randn(2, 8, 6), torch.tensor([[True] * 4 + [False] * 2] * 2)
    op = ops.GroupQueryAttention(4, 4, 2, rope_max_wavelength=100)
    model = model_of(lowered, op, x, mask)
    short = model_of(lowered, op, x[..., :4])
    short.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x, mask)[..., :4], short(x[..., :4]))


# --- rotary positions ------------------------------------------------------------------------------------------------


def test_rotation_multiplies_complex_numbers(compute: Any) -> None:
    x = torch.randn(2, 6, 9, dtype=torch.float64)  # three pairs: i and i + 3
    pairs = torch.complex(x[:, :3], x[:, 3:])
    angles = torch.arange(9) * 50.0 ** (-torch.arange(3, dtype=torch.float64) / 3)[:, None] / 2.0
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    result = compute(ops.RotaryEmbedding(max_wavelength=50, scaling_factor=2.0), x)
    torch.testing.assert_close(result, torch.cat((turned.real, turned.imag), 1))
    torch.testing.assert_close(result[..., 0], x[..., 0])


def test_products_of_rotated_vectors_depend_on_how_far_they_are_apart(compute: Any) -> None:
    q, k = (torch.randn(1, 8, 1, dtype=torch.float64).expand(1, 8, 12) for _ in range(2))
    scores = compute(ops.RotaryEmbedding(), q).transpose(1, 2) @ compute(ops.RotaryEmbedding(), k)
    for i in range(11):
        torch.testing.assert_close(scores[0, 1:, 1:].diagonal(i), scores[0, :-1, :-1].diagonal(i))
    assert scores[0, 0].unique().numel() == 12


def test_attention_turns_queries_and_keys_of_each_head(lowered: Any) -> None:
    x = torch.randn(2, 8, 6)
    op = ops.MultiHeadAttention(2, 4, use_causal_mask=True, rope_max_wavelength=100)
    model = model_of(lowered, op, x)
    turn = lowered(ops.RotaryEmbedding(100), Spec((4, 6)))
    q, k, v = (
        getattr(model.layer, name)(x.transpose(1, 2)).unflatten(2, (2, 4)).permute(0, 2, 3, 1).flatten(0, 1)
        for name in ("query", "key", "value")
    )
    queries, keys, values = (y.transpose(1, 2) for y in (turn(q), turn(k), v))
    turned = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    expected = model.layer.output(turned.view(2, 2, 6, 4).transpose(1, 2).flatten(2)).transpose(1, 2)
    torch.testing.assert_close(model(x), expected)


# --- groups and tied heads -------------------------------------------------------------------------------------------


def test_groups_are_heads_with_equal_keys_and_values(lowered: Any) -> None:
    x = torch.randn(2, 8, 6)
    grouped = model_of(lowered, ops.GroupQueryAttention(3, 4, 2), x)
    multi_head = model_of(lowered, ops.MultiHeadAttention(4, 3), x)
    for name, tensor in grouped.state_dict().items():
        own = multi_head.state_dict()[name]
        repeated = (
            tensor.unflatten(0, (2, 3)).repeat_interleave(2, 0).flatten(0, 1) if tensor.shape != own.shape else tensor
        )
        own.copy_(repeated)
    torch.testing.assert_close(grouped(x), multi_head(x))


def test_a_tied_head_multiplies_by_the_table_that_tokens_are_looked_up_in() -> None:
    net = gpt_2(n_blocks=0, num_heads=1, features=4, vocabulary=9, n_context=5)
    model: Any = torch_backend.build(net.at({}), da.tokens(5, vocabulary=9), seed=0)
    table, tokens = model.reversible_embedding.weight, torch.randint(9, (2, 5))
    hidden = F.layer_norm(table[tokens] + model.position_embedding.weight, (4,), eps=1e-5)
    torch.testing.assert_close(model(tokens), (hidden @ table.T).transpose(1, 2))
    model(tokens)[:, 0].sum().backward()
    assert table.grad is not None and table.grad[0].abs().max() > 0
    assert sum(p.numel() for p in model.parameters()) == 9 * 4 + 5 * 4 + 8


# --- what torch does with models -------------------------------------------------------------------------------------


def built(dtype: str = "float32") -> tuple[Any, list[Tensor]]:
    model = torch_backend.build(da.space(decoder).at({}), DECODER, seed=0)
    tokens, mask = torch.randint(11, (3, 6)), torch.rand(3, 6, 6) < 0.5
    return model.to(getattr(torch, dtype)).eval(), [tokens, mask]


def test_models_are_copied_pickled_and_compiled() -> None:
    model, inputs = built()
    expected = model(*inputs)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(*inputs), expected)
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True, dynamic=True)
    torch.testing.assert_close(compiled(*inputs), expected)


def test_models_take_batches_of_any_size_and_are_exported_for_them() -> None:
    model, inputs = built()
    batch = torch.export.Dim("batch")
    exported: Any = torch.export.export(model, tuple(inputs), dynamic_shapes=({0: batch}, {0: batch})).module()
    for n in (1, 2):
        part = [x[:n] for x in inputs]
        torch.testing.assert_close(exported(*part), model(*part))
        torch.testing.assert_close(model(*part), model(*inputs)[:n])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_models_compute_in_other_types(dtype: str) -> None:
    (model, inputs), (other, _) = built(), built(dtype)
    other.load_state_dict(model.state_dict())
    result = other(*inputs)
    assert result.dtype == getattr(torch, dtype)
    tolerance = {"bfloat16": 0.05, "float16": 0.01, "float64": 1e-5}[dtype]
    torch.testing.assert_close(result.float(), model(*inputs), atol=tolerance, rtol=tolerance)


def test_models_compute_in_mixed_precision() -> None:
    model, inputs = built()
    with torch.autocast("cpu", torch.bfloat16):
        result = model(*inputs)
    torch.testing.assert_close(result.float(), model(*inputs), atol=0.05, rtol=0.05)


def test_dropout_is_of_the_weights_that_are_left(lowered: Any) -> None:
    x, mask = torch.randn(64, 8, 6), torch.ones(64, 6, dtype=torch.bool)
    model = model_of(lowered, ops.MultiHeadAttention(2, 4, dropout=0.5), x, mask)
    still = model(x, mask)
    model.train()
    runs = torch.stack([model(x, mask) for _ in range(200)])
    assert runs.std(0).mean() > 0.01
    # Six standard deviations of a mean of 200 runs, over all numbers at once.
    assert ((runs.mean(0) - still).abs() < 6 * runs.std(0) / 200**0.5 + 1e-3).float().mean() > 0.99
