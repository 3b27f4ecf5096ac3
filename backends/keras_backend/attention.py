"""Attention and rotary positions: lowerings, and layers that Keras lacks. Sequences are (batch, length, features)."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedClassDecorator=false, reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from deep_arch import ops
from deep_arch.backends.keras_backend.context import Emitter, Tensor
from deep_arch.backends.keras_backend.layers import Shape
from deep_arch.backends.keras_backend.layout import permuted
from deep_arch.backends.rotation import rotation
from deep_arch.language.specs import Spec
from deep_arch.ops.attention import is_masked, roles

_registered: Any = keras.saving.register_keras_serializable(package="deep_arch")
_ops: Any = keras.ops


def rotated(x: Any, max_wavelength: float, scaling_factor: float = 1.0) -> Any:
    """Turn the pairs of features of (batch, length, ..., features) by angles that grow with the position."""
    length, features = int(x.shape[1]), int(x.shape[-1])  # which are tensors while torch traces
    shape = (1, length, *(1,) * (len(x.shape) - 3), features // 2)
    angles = rotation(length, features, max_wavelength, scaling_factor)
    cos, sin = (_ops.convert_to_tensor(numbers.reshape(shape), dtype=x.dtype) for numbers in angles)
    a, b = _ops.split(x, 2, axis=-1)
    return _ops.concatenate((a * cos - b * sin, b * cos + a * sin), axis=-1)


@_registered
class RotaryEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Turn the pairs of features of a sequence by angles that grow with the position.

    The arguments are those of `deep_arch.ops.RotaryEmbedding`.
    """

    def __init__(self, max_wavelength: float = 10_000, scaling_factor: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.scaling_factor = scaling_factor

    def call(self, inputs: Any) -> Any:
        """Map (batch, length, features) to the same shape."""
        return rotated(inputs, self.max_wavelength, self.scaling_factor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "scaling_factor": self.scaling_factor,
        }


class _Rotary(keras.layers.Layer):  # type: ignore[misc]
    """What turns the queries and keys of an attention, where `rope_max_wavelength` is not None."""

    def __init__(self, *args: Any, rope_max_wavelength: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rope_max_wavelength = rope_max_wavelength

    def _compute_attention(self, query: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        if self.rope_max_wavelength is not None:
            query, key = (rotated(x, self.rope_max_wavelength) for x in (query, key))
        return super()._compute_attention(query, key, *args, **kwargs)

    def compute_output_shape(self, query_shape: Shape, *_: Any, **__: Any) -> Shape:
        """Return the shape of the output. Keras's own asks for queries and values with as many features."""
        return query_shape

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "rope_max_wavelength": self.rope_max_wavelength}


@_registered
class MultiHeadAttention(_Rotary, keras.layers.MultiHeadAttention):  # type: ignore[misc]
    """Keras's layer, with rotary positions."""


@_registered
class GroupQueryAttention(_Rotary, keras.layers.GroupQueryAttention):  # type: ignore[misc]
    """Keras's layer, with rotary positions, and for values of other features than those of the queries."""


def attention(op: Any, emit: Emitter, specs: Sequence[Spec], *xs: Tensor) -> Tensor:
    """Lower an attention of any heads."""
    query, value, key, mask = roles(range(len(xs)), is_masked(specs))
    options: dict[str, Any] = {"use_causal_mask": True} if op.use_causal_mask else {}
    if mask is not None:
        options["attention_mask"] = _aligned(xs[mask], emit, specs[mask])
    inputs = [xs[query], xs[value], *([xs[key]] if key != value else [])]
    make = partial(_kind(op, specs[query], specs[value]), seed=emit.seed)
    if mask is None and op.heads.key_dim == op.heads.value_dim:
        return emit.layer(make, *inputs, **options)
    # Keras leaves fused kernels aside where scores are asked for: JAX's has one size for keys and values, and what may
    # attend to nothing is not zero in some.
    return emit.layer(make, *inputs, **options, return_attention_scores=True)[0]


def _kind(op: Any, query: Spec, value: Spec) -> Any:
    """Return what makes the layer of an attention: Keras's own where that does."""
    rotary = {} if op.rope_max_wavelength is None else {"rope_max_wavelength": op.rope_max_wavelength}
    rest = {"dropout": op.dropout, "use_bias": op.use_bias, **rotary}
    if isinstance(op, ops.GroupQueryAttention):
        own = rotary or query.channels != value.channels
        kind: Any = GroupQueryAttention if own else keras.layers.GroupQueryAttention
        return partial(kind, op.head_dim, op.num_query_heads, op.num_key_value_heads, **rest)
    kind = MultiHeadAttention if rotary else keras.layers.MultiHeadAttention
    return partial(kind, op.num_heads, op.key_dim, op.value_dim, **rest)


def _aligned(mask: Tensor, emit: Emitter, spec: Spec) -> Tensor:
    """Bring a mask to (batch, queries, keys) or (batch, heads, queries, keys), where an axis may have size 1."""
    if spec.rank == 1:
        return emit.layer(partial(keras.layers.Reshape, (1, -1)), mask, name="mask")
    return permuted(mask, emit, (spec.rank, *range(1, spec.rank)), f"mask_of_rank_{spec.rank}")


def rotary_embedding(op: Any, emit: Emitter, specs: Sequence[Spec], x: Tensor) -> Tensor:
    """Lower the rotation of a sequence."""
    return emit.layer(partial(RotaryEmbedding, op.max_wavelength, op.scaling_factor), x)
