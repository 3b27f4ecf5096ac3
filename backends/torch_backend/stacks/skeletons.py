"""Skeletons: what programs have in common that train as one stack.

Two programs have one skeleton where their calls that depend on weights are alike, whatever the others compute: those
need no weights, so each is computed once for all examples, and is an input of the stack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from deep_arch import ops
from deep_arch.backends.build_plan import BuildItem, BuildLoop, BuildPlan, BuildStep
from deep_arch.backends.torch_backend.initial import is_native
from deep_arch.language.modules import Operation

Shape: TypeAlias = "tuple[int, ...]"

INPUT: Final = "input "
FRAME: Final = "frame"
SPREAD: Final = "spread"

ANY: Final = -1


@dataclass(frozen=True, slots=True)
class Kind:
    """What an operation computes, but for its weights.

    Attributes:
        of: its class and arguments.
        module: one such operation.
    """

    of: tuple[type, str]
    module: Operation = field(compare=False)


@dataclass(frozen=True, slots=True)
class Free:
    """A value that needs no weights, by what it is computed from.

    Attributes:
        what: the operation, or INPUT and a name; FRAME for frames of a sequence, SPREAD for what is the same at each.
        port: which of the operation's outputs.
        sources: what it is computed from.
        times: the lengths of the scans in which it stands; all frames are computed at once, as further examples.
        shape: of one example's value.
    """

    what: Kind | str
    port: int
    sources: tuple[Free, ...]
    times: Shape
    shape: Shape = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that depends on weights.

    Attributes:
        kind: what it computes.
        weights: which of the skeleton's modules with weights it is; -1 for none.
        inputs: registers, or ~i for the i-th free value; of a `Dense` those that are concatenated for it, if several.
        shapes: of the registers among them.
        outputs: registers.
    """

    kind: Kind
    weights: int
    inputs: Shape
    shapes: tuple[Shape, ...]
    outputs: Shape


@dataclass(frozen=True, slots=True)
class Loop:
    """A scan whose steps depend on weights.

    Attributes:
        items: its body.
        length, reverse: of the scan.
        first: the first states: registers, or ~i for free values.
        states: the registers of the states in the body.
        sequences: the sequences that depend on weights, and the registers of their frames.
        given: the new states and the results of a step.
        outputs: registers.
    """

    items: tuple[Item, ...]
    length: int
    reverse: bool
    first: Shape
    states: Shape
    sequences: tuple[Shape, ...]
    given: Shape
    outputs: Shape


Item: TypeAlias = "Call | Loop"


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What is alike in programs that are one stack.

    Attributes:
        items: the calls that depend on weights, in topological order.
        output: where what they give is.
        free: of each free value the shape, with ANY for the channels of what one `Dense` reads: narrower ones are
            filled up with zeros.
        times: of each free value the lengths of the scans in which it stands.
    """

    items: tuple[Item, ...]
    output: int
    free: tuple[Shape, ...]
    times: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One program, as its skeleton sees it.

    Attributes:
        skeleton: what it shares with others.
        free: what it reads that needs no weights.
        steps: its modules with weights, each by its first call.
    """

    skeleton: Skeleton
    free: tuple[Free, ...]
    steps: tuple[BuildStep, ...]


def read(plan: BuildPlan) -> Reading | None:
    """Return a program as its skeleton sees it; None where it does not stack.

    That is so where it has several outputs or no weights, draws random numbers, keeps statistics, or holds modules of
    a framework, of which nobody knows whether they mix examples.
    """
    if len(plan.outputs) != 1 or not all(_stacks(step) for step in plan.steps):
        return None
    reader = _Reader(plan)
    items = reader.items(plan.items, ())
    output = reader.source(plan.outputs[0])
    skeleton = Skeleton(items, output, tuple(reader.shapes), tuple([free.times for free in reader.free]))
    return Reading(skeleton, tuple(reader.free), tuple(reader.steps.values())) if reader.steps else None


def _stacks(step: BuildStep) -> bool:
    module = step.module
    if not isinstance(module, Operation):
        return False
    if module.stateless:
        return True
    weights = module.weights(*step.specs)
    return bool(weights) and all(weight.trained for weight in weights.values()) and not is_native(step)


