"""From an architecture to the steps that a backend builds, with the checks on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from deep_arch.backends.base import check_specified
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.modules import Module, Operation, Wrapped
from deep_arch.language.specs import Inputs, Spec
from deep_arch.measures.module_names import ModuleNames
from deep_arch.measures.settling import Rule, settled
from deep_arch.measures.shapes import apply_rule, input_specs
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph, GraphCall
from deep_arch.spaces.regions import Item, Region, calls_in, inputs_of, nested

AsNative = Callable[[Wrapped], Any]
"""Makes of what `da.wrap` gave what the backend's own `wrap` gives, whose shape rule asks the framework."""


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One call of an architecture, ready to be lowered.

    Attributes:
        address: of the call.
        module: with values for all arguments; modules of `da.wrap` as those of the backend.
        module_address: equal for the calls that share one module.
        path: the module's neutral name, such as `repeat_1.conv2d`, which the names of its weights begin with.
        inputs: ids of the values that it takes.
        outputs: ids of the values that it gives.
        specs: of its inputs.
        sizes_vary: whether the module is also called on inputs of another shape.
        ranks_vary: whether the module is also called on inputs with another number of axes.
        tied: whether the module has been called before.
    """

    address: str
    module: Module
    module_address: str
    path: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    specs: tuple[Spec, ...]
    sizes_vary: bool
    ranks_vary: bool
    tied: bool

    @property
    def dtype(self) -> str:
        """The type of the module's weights: that of its first input if that is of floats, else float32."""
        return _float_type(self.specs[0])


@dataclass(frozen=True, slots=True)
class BuildLoop:
    """One scan of an architecture, whose body runs once for each frame.

    Attributes:
        region: the ids of what goes in, through and out.
        path: the neutral name of the scan's module, such as `repeat_1.scan`.
        items: what the body is made of, in topological order.
        length: the number of frames.
    """

    region: Region
    path: str
    items: tuple[BuildItem, ...]
    length: int


BuildItem: TypeAlias = "BuildStep | BuildLoop"


def taken_by(item: BuildItem) -> tuple[int, ...]:
    """Return the ids of what a call takes, or a scan: first states, sequences, and what its body reads besides."""
    return inputs_of(item.region) if isinstance(item, BuildLoop) else item.inputs


def given_by(item: BuildItem) -> tuple[int, ...]:
    """Return the ids of what a call or a scan gives."""
    return item.region.exit.outputs if isinstance(item, BuildLoop) else item.outputs


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What a backend builds a model from.

    Attributes:
        inputs: the names of the inputs, whose values have the ids 0, 1, ...
        outputs: the ids of the outputs.
        output_names: their names.
        outputs_are_named: whether the space's function returned a dict, so that the model does.
        steps: the calls in topological order, also those in the bodies of scans.
        items: the same, nested: those in the body of a scan are one item.
        specs: the spec of each value, by id.
    """

    inputs: tuple[str, ...]
    outputs: tuple[int, ...]
    output_names: tuple[str, ...]
    outputs_are_named: bool
    steps: tuple[BuildStep, ...]
    items: tuple[BuildItem, ...]
    specs: tuple[Spec, ...]

    def returned(self, values: Sequence[Any]) -> Any:
        """Return outputs as the space's function did: as a dict, as one value, or as a tuple of several."""
        return as_returned(values, self.output_names if self.outputs_are_named else None)


def as_returned(values: Sequence[Any], names: Sequence[str] | None) -> Any:
    """Return values as a dict where there are names, and else alone or as a tuple of several."""
    if names is not None:
        return dict(zip(names, values, strict=True))
    return values[0] if len(values) == 1 else tuple(values)


def build_plan(architecture: Architecture, inputs: Inputs, backend: str, as_native: AsNative) -> BuildPlan:
    """Return the steps of a specified architecture.

    Raises:
        NotSpecified: hyperparameters are left without a value.
        ShapeMismatch: an operation that its inputs do not fit, or a shared module that would need other parameters.
        NotSupported: a module without shape rule.
        BadArgument: an input has no spec, or an argument is of the wrong kind.
    """
    check_specified(architecture, backend)
    given = input_specs(architecture.graph.inputs, architecture.space.name, inputs)
    graph = settled(architecture.graph, given, native_rule(as_native))
    specs, modules = _value_specs(graph, given, as_native)
    calls, names = graph.calls, ModuleNames()
    varying = _sizes_vary(calls, modules, specs)
    ranks: defaultdict[str, set[int]] = defaultdict(set)
    for call in calls:
        ranks[call.module_address] |= {specs[i].rank for i in call.inputs[:1]}
    items = nested(graph)
    seen: set[str] = set()
    steps: dict[int, BuildStep] = {}
    for call in calls_in(items):
        module, address = modules[call.position], call.module_address
        taken = tuple([specs[i] for i in call.inputs])
        path, tied = names.path(address), address in seen
        vary = varying[address], len(ranks[address]) > 1
        seen.add(address)
        steps[call.position] = BuildStep(
            call.address, module, address, path, call.inputs, call.outputs, taken, *vary, tied
        )
    named, outputs = graph.outputs_are_named, tuple(graph.outputs)
    todo = _items(items, steps, names, specs)
    return BuildPlan(graph.inputs, outputs, graph.output_names, named, tuple(steps.values()), todo, tuple(specs))


