"""How a model of torch stores each neutral weight: in which tensors, and in what order its numbers.

A neutral weight is one tensor of torch, split into axes, with its parts in another order and its axes permuted; or a
stack of several such.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """An arrangement of one tensor: plain data, which pickles with a model.

    Attributes:
        shape: of the neutral weight.
        split: the axes that torch's tensor is split into.
        axes: the order of these axes in the neutral weight.
        parts: the order of the parts along the first of `split` in the neutral weight, such as gates; it undoes itself.
        groups: how many of `split` are in each axis of torch's tensor; one each if empty.
    """

    shape: Shape
    split: Shape
    axes: Shape
    parts: Shape = ()
    groups: Shape = ()

    @property
    def native(self) -> Shape:
        """The shape of torch's tensor."""
        return tuple([math.prod(sizes) for sizes in self.grouped(self.split)])

    def grouped(self, items: Sequence[Any]) -> list[Sequence[Any]]:
        """Return what belongs to the axes of `split` by the axes of torch's tensor."""
        found: list[Sequence[Any]] = []
        at = 0
        for n in self.groups or (1,) * len(self.split):
            found.append(items[at : at + n])
            at += n
        return found

    def to_neutral(self, tensor: Tensor) -> Tensor:
        """Return torch's tensor in the neutral arrangement."""
        return self._ordered(tensor.reshape(self.split)).permute(self.axes).reshape(self.shape)

    def to_native(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Return a neutral tensor in the arrangement of torch, whose own `shape` is given."""
        permuted = tensor.reshape([self.split[axis] for axis in self.axes])
        back = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        return self._ordered(permuted.permute(back)).reshape(tuple(shape))

    def _ordered(self, tensor: Tensor) -> Tensor:
        return tensor[list(self.parts)] if self.parts else tensor


@dataclass(frozen=True, slots=True)
class Stored:
    """How a model stores one neutral weight.

    Attributes:
        paths: of the tensors in the model; several stand stacked in the neutral weight.
        layout: of each.
    """

    paths: tuple[str, ...]
    layout: Layout

    @property
    def shape(self) -> Shape:
        """The shape of the neutral weight."""
        return self.layout.shape if len(self.paths) == 1 else (len(self.paths), *self.layout.shape)

    def to_neutral(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the tensors of the paths as one neutral weight."""
        neutral = [self.layout.to_neutral(tensor) for tensor in tensors]
        return neutral[0] if len(neutral) == 1 else torch.stack(neutral)

    def copy_into(self, tensors: Sequence[Tensor], weight: Tensor) -> None:
        """Write a neutral weight into the tensors of the paths."""
        parts = [weight] if len(tensors) == 1 else weight.unbind()
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(self.layout.to_native(part, tensor.shape))


# --- layouts by the neutral shape ------------------------------------------------------------------------------------


def plain(shape: Shape) -> Layout:
    """Return the layout of what torch has as it is."""
    return Layout(shape, shape, tuple(range(len(shape))))


def _flat(shape: Shape) -> Layout:
    """(heads, size) is (heads * size,) in torch."""
    return Layout(shape, shape, tuple(range(len(shape))), groups=(len(shape),))


def _matrix(shape: Shape) -> Layout:
    """(*kernel, a, b) is (b, a, *kernel) in torch: the kernels of linear layers and of convolutions."""
    *kernel, a, b = shape
    return Layout(shape, (b, a, *kernel), (*range(2, len(shape)), 1, 0))


def _depthwise(shape: Shape) -> Layout:
    """(*kernel, channels, multiplier) is (channels * multiplier, 1, *kernel) in torch."""
    *kernel, channels, multiplier = shape
    groups = (2, 0, *(1,) * len(kernel))
    return Layout(shape, (channels, multiplier, *kernel), (*range(2, len(shape)), 0, 1), groups=groups)


def _first_last(shape: Shape) -> Layout:
    """(features, heads, size) is (heads * size, features) in torch."""
    return Layout(shape, (*shape[1:], shape[0]), (len(shape) - 1, *range(len(shape) - 1)), groups=(len(shape) - 1, 1))


def _last_first(shape: Shape) -> Layout:
    """(heads, size, features) is (features, heads * size) in torch."""
    return Layout(shape, (shape[-1], *shape[:-1]), (*range(1, len(shape)), 0), groups=(1, len(shape) - 1))


def _gates(shape: Shape) -> Layout:
    """(features, 3 * units), or (3 * units,): the gates are update, reset, new, and in torch reset, update, new."""
    *features, width = shape
    groups = (2, *(1,) * len(features))
    return Layout(shape, (3, width // 3, *features), (*range(2, 2 + len(features)), 0, 1), (1, 0, 2), groups)


def _one_of_two(shape: Shape) -> Layout:
    """(2, 3 * units): the first bias of a GRU acts on its input, the second on its state."""
    return _gates(shape[1:])


Arrangement: TypeAlias = "tuple[str | tuple[str, ...], Callable[[Shape], Layout]]"
"""The path, or the paths, below an operation's submodule, and what makes the layout of the neutral shape."""

_USUAL: Mapping[str, Arrangement] = {
    "kernel": ("weight", _matrix),
    "bias": ("bias", plain),
    "embeddings": ("weight", plain),
    "gamma": ("weight", plain),
    "beta": ("bias", plain),
    "moving_mean": ("running_mean", plain),
    "moving_variance": ("running_var", plain),
    "alpha": ("weight", plain),
}
_DEPTHWISE: Mapping[str, Arrangement] = {"kernel": ("weight", _depthwise)}
_SEPARABLE: Mapping[str, Arrangement] = {
    "depthwise_kernel": ("depthwise.weight", _depthwise),
    "pointwise_kernel": ("pointwise.weight", _matrix),
    "bias": ("pointwise.bias", plain),
}
_ATTENTION: Mapping[str, Arrangement] = {
    **{f"{name}.kernel": (f"{name}.weight", _first_last) for name in ("query", "key", "value")},
    **{f"{name}.bias": (f"{name}.bias", _flat) for name in ("query", "key", "value")},
    "attention_output.kernel": ("output.weight", _last_first),
    "attention_output.bias": ("output.bias", plain),
}
_OWN: Mapping[type, Mapping[str, Arrangement]] = {
    ops.DepthwiseConv1D: _DEPTHWISE,
    ops.DepthwiseConv2D: _DEPTHWISE,
    ops.SeparableConv1D: _SEPARABLE,
    ops.SeparableConv2D: _SEPARABLE,
    ops.RMSNormalization: {"scale": ("weight", plain)},
    ops.Scale: {"scale": ("scale", plain)},
    ops.Parameter: {"value": ("value", plain)},
    ops.LSTM: {
        "kernel": ("weight_ih_l0", _matrix),
        "recurrent_kernel": ("weight_hh_l0", _matrix),
        "bias": ("bias_ih_l0", plain),
    },
    ops.MultiHeadAttention: _ATTENTION,
    ops.GroupQueryAttention: _ATTENTION,
}
_RESET_AFTER: Mapping[str, Arrangement] = {
    "kernel": ("weight_ih_l0", _gates),
    "recurrent_kernel": ("weight_hh_l0", _gates),
    "bias": (("bias_ih_l0", "bias_hh_l0"), _one_of_two),
}
_RESET_BEFORE: Mapping[str, Arrangement] = {
    "kernel": ("weight_ih", _gates),
    "recurrent_kernel": ("weight_hh", _gates),
    "bias": ("bias", _gates),
}


def stored_weights(op: Any, specs: Sequence[Spec], target: str) -> dict[str, Stored]:
    """Return how the submodule of a neutral operation, at the path `target`, stores each of its weights, by name."""
    weights: Mapping[str, Weight] = op.weights(*specs)
    return {name: stored_weight(op, name, weight.shape, target) for name, weight in weights.items()}


def stored_weight(op: Any, name: str, shape: Shape, target: str) -> Stored:
    """Return how the submodule of a neutral operation stores one of its weights, if that has this shape."""
    if isinstance(op, ops.GRU):
        table = _RESET_AFTER if op.reset_after else _RESET_BEFORE
    else:
        table = next((_OWN[cls] for cls in type(op).__mro__ if cls in _OWN), _USUAL)
    given, layout = table[name] if name in table else _USUAL[name]
    paths = (given,) if isinstance(given, str) else given
    return Stored(tuple(f"{target}.{path}" for path in paths), layout(shape))
