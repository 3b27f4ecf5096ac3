"""Lowerings of what puts numbers elsewhere and computes none: reshaping, parting, joining, padding, enlarging."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from deep_arch import ops
from deep_arch.backends.keras_backend.context import Emitter, Lowering, Tensor
from deep_arch.backends.keras_backend.layers import Take
from deep_arch.backends.keras_backend.layout import alike_in_both_orders, channels_first, channels_last, permuted
from deep_arch.backends.keras_backend.windows import LAST
from deep_arch.backends.specs import native_axis, placed
from deep_arch.language.specs import Spec
from deep_arch.ops.resizing import sides_of
from deep_arch.ops.windows import tuple_of

Specs = Sequence[Spec]
Make = Callable[..., Any]


def _flatten(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    if specs[0].rank == 1:
        return x
    x = x if alike_in_both_orders(specs[0]) else channels_first(x, emit, specs[0])
    return emit.layer(partial(layers.Flatten, **LAST), x)


def _reshape(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    target: tuple[int, ...] = op.target_shape
    result = op.shape(specs[0])
    if result.shape == specs[0].shape:
        return x
    x = x if alike_in_both_orders(specs[0]) else channels_first(x, emit, specs[0])
    if alike_in_both_orders(result) and not emit.sizes_vary:
        return emit.layer(partial(layers.Reshape, (*target[1:], target[0])), x)
    x = emit.layer(partial(layers.Reshape, target), x)
    return channels_last(x, emit, len(target))


def _transpose(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    rank = len(op.permutation)
    if list(op.permutation) == sorted(op.permutation):
        return x
    first, *rest = (axis or rank for axis in op.permutation)  # the axis where Keras has what the operation names
    return permuted(x, emit, (*rest, first))


def _split(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> tuple[Tensor, ...]:
    *before, _ = itertools.accumulate(op.sizes(specs[0]))
    if not before:
        return (x,)
    return tuple(emit.function(keras.ops.split, x, before, axis=native_axis(op.axis)))


def _slice(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    start, stop = op.bounds(specs[0])
    if stop - start == specs[0].shape[op.axis]:
        return x
    return emit.function(operator.getitem, x, placed(slice(start, stop), op.axis))


def _take(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    return emit.layer(partial(Take, op.indices), x)


def _concatenate(op: Any, emit: Emitter, specs: Specs, *xs: Tensor) -> Tensor:
    return xs[0] if len(xs) == 1 else emit.layer(partial(layers.Concatenate, native_axis(op.axis)), list(xs))


def _stack(op: Any, emit: Emitter, specs: Specs, *xs: Tensor) -> Tensor:
    x = emit.function(keras.ops.stack, list(xs), axis=-1)  # what were channels stand before the new ones
    rank = specs[0].rank
    return x if rank < 2 else permuted(x, emit, (rank, *range(1, rank), rank + 1))


def _upsampling(layer: Make, **given: Any) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        size = tuple_of(op.size, op.ndim)
        more = {"interpolation": op.interpolation} if op.ndim == 2 else {}
        return emit.layer(partial(layer, size if op.ndim > 1 else size[0], **more, **given), x)

    return lower


def _edges(layer: Make, argument: str, **given: Any) -> Lowering:
    """Lower to a layer that adds cells to the spatial axes, or cuts them off."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        sides = sides_of(getattr(op, argument), op.ndim)
        if not any(map(any, sides)):
            return x
        return emit.layer(partial(layer, sides if op.ndim > 1 else sides[0], **given), x)

    return lower


LOWERINGS: Mapping[type, Lowering] = {
    ops.Flatten: _flatten,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Split: _split,
    ops.Slice: _slice,
    ops.Take: _take,
    ops.UpSampling1D: _upsampling(layers.UpSampling1D),
    ops.UpSampling2D: _upsampling(layers.UpSampling2D, **LAST),
    ops.UpSampling3D: _upsampling(layers.UpSampling3D, **LAST),
    ops.ZeroPadding1D: _edges(layers.ZeroPadding1D, "padding"),
    ops.ZeroPadding2D: _edges(layers.ZeroPadding2D, "padding", **LAST),
    ops.ZeroPadding3D: _edges(layers.ZeroPadding3D, "padding", **LAST),
    ops.Cropping1D: _edges(layers.Cropping1D, "cropping"),
    ops.Cropping2D: _edges(layers.Cropping2D, "cropping", **LAST),
    ops.Cropping3D: _edges(layers.Cropping3D, "cropping", **LAST),
    ops.Concatenate: _concatenate,
    ops.Stack: _stack,
}
