"""Networks of images with learned constants, and with channels that are parted: spaces of one architecture each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value
from deep_arch.spaces.space import SearchSpace

# --- ViT-B/16 --------------------------------------------------------------------------------------------------------


def _encoder_block(x: Value) -> Value:
    y = ops.MultiHeadAttention(num_heads=12, key_dim=64)(ops.LayerNormalization(epsilon=1e-6)(x))
    x = ops.Add()(x, y)
    y = ops.GELU()(ops.Dense(3072)(ops.LayerNormalization(epsilon=1e-6)(x)))
    return ops.Add()(x, ops.Dense(768)(y))


@da.space
def vit_b_16(x: Value) -> Value:
    """Build the Vision Transformer "Base" with patches of 16 x 16, up to the logits."""
    x = ops.Reshape((768, -1))(ops.Conv2D(768, kernel_size=16, strides=16, padding="valid")(x))
    x = ops.Concatenate(axis=1)(ops.Parameter((768, 1), initial=0.0, name="class_token")(x), x)
    x = da.repeat(_encoder_block, 12)(ops.PositionEmbedding()(x))
    x = ops.Slice(0, 1, axis=1)(ops.LayerNormalization(epsilon=1e-6)(x))
    return ops.Dense(1000)(ops.Flatten()(x))


# --- ShuffleNetV2 ----------------------------------------------------------------------------------------------------


def _normalize(x: Value) -> Value:
    return ops.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _convolve(x: Value, filters: int, kernel_size: int = 1, strides: int = 1) -> Value:
    return ops.ReLU()(_normalize(ops.Conv2D(filters, kernel_size, strides, use_bias=False)(x)))


def _branch(x: Value, filters: int, strides: int) -> Value:
    """Convolve each channel alone, and mix the channels after."""
    return _convolve(_normalize(ops.DepthwiseConv2D(3, strides, use_bias=False)(x)), filters)


def shuffled(x: Value, channels: int, size: int) -> Value:
    """Take the channels of two halves in turn: figure 1 of the paper on ShuffleNet."""
    x = ops.Transpose((1, 0, 2, 3))(ops.Reshape((2, channels // 2, size, size))(x))
    return ops.Reshape((channels, size, size))(x)


def _shuffle_unit(x: Value, channels: int, strides: int, size: int) -> Value:
    """Build one half of the channels anew, and keep the other, or build it too where the size changes: figure 3."""
    half = channels // 2
    kept, x = ops.Split(2)(x) if strides == 1 else (_branch(x, half, strides), x)
    built = _branch(_convolve(x, half), half, strides)
    return shuffled(ops.Concatenate()(kept, built), channels, size)


@da.space
def shufflenet_v2(x: Value) -> Value:
    """Build ShuffleNetV2 of width 1 for images of 224 x 224, up to the logits."""
    x, size = ops.MaxPooling2D(3, strides=2)(_convolve(x, 24, 3, strides=2)), 56
    for channels, n_units in ((116, 4), (232, 8), (464, 4)):
        size //= 2
        for i in range(n_units):
            x = _shuffle_unit(x, channels, 1 if i else 2, size)
    return ops.Dense(1000)(ops.GlobalAveragePooling2D()(_convolve(x, 1024)))


# --- NAS-Bench-101 ---------------------------------------------------------------------------------------------------

Edges = Collection[tuple[int, int]]
"""The edges of a cell. Vertex 0 is its input, and the last vertex its output."""


def vertex_channels(edges: Edges, last: int, channels: int) -> Mapping[int, int]:
    """Return the channels of each vertex between the input and the output.

    Those that lead to the output share its channels, the first of them with one more where that leaves some. Each other
    has as many as the widest that it leads to.
    """
    ends = [v for v in range(1, last) if (v, last) in edges]
    widths = {v: channels // len(ends) + (i < channels % len(ends)) for i, v in enumerate(ends)}
    for v in reversed(range(1, last)):
        if v not in widths:
            widths[v] = max(widths[after] for after in range(v + 1, last) if (v, after) in edges)
    return widths


def _normalized_conv(x: Value, filters: int, kernel_size: int) -> Value:
    x = ops.Conv2D(filters, kernel_size, use_bias=False)(x)
    return ops.ReLU()(ops.BatchNormalization(momentum=0.997, epsilon=1e-5)(x))


def _operated(x: Value, filters: int, operation: str) -> Value:
    if operation == "maxpool3x3":
        return ops.MaxPooling2D(3, strides=1)(x)
    return _normalized_conv(x, filters, {"conv1x1-bn-relu": 1, "conv3x3-bn-relu": 3}[operation])


def _summed(xs: Sequence[Value]) -> Value:
    return xs[0] if len(xs) == 1 else ops.Add()(*xs)


def _cell(x: Value, edges: Edges, operations: Sequence[str], channels: int) -> Value:
    """Build a cell: each vertex takes the sum of what leads to it, of which those that are wider are truncated."""
    last = len(operations) + 1
    widths, made = vertex_channels(edges, last, channels), dict[int, Value]()
    for v, operation in enumerate(operations, 1):
        width, taken = widths[v], [u for u in range(1, v) if (u, v) in edges]
        inputs = [made[u] if widths[u] == width else ops.Slice(0, width)(made[u]) for u in taken]
        if (0, v) in edges:
            inputs.append(_normalized_conv(x, width, 1))
        made[v] = _operated(_summed(inputs), width, operation)
    ends = [made[v] for v in range(1, last) if (v, last) in edges]
    output = ends[0] if len(ends) == 1 else ops.Concatenate()(*ends)
    return _summed([output, _normalized_conv(x, channels, 1)]) if (0, last) in edges else output


def nas_bench_101(edges: Edges, operations: Sequence[str]) -> SearchSpace:
    """Return the network of nine cells of these edges, whose vertices between input and output are these operations."""

    def network(x: Value) -> Value:
        x = _normalized_conv(x, 128, 3)
        for channels in (128, 256, 512):
            x = x if channels == 128 else ops.MaxPooling2D()(x)
            for _ in range(3):
                x = _cell(x, edges, operations, channels)
        return ops.Dense(10)(ops.GlobalAveragePooling2D()(x))

    return da.space(network)


inception_cell = nas_bench_101(
    edges={(0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)},
    operations=("conv1x1-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu", "maxpool3x3"),
)
