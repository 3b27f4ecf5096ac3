"""Loading: what a super-network holds, and what a trained model holds put there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from deep_arch.backends.torch_backend.storage import Layout
from deep_arch.errors import BadArgument, NotSupported, ShapeMismatch, nearest
from deep_arch.language.weights import Axis, Weight
from deep_arch.supernets.shared_weights import kind_of
from deep_arch.supernets.slices import factors, positions


class Container(nn.Module):
    """Holds shared tensors under a name."""


def registered(root: nn.Module, path: str, tensor: Tensor, trained: bool) -> str:
    """Register a tensor at a path, with underscores where that is taken, and return the path."""
    *parents, name = path.split(".")
    at = root
    for parent in parents:
        if parent not in at._modules:
            at.add_module(parent, Container())
        at = at.get_submodule(parent)
    while name in at._parameters or name in at._buffers:
        name += "_"
    tensor = tensor.clone(memory_format=torch.contiguous_format)
    if trained:
        at.register_parameter(name, nn.Parameter(tensor))
    else:
        at.register_buffer(name, tensor)
    return ".".join([*parents, name])


class Held(NamedTuple):
    """How one shared weight is stored: the paths of its tensors, the layout of each, and what it is."""

    paths: tuple[str, ...]
    layout: Layout
    weight: Weight


def held_named(name: str, held: Mapping[str, Held], where: str) -> Held:
    """Return the shared weight of a neutral name.

    Raises:
        BadArgument: there is none.
    """
    if name not in held:
        raise BadArgument(
            f"{name}: no module of {where} holds such a weight.\n  Got it among those to load.\n"
            "  Load the weights of an architecture of this space." + nearest(name, held)
        )
    return held[name]


def held_for(known: Mapping[Any, Held], address: str, name: str, weight: Weight) -> Held:
    """Return the shared weight that one of an operation is part of.

    Raises:
        NotSupported: there is none so large.
    """
    held = known.get((name, kind_of(weight)))
    if held is None or any(n > most for n, most in zip(weight.shape, held.weight.shape, strict=True)):
        largest = "there is none" if held is None else f"the largest has {held.weight.shape}"
        raise NotSupported(
            f"{address}: no architecture has such a {name}.\n  Got one of shape {weight.shape}, where {largest}.\n"
            "  Relaxed alternatives whose channels lie elsewhere among the widest cannot be mixed, and of very many "
            "numbers only some are looked at: sample paths, or use a smaller domain."
        )
    return held


def write_first(name: str, held: Held, tensors: Sequence[Tensor], array: Tensor) -> None:
    """Write a weight into the first part of the shared one, and into the middle of its windows."""
    weight = _of_shape(held.weight, tuple(array.shape), name)
    several = len(tensors) > 1
    places = held.layout.to_neutral(torch.arange(math.prod(held.layout.native)).view(held.layout.native))
    for axis, used in enumerate(factors(weight, held.weight, [])[several:]):
        places = places.index_select(axis, torch.tensor([*positions(used)], dtype=torch.long))
    for part, tensor in zip(array.unbind() if several else [array], tensors, strict=True):
        tensor.view(-1)[places.reshape(-1).to(tensor.device)] = part.reshape(-1).to(tensor)


def _of_shape(most: Weight, shape: tuple[int, ...], name: str) -> Weight:
    """Return a weight of the kind of another, with a shape that is given."""
    fits = len(shape) == len(most.shape) and all(n <= m for n, m in zip(shape, most.shape, strict=True))
    if not fits or (most.axes is None and shape != most.shape):
        raise ShapeMismatch(
            f"{name}: expected a weight that fits into the shared one, of shape {most.shape}.\n  Got one of shape "
            f"{shape}.\n  Load the weights of an architecture of this space, with the same inputs."
        )
    if most.axes is None:
        return most
    axes: list[Axis] = [_of_size(axis, n, m, name) for axis, n, m in zip(most.axes, shape, most.shape, strict=True)]
    return Weight(shape, most.initial, most.trained, tuple(axes))


def _of_size(axis: Axis, n: int, most: int, name: str) -> Axis:
    if isinstance(axis, str) or n == most:
        return axis
    elastic = [size for role, size in axis if role != "fixed"]
    left = n // math.prod([size for role, size in axis if role == "fixed"])
    if len(elastic) != 1:
        raise ShapeMismatch(
            f"{name}: which part of the shared weight this is cannot be told from its shape.\n  Got an axis of {n}, "
            f"which is {' x '.join([str(size) for _, size in axis])} where it is largest.\n"
            "  Say of which architecture it is: supernet.load(weights, architecture)."
        )
    return tuple([(role, size if role == "fixed" else left) for role, size in axis])


def no_weights(given: Any) -> BadArgument:
    """Return the error of what holds no weights."""
    return BadArgument(
        f"supernet.load: expected a built model, or a mapping from names to arrays.\n"
        f"  Got {given!r} ({type(given).__name__}).\n  Give torch_backend.get_weights(model)."
    )


def like(module: nn.Module) -> Tensor:
    """Return a tensor of the type and on the device of a module's weights."""
    floats = [t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()]
    return floats[0] if floats else torch.zeros(())


def names_of(held: Iterable[Held]) -> list[str]:
    """Return the names of the tensors of some weights."""
    return [path for each in held for path in each.paths]
