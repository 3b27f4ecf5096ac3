"""Whole networks of published searches with shared weights, from the image or the words up to the logits.

All sizes are arguments, so that the same space serves a test of seconds and a training of hours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value

Make = Callable[[], da.Module]

NB201_EDGES: Final[tuple[str, ...]] = ("edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2")
"""The decisions of a cell of NAS-Bench-201: `edge_2_1` leads to node 2, from node 1."""

NB201_OPERATIONS: Final = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What stands on an edge, by the names of the published table."""


# --- NAS-Bench-201, the topology space of NATS-Bench ------------------------------------------------------------------


def _norm(affine: bool) -> da.Module:
    return ops.BatchNormalization(momentum=0.9, epsilon=1e-5, center=affine, scale=affine)


def _relu_conv_norm(filters: int, kernel: int, strides: int, affine: bool) -> da.Module:
    return da.sequential(ops.ReLU, lambda: ops.Conv2D(filters, kernel, strides, use_bias=False), lambda: _norm(affine))


def nb201_operations(channels: int, affine: bool = True) -> Mapping[str, Make]:
    """Return what an edge of a cell can be, by the names of the published table."""
    conv = functools.partial(_relu_conv_norm, channels, strides=1, affine=affine)
    return {
        "none": ops.Zero,
        "skip_connect": ops.Identity,
        "nor_conv_1x1": functools.partial(conv, 1),
        "nor_conv_3x3": functools.partial(conv, 3),
        "avg_pool_3x3": lambda: ops.AveragePooling2D(pool_size=3, strides=1),
    }


def _nb201_cell(x: Value, operations: Mapping[str, Make], which: Mapping[str, Any]) -> Value:
    nodes = [x]
    for j in (1, 2, 3):
        parts = [da.or_(operations, which[f"edge_{j}_{i}"])(nodes[i]) for i in range(j)]
        nodes.append(parts[0] if j == 1 else ops.Add()(*parts))
    return nodes[3]


def _nb201_reduction(x: Value, filters: int, affine: bool) -> Value:
    """Halve the image with a residual block, whose other way is pooled and convolved by 1 x 1."""
    y = _relu_conv_norm(filters, 3, 2, affine)(x)
    y = _relu_conv_norm(filters, 3, 1, affine)(y)
    return ops.Add()(y, ops.Conv2D(filters, 1, use_bias=False)(ops.AveragePooling2D(2)(x)))


def nb201(channels: int = 16, cells: int = 5, n_classes: int = 10, affine: bool = True) -> da.SearchSpace:
    """Return the networks of NAS-Bench-201: three stages of cells that all share six decisions.

    The decisions have the addresses `NB201_EDGES`, and their values are the names of the published table.

    Args:
        channels: of the first stage; each next one has twice as many.
        cells: of each stage.
        n_classes: how many logits there are.
        affine: whether batch normalization has trained factors; the search with shared weights of NATS-Bench has none.

    References:
        Dong and Yang, NAS-Bench-201 (ICLR 2020), figure 1; Dong et al., NATS-Bench (TPAMI 2021), section 3.1.
    """

    def net(x: Value) -> Value:
        which = {edge: da.choice(NB201_OPERATIONS, name=edge) for edge in NB201_EDGES}
        x = _norm(affine)(ops.Conv2D(channels, 3, use_bias=False)(x))
        for stage in range(3):
            filters = channels * 2**stage
            x = _nb201_reduction(x, filters, affine) if stage else x
            for _ in range(cells):
                x = _nb201_cell(x, nb201_operations(filters, affine), which)
        x = ops.GlobalAveragePooling2D()(ops.ReLU()(_norm(affine)(x)))
        return ops.Dense(n_classes)(x)

    return da.space(net)


# --- the size space of NATS-Bench -------------------------------------------------------------------------------------