def _items(
    items: Sequence[Item], steps: Mapping[int, BuildStep], names: ModuleNames, specs: Sequence[Spec]
) -> tuple[BuildItem, ...]:
    found: list[BuildItem] = []
    for item in items:
        if isinstance(item, Region):
            inside = _items(item.body, steps, names, specs)
            length = specs[item.enter.outputs[0]].shape[-1]
            found.append(BuildLoop(item, names.path(item.address), inside, length))
        else:
            found.append(steps[item.position])
    return tuple(found)


def _value_specs(graph: Graph, inputs: Sequence[Spec], as_native: AsNative) -> tuple[list[Spec], list[Module]]:
    """Return the spec of each value by id, as `shapes.infer` does, but also of what `da.wrap` made; and the modules."""
    specs, modules = [*inputs], list[Module]()
    for call in graph.calls:
        modules.append(_native(call.module, as_native))
        specs += _specs(call.module, modules[-1], call.address, tuple([specs[i] for i in call.inputs]))
    return specs, modules


def native_rule(as_native: AsNative) -> Rule:
    """Return the rule of shapes that asks a framework about what `da.wrap` made."""
    return lambda module, address, given: _specs(module, _native(module, as_native), address, given)


def _native(module: Module, as_native: AsNative) -> Module:
    return as_native(module) if type(module) is Wrapped else module


def _specs(module: Module, native: Any, address: str, given: tuple[Spec, ...]) -> tuple[Spec, ...]:
    if native is module:
        return apply_rule(module, address, given)
    try:
        shape = native.shape(*given)
    except (ShapeMismatch, BadArgument) as error:
        raise type(error)(address + str(error).removeprefix(native.base_name)) from error
    return shape if isinstance(shape, tuple) else (shape,)


def _sizes_vary(calls: Sequence[GraphCall], modules: Sequence[Module], specs: Sequence[Spec]) -> dict[str, bool]:
    """Return for each module whether it is called on inputs of several shapes.

    Raises:
        ShapeMismatch: such shapes need parameters of different sizes or types.
    """
    by_module: defaultdict[str, list[tuple[GraphCall, Any]]] = defaultdict(list)
    for call, module in zip(calls, modules, strict=True):
        by_module[call.module_address].append((call, module))
    varying: dict[str, bool] = {}
    for address, group in by_module.items():
        given = [tuple(specs[i] for i in call.inputs) for call, _ in group]
        varying[address] = len(set(given)) > 1
        if varying[address] and isinstance(group[0][1], Operation):
            counts = [module.parameters(*taken) for (_, module), taken in zip(group, given, strict=True)]
            _check_tied([call for call, _ in group], counts, given)
    return varying


def _float_type(spec: Spec) -> str:
    return spec.dtype if "float" in spec.dtype else "float32"


def _check_tied(group: Sequence[GraphCall], counts: Sequence[int], given: Sequence[tuple[Spec, ...]]) -> None:
    floats = dict.fromkeys(_float_type(specs[0]) for specs in given if counts[0] or "float" in specs[0].dtype)
    if len(floats) > 1:
        raise ShapeMismatch(
            f"{group[0].address}: expected floats of one type in all calls of a module, since it is of that type.\n"
            f"  Got {' and '.join(floats)}.\n  Give the inputs one type, or construct a module for each call."
        )
    for call, n, specs in zip(group, counts, given, strict=True):
        if n != counts[0]:
            raise ShapeMismatch(
                f"{call.address}: expected inputs for which it has as many parameters as at its first call, "
                f"{group[0].address}, whose parameters it shares: {counts[0]:,} for {', '.join(map(str, given[0]))}.\n"
                f"  Got {n:,} for {', '.join(map(str, specs))}.\n"
                "  Call it on inputs with the same channels, or construct a module for each call."
            )
