"""Masks, groups and positions of attention, and the head that is tied to an embedding."""

from __future__ import annotations

import re
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence, tensor, tokens, vector

X = sequence(length=10, features=8)
MEMORY = sequence(length=6, features=5)


def mask(*shape: int) -> Spec:
    return tensor(*shape, dtype="bool")


@pytest.mark.parametrize("shape", [(6,), (10, 6), (1, 6), (10, 1), (1,), (2, 10, 6), (1, 10, 6), (2, 1, 6)])
@pytest.mark.parametrize("op", [ops.MultiHeadAttention(2, 4, use_causal_mask=True), ops.GroupQueryAttention(4, 2, 1)])
def test_a_mask_may_follow_any_of_the_other_inputs(op: Any, shape: tuple[int, ...]) -> None:
    for inputs in ((X, MEMORY), (X, MEMORY, sequence(6, 7))):
        assert op.shape(*inputs, mask(*shape)) == X
        assert op.weights(*inputs, mask(*shape)) == op.weights(*inputs)
        assert op.macs(*inputs, mask(*shape)) == op.macs(*inputs)
    assert op.shape(X, mask(10, 10)) == X and op.weights(X, mask(10)) == op.weights(X)


def test_causality_and_positions_change_no_cost() -> None:
    plain, other = (
        ops.MultiHeadAttention(2, 4),
        ops.MultiHeadAttention(2, 4, use_causal_mask=True, rope_max_wavelength=50),
    )
    assert (other.macs(X), other.parameters(X)) == (plain.macs(X), plain.parameters(X))


def test_groups_share_keys_and_values() -> None:
    many, few, one = (ops.GroupQueryAttention(4, 6, n, use_bias=False) for n in (6, 2, 1))
    multi_head = ops.MultiHeadAttention(6, 4, use_bias=False)
    assert many.weights(X, MEMORY) == multi_head.weights(X, MEMORY)
    assert many.macs(X, MEMORY) == multi_head.macs(X, MEMORY)
    for op, heads in ((few, 2), (one, 1)):
        assert op.parameters(X, MEMORY) == 2 * 8 * 24 + 2 * 5 * 4 * heads
        assert op.macs(X, MEMORY) == 2 * 10 * 8 * 24 + 2 * 6 * 5 * 4 * heads + 2 * 10 * 6 * 24


def tiny_llama(text: Any) -> Any:
    x = ops.Embedding(32_000, 2_048)(text)
    for _ in range(22):
        y = ops.RMSNormalization()(x)
        y = ops.GroupQueryAttention(64, 32, 4, use_bias=False, use_causal_mask=True, rope_max_wavelength=10_000)(y)
        x = ops.Add()(x, y)
        y = ops.RMSNormalization()(x)
        y = ops.Multiply()(ops.SiLU()(ops.Dense(5_632, use_bias=False)(y)), ops.Dense(5_632, use_bias=False)(y))
        x = ops.Add()(x, ops.Dense(2_048, use_bias=False)(y))
    return ops.Dense(32_000, use_bias=False)(ops.RMSNormalization()(x))


def test_tiny_llama_has_the_parameters_that_its_authors_count() -> None:
    # Zhang et al. (2024), TinyLlama, table 2; 1,100,048,384 as the published checkpoint has it.
    assert da.space(tiny_llama).at({}).cost(tokens(16, vocabulary=32_000)).parameters == 1_100_048_384


def test_arguments_of_attention_may_be_searched() -> None:
    @da.space
    def net(x: Any) -> Any:
        wavelength = da.choice([None, 10_000], name="wavelength")
        return ops.MultiHeadAttention(2, 4, use_causal_mask=da.boolean(), rope_max_wavelength=wavelength)(x)

    assert net.size() == 4
    assert {architecture.cost(X).parameters for architecture in net.enumerate()} == {4 * (8 * 8 + 8)}


def test_what_keras_takes_at_the_call_is_given_elsewhere() -> None:
    def causal(x: Any) -> Any:
        return ops.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)  # type: ignore[arg-type]

    def masked(x: Any, mask: Any) -> Any:
        return ops.MultiHeadAttention(2, 4)(x, x, attention_mask=mask)

    mends: dict[Any, str] = {
        causal: "Give use_causal_mask=... where the module is made",
        masked: "and values as module(a, b)",
    }
    for net, mend in mends.items():
        with pytest.raises(
            BadArgument, match=r"multi_head_attention: a module is called on values in their order"
        ) as e:
            da.space(net).sample(seed=0)
        assert mend in str(e.value) and re.search(r"Got (use_causal_mask=True|attention_mask=.*)\.", str(e.value))


# --- embeddings ------------------------------------------------------------------------------------------------------


def tied(text: Any) -> Any:
    embedding = ops.ReversibleEmbedding(50, 8)
    return embedding(ops.LayerNormalization()(embedding(text)))


