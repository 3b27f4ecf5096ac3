"""Stacks: programs of one skeleton as one function with a leading axis, and the Jacobian of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from deep_arch import ops
from deep_arch.backends.torch_backend.stacks.running import FreeValues, Operations, widened
from deep_arch.backends.torch_backend.stacks.skeletons import ANY, Call, Item, Loop, Reading, Shape

Array = npt.NDArray[Any]

Name = tuple[int, str]
"""The module of a weight, by its position in the skeleton, and what the weight is called there."""


class Place(NamedTuple):
    """Where a weight lies in the vector of a program's weights.

    Attributes:
        shape: of the weight, with the channels that were added.
        start: of its numbers.
    """

    shape: Shape
    start: int

    @property
    def numbers(self) -> slice:
        """The part of the vector."""
        return slice(self.start, self.start + math.prod(self.shape))

    def of(self, weights: Tensor) -> Tensor:
        """Return the weight of each program."""
        return weights[:, self.numbers].reshape(len(weights), *self.shape)


@dataclass(slots=True)
class Taken:
    """What a call of a `Dense` read and gave, with the examples last.

    Attributes:
        module: its position in the skeleton.
        given: (programs, times, units, examples); in a scan of what is free, to which the rest is added.
        free: what it read that needs no weights, (programs, times, channels, examples).
        rest: what else it read at each time, (programs, channels, examples).
        at: what was given at each time.
        kernel: of the rest, (programs, units, channels).
    """

    module: int
    given: Tensor
    free: Tensor
    rest: dict[int, Tensor]
    at: Sequence[Tensor] = ()
    kernel: Tensor | None = None


@dataclass(slots=True)
class Tape:
    """What a pass keeps for the Jacobian.

    Attributes:
        dense: what each call of a `Dense` read and gave.
        copies: of other weights one for each example.
    """

    dense: list[Taken] = field(default_factory=list[Taken])
    copies: dict[Name, Tensor] = field(default_factory=dict[Name, Tensor])


class Stack:
    """Programs of one skeleton.

    Examples do not mix, so one backward pass of the sum over examples gives the slope of each example's output for what
    each `Dense` gave there; with what it read, that is the Jacobian. Other weights are copied for each example.

    Args:
        readings: the programs.
        run: what runs operations.

    Attributes:
        places: where weights lie in a program's vector.
        n_weights: the length of that.
    """

    def __init__(self, readings: Sequence[Reading], run: Operations) -> None:
        self.readings, self.run = readings, run
        self.skeleton = readings[0].skeleton
        self._widths = {
            slot: max(reading.free[slot].shape[0] for reading in readings)
            for slot, shape in enumerate(self.skeleton.free)
            if shape[:1] == (ANY,)
        }
        self.places: dict[Name, Place] = {}
        self.n_weights = 0
        self._dense = {c.weights: c for c in _calls(self.skeleton.items) if type(c.kind.module) is ops.Dense}
        for module, step in enumerate(readings[0].steps):
            for name, weight in step.module.weights(*step.specs).items():  # type: ignore[attr-defined]
                shape = weight.shape
                if name == "kernel" and module in self._dense:
                    shape = (sum(self._sizes(self._dense[module])), *shape[1:])
                place = self.places[module, name] = Place(shape, self.n_weights)
                self.n_weights = place.numbers.stop

    def _sizes(self, call: Call, reading: Reading | None = None) -> list[int]:
        """Return how many channels a `Dense` reads of each of its parts, in all programs or in one."""
        registers, found = iter(call.shapes), list[int]()
        for source in call.inputs:
            if source >= 0:
                found.append(next(registers)[0])
            elif reading is None and ~source in self._widths:
                found.append(self._widths[~source])
            else:
                found.append((reading or self.readings[0]).free[~source].shape[0])
        return found

    def _rows(self, reading: Reading, module: int) -> list[int]:
        """Return which rows of the stack's kernel are those of a program's: first what reads free values."""
        call, rows = self._dense[module], list[int]()
        starts, start = dict[int, int](), 0
        for i in sorted(range(len(call.inputs)), key=lambda i: call.inputs[i] >= 0):
            starts[i], start = start, start + self._sizes(call)[i]
        for i, size in enumerate(self._sizes(call, reading)):
            rows += range(starts[i], starts[i] + size)
        return rows

    def inputs(self, values: FreeValues) -> list[Tensor]:
        """Return what the programs read that needs no weights: (programs, examples, *times, *shape) each."""
        return [self._input(slot, values) for slot in range(len(self.skeleton.free))]

    def _input(self, slot: int, values: FreeValues) -> Tensor:
        free = [reading.free[slot] for reading in self.readings]
        rows = {each: values.rows(each) for each in free}
        if slot in self._widths:
            n_times = len(self.skeleton.times[slot])
            rows = {each: widened(row, n_times, self._widths[slot]) for each, row in rows.items()}
        return torch.stack([rows[each] for each in free]).movedim(-1, 1)

    def packed(self, weights: Sequence[Mapping[str, Any]]) -> Tensor:
        """Return weights, by address for each program, as (programs, weights)."""
        packed = torch.zeros(len(self.readings), self.n_weights)
        for row, reading, given in zip(packed, self.readings, weights, strict=True):
            for name in self.places:
                part, rows = self._part(row, reading, name)
                part[rows] = torch.as_tensor(given[_address(reading, name)]).to(row.dtype)
        return packed

    def unpacked(self, weights: Tensor) -> list[dict[str, Array]]:
        """Return what `packed` took, of weights as it returns them."""
        found = [dict[str, Array]() for _ in self.readings]
        for row, reading, unpacked in zip(weights, self.readings, found, strict=True):
            for name in self.places:
                part, rows = self._part(row, reading, name)
                unpacked[_address(reading, name)] = part[rows].numpy().copy()
        return found

    def _part(self, row: Tensor, reading: Reading, name: Name) -> tuple[Tensor, Any]:
        """Return a weight out of the vector of a program, and which of its rows that has."""
        place, (module, kind) = self.places[name], name
        widened = kind == "kernel" and module in self._dense
        return row[place.numbers].view(place.shape), self._rows(reading, module) if widened else ...

    def outputs(self, weights: Tensor, inputs: Sequence[Tensor], tape: Tape | None = None) -> Tensor:
        """Return what each program gives for each example: (programs, examples, outputs).

        Args:
            weights: (programs, weights).
            inputs: what `inputs` returned.
            tape: is given what the Jacobian is made from.
        """
        return _Pass(self, weights, inputs, tape).output()

    def jacobian(self, weights: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the outputs, and their slope for each weight: (programs, outputs, weights, examples)."""
        tape = Tape()
        with torch.enable_grad():
            z = self.outputs(weights, inputs, tape)
            read = [taken.given for taken in tape.dense] + [*tape.copies.values()]
            found: list[Tensor] = []
            for k in range(z.shape[2]):
                more = k + 1 < z.shape[2]
                slopes = torch.autograd.grad(z[..., k].sum(), read, retain_graph=more, materialize_grads=True)
                found.append(self._assembled(tape, slopes, z.shape[1]))
        return z.detach(), torch.stack(found, 1)

    def _assembled(self, tape: Tape, slopes: Sequence[Tensor], n: int) -> Tensor:
        whole = slopes[0].new_zeros(len(self.readings), self.n_weights, n)
        for taken, slope in zip(tape.dense, slopes, strict=False):
            for name, each in zip(("kernel", "bias"), _products(taken, slope), strict=True):
                if (taken.module, name) in self.places:
                    if each.shape[2] != n:  # all cells of an example
                        each = each.reshape(*each.shape[:2], -1, n).sum(2)
                    whole[:, self.places[taken.module, name].numbers] += each
        for place, slope in zip(map(self.places.__getitem__, tape.copies), slopes[len(tape.dense) :], strict=True):
            whole[:, place.numbers] = slope.flatten(2).transpose(1, 2)
        return whole