def nats_sizes(
    widths: Sequence[int] = tuple(range(8, 65, 8)), cells: int = 1, n_classes: int = 10, ndim: int = 2
) -> da.SearchSpace:
    """Return networks of five layers, each of a width to be decided: `width_0` to `width_4`.

    Layers 1 and 3 halve the image. Between them stand residual blocks of the width before.

    Args:
        widths: what each layer can have.
        cells: residual blocks after each layer.
        n_classes: how many logits there are.
        ndim: 2 for images, 1 for sequences.

    References:
        Dong et al., NATS-Bench (TPAMI 2021), section 3.2.
    """
    convolution, pool = (
        (ops.Conv2D, ops.GlobalAveragePooling2D) if ndim == 2 else (ops.Conv1D, ops.GlobalAveragePooling1D)
    )

    def block(filters: Any, strides: int = 1) -> Callable[[Value], Value]:
        def build(x: Value) -> Value:
            x = convolution(filters, 3, strides, use_bias=False)(x)
            return ops.ReLU()(ops.BatchNormalization(momentum=0.9)(x))

        return build

    def net(x: Value) -> Value:
        for layer in range(5):
            filters = da.choice(list(widths), name=f"width_{layer}")
            x = block(filters, 2 if layer in (1, 3) else 1)(x)
            for _ in range(cells):
                x = ops.Add()(x, block(filters)(x))
        return ops.Dense(n_classes)(pool()(x))

    return da.space(net)


# --- MobileNetV2 with elastic blocks, as in Once-for-all --------------------------------------------------------------


def _inverted_bottleneck(x: Value, filters: Any, strides: int) -> Value:
    """Expand by a factor to be decided, convolve each channel alone with a kernel to be decided, and narrow again."""
    hidden = filters * da.choice([3, 4, 6], name="expansion")
    x = ops.ReLU6()(ops.BatchNormalization()(ops.Conv2D(hidden, 1, use_bias=False)(x)))
    kernel = da.choice([3, 5, 7], name="kernel")
    x = ops.ReLU6()(ops.BatchNormalization()(ops.DepthwiseConv2D(kernel, strides, use_bias=False)(x)))
    return ops.BatchNormalization()(ops.Conv2D(filters, 1, use_bias=False)(x))


def elastic_mobilenet(
    stages: Sequence[Sequence[int]] = ((16, 24), (24, 40), (48, 80)), depth: int = 3, n_classes: int = 10
) -> da.SearchSpace:
    """Return MobileNetV2-like networks: each stage has a width and a depth, each block an expansion and a kernel.

    Args:
        stages: the widths that each stage can have; all but the first stage halve the image.
        depth: the most blocks of a stage after its first, from 1 on.
        n_classes: how many logits there are.

    References:
        Sandler et al., MobileNetV2 (CVPR 2018), table 1; Cai et al., Once-for-all (ICLR 2020), section 3.2.
    """

    def net(x: Value) -> Value:
        x = ops.ReLU6()(ops.BatchNormalization()(ops.Conv2D(stages[0][0], 3, use_bias=False)(x)))
        for stage, widths in enumerate(stages):
            filters = da.choice(list(widths), name=f"width_{stage}")
            first = functools.partial(_inverted_bottleneck, filters=filters, strides=2 if stage else 1)
            block = functools.partial(_inverted_bottleneck, filters=filters, strides=1)
            x = da.sequential(lambda first=first: first, name=f"stage_{stage}")(x)
            times = da.choice(list(range(1, depth + 1)), name=f"depth_{stage}")
            x = da.repeat(lambda block=block: da.residual(lambda: block), times, name=f"blocks_{stage}")(x)
        return ops.Dense(n_classes)(ops.GlobalAveragePooling2D()(x))

    return da.space(net)


# --- DARTS ------------------------------------------------------------------------------------------------------------


def darts_operations(filters: int, strides: int = 1) -> Mapping[str, Make]:
    """Return what an edge of DARTS can be (section 3.1), each with batch normalization."""

    def conv(kernel: int, dilation: int) -> Make:
        return lambda: da.sequential(
            ops.ReLU,
            lambda: ops.DepthwiseConv2D(
                kernel, strides if dilation == 1 else 1, dilation_rate=dilation, use_bias=False
            ),
            lambda: ops.Conv2D(filters, 1, 1 if dilation == 1 else strides, use_bias=False),
            ops.BatchNormalization,
        )

    def pooled(pool: Callable[..., da.Module]) -> Make:
        return lambda: da.sequential(lambda: pool(3, strides), ops.BatchNormalization)

    skip = ops.Identity if strides == 1 else lambda: ops.Conv2D(filters, 1, strides, use_bias=False)
    return {
        "none": lambda: ops.Zero(strides),
        "max_pool_3x3": pooled(ops.MaxPooling2D),
        "avg_pool_3x3": pooled(ops.AveragePooling2D),
        "skip_connect": skip,
        "sep_conv_3x3": conv(3, 1),
        "sep_conv_5x5": conv(5, 1),
        "dil_conv_3x3": conv(3, 2),
        "dil_conv_5x5": conv(5, 2),
    }


