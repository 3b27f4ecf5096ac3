"""Uses of operations that frameworks do not agree on, or get wrong: each is compared by the contract of backends."""

from __future__ import annotations

from collections.abc import Mapping

from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.testing.operation_strategies import Case

CORNERS: Mapping[str, Case] = {
    "windows of a volume that leave cells": (ops.Conv3D(2, (1, 1, 3), strides=3), (Spec((1, 4, 3, 4)),)),
    "windows apart in a volume": (ops.Conv3DTranspose(1, 1, strides=(3, 1, 2)), (Spec((1, 2, 1, 1)),)),
    "windows of an image that leave cells": (ops.Conv2D(2, 1, strides=3), (Spec((2, 6, 7)),)),
    "strides with dilation in groups": (ops.Conv2D(4, 3, strides=2, dilation_rate=2, groups=2), (Spec((4, 7, 8)),)),
    "unequal strides of each channel": (ops.DepthwiseConv2D(3, (1, 2), depth_multiplier=2), (Spec((2, 5, 6)),)),
    "less output than strides": (ops.Conv1DTranspose(2, 4, strides=3, output_padding=0), (Spec((3, 5)),)),
    "windows that end at their own cell": (
        ops.Conv1D(4, 3, strides=2, padding="causal", dilation_rate=2, groups=2),
        (Spec((2, 8)),),
    ),
    "strides of each channel that end at their own cell": (
        ops.SeparableConv1D(4, 2, strides=3, padding="causal"),
        (Spec((2, 8)),),
    ),
    "a mean at an uneven edge": (ops.AveragePooling2D(2, strides=1), (Spec((2, 5, 4)),)),
    "a window larger than its volume": (ops.AveragePooling3D(4, strides=2), (Spec((2, 3, 2, 5)),)),
    "an even window larger than its volume": (ops.AveragePooling3D(3, strides=1), (Spec((2, 3, 2, 2)),)),
    "steps from the end": (ops.GRU(3, return_sequences=True, go_backwards=True), (Spec((2, 5)),)),
    "a running mean of all that came before": (ops.WindowAverage(99, each=True), (Spec((2, 8)),)),
    "means of single frames that are there": (
        ops.WindowAverage(0, each=True),
        (Spec((2, 9)), Spec((9,), "bool")),
    ),
    "one frame before the last that is there": (ops.WindowAverage(2, -2), (Spec((2, 9)), Spec((1, 9), "bool"))),
    "a condition for all cells": (ops.Where(), (Spec((3,)), Spec((3, 4, 5)), Spec((1, 4, 1)))),
    "a condition without channels": (ops.Where(hard=True), (Spec((), "bool"), Spec((3, 4)), Spec((3, 4)))),
    "a channel taken twice": (ops.Take((2, 0, 2)), (Spec((3, 5)),)),
    "a mask that lets nothing through": (
        ops.MultiHeadAttention(2, 3, use_causal_mask=True),
        (Spec((4, 7)), Spec((1, 7, 7), "bool")),
    ),
    "causal attention to fewer": (ops.MultiHeadAttention(2, 3, use_causal_mask=True), (Spec((5, 6)), Spec((5, 4)))),
    "causal attention to more": (ops.GroupQueryAttention(3, 4, 2, use_causal_mask=True), (Spec((5, 4)), Spec((5, 6)))),
    "groups that attend to other features": (
        ops.GroupQueryAttention(3, 4, 2, rope_max_wavelength=None),
        (Spec((5, 4)), Spec((3, 6)), Spec((6,), "bool")),
    ),
    "heads of another size": (ops.MultiHeadAttention(2, 3, value_dim=4), (Spec((5, 4)), Spec((3, 6)), Spec((2, 6)))),
}