def _products(taken: Taken, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slopes of a kernel and of a constant, summed over times: (programs, weights, examples)."""
    found = slope.new_zeros(len(slope), taken.free.shape[2] + _channels(taken), *slope.shape[2:])
    for t in range(slope.shape[1]):
        x = torch.cat([taken.free[:, t], taken.rest[t]], 1) if t in taken.rest else taken.free[:, t]
        found.addcmul_(x[:, :, None], slope[:, t, None])
    return found.flatten(1, 2), slope.sum(1)


def _channels(taken: Taken) -> int:
    return next((rest.shape[1] for rest in taken.rest.values()), 0)


def _address(reading: Reading, name: Name) -> str:
    return f"{reading.steps[name[0]].module_address}.{name[1]}"


def _calls(items: Sequence[Item]) -> Iterator[Call]:
    for item in items:
        if isinstance(item, Loop):
            yield from _calls(item.items)
        else:
            yield item


def _joined(values: Sequence[Tensor]) -> Tensor:
    return torch.cat([*values], 2) if len(values) > 1 else values[0]


class _Pass:
    """One run of a stack; values are (programs, examples, ...)."""

    def __init__(self, stack: Stack, weights: Tensor, inputs: Sequence[Tensor], tape: Tape | None) -> None:
        self._stack, self._inputs, self._tape = stack, inputs, tape
        self._weights = {name: place.of(weights) for name, place in stack.places.items()}
        self._held: dict[int, Tensor] = {}
        self._ahead: dict[int, Taken] = {}

    def output(self) -> Tensor:
        """Run everything, and return what it gives, in one row."""
        self._items(self._stack.skeleton.items, ())
        return self._value(self._stack.skeleton.output, ()).flatten(2)

    def _items(self, items: Sequence[Item], at: Shape) -> None:
        for item in items:
            if isinstance(item, Loop):
                self._loop(item, at)
            else:
                self._held.update(zip(item.outputs, self._given(item, at), strict=True))

    def _value(self, source: int, at: Shape) -> Tensor:
        """Return a value as it is at a time of the scans around it."""
        if source >= 0:
            return self._held[source]
        value = self._inputs[~source]
        for t in at[: len(self._stack.skeleton.times[~source])]:
            value = value[:, :, t]
        return value

    def _given(self, call: Call, at: Shape) -> Sequence[Tensor]:
        if type(call.kind.module) is ops.Dense:
            free = [source for source in call.inputs if source < 0 and len(self._times(source)) == len(at)]
            return [self._dense_along(call, at, free[0]) if at and free else self._dense(call, at)]
        values = [self._value(source, at) for source in call.inputs]
        if call.weights >= 0:
            return self._weighted(call, values)
        size = values[0].shape[:2]  # without weights, programs are only more examples
        given = self._stack.run(call.kind, [value.flatten(0, 1) for value in values])
        return [each.reshape(*size, *each.shape[1:]) for each in given]

    def _times(self, source: int) -> Shape:
        return self._stack.skeleton.times[~source]

    def _dense(self, call: Call, at: Shape) -> Tensor:
        parts = sorted(call.inputs, key=lambda source: source >= 0)
        rows = _joined([self._value(source, at) for source in parts]).movedim(1, -1)  # examples lie together
        flat = rows.flatten(2)
        given = self._weights[call.weights, "kernel"].mT @ flat
        if (call.weights, "bias") in self._weights:
            given = given + self._weights[call.weights, "bias"][..., None]
        if self._tape is not None:
            given = given[:, None]
            given = given if given.requires_grad else given.requires_grad_()
            self._tape.dense.append(Taken(call.weights, given, flat.detach()[:, None], {}))
            given = given[:, 0]
        return given.reshape(*given.shape[:2], *rows.shape[2:]).movedim(-1, 1)

    def _dense_along(self, call: Call, at: Shape, source: int) -> Tensor:
        """Return what a `Dense` gives at one time; what it reads that is free, like a source, was summed for all."""
        register, times = call.outputs[0], self._times(source)
        if register not in self._ahead:
            self._ahead[register] = self._taken(call, times)
        taken, now = self._ahead[register], 0
        for t, length in zip(at, times, strict=True):
            now = now * length + t
        given, shape = taken.at[now], self._inputs[~source].shape[2 + len(times) :]
        if taken.kernel is not None:
            x = _joined([self._held[each] for each in call.inputs if each >= 0]).movedim(1, -1).flatten(2)
            given = torch.addcmul(given, taken.kernel, x) if x.shape[1] == 1 else given + taken.kernel @ x
            if self._tape is not None:
                taken.rest[now] = x.detach()
        return given.reshape(*given.shape[:2], *shape[1:], -1).movedim(-1, 1)

    def _taken(self, call: Call, times: Shape) -> Taken:
        """Return what a `Dense` reads and gives in scans of some lengths, of what is free alone."""
        rows = [self._at_all(source, times) for source in call.inputs if source < 0]
        x = torch.cat(rows, 2) if len(rows) > 1 else rows[0]
        x, kernel = x.flatten(3), self._weights[call.weights, "kernel"]
        given = kernel[:, None, : x.shape[2]].mT @ x
        if (call.weights, "bias") in self._weights:
            given = given + self._weights[call.weights, "bias"][:, None, :, None]
        rest = kernel[:, x.shape[2] :].mT if x.shape[2] < kernel.shape[1] else None
        taken = Taken(call.weights, given, x, {}, (), rest)
        if self._tape is not None:
            given.requires_grad_()
            self._tape.dense.append(taken)
        taken.at = given.unbind(1)
        return taken

    def _at_all(self, source: int, times: Shape) -> Tensor:
        """Return a free value at all times of some scans: (programs, times, channels, ..., examples)."""
        own, rows = len(self._times(source)), self._inputs[~source].movedim(1, -1)
        rows = rows[(slice(None),) * (1 + own) + (None,) * (len(times) - own)]
        rest = rows.shape[1 + len(times) :]
        return rows.expand(len(rows), *times, *rest).flatten(1, len(times))

    def _weighted(self, call: Call, values: Sequence[Tensor]) -> Sequence[Tensor]:
        names = [name for module, name in self._weights if module == call.weights]

        def of_examples(weights: Sequence[Tensor], values: Sequence[Tensor]) -> Any:
            return self._stack.run.weighted(call.kind, dict(zip(names, weights, strict=True)), values)

        def of_example(weights: Sequence[Tensor], values: Sequence[Tensor]) -> Any:
            return [each[0] for each in of_examples(weights, [value[None] for value in values])]

        if self._tape is None:
            given: Any = torch.vmap(of_examples)([self._weights[call.weights, name] for name in names], values)
        else:
            copies = [self._copied((call.weights, name), values[0].shape[1]) for name in names]
            given = torch.vmap(torch.vmap(of_example))(copies, values)
        return list(given)

    def _copied(self, name: Name, n: int) -> Tensor:
        assert self._tape is not None, "copies are made where the Jacobian is taken"
        if name not in self._tape.copies:
            weight = self._weights[name]
            self._tape.copies[name] = weight[:, None].repeat(1, n, *[1] * (weight.dim() - 1)).requires_grad_()
        return self._tape.copies[name]

    def _loop(self, loop: Loop, at: Shape) -> None:
        carry = len(loop.states)
        states = [self._value(source, at) for source in loop.first]
        steps: list[Sequence[Tensor]] = []
        for t in reversed(range(loop.length)) if loop.reverse else range(loop.length):
            self._held.update(zip(loop.states, states, strict=True))
            for sequence, frame in loop.sequences:
                self._held[frame] = self._held[sequence][..., t]
            self._items(loop.items, (*at, t))
            given = [self._value(source, (*at, t)) for source in loop.given]
            states = given[:carry]
            steps.append(given[carry:])
        if loop.reverse:
            steps.reverse()
        results = [torch.stack(row, -1) for row in zip(*steps, strict=True)]
        self._held.update(zip(loop.outputs, [*states, *results], strict=True))
