"""The contract fails for lowerings that are wrong: each mutant here computes nearly what it should."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.backends.averages import WHOLE, last_window
from deep_arch.backends.torch_backend import attention, building, lowerings
from deep_arch.backends.torch_backend.averages import masked_average
from deep_arch.backends.torch_backend.layout import channels_last
from deep_arch.language.modules import Operation
from deep_arch.ops.windows import same_padding, tuple_of
from deep_arch.testing.backend_contract import BackendContract
from deep_arch.testing.torch_runner import TorchRunner

LOWERINGS: Mapping[type, Callable[..., Any]] = lowerings.LOWERINGS


def with_arguments(cls: type[Operation], **wrong: Any) -> Callable[..., Any]:
    """Lower an operation as if it had other arguments."""
    right = LOWERINGS[cls]

    def lower(op: Any, emit: Any, specs: Any, *xs: Any) -> Any:
        mutant = type(op)(**{**op.arguments, **wrong})
        return right(mutant, emit, specs, *xs)

    return lower


def _pair(value: Any) -> tuple[int, int]:
    height, width = tuple_of(value, 2)
    return height, width


def odd_cell_before(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    kernel, strides, gaps = (_pair(v) for v in (op.kernel_size, op.strides, op.dilation_rate))
    if op.padding == "same":
        pairs = list(map(same_padding, specs[0].spatial, kernel, strides, gaps))
        x = emit.function(F.pad, x, tuple(n for before, after in reversed(pairs) for n in (after, before)))
    sizes = (specs[0].channels, op.filters, kernel, strides, 0, gaps, op.groups, op.use_bias)
    return emit.module(lambda: nn.Conv2d(*sizes), x)


def channels_last_order(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    return emit.function(torch.flatten, channels_last(x, emit, specs[0].rank), 1)


def without_gradient(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    return emit.function(torch.Tensor.detach, emit.function(torch.relu, x))


def counting_padding(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    pool = tuple_of(op.pool_size, 2)
    strides = pool if op.strides is None else tuple_of(op.strides, 2)
    if op.padding == "same":
        pairs = list(map(same_padding, specs[0].spatial, pool, strides))
        x = emit.function(F.pad, x, tuple(n for pair in reversed(pairs) for n in pair))
    return emit.function(F.avg_pool2d, x, pool, strides)


def over_the_length(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    return emit.function(torch.softmax, x, dim=-1)


def columns_first(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    x = LOWERINGS[ops.Embedding](op, emit, specs, x)
    return emit.function(torch.flip, x, (-1,))


def causal_as_same(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    padding = "same" if op.padding == "causal" else op.padding
    return with_arguments(type(op), padding=padding)(op, emit, specs, x)


def cut_from_the_end(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    sizes = op.sizes(specs[0])
    return LOWERINGS[ops.Split](ops.Split(sizes[::-1], op.axis), emit, specs, x)[::-1]


def from_the_last_position(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    y = LOWERINGS[ops.PositionEmbedding](op, emit, specs, emit.function(torch.flip, x, (-1,)))
    return emit.function(torch.flip, y, (-1,))


def of_groups_in_turn(op: Any, emit: Any, specs: Any, *xs: Any) -> Any:
    """Let heads of queries take the heads of keys in turn, where neighbours share one."""

    class Wrong(attention.MultiHeadAttention):
        def _heads(self, projected: torch.Tensor, size: int | None = None) -> torch.Tensor:
            heads = super()._heads(projected, size)
            return heads.flip(1) if heads.shape[1] == self.heads.keys else heads

    with mock.patch.object(attention, "MultiHeadAttention", Wrong):
        return LOWERINGS[ops.GroupQueryAttention](op, emit, specs, *xs)


def without_mask(op: Any, emit: Any, specs: Any, *xs: Any) -> Any:
    n = len(xs) - (specs[-1].dtype == "bool")
    return LOWERINGS[ops.MultiHeadAttention](op, emit, specs[:n], *xs[:n])


def in_their_order(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    return LOWERINGS[ops.Take](ops.Take(sorted(op.places(specs[0]))), emit, specs, x)


def the_other_one(op: Any, emit: Any, specs: Any, condition: Any, a: Any, b: Any) -> Any:
    return LOWERINGS[ops.Where](op, emit, [specs[0], specs[2], specs[1]], condition, b, a)


def of_all_frames(op: Any, emit: Any, specs: Any, x: Any, *mask: Any) -> Any:
    return LOWERINGS[type(op)](op, emit, specs[:1], x)


def of_the_last_place(op: Any, emit: Any, specs: Any, x: Any, *mask: Any) -> Any:
    """Let the last frame be the last of all, whether or not it is there."""
    if op.each or not mask:
        return LOWERINGS[ops.WindowAverage](op, emit, specs, x, *mask)
    begin, end = last_window(specs[0].shape[1], op.before, op.after)
    axis = specs[1].rank
    inside = [emit.function(torch.narrow, t, dim, begin, end - begin) for t, dim in ((x, 2), (mask[0], axis))]
    return emit.function(masked_average, *inside, WHOLE, 0)


def by_differences(op: Any, emit: Any, specs: Any, x: Any) -> Any:
    """Take differences of one cumulative sum, which grow as uncertain as it grows large."""

    def means(x: torch.Tensor) -> torch.Tensor:
        sums, at = F.pad(x.cumsum(-1), (1, 0)), torch.arange(x.shape[-1])
        high, low = (at + op.after + 1).clamp(max=x.shape[-1]), (at - op.before).clamp(min=0)
        found: torch.Tensor = (sums[..., high] - sums[..., low]) / (high - low)
        return found

    return emit.function(means, x)


MUTANTS: dict[str, tuple[type[Operation], Callable[..., Any]]] = {
    "padding": (ops.Conv2D, odd_cell_before),
    "causal": (ops.Conv1D, causal_as_same),
    "split": (ops.Split, cut_from_the_end),
    "slice": (ops.Slice, with_arguments(ops.Slice, start=0)),
    "table": (ops.PositionEmbedding, from_the_last_position),
    "average": (ops.AveragePooling2D, counting_padding),
    "flatten": (ops.Flatten, channels_last_order),
    "softmax": (ops.Softmax, over_the_length),
    "embedding": (ops.Embedding, columns_first),
    "gradient": (ops.ReLU, without_gradient),
    "epsilon": (ops.LayerNormalization, with_arguments(ops.LayerNormalization, epsilon=2e-3)),
    "momentum": (ops.BatchNormalization, with_arguments(ops.BatchNormalization, momentum=0.5)),
    "gelu": (ops.GELU, with_arguments(ops.GELU, approximate=True)),
    "slope": (ops.LeakyReLU, with_arguments(ops.LeakyReLU, negative_slope=0.2)),
    "direction": (ops.LSTM, with_arguments(ops.LSTM, go_backwards=True)),
    "causality": (ops.MultiHeadAttention, with_arguments(ops.MultiHeadAttention, use_causal_mask=False)),
    "mask": (ops.MultiHeadAttention, without_mask),
    "groups": (ops.GroupQueryAttention, of_groups_in_turn),
    "positions": (ops.GroupQueryAttention, with_arguments(ops.GroupQueryAttention, rope_max_wavelength=None)),
    "wavelength": (ops.RotaryEmbedding, with_arguments(ops.RotaryEmbedding, max_wavelength=20)),
    "order": (ops.Take, in_their_order),
    "branches": (ops.Where, the_other_one),
    "hardness": (ops.Where, with_arguments(ops.Where, hard=True)),
    "clipping": (ops.WindowAverage, with_arguments(ops.WindowAverage, after=0)),
    "frames": (ops.WindowAverage, of_all_frames),
    "last frame": (ops.WindowAverage, of_the_last_place),
    "mean of frames": (ops.GlobalAveragePooling1D, of_all_frames),
    "upsampling": (ops.UpSampling2D, with_arguments(ops.UpSampling2D, interpolation="nearest")),
}


class Mutant(TorchRunner, BackendContract):
    """The PyTorch backend with one wrong lowering, compared with the right one."""

    __test__ = False
    reference = TorchRunner()

    def __init__(self, cls: type[Operation], wrong: Callable[..., Any]) -> None:
        self.table = {**LOWERINGS, cls: wrong}

    def native(self, units: Any) -> da.Module:
        return torch_backend.wrap(nn.Linear)(4, units)

    def build(self, architecture: da.Architecture, inputs: Any, seed: int | None = None) -> Any:
        with mock.patch.object(building, "LOWERINGS", self.table):
            return super().build(architecture, inputs, seed)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_lowering_fails_the_contract(name: str) -> None:
    cls, wrong = MUTANTS[name]
    with pytest.raises(AssertionError):
        Mutant(cls, wrong).test_an_operation_gives_the_numbers_of_the_reference(cls)


@pytest.mark.parametrize("name", ["frames", "last frame", "mean of frames"])
def test_a_wrong_mask_fails_for_sequences_of_several_lengths(name: str) -> None:
    with pytest.raises(AssertionError):
        Mutant(*MUTANTS[name]).test_sequences_of_several_lengths_give_what_each_gives_alone()


def test_differences_of_cumulative_sums_are_not_precise() -> None:
    with pytest.raises(AssertionError):
        Mutant(ops.WindowAverage, by_differences).test_running_means_of_a_long_sequence_are_precise()


@pytest.mark.parametrize("cls", {cls: None for cls, _ in MUTANTS.values()})
def test_the_right_lowering_does_not(cls: type[Operation]) -> None:
    Mutant(cls, LOWERINGS[cls]).test_an_operation_gives_the_numbers_of_the_reference(cls)


@pytest.mark.parametrize("name", ["gelu", "epsilon"])
def test_a_wrong_lowering_fails_on_random_architectures(name: str) -> None:
    with pytest.raises(AssertionError):
        Mutant(*MUTANTS[name]).test_random_architectures_give_the_numbers_of_the_reference()
