"""Attention of one sequence to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, bias, matrix
from deep_arch.ops import checks


@dataclass(eq=False)
class MultiHeadAttention(Operation):
    """Let each element of a query sequence take a weighted mean of a value sequence, several times over.

    It is called on query, value and key, in that order; without key, value serves as key, and without value,
    query serves as all three: self-attention.

    Shape: (features, length)[, (value features, value length)[, (key features, value length)]] -> (features, length)

    Args:
        num_heads: heads that attend independently.
        key_dim: features of each head for queries and keys.
        value_dim: features of each head for values; None for key_dim.
        dropout: the part of the attention weights that is set to 0 in training, from 0 to below 1.
        use_bias: whether each of the four projections adds trained constants.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: an input is not a sequence of floats, the dtypes differ, or value and key differ in length.

    References:
        Vaswani et al. (2017), Attention Is All You Need, section 3.2.2.
    """

    stateless: ClassVar[bool] = False

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True

    def shape(self, query: Spec, value: Spec | None = None, key: Spec | None = None) -> Spec:
        inputs = tuple(x for x in (query, value, key) if x is not None)
        for x in inputs:
            checks.spatial(self, x, 1)
        checks.same_dtype(self, inputs)
        for argument in ("num_heads", "key_dim") if self.value_dim is None else ("num_heads", "key_dim", "value_dim"):
            checks.positive(self, argument)
        checks.number(self, "dropout", 0, 1)
        checks.flag(self, "use_bias")
        if value is not None and key is not None and value.shape[1] != key.shape[1]:
            raise checks.misfit(
                self,
                "a value and a key of one length",
                f"value {value} and key {key}",
                "Give the inputs as (query, value, key), where key may be left out.",
            )
        return query

    def weights(self, query: Spec, value: Spec | None = None, key: Spec | None = None) -> dict[str, Weight]:
        value = value or query
        key = key or value
        n, value_dim = self.num_heads, self._value_dim
        return {
            **self._projection("query", query.shape[0], (n, self.key_dim)),
            **self._projection("key", key.shape[0], (n, self.key_dim)),
            **self._projection("value", value.shape[0], (n, value_dim)),
            "attention_output.kernel": matrix(n, value_dim, query.shape[0]),
            **bias(self, query.shape[0], name="attention_output.bias"),
        }

    def macs(self, query: Spec, value: Spec | None = None, key: Spec | None = None) -> int:
        value = value or query
        key = key or value
        keys, values = self.num_heads * self.key_dim, self.num_heads * self._value_dim
        projections = (query.size + key.size) * keys + (value.size + query.size) * values
        return projections + query.shape[1] * value.shape[1] * (keys + values)

    @property
    def _value_dim(self) -> int:
        return self.key_dim if self.value_dim is None else self.value_dim

    def _projection(self, name: str, features: int, heads: tuple[int, int]) -> dict[str, Weight]:
        return {f"{name}.kernel": matrix(features, *heads), **bias(self, *heads, name=f"{name}.bias")}
