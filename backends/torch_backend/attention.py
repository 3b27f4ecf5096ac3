"""Attention: its layer and its lowering.

Sequences are (batch, length, features) here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from deep_arch.backends.torch_backend.context import Emitter
from deep_arch.backends.torch_backend.layout import channels_first, channels_last
from deep_arch.language.specs import Spec
from deep_arch.ops.attention import Heads, is_masked, roles


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention in several heads, whose size is free of the number of features.

    nn.MultiheadAttention ties that size to the features over the number of heads, and has as many heads of keys as of
    queries.

    References:
        Vaswani et al., Attention Is All You Need, 2017, section 3.2; Ainslie et al., GQA, 2023.
    """

    def __init__(
        self,
        features: tuple[int, int, int],
        heads: Heads,
        use_bias: bool = True,
        dropout: float = 0.0,
        causal: bool = False,
        max_wavelength: float | None = None,
    ) -> None:
        super().__init__()
        query_features, key_features, value_features = features
        self.heads = heads
        self.dropout = dropout
        self.causal = causal
        self.max_wavelength = max_wavelength
        self.query = nn.Linear(query_features, heads.queries * heads.key_dim, bias=use_bias)
        self.key = nn.Linear(key_features, heads.keys * heads.key_dim, bias=use_bias)
        self.value = nn.Linear(value_features, heads.keys * heads.value_dim, bias=use_bias)
        self.output = nn.Linear(heads.queries * heads.value_dim, query_features, bias=use_bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map (batch, queries, features) and two of (batch, keys, features) to (batch, queries, features).

        A mask is of bool, and (batch, keys), (batch, queries, keys) or (batch, heads, queries, keys).
        """
        queries, keys = self._heads(self.query(query)), self._heads(self.key(key))
        values = self._heads(self.value(value), self.heads.value_dim)
        if self.max_wavelength is not None:
            queries, keys = rotated(queries, self.max_wavelength), rotated(keys, self.max_wavelength)
        serves = self.heads.queries // self.heads.keys
        if serves > 1:
            keys, values = keys.repeat_interleave(serves, dim=1), values.repeat_interleave(serves, dim=1)
        attended = self._attended(queries, keys, values, mask)
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output

    def _attended(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if mask is None:
            return F.scaled_dot_product_attention(queries, keys, values, None, dropout, self.causal)
        while mask.dim() < 4:
            mask = mask.unsqueeze(1)
        if self.causal:
            n, m = queries.shape[2], keys.shape[2]
            mask = mask & torch.ones(n, m, dtype=torch.bool, device=mask.device).tril()
        # What may attend to nothing is NaN in some kernels: it attends to all, and is zero after.
        none = ~mask.any(-1, keepdim=True)
        return F.scaled_dot_product_attention(queries, keys, values, mask | none, dropout).masked_fill(none, 0.0)

    def _heads(self, projected: Tensor, size: int | None = None) -> Tensor:
        """Map (batch, length, heads * size) to (batch, heads, length, size)."""
        return projected.view(*projected.shape[:2], -1, size or self.heads.key_dim).transpose(1, 2)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"{self.heads}, dropout={self.dropout}, causal={self.causal}, max_wavelength={self.max_wavelength}"


def rotated(x: Tensor, max_wavelength: float, scaling_factor: float = 1.0) -> Tensor:
    """Turn the pairs of features of (..., length, features) by angles that grow with the position.

    References:
        Su et al., RoFormer, 2021, equation 34, where i and i + features / 2 are a pair.
    """
    length, features = x.shape[-2:]
    kind: Any = {"dtype": torch.promote_types(x.dtype, torch.float32), "device": x.device}
    frequencies = max_wavelength ** (torch.arange(0, features, 2, **kind) / -features)
    angles = torch.outer(torch.arange(length, **kind) / scaling_factor, frequencies)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def attention(op: Any, emit: Emitter, specs: Sequence[Spec], *xs: fx.Node) -> fx.Node:
    """Lower an attention of any heads."""
    query, value, key, mask = roles(range(len(xs)), is_masked(specs))
    nodes = [channels_last(xs[i], emit, 2) for i in (query, key, value)]
    features = (specs[query].channels, specs[key].channels, specs[value].channels)
    rest = (op.use_bias, op.dropout, op.use_causal_mask, op.rope_max_wavelength)
    masks = [] if mask is None else [xs[mask]]
    x = emit.module(lambda: MultiHeadAttention(features, op.heads, *rest), *nodes, *masks)
    return channels_first(x, emit, 2)


def rotary_embedding(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    """Lower the rotation of a sequence."""
    x = emit.function(rotated, channels_last(x, emit, 2), op.max_wavelength, op.scaling_factor)
    return channels_first(x, emit, 2)
