"""Means over windows of time, of (batch, channels, length)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from deep_arch.backends.averages import WHOLE, blocks, last_window
from deep_arch.backends.torch_backend.context import Emitter
from deep_arch.language.specs import Spec


def running_sums(x: Tensor, before: int, after: int) -> Tensor:
    """Return the sum of the frames around each; see `deep_arch.backends.averages`."""
    length = x.shape[-1]
    width, *zeros = blocks(length, before, after)
    parts = F.pad(x, zeros).reshape(*x.shape[:-1], -1, width)
    ends = parts.flip(-1).cumsum(-1).flip(-1).flatten(-2)
    beginnings = F.pad(parts[..., :-1].cumsum(-1), (1, 0)).flatten(-2)
    return ends[..., :length] + beginnings[..., width : width + length]


def running_average(x: Tensor, before: int, after: int) -> Tensor:
    """Return the mean of the frames around each."""
    at, length = torch.arange(x.shape[-1], device=x.device), x.shape[-1]
    n = (at + after + 1).clamp(max=length) - (at - before).clamp(min=0)
    return running_sums(x, before, after) / n.to(x.dtype)


def masked_running_average(x: Tensor, mask: Tensor, before: int, after: int) -> Tensor:
    """Return the mean of the frames around each that are there, and 0 where none is."""
    there = (mask > 0).reshape(x.shape[0], 1, -1)
    return _mean(running_sums(_only(there, x), before, after), running_sums(there.float(), before, after))


def masked_average(x: Tensor, mask: Tensor, before: int, after: int) -> Tensor:
    """Return the mean of the frames around the last that is there, of those that are there."""
    there = (mask > 0).reshape(x.shape[0], 1, -1)
    frames = torch.arange(x.shape[-1], device=x.device)
    last = torch.where(there, frames, -1).amax(-1, keepdim=True)
    inside = there & (frames >= last - before) & (frames <= last + after)
    return _mean(_only(inside, x).sum(-1), inside.float().sum(-1))


def _only(there: Tensor, x: Tensor) -> Tensor:
    return torch.where(there, x, 0.0)  # unlike a product, also where what is not there is no number


def _mean(total: Tensor, n: Tensor) -> Tensor:
    return total / n.clamp(min=1.0).to(total.dtype)


def window_average(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node, *mask: fx.Node) -> fx.Node:
    """Lower the mean around the last frame, or each."""
    if mask:
        function = masked_running_average if op.each else masked_average
        return emit.function(function, x, *mask, op.before, op.after)
    if op.each:
        return x if op.before == op.after == 0 else emit.function(running_average, x, op.before, op.after)
    begin, end = last_window(specs[0].shape[1], op.before, op.after)
    if end - begin == 1:
        return emit.function(torch.select, x, 2, begin)
    return emit.function(torch.mean, emit.function(torch.narrow, x, 2, begin, end - begin), dim=2)


def global_masked(op: Any, emit: Emitter, x: fx.Node, mask: fx.Node) -> fx.Node:
    """Lower the mean of all frames that are there."""
    x = emit.function(masked_average, x, mask, WHOLE, 0)
    return emit.function(torch.unsqueeze, x, -1) if op.keepdims else x
