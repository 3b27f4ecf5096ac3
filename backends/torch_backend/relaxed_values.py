"""Relaxed values: what flows in a relaxed run, and what is done to it.

A value is a tensor with what is still pending, or several that cannot be added yet since their sizes differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from deep_arch import ops
from deep_arch.errors import ShapeMismatch
from deep_arch.ops.windows import tuple_of
from deep_arch.supernets.algebra import JointValues
from deep_arch.supernets.slices import Segments, segments_of


class Width(NamedTuple):
    """One of the widths that a mask is a mixture of: its weight, the width, and the position of what decides it."""

    weight: Any
    width: int
    position: int


_LINEAR = (ops.Conv1D, ops.Conv2D, ops.Conv3D, ops.Dense)


class Mask:
    """A pending weight for each channel.

    Attributes:
        tensor: (channels,).
        widths: the widths that it is a mixture of, where it is one.
        origin: what decides these.
        alive: the channels that are left, where it only leaves some out.
    """

    __slots__ = ("alive", "origin", "tensor", "widths")

    def __init__(
        self,
        tensor: Tensor,
        widths: Sequence[Width] = (),
        origin: Any = None,
        alive: Sequence[int] | None = None,
    ) -> None:
        self.tensor, self.widths, self.origin, self.alive = tensor, tuple(widths), origin, alive


class Val:
    """A tensor, which of the widest channels it has, and a mask that is pending; None for none."""

    __slots__ = ("channels", "mask", "tensor")

    def __init__(self, tensor: Tensor, channels: Segments | None = None, mask: Mask | None = None) -> None:
        self.tensor, self.channels, self.mask = tensor, channels, mask


class Case(NamedTuple):
    """One of several values that cannot be added yet.

    Attributes:
        where: positions by what decides them; cases of one origin go together.
        weight: of the case.
        value: there.
    """

    where: Mapping[Any, int]
    weight: Any
    value: Val


class Cases:
    """Values of different sizes, each with a weight, which are added once they have one size.

    Attributes:
        address: where they came apart.
    """

    __slots__ = ("address", "cases")

    def __init__(self, address: str, cases: Sequence[Case]) -> None:
        self.address, self.cases = address, tuple(cases)


class Where(NamedTuple):
    """A case in which shapes select something: positions by what decides them, and its weight."""

    positions: Mapping[Any, int]
    weight: Any


def flat(rows: Sequence[tuple[Mapping[Any, int], Any, Any]]) -> list[Case]:
    """Return the cases of values that may have cases themselves."""
    return [
        Case({**case.where, **where}, product(weight, case.weight), case.value)
        for where, weight, value in rows
        for case in (value.cases if isinstance(value, Cases) else [Case({}, None, value)])
    ]


def unmerged(address: str, sizes: Sequence[str], where: str) -> ShapeMismatch:
    return ShapeMismatch(
        f"{address}: alternatives that are mixed must come to one size.\n  Got {', '.join(sizes)}{where}.\n"
        "  Give the alternatives equal strides, project one of them (da.residual(fn, project=...)), or pool over all "
        "positions before they meet others; or sample paths: supernet.at(space.sample())."
    )


def joint_cases(values: Sequence[Any]) -> Iterator[tuple[dict[int, int], Any, list[Val]]]:
    """Yield the cases that several values have together."""
    rows: list[tuple[dict[int, int], Any, list[Val]]] = [({}, None, [])]
    for value in values:
        cases = value.cases if isinstance(value, Cases) else (Case({}, None, value),)
        new: list[tuple[dict[int, int], Any, list[Val]]] = []
        for where, weight, before in rows:
            for case in cases:
                if all(where.get(origin, i) == i for origin, i in case.where.items()):
                    known = case.where.keys() <= where.keys()
                    combined = weight if known else product(weight, case.weight)
                    new.append(({**where, **case.where}, combined, [*before, case.value]))
        rows = new
    yield from rows


def centred(module: Any, names: Sequence[str], columns: Sequence[Any]) -> bool:
    """Return whether windows of all sizes have their middles at the same cells."""
    fixed = {**module.arguments, **{name: c[0] for name, c in zip(names, columns, strict=True) if len(set(c)) == 1}}
    transposed = isinstance(module, ops.Conv1DTranspose | ops.Conv2DTranspose | ops.Conv3DTranspose)
    if fixed.get("padding", "same") != "same" or transposed or ("strides" in names and "strides" not in fixed):
        return False
    stride = max(tuple_of(fixed.get("strides", 1), module.ndim))
    sizes = {k for size in (*columns[names.index("kernel_size")],) for k in tuple_of(size, module.ndim)}
    if "dilation_rate" in names and "dilation_rate" not in fixed:
        return False
    if max(tuple_of(fixed.get("dilation_rate", 1), module.ndim)) > 1 and len({size % 2 for size in sizes}) > 1:
        return False
    return stride == 1 or all(size % 2 and size >= stride for size in sizes)


def applied(value: Val) -> Tensor:
    """Return a value's tensor with its mask applied."""
    if value.mask is None:
        return value.tensor
    return value.tensor * value.mask.tensor.view(-1, *[1] * (value.tensor.dim() - 2)).to(value.tensor.dtype)