class _Reader:
    """What goes through the calls of one program.

    Attributes:
        free: the free values that calls with weights read, one for each reading.
        shapes: of these; see `Skeleton`.
        steps: the modules with weights, by address.
    """

    def __init__(self, plan: BuildPlan) -> None:
        self._specs = plan.specs
        self._known: dict[int, Free | int] = {
            i: Free(INPUT + name, 0, (), (), plan.specs[i].shape) for i, name in enumerate(plan.inputs)
        }
        self._n_calls = Counter([step.module_address for step in plan.steps])
        self._parts = self._concatenated(plan)
        self._n_registers = 0
        self.free: list[Free] = []
        self.shapes: list[Shape] = []
        self.steps: dict[str, BuildStep] = {}

    def _concatenated(self, plan: BuildPlan) -> dict[int, Shape]:
        """Return what is concatenated only for `Dense` that are called once: of each such value the parts."""
        dense = [s for s in plan.steps if type(s.module) is ops.Dense and self._n_calls[s.module_address] == 1]
        others = [s for s in plan.steps if s not in dense]
        read = {i for step in others for i in step.inputs} | {*plan.outputs}
        read |= {i for loop in _loops(plan.items) for i in (*loop.region.enter.inputs, *loop.region.given)}
        wanted = {step.inputs[0] for step in dense} - read
        joins = [s for s in others if type(s.module) is ops.Concatenate and s.module.axis == 0]
        return {step.outputs[0]: step.inputs for step in joins if step.outputs[0] in wanted}

    def items(self, items: Sequence[BuildItem], times: Shape) -> tuple[Item, ...]:
        """Return the items that depend on weights, inside scans of such lengths."""
        found = [self._loop(item, times) if isinstance(item, BuildLoop) else self._call(item) for item in items]
        return tuple([item for item in found if item is not None])

    def source(self, value: int, widens: bool = False) -> int:
        """Return where a value is: its register, or ~i for the i-th free value."""
        known = self._known[value]
        if isinstance(known, int):
            return known
        self.free.append(known)
        self.shapes.append((ANY, *known.shape[1:]) if widens else known.shape)
        return ~(len(self.free) - 1)

    def _registers(self, values: Sequence[int]) -> Shape:
        found = range(self._n_registers, self._n_registers + len(values))
        self._known.update(zip(values, found, strict=True))
        self._n_registers = found.stop
        return tuple(found)

    def _call(self, step: BuildStep) -> Call | None:
        free = [known for known in map(self._known.get, step.inputs) if isinstance(known, Free)]
        kind, has_weights = _kind(step.module), not step.module.stateless  # type: ignore[attr-defined]
        if not has_weights and len(free) == len(step.inputs):
            self._compute(kind, free, step.outputs)
            return None
        if step.outputs[0] in self._parts:
            return None
        weights = -1
        if has_weights:
            self.steps.setdefault(step.module_address, step)
            weights = [*self.steps].index(step.module_address)
        widens = type(step.module) is ops.Dense and self._n_calls[step.module_address] == 1
        parts = [part for i in step.inputs for part in self._parts_of(i)]
        inputs = tuple([self.source(i, widens) for i in parts])
        shapes = tuple([self._specs[part].shape for part, i in zip(parts, inputs, strict=True) if i >= 0])
        return Call(kind, weights, inputs, shapes, self._registers(step.outputs))

    def _parts_of(self, value: int) -> Shape:
        """Return what is concatenated to a value, where that was left to a `Dense`; else the value."""
        return (value,) if value in self._known else self._parts[value]

    def _compute(self, kind: Kind, sources: Sequence[Free], outputs: Sequence[int]) -> None:
        times = max([source.times for source in sources], key=len, default=())
        sources = tuple([_spread(source, times) for source in sources])
        for port, value in enumerate(outputs):
            self._known[value] = Free(kind, port, sources, times, self._specs[value].shape)

    def _loop(self, loop: BuildLoop, times: Shape) -> Loop:
        region, inside = loop.region, (*times, loop.length)
        first = tuple([self.source(i) for i in region.enter.inputs[: region.carry]])
        sequences: list[Shape] = []
        for sequence, frame in zip(region.enter.inputs[region.carry :], region.frames, strict=True):
            known = self._known[sequence]
            if isinstance(known, Free):
                whole = _spread(known, times)
                self._known[frame] = Free(FRAME, 0, (whole,), inside, whole.shape[:-1])
            else:
                sequences.append((known, *self._registers([frame])))
        states = self._registers(region.states)
        items = self.items(loop.items, inside)
        given = tuple([self.source(i) for i in region.given])
        outputs = self._registers(region.exit.outputs)
        return Loop(items, loop.length, region.reverse, first, states, tuple(sequences), given, outputs)


def _loops(items: Sequence[BuildItem]) -> Iterator[BuildLoop]:
    for item in items:
        if isinstance(item, BuildLoop):
            yield item
            yield from _loops(item.items)


def _spread(value: Free, times: Shape) -> Free:
    """Return a value as it is at each of the frames of scans inside of those in which it stands."""
    while len(value.times) < len(times):
        value = Free(SPREAD, 0, (value,), times[: len(value.times) + 1], value.shape)
    return value


def _kind(module: Any) -> Kind:
    return Kind((type(module), repr(dict(module.arguments))), module)