def test_an_embedding_and_its_head_share_the_table() -> None:
    cost, spec = da.space(tied).at({}).cost(tokens(16, vocabulary=50)), tokens(16, vocabulary=50)
    assert cost.parameters == 50 * 8 + 16 and cost.macs == 50 * 8 * 16
    assert da.space(tied).at({}).shapes(spec)["reversible_embedding@1"] == (50, 16)


def test_a_reversible_embedding_takes_any_number_of_axes() -> None:
    op = ops.ReversibleEmbedding(50, 8)
    assert op.shape(vector(8)) == vector(50) and op.shape(image(8, 3, 4, "float64")) == image(50, 3, 4, "float64")
    assert op.shape(Spec((3, 4), "int32")) == Spec((8, 3, 4))
    assert op.macs(tokens(4)) == 0 and op.macs(image(8, 3, 4)) == 50 * 8 * 12


BIG = mask(2, 10, 7)


@pytest.mark.parametrize(
    ("op", "inputs", "error", "text"),
    [
        (ops.MultiHeadAttention(2, 4, use_causal_mask=1), (X,), BadArgument, "expected use_causal_mask to be True or"),  # type: ignore[arg-type]
        (
            ops.MultiHeadAttention(2, 4, rope_max_wavelength=0),
            (X,),
            BadArgument,
            "rope_max_wavelength to be a number above 0",
        ),
        (
            ops.MultiHeadAttention(2, 5, rope_max_wavelength=10),
            (X,),
            BadArgument,
            "expected key_dim to be even, as rope",
        ),
        (ops.GroupQueryAttention(3, 2, 1, rope_max_wavelength=10), (X,), BadArgument, "expected head_dim to be even"),
        (
            ops.GroupQueryAttention(0, 2, 1),
            (X,),
            BadArgument,
            "group_query_attention: expected head_dim to be a positive",
        ),
        (ops.GroupQueryAttention(4, 2, 0), (X,), BadArgument, "expected num_key_value_heads to be a positive int"),
        (
            ops.GroupQueryAttention(4, 6, 4),
            (X,),
            BadArgument,
            "expected num_query_heads to be a multiple of num_key_value_heads, 4.\n  Got num_query_heads=6 (int).",
        ),
        (
            ops.MultiHeadAttention(2, 4),
            (X, MEMORY, BIG),
            ShapeMismatch,
            "expected a mask that broadcasts to (heads, target, source), (2, 10, 6).\n  Got (2, 10, 7) bool.\n"
            "  Give it one of the shapes (6,), (10, 6) and (2, 10, 6)",
        ),
        (
            ops.MultiHeadAttention(2, 4),
            (X, MEMORY, mask(1, 2, 10, 6)),
            ShapeMismatch,
            "expected a mask that broadcasts",
        ),
        (ops.MultiHeadAttention(2, 4), (X, MEMORY, mask(6, 10)), ShapeMismatch, "Got (6, 10) bool"),
        (
            ops.MultiHeadAttention(2, 4),
            (X, X, X, sequence(10, 10)),
            ShapeMismatch,
            "expected (query[, value[, key]][, mask]), where the mask is of bool.\n  Got (8, 10) and (8, 10) and",
        ),
        (
            ops.MultiHeadAttention(2, 4),
            (X, tokens(10)),
            ShapeMismatch,
            "where the mask is of bool.\n  Got (8, 10) and (10) int64",
        ),
        (ops.MultiHeadAttention(2, 4), (X, mask(10), X), ShapeMismatch, "expected real numbers.\n  Got (10) bool"),
        (ops.RotaryEmbedding(), (sequence(4, 5),), ShapeMismatch, "expected an even number of features.\n  Got (5, 4)"),
        (ops.RotaryEmbedding(), (image(4, 5, 6),), ShapeMismatch, "expected (channels, length)"),
        (ops.RotaryEmbedding(-1), (X,), BadArgument, "expected max_wavelength to be a number above 0"),
        (ops.RotaryEmbedding(scaling_factor=True), (X,), BadArgument, "expected scaling_factor to be a number above 0"),
        (
            ops.ReversibleEmbedding(50, 9),
            (X,),
            ShapeMismatch,
            "expected tokens, or vectors with output_dim features, 9.\n  Got (8, 10).\n  Put an ops.Dense(9) before",
        ),
        (ops.ReversibleEmbedding(50, 8), (tokens(4, vocabulary=51),), ShapeMismatch, "expected tokens below input_dim"),
        (ops.ReversibleEmbedding(50, 8), (mask(4),), ShapeMismatch, "expected tokens of int32 or int64"),
        (ops.ReversibleEmbedding(0, 8), (X,), BadArgument, "expected input_dim to be a positive int"),
    ],
)
def test_errors(op: Any, inputs: tuple[Spec, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(*inputs)