def split(value: Any, origin: Any, address: str) -> Any:
    """Return a value whose mask has this origin as one case for each width; any other as it is."""
    if not isinstance(value, Val) or value.mask is None or value.mask.origin != origin:
        return value
    cases = [Case({origin: w.position}, w.weight, _first(value, w.width)) for w in value.mask.widths]
    return Cases(address, cases)


def _first(value: Val, width: int) -> Val:
    """Return the first channels of a value, without its mask."""
    if width == value.tensor.shape[1]:
        return Val(value.tensor, value.channels)
    channels = None if value.channels is None else segments_of(positions_of(value)[:width])
    return Val(value.tensor.narrow(1, 0, width), channels)


def widened(values: Sequence[Val]) -> list[Val]:
    """Return values with the channels that any of them has; those that one lacks are zero in it, and left out."""
    taken = [positions_of(value) for value in values]
    union = sorted(set().union(*taken))
    found: list[Val] = []
    for value, own in zip(values, taken, strict=True):
        if len(own) == len(union):
            found.append(value)
            continue
        at = [union.index(channel) for channel in own]
        places = torch.tensor(at, device=value.tensor.device)
        wide = value.tensor.new_zeros((value.tensor.shape[0], len(union), *value.tensor.shape[2:]))
        wide = wide.index_copy(1, places, applied(value))
        alive = torch.zeros(len(union), dtype=torch.bool, device=places.device)
        alive[places] = lives(value)
        found.append(Val(wide, segments_of(union), leaving(alive, wide.dtype)))
    return found


def unmasked(value: Val) -> Val:
    """Return a value whose mask something else takes account of."""
    return Val(value.tensor, value.channels)


def folded(operation: Any, inputs: Sequence[Val]) -> Tensor | None:
    """Return what multiplies the kernel of an operation in place of its input's mask; None where none does.

    The operation is linear in its channels, so that is the same, and no masked copy of the input is kept.
    """
    mask = inputs[0].mask
    if mask is None or not isinstance(operation, _LINEAR) or getattr(operation, "groups", 1) != 1:
        return None
    return mask.tensor.view(-1, *[1] * getattr(operation, "ndim", 0)).to(inputs[0].tensor.dtype)


def chosen_alike(condition: Val, a: Val, b: Val) -> bool:
    """Return whether a choice leaves each channel where it is: one mask is that of all, but of one channel for all."""
    shape = condition.tensor.shape
    return a.mask is b.mask and condition.mask is (a.mask if len(shape) > 1 and shape[1] > 1 else None)


def repeated(mask: Mask, n: int) -> Mask:
    """Return a mask for channels of which each became n in a row."""
    alive = None if mask.alive is None else [i * n + k for i in mask.alive for k in range(n)]
    widths = [each._replace(width=each.width * n) for each in mask.widths]
    return Mask(mask.tensor.repeat_interleave(n), widths, mask.origin, alive)


def ones(value: Val) -> Tensor:
    return value.tensor.new_ones(value.tensor.shape[1])


def lives(value: Val) -> Tensor:
    n = value.tensor.shape[1]
    return (
        torch.ones(n, dtype=torch.bool, device=value.tensor.device)
        if value.mask is None
        else value.mask.tensor.detach() > 0
    )


def alive_in(values: Sequence[Val]) -> Mask | None:
    """Return a mask of the channels that any of several values has; None if that is all."""
    alive = torch.stack([lives(value) for value in values]).any(0)
    return leaving(alive, values[0].tensor.dtype)


