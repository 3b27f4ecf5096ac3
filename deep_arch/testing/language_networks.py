"""Networks of text: GPT-2, and one that has all kinds of attention."""

from __future__ import annotations

import deep_arch as da
from deep_arch import ops
from deep_arch.language.modules import Module
from deep_arch.language.values import Value
from deep_arch.spaces.space import SearchSpace


def gpt_2(n_blocks: int, num_heads: int, features: int, vocabulary: int, n_context: int) -> SearchSpace:
    """Return the space of GPT-2 of one size, from tokens up to the logits of those that follow.

    Dropout is left out, as in the authors' code for the trained models.
    """

    def normalize() -> Module:
        return ops.LayerNormalization(epsilon=1e-5)

    def attend() -> Module:
        return ops.MultiHeadAttention(num_heads, features // num_heads, use_causal_mask=True)

    def widen(x: Value) -> Value:
        x = ops.GELU(approximate=True)(ops.Dense(4 * features)(normalize()(x)))
        return ops.Dense(features)(x)

    def block(x: Value) -> Value:
        x = da.residual(lambda: da.sequential(normalize, attend))(x)
        return da.residual(lambda: widen)(x)

    @da.space
    def gpt_2(tokens: Value) -> Value:
        embedding = ops.ReversibleEmbedding(vocabulary, features)
        x = ops.PositionEmbedding(n_context)(embedding(tokens))
        return embedding(normalize()(da.repeat(lambda: block, n_blocks)(x)))

    return gpt_2


def decoder(tokens: Value, mask: Value) -> Value:
    """Return logits of each token by all kinds of attention, with a head that is tied to the embedding."""
    embedding = ops.ReversibleEmbedding(11, 8)
    x = ops.PositionEmbedding()(embedding(tokens))
    x = ops.GroupQueryAttention(4, 4, 2, use_causal_mask=True, rope_max_wavelength=100)(x, mask)
    y = ops.MultiHeadAttention(2, 4, value_dim=3, use_causal_mask=True)(ops.RotaryEmbedding()(x), x)
    return embedding(ops.MultiHeadAttention(1, 6, rope_max_wavelength=10)(ops.Add()(x, y), x, x, mask))


DECODER = {"tokens": da.tokens(6, vocabulary=11), "mask": da.tensor(6, 6, dtype="bool")}
