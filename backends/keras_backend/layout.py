"""The two orders of axes: neutral (batch, channels, *spatial), and Keras's own (batch, *spatial, channels)."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from keras import layers

from deep_arch.backends.keras_backend.context import Emitter, Tensor
from deep_arch.language.specs import Spec


def channels_first(x: Tensor, emit: Emitter, spec: Spec) -> Tensor:
    """Return a value with its channels as the first axis after the batch, which is the order of the neutral shapes."""
    name = "_".join(["channels_first", by_rank(emit, spec.rank)]).rstrip("_")
    return x if spec.rank < 2 else permuted(x, emit, (spec.rank, *range(1, spec.rank)), name)


def channels_last(x: Tensor, emit: Emitter, rank: int) -> Tensor:
    """Return what has its channels first in Keras's order."""
    return x if rank < 2 else permuted(x, emit, (*range(2, rank + 1), 1), "channels_last")


def by_rank(emit: Emitter, rank: int) -> str:
    """Return what tells a layer that suits one rank from those of other calls."""
    return f"rank_{rank}" if emit.ranks_vary else ""


def permuted(x: Tensor, emit: Emitter, order: Sequence[int], name: str = "") -> Tensor:
    """Return a value with its axes in another order, or what it was made of by a permutation that this one undoes."""
    made_by, index, _ = x._keras_history
    if isinstance(made_by, layers.Permute) and [made_by.dims[i - 1] for i in order] == sorted(order):
        return made_by._inbound_nodes[index].input_tensors[0]
    return emit.layer(partial(layers.Permute, order), x, name=name)


def alike_in_both_orders(spec: Spec) -> bool:
    """Return whether the numbers stand in one order whether the channels come first or last."""
    return spec.channels == 1 or math.prod(spec.spatial) == 1
