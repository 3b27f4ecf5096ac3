"""Frames: sequences step by step, and results as sequences, whatever runs a scan's body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def frames(sequences: Sequence[Tensor], reverse: bool) -> Iterator[tuple[Tensor, ...]]:
    """Yield the frames of sequences (batch, ..., length) in the order of time."""
    rows = [x.movedim(-1, 0).contiguous().unbind(0) for x in sequences]  # frames whose numbers lie together
    yield from zip(*[row[::-1] for row in rows] if reverse else rows, strict=True)


def stacked(steps: Sequence[Sequence[Tensor]], reverse: bool) -> list[Tensor]:
    """Return what steps gave, in the order of time, as sequences (batch, ..., length)."""
    return [torch.stack(row, -1) for row in zip(*(reversed(steps) if reverse else steps), strict=True)]