def _relaxed_cell(s0: Value, s1: Value, kind: str, filters: int, which: Mapping[str, Any], steps: int) -> Value:
    states = [s0, s1]
    for node in range(steps):
        parts = list[Value]()
        for i, state in enumerate(states):
            strides = 2 if kind == "reduce" and i < 2 else 1
            parts.append(da.or_(darts_operations(filters, strides), which[f"{kind}_{node}_{i}"])(state))
        states.append(ops.Add()(*parts))
    return ops.Concatenate()(*states[2:])


def darts_cells(channels: int = 16, layers: int = 8, steps: int = 4, n_classes: int = 10) -> da.SearchSpace:
    """Return the networks that DARTS relaxes: a normal and a reducing cell, an operation on every edge of each.

    Which two edges a node keeps is decided after the search, from the weights (section 2.3 of the paper).

    Args:
        channels: of the first cell; each reducing cell doubles them.
        layers: how many cells there are; those at a third and at two thirds reduce.
        steps: nodes of a cell.
        n_classes: how many logits there are.

    References:
        Liu, Simonyan and Yang, DARTS: differentiable architecture search (ICLR 2019), sections 2.1 and 3.1.1.
    """

    def squeezed(x: Value, filters: int, strides: int = 1) -> Value:
        return ops.BatchNormalization()(ops.Conv2D(filters, 1, strides, use_bias=False)(ops.ReLU()(x)))

    def net(x: Value) -> Value:
        which = {
            f"{kind}_{node}_{i}": da.choice(list(darts_operations(1)), name=f"{kind}_{node}_{i}")
            for kind in ("normal", "reduce")
            for node in range(steps)
            for i in range(node + 2)
        }
        filters, reduced_before = channels, False
        s0 = s1 = ops.BatchNormalization()(ops.Conv2D(3 * channels, 3, use_bias=False)(x))
        for layer in range(layers):
            reduces = layers > 2 and layer in (layers // 3, 2 * layers // 3)
            filters *= 2 if reduces else 1
            s0, before = squeezed(s0, filters, 2 if reduced_before else 1), squeezed(s1, filters)
            s0, s1 = s1, _relaxed_cell(s0, before, "reduce" if reduces else "normal", filters, which, steps)
            reduced_before = reduces
        return ops.Dense(n_classes)(ops.GlobalAveragePooling2D()(s1))

    return da.space(net)


# --- a transformer ----------------------------------------------------------------------------------------------------


def elastic_transformer(
    vocabulary: int = 32, features: int = 32, depth: int = 4, heads: Sequence[int] = (1, 2, 4), n_classes: int = 2
) -> da.SearchSpace:
    """Return transformers over words, each block with heads and a hidden width, and as many blocks as decided.

    Args:
        vocabulary: how many words there are.
        features: of each word.
        depth: the most blocks.
        heads: how many heads a block can have.
        n_classes: how many logits there are.

    References:
        Wang et al., HAT: hardware-aware transformers (ACL 2020), section 3.1.
    """

    def block(x: Value) -> Value:
        attention = ops.MultiHeadAttention(da.choice(list(heads), name="heads"), key_dim=features // max(heads))
        x = ops.Add()(x, attention(ops.LayerNormalization()(x)))
        hidden = ops.Dense(features * da.choice([1, 2, 4], name="expansion"))(ops.LayerNormalization()(x))
        return ops.Add()(x, ops.Dense(features)(ops.GELU()(hidden)))

    def net(x: Value) -> Value:
        x = ops.PositionEmbedding()(ops.Embedding(vocabulary, features)(x))
        x = da.repeat(lambda: block, da.choice(list(range(1, depth + 1)), name="depth"))(x)
        return ops.Dense(n_classes)(ops.GlobalAveragePooling1D()(ops.LayerNormalization()(x)))

    return da.space(net)
