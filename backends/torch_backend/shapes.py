"""Lowerings of what puts numbers elsewhere and computes none: reshaping, parting, joining, padding, enlarging."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F

from deep_arch import ops
from deep_arch.backends.torch_backend import windows
from deep_arch.backends.torch_backend.context import Emitter, Lowering
from deep_arch.backends.torch_backend.layout import in_either_layout
from deep_arch.backends.torch_backend.windows import brief
from deep_arch.language.specs import Spec
from deep_arch.ops.resizing import sides_of
from deep_arch.ops.windows import tuple_of

Specs = Sequence[Spec]


def _flatten(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    if specs[0].rank == 1:
        return x
    return emit.function(torch.flatten, x, 1) if specs[0].shape else emit.function(torch.reshape, x, (-1, 1))


def _reshape(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    shape = op.shape(specs[0]).shape
    return x if shape == specs[0].shape else emit.function(torch.reshape, x, (-1, *shape))


def _transpose(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    if list(op.permutation) == sorted(op.permutation):
        return x
    return emit.function(torch.permute, x, (0, *(axis + 1 for axis in op.permutation)))


def _split(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> tuple[fx.Node, ...]:
    sizes = op.sizes(specs[0])
    if isinstance(op.sections, int):
        parts = emit.function(torch.chunk, x, op.sections, dim=op.axis + 1)
    else:
        parts = emit.function(torch.split, x, list(sizes), dim=op.axis + 1)
    return tuple(emit.function(operator.getitem, parts, i) for i in range(len(sizes)))


def _slice(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    start, stop = op.bounds(specs[0])
    if stop - start == specs[0].shape[op.axis]:
        return x

    def write(xs: Sequence[fx.Node], channels: int) -> fx.Node:
        return emit.function(torch.narrow, *xs, _dim(op.axis, channels), start, stop - start)

    return in_either_layout([x], emit, specs[0].rank, write)


def _take(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    places = list(op.places(specs[0]))
    start, n = places[0], len(places)
    together = places == list(range(start, start + n))

    def write(xs: Sequence[fx.Node], channels: int) -> fx.Node:
        if together:
            return emit.function(torch.narrow, *xs, channels, start, n)
        before = (slice(None),) if channels == 1 else (...,)
        return emit.function(operator.getitem, *xs, (*before, places))

    return x if together and n == specs[0].channels else in_either_layout([x], emit, specs[0].rank, write)


def _concatenate(op: Any, emit: Emitter, specs: Specs, *xs: fx.Node) -> fx.Node:
    def write(xs: Sequence[fx.Node], channels: int) -> fx.Node:
        return emit.function(torch.cat, tuple(xs), dim=_dim(op.axis, channels))

    return in_either_layout(xs, emit, specs[0].rank, write)


def _dim(axis: int, channels: int) -> int:
    """Return where an axis of a spec stands in a tensor that has the channels at 1 or at -1."""
    return axis + 1 if channels == 1 else axis or -1


def _stack(op: Any, emit: Emitter, specs: Specs, *xs: fx.Node) -> fx.Node:
    return emit.function(torch.stack, xs, dim=1)


def _upsampling(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    factors = brief(tuple_of(op.size, op.ndim))
    return emit.function(F.interpolate, x, scale_factor=factors, mode=op.interpolation)


def _zero_padding(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    before, after = zip(*sides_of(op.padding, op.ndim), strict=True)
    return windows.pad(x, emit, before, after)


def _cropping(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    before, after = zip(*sides_of(op.cropping, op.ndim), strict=True)
    return windows.keep(x, emit, before, after)


LOWERINGS: Mapping[type, Lowering] = {
    ops.Flatten: _flatten,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Split: _split,
    ops.Slice: _slice,
    ops.Take: _take,
    ops.UpSampling1D: _upsampling,
    ops.UpSampling2D: _upsampling,
    ops.UpSampling3D: _upsampling,
    ops.ZeroPadding1D: _zero_padding,
    ops.ZeroPadding2D: _zero_padding,
    ops.ZeroPadding3D: _zero_padding,
    ops.Cropping1D: _cropping,
    ops.Cropping2D: _cropping,
    ops.Cropping3D: _cropping,
    ops.Concatenate: _concatenate,
    ops.Stack: _stack,
}