def leaving(alive: Tensor, dtype: torch.dtype) -> Mask | None:
    """Return a mask that leaves only some channels; None for all."""
    return None if bool(alive.all()) else Mask(alive.to(dtype), alive=alive.nonzero().flatten().tolist())


def alone(value: Val, mask: Mask) -> Val:
    """Return only those channels of a value that a mask leaves."""
    if value.mask is not mask or mask.alive is None:
        return value
    places = torch.tensor(mask.alive, device=value.tensor.device)
    own = positions_of(value)
    return Val(value.tensor.index_select(1, places), segments_of([own[i] for i in mask.alive]))


def positions_of(value: Val) -> list[int]:
    return [i for a, b in value.channels or ((0, value.tensor.shape[1]),) for i in range(a, b)]


def times(tensor: Tensor, weight: Any) -> Tensor:
    return tensor if weight is None else tensor * weight


def product(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a * b


def total(terms: Sequence[Tensor]) -> Tensor:
    added: Tensor = terms[0]
    for term in terms[1:]:
        added = added + term
    return added


class Part(NamedTuple):
    """What decides one argument of an operation: an address, and by position its weight and the argument's value."""

    origin: Any
    values: Mapping[int, tuple[Any, Any]]

    @property
    def totals(self) -> dict[Any, Any]:
        """The weight of each value."""
        totals: dict[Any, Any] = {}
        for weight, value in self.values.values():
            totals[value] = weight if value not in totals else totals[value] + weight
        return totals


def parts_of(rows: Sequence[JointValues], varying: Sequence[int], address: str) -> dict[int, Part] | None:
    """Return what decides each argument that varies; None where one decision, or several together, decide two."""
    if len(varying) == 1 and len(rows[0][2]) > 1 and _decider(rows, varying[0]) is None:
        (i,) = varying  # several decisions decide one argument: their joint values do
        return {i: Part(address, {at: (weight, values[i]) for at, (weight, values, _) in enumerate(rows)})}
    found: dict[int, Part] = {}
    for i in varying:
        origin = _decider(rows, i)
        if origin is None or any(part.origin == origin for part in found.values()):
            return None
        found[i] = Part(origin, {parts[origin][0]: (parts[origin][1], values[i]) for _, values, parts in rows})
    return found


def _decider(rows: Sequence[JointValues], i: int) -> str | None:
    """Return the address of the one decision that decides an argument."""
    for address in rows[0][2]:
        pairs = {(parts[address][0], values[i]) for _, values, parts in rows}
        if len({position for position, _ in pairs}) == len(pairs):
            return address
    return None


def window_of(totals: Mapping[Any, Any], most: Any, ndim: int) -> Tensor:
    """Return what multiplies the largest kernel."""
    boxes: list[Tensor] = []
    full = tuple_of(most, ndim)
    for size in totals:
        box = torch.zeros(full)
        starts = [(m - 1) // 2 - (k - 1) // 2 for m, k in zip(full, tuple_of(size, ndim), strict=True)]
        box[tuple([slice(s, s + k) for s, k in zip(starts, tuple_of(size, ndim), strict=True)])] = 1.0
        boxes.append(box)
    weights = torch.stack([*totals.values()])
    window: Tensor = torch.tensordot(weights, torch.stack(boxes).to(weights), 1)
    return window


def interpolated(x: Tensor, widths: Mapping[int, Any]) -> Tensor:
    """Return what each width leaves of (batch, channels, *spatial), brought to all channels and added by its weight.

    References:
        Dong and Yang, Network pruning via transformable architecture search (NeurIPS 2019), equation 5.
    """
    flat = x.flatten(2).transpose(1, 2) if x.dim() > 2 else x.unsqueeze(1)
    n = x.shape[1]
    terms = [functional.adaptive_avg_pool1d(flat[..., :width], n) * weight for width, weight in widths.items()]
    added = total(terms)
    return added.transpose(1, 2).reshape(x.shape) if x.dim() > 2 else added.squeeze(1)


def largest(values: Sequence[Any]) -> Any:
    """Return the largest of some numbers, or for windows the smallest that holds each."""
    if not any(isinstance(value, tuple | list) for value in values):
        return max(values)
    n = max([len(value) for value in values if isinstance(value, tuple | list)])
    return tuple([max(sizes) for sizes in zip(*[tuple_of(value, n) for value in values], strict=True)])


def hashable(values: tuple[Any, ...]) -> Any:
    key = tuple([(value, value.__class__) for value in values])
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key
