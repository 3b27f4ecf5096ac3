"""Mixing: what alternatives give, added by their weights, with widths and windows of one operation in one run.

A relaxed width runs at its largest, and leaves a pending weight for each channel, the mask. It passes through what
works on each channel alone, also where that divides by the channel's own spread, and is applied where channels meet. So
memory and time hardly depend on how many widths there are, and what comes out is the expectation exactly.

References:
    Wan et al., FBNetV2: Differentiable Neural Architecture Search for Spatial and Channel Dimensions (CVPR 2020),
    section 3.2, equations 5 and 6. Sukthanker, Krishnakumar, Safari and Hutter, Weight-Entanglement Meets
    Gradient-Based Neural Architecture Search (AutoML 2024), for windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from deep_arch import ops
from deep_arch.backends.torch_backend.kernels import spec_of
from deep_arch.backends.torch_backend.relaxed_loops import RelaxedLoop
from deep_arch.backends.torch_backend.relaxed_values import (
    Case,
    Cases,
    Mask,
    Part,
    Val,
    Where,
    Width,
    alive_in,
    alone,
    applied,
    centred,
    chosen_alike,
    flat,
    folded,
    hashable,
    interpolated,
    joint_cases,
    largest,
    leaving,
    lives,
    ones,
    parts_of,
    positions_of,
    product,
    repeated,
    split,
    times,
    total,
    unmasked,
    unmerged,
    widened,
    window_of,
)
from deep_arch.errors import NotSupported, ShapeMismatch
from deep_arch.language.fragment import Call
from deep_arch.language.selection import Select
from deep_arch.language.values import Late
from deep_arch.measures.settling import computed
from deep_arch.supernets.algebra import Row
from deep_arch.supernets.channels import IN_EACH_CHANNEL, MERGES, MIXES
from deep_arch.supernets.slices import segments_of

if TYPE_CHECKING:
    from deep_arch.backends.torch_backend.relaxing import Relaxation
    from deep_arch.backends.torch_backend.supernetwork import SuperNetwork


_MOST_CASES: Final = 512

_WIDTHS: Final = frozenset({"filters", "units"})


class Tensors:
    """The algebra of a relaxed run: values are tensors, and alternatives are added."""

    def __init__(self, supernet: SuperNetwork, relaxation: Relaxation) -> None:
        self._supernet, self._relaxation = supernet, relaxation
        self._training = supernet.training
        self._kernels = supernet.kernels
        self._leaves: dict[Any, tuple[Any, Any]] = {}
        self._masks: dict[Any, Mask] = {}
        self._origins = itertools.count()

    def key(self, value: Any) -> Hashable:
        """Return the identity of a value."""
        return tuple(map(id, value)) if isinstance(value, tuple) else id(value)

    def walked(self, call: Call, address: str, rows: Sequence[Row]) -> Sequence[Row]:
        """Walk every joint value."""
        return rows

    def loop(self, address: str, enter: Any, exit: Any, inputs: Sequence[Any]) -> RelaxedLoop:
        """Return the loop of a scan."""
        whole = [self.merged(value, f"the scan {address}") for value in inputs]
        return RelaxedLoop(address, enter, exit, whole, lambda value: self.merged(value, f"a step of {address}"))

    # --- operations ----------------------------------------------------------------------------------------------

    def leaf(
        self, call: Call, address: str, rows: Any, inputs: Sequence[Any], measured: Sequence[Any], along: Any = ()
    ) -> Any:
        """Return what an operation gives; see `Algebra.leaf`."""
        if any(isinstance(value, Cases) for value in (*inputs, *measured)):
            return self._each_case(call, address, rows, inputs, measured)
        if measured and any(value.mask is not None for value in measured):
            return self._each_width(call, address, rows, inputs, measured)
        if len(rows) == 1 and rows[0][0] is None:
            return self._one(call, address, rows[0][1], inputs, measured)
        return self._together(call, address, rows, inputs) or self.mix(
            [(weight, self._one(call, address, values, inputs, measured)) for weight, values, _ in rows], address
        )

    def _one(self, call: Call, address: str, values: Any, inputs: Sequence[Val], measured: Sequence[Val]) -> Any:
        """Return what an operation gives at some values of its arguments."""
        values = self._known(call, address, values, measured)
        key = (address, hashable(values), *map(id, inputs))
        found = self._leaves.get(key)
        if found is None:
            found = self._leaves[key] = self._made(call, address, values, inputs), inputs
        return found[0]

    def _known(self, call: Call, address: str, values: Any, measured: Sequence[Val]) -> Any:
        if not any(isinstance(value, Late) for value in values):
            return values
        return computed(call.module, address, values, [spec_of(value.tensor) for value in measured])

    def _made(self, call: Call, address: str, values: Any, inputs: Sequence[Val]) -> Any:
        module = call.module
        if isinstance(module, MERGES) and len({value.tensor.shape[1] for value in inputs} - {1}) > 1:
            inputs = widened(inputs)
        if not any(value.mask is not None for value in inputs):
            return self._run(module, address, values, inputs)
        operation: Any = module.resolved(values)
        scale = folded(operation, inputs)
        if scale is not None:
            return self._run(module, address, values, [unmasked(value) for value in inputs], None, scale)
        taken, mask = self._masked(operation, inputs)
        if taken is None:
            return self._each_width(call, address, [(None, values, {})], inputs, ())
        return self._run(module, address, values, taken, mask)

    def _run(
        self,
        module: Any,
        address: str,
        values: Any,
        inputs: Sequence[Val],
        mask: Mask | None = None,
        window: Tensor | None = None,
    ) -> Any:
        tensors = [value.tensor for value in inputs]
        kernel = self._kernels.at(address, module, values, tensors, [value.channels for value in inputs])
        result = kernel(self._training, tensors, window)
        if isinstance(result, tuple | list):
            return tuple([Val(tensor) for tensor in result])
        return Val(result, kernel.channels, mask)

    def _masked(self, operation: Any, inputs: Sequence[Val]) -> tuple[Sequence[Val] | None, Mask | None]:
        """Apply pending masks, or pass them on; None where they can be neither."""
        first = inputs[0]
        if isinstance(operation, IN_EACH_CHANNEL):
            mask = first.mask
            if isinstance(operation, ops.Flatten) and mask is not None:
                n = math.prod(first.tensor.shape[2:])
                mask = repeated(mask, n)
            m = getattr(operation, "depth_multiplier", 1)
            if m != 1 and mask is not None:
                mask = repeated(mask, m)
            return inputs, mask
        if isinstance(operation, ops.Concatenate) and operation.axis == 0:
            return inputs, Mask(torch.cat([ones(v) if v.mask is None else v.mask.tensor for v in inputs]))
        if isinstance(operation, MERGES):
            if all(value.mask is first.mask for value in inputs):
                return inputs, first.mask
            plain = [Val(applied(value), value.channels) for value in inputs]
            whole = [value for value in inputs if value.tensor.shape[1] == max(v.tensor.shape[1] for v in inputs)]
            return plain, alive_in(whole)
        if isinstance(operation, ops.Where) and chosen_alike(*inputs):
            return inputs, inputs[1].mask
        if isinstance(operation, ops.Zeros):
            return [unmasked(first)], None
        if isinstance(operation, MIXES) and getattr(operation, "groups", 1) == 1:
            return [Val(applied(value), value.channels) for value in inputs], None
        return None, None

    # --- values of one operation together ------------------------------------------------------------------------

    def _together(self, call: Call, address: str, rows: Sequence[Any], inputs: Sequence[Val]) -> Any:
        """Return what an operation gives with widths and windows relaxed, in one run; None where it cannot."""
        module: Any = call.module
        depthwise = isinstance(module, ops.DepthwiseConv1D | ops.DepthwiseConv2D)
        if not (isinstance(module, MIXES) or depthwise) or any(isinstance(v, Late) for _, vs, _ in rows for v in vs):
            return None
        names = [name for name, _ in module.open_arguments]
        columns = [*zip(*[values for _, values, _ in rows], strict=True)]
        varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
        what = {names[i] for i in varying}
        windows = what - _WIDTHS
        if not what or not windows <= {"kernel_size"} or (windows and not centred(module, names, columns)):
            return None
        if isinstance(module, ops.SeparableConv1D | ops.SeparableConv2D) and windows:
            return None
        deciders = parts_of(rows, varying, address)
        if deciders is None:
            return None
        values = tuple([largest(c) if i in varying else c[0] for i, c in enumerate(columns)])
        operation: Any = module.resolved(values)
        scale = folded(operation, inputs)
        taken: Sequence[Val] | None
        mask: Mask | None
        if scale is not None:
            taken, mask = [unmasked(value) for value in inputs], None
        elif any(value.mask is not None for value in inputs):
            taken, mask = self._masked(operation, inputs)
            if taken is None:
                return None
        else:
            taken, mask = inputs, None
        window, widths = scale, None
        for i in varying:
            if names[i] in _WIDTHS and self._relaxation.interpolated:
                widths = deciders[i].totals
            elif names[i] in _WIDTHS:
                mask = self._widths(deciders[i], values[i], inputs[0].tensor)
            else:
                window = product(scale, window_of(deciders[i].totals, values[i], operation.ndim))
        result = self._run(module, address, values, taken, mask, window)
        return result if widths is None else Val(interpolated(result.tensor, widths), result.channels, mask)

    def _widths(self, part: Part, most: int, like: Tensor) -> Mask:
        key = (part.origin, most, *[(position, width) for position, (_, width) in part.values.items()])
        found = self._masks.get(key)
        if found is None:
            widths = [Width(weight, width, position) for position, (weight, width) in part.values.items()]
            weights = torch.stack([each.weight for each in widths])
            steps = torch.arange(most, device=like.device)
            below = torch.stack([(steps < each.width).to(weights.dtype) for each in widths])
            found = self._masks[key] = Mask(weights @ below, widths, part.origin)
        return found

    # --- cases ---------------------------------------------------------------------------------------------------

    def _each_width(self, call: Call, address: str, rows: Any, inputs: Sequence[Val], measured: Sequence[Val]) -> Any:
        """Return what an operation gives where it must see each width by itself."""
        masks = {id(value.mask): value.mask for value in (*inputs, *measured) if value.mask is not None}
        for mask in [mask for mask in masks.values() if mask.alive is not None]:
            del masks[id(mask)]
            inputs = [alone(value, mask) for value in inputs]
            measured = [alone(value, mask) for value in measured]
        if not masks:
            return self.leaf(call, address, rows, inputs, measured)
        wide = next((mask for mask in masks.values() if mask.widths), None)
        if wide is None:
            raise NotSupported(
                f"{address}: {type(call.module).__name__} computes over channels, of which relaxed decisions leave "
                "some out.\n  Got parts of relaxed width that are joined.\n  Sample paths, or put an operation that "
                "mixes channels, such as a convolution of 1 x 1, between."
            )
        own = [split(value, wide.origin, address) for value in inputs]
        seen = [split(value, wide.origin, address) for value in measured]
        return self._each_case(call, address, rows, own, seen)

    def _each_case(self, call: Call, address: str, rows: Any, inputs: Sequence[Any], measured: Sequence[Any]) -> Any:
        """Return what an operation gives in each case of its inputs."""
        apart = [value for value in (*inputs, *measured) if isinstance(value, Cases)]
        origin = apart[0].address
        everything = [*inputs, *measured]
        for decider in dict.fromkeys(each for value in apart for case in value.cases for each in case.where):
            everything = [split(value, decider, origin) for value in everything]
        found: list[tuple[dict[Any, int], Any, tuple[Any, ...]]] = []
        joint = [*joint_cases(everything)]
        if len(joint) > _MOST_CASES:
            raise NotSupported(
                f"{address}: too many sizes come together here to run each.\n  Got {len(joint):,}.\n"
                "  Choose widths by fewer decisions, or sample paths: supernet.at(space.sample())."
            )
        for where, weight, values in joint:
            try:
                result = self.leaf(call, address, rows, values[: len(inputs)], values[len(inputs) :])
            except ShapeMismatch as error:
                raise unmerged(origin, [str(tuple(v.tensor.shape[1:])) for v in values], f" at {address}") from error
            found.append((where, weight, result if isinstance(result, tuple) else (result,)))
        given = [
            self._cases(flat([(where, weight, results[k]) for where, weight, results in found]), origin, whole=True)
            for k in range(len(found[0][2]))
        ]
        return given[0] if len(given) == 1 else tuple(given)

    def _cases(self, cases: Sequence[Case], address: str, whole: bool = False) -> Any:
        """Return cases added if they have one size, and else as they are.

        Args:
            cases: the cases.
            address: where they came apart.
            whole: whether channels are part of the size; else those that one lacks are zero in it.
        """
        if len({case.value.tensor.shape[1 if whole else 2 :] for case in cases}) == 1:
            return self._added([(case.weight, case.value) for case in cases])
        return Cases(address, cases)

    def selected(self, call: Call, address: str, values: Any, measured: Sequence[Any]) -> Sequence[tuple[Any, int]]:
        """Return which inputs shapes select."""
        seen = [*measured]
        for value in measured:
            if isinstance(value, Val) and value.mask is not None and value.mask.widths:
                origin = value.mask.origin
                seen = [split(each, origin, address) for each in seen]
        found: list[tuple[Any, int]] = []
        for where, weight, each in joint_cases(seen):
            module: Any = call.module.resolved(self._known(call, address, values, each))
            assert isinstance(module, Select), "only selections select"
            found.append((Where(where, weight) if where else None, module.position(address)))
        return found

    def _chosen(self, found: Sequence[tuple[Where, Any]], address: str) -> Any:
        """Return what shapes select where a relaxed decision decides these: a case for each of its values."""
        cases: list[Case] = []
        for case, value in found:
            here = value
            for origin in case.positions:
                here = split(here, origin, address)
            for each in flat([({}, None, here)]):
                if all(case.positions.get(origin, i) == i for origin, i in each.where.items()):
                    known = all(origin in case.positions for origin in each.where)
                    weight = case.weight if known else product(case.weight, each.weight)
                    cases.append(Case({**each.where, **case.positions}, weight, each.value))
        return self._cases(cases, address, whole=True)

    # --- adding --------------------------------------------------------------------------------------------------

    def mix(self, found: Sequence[tuple[Any, Any]], address: str) -> Any:
        """Return what alternatives give, added by their weights."""
        if len(found) == 1 and found[0][0] is None:
            return found[0][1]
        if isinstance(found[0][0], Where):
            return self._chosen(found, address)
        rows = [result if isinstance(result, tuple) else (result,) for _, result in found]
        if len({len(row) for row in rows}) != 1:
            raise ShapeMismatch(
                f"{address}: expected as many values from each alternative.\n"
                f"  Got {', '.join([str(len(row)) for row in rows])}.\n"
                "  Let each function return as many as the others."
            )
        origin = next(self._origins)
        weights = [weight for weight, _ in found]
        added = tuple([self._mixed(weights, parts, address, origin) for parts in zip(*rows, strict=True)])
        return added[0] if len(added) == 1 else added

    def _mixed(self, weights: Sequence[Any], parts: Sequence[Any], address: str, origin: int) -> Any:
        whole = any(isinstance(part, Cases) for part in parts)
        rows = [({origin: i}, weight, part) for i, (weight, part) in enumerate(zip(weights, parts, strict=True))]
        return self._cases(flat(rows), address, whole)

    def _added(self, rows: Sequence[tuple[Any, Val]]) -> Val:
        first = rows[0][1]
        channels = {(value.tensor.shape[1] if value.tensor.dim() > 1 else 0, value.channels) for _, value in rows}
        if len(channels) == 1 and all(value.mask is first.mask for _, value in rows):
            return Val(total([times(value.tensor, weight) for weight, value in rows]), first.channels, first.mask)
        taken = [positions_of(value) for _, value in rows]
        union = sorted(set().union(*taken))
        at = {channel: i for i, channel in enumerate(union)}
        terms: list[Tensor] = []
        alive = torch.zeros(len(union), dtype=torch.bool, device=first.tensor.device)
        for (weight, value), own in zip(rows, taken, strict=True):
            places = torch.tensor([at[channel] for channel in own], device=alive.device)
            term = times(applied(value), weight)
            if len(own) != len(union):
                term = term.new_zeros((term.shape[0], len(union), *term.shape[2:])).index_copy(1, places, term)
            terms.append(term)
            if weight is None or float(weight.detach()) != 0.0:
                alive[places] |= lives(value)
        return Val(total(terms), segments_of(union), leaving(alive, terms[0].dtype))

    def merged(self, value: Any, where: str) -> Val:
        """Return an output as one value.

        Raises:
            ShapeMismatch: it has cases of different sizes.
        """
        if isinstance(value, Cases):
            value = self._cases(value.cases, value.address)
        if isinstance(value, Cases):
            sizes = dict.fromkeys(str(tuple(case.value.tensor.shape[1:])) for case in value.cases)
            raise unmerged(value.address, [*sizes], f", and they still differ in {where}")
        return value  # type: ignore[no-any-return]
