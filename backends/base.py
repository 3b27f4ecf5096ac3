"""What every backend does alike: from an architecture to a list of steps, and the checks on the way."""

from __future__ import annotations

import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deep_arch.backends.names import ModuleNames
from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.language.modules import Module, Operation, Wrapped
from deep_arch.language.specs import Spec
from deep_arch.measures.shapes import apply_rule, input_specs
from deep_arch.spaces.architecture import Architecture, Inputs
from deep_arch.spaces.graph import GraphCall

AsNative = Callable[[Wrapped], Any]
"""Makes of what `da.wrap` gave what the backend's own `wrap` gives, whose shape rule asks the framework."""


@dataclass(frozen=True, slots=True)
class Step:
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
        given = self.specs[0].dtype
        return given if "float" in given else "float32"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backend builds a model from.

    Attributes:
        inputs: the names of the inputs, whose values have the ids 0, 1, ...
        outputs: the ids of the outputs.
        output_names: their names.
        steps: the calls in topological order.
        specs: the spec of each value, by id.
    """

    inputs: tuple[str, ...]
    outputs: tuple[int, ...]
    output_names: tuple[str, ...]
    steps: tuple[Step, ...]
    specs: tuple[Spec, ...]


def plan(architecture: Architecture, inputs: Inputs, backend: str, as_native: AsNative) -> Plan:
    """Return the steps of a specified architecture.

    Raises:
        NotSpecified: hyperparameters are left without a value.
        ShapeMismatch: an operation that its inputs do not fit, or a shared module that would need other parameters.
        NotSupported: a module without shape rule.
        BadArgument: an input has no spec, or an argument is of the wrong kind.
    """
    check_specified(architecture, backend)
    specs, modules = _value_specs(architecture, inputs, as_native)
    calls, names = architecture.graph.calls, ModuleNames()
    varying = _sizes_vary(calls, modules, specs)
    ranks: defaultdict[str, set[int]] = defaultdict(set)
    for call in calls:
        ranks[call.module_address] |= {specs[i].rank for i in call.inputs[:1]}
    seen: set[str] = set()
    steps: list[Step] = []
    for call, module in zip(calls, modules, strict=True):
        address = call.module_address
        given = tuple([specs[i] for i in call.inputs])
        path, tied = names.path(address), address in seen
        vary = varying[address], len(ranks[address]) > 1
        seen.add(address)
        steps.append(Step(call.address, module, address, path, call.inputs, call.outputs, given, *vary, tied))
    graph = architecture.graph
    return Plan(graph.inputs, tuple(graph.outputs), graph.output_names, tuple(steps), tuple(specs))


def check_specified(architecture: Architecture, backend: str) -> None:
    """Raise NotSpecified where hyperparameters are left without a value, BadArgument where there is no architecture."""
    if not isinstance(architecture, Architecture):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadArgument(
            f"{backend}.build: expected an architecture.\n  Got {architecture!r} ({type(architecture).__name__}).\n"
            "  Take one of a space, such as space.sample(seed=0) or space.at(values)."
        )
    if architecture.is_specified:
        return
    # A sub-space made by `where` has nothing left to assign, while other hyperparameters may be open.
    arguments = [a for call in architecture.graph.calls for a in call.arguments if a.is_open and a.domain is not None]
    addresses = list(dict.fromkeys(point.address for point in architecture.unassigned or arguments))
    shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
    where = addresses[0] if addresses else architecture.space.name
    raise NotSpecified(
        f"{where}: {backend}.build needs an architecture whose hyperparameters all have values.\n"
        f"  Got one without values for {shown or 'what da.config attached'}.\n"
        "  Assign them with architecture.assign(address, value), or draw a whole one with space.sample(seed=0)."
    )


def _value_specs(architecture: Architecture, inputs: Inputs, as_native: AsNative) -> tuple[list[Spec], list[Module]]:
    """Return the spec of each value by id, as `Architecture.value_specs` does, but also of what `da.wrap` made."""
    graph = architecture.graph
    specs, modules = input_specs(graph.inputs, architecture.space.name, inputs), list[Module]()
    for call in graph.calls:
        given = tuple([specs[i] for i in call.inputs])
        if type(call.module) is Wrapped:
            modules.append(as_native(call.module))
            specs += _native_specs(call, modules[-1], given)
        else:
            modules.append(call.module)
            specs += apply_rule(call.module, call.address, given)
    return specs, modules


def _native_specs(call: GraphCall, module: Any, given: tuple[Spec, ...]) -> tuple[Spec, ...]:
    try:
        shape = module.shape(*given)
    except (ShapeMismatch, BadArgument) as error:
        raise type(error)(call.address + str(error).removeprefix(module.base_name)) from error
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


def _check_tied(group: Sequence[GraphCall], counts: Sequence[int], given: Sequence[tuple[Spec, ...]]) -> None:
    floats = dict.fromkeys(specs[0].dtype for specs in given if "float" in specs[0].dtype)
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


def lowering(step: Step, table: Mapping[type, Callable[..., Any]], method: str, backend: str, example: str) -> Any:
    """Return what lowers a step's module, called without it: its own method of that name, or an entry of the table.

    Raises:
        NotSupported: there is neither, and the message shows the `example`; or the entry is that of a base class with
            other weights.
    """
    own = getattr(step.module, method, None)
    if own is not None:
        return own
    for cls in type(step.module).__mro__:
        if cls in table:
            _check_inherited(step, cls, method, backend)
            return functools.partial(table[cls], step.module)
    raise NotSupported(
        f"{step.address}: {backend} has no lowering of {type(step.module).__name__}.\n"
        f"  Got {step.module!r}.\n  {example}"
    )


def _check_inherited(step: Step, cls: Any, method: str, backend: str) -> None:
    """Raise NotSupported where an operation has other weights than the one whose lowering it inherits."""
    module: Any = step.module
    if type(module) is cls or type(module).weights is cls.weights:
        return
    own, inherited = (
        {name: weight.shape for name, weight in weights.items()}
        for weights in (module.weights(*step.specs), cls.weights(module, *step.specs))
    )
    if own != inherited:
        raise NotSupported(
            f"{step.address}: {backend} lowers {type(module).__name__} as {cls.__name__}, which holds {inherited}.\n"
            f"  Got weights {own}.\n  Leave `weights` as it is, or give the class a method `{method}` of its own."
        )


def results(step: Step, lowered: Any, kind: type, method: str) -> tuple[Any, ...]:
    """Return what a lowering gave as one value for each output.

    Raises:
        BadArgument: it gave another number of values, or something else than values of that kind.
    """
    given: tuple[Any, ...] = lowered if isinstance(lowered, tuple) else (lowered,)
    if len(given) == len(step.outputs) and all(isinstance(value, kind) for value in given):
        return given
    kinds = ", ".join(type(value).__name__ for value in given)
    raise BadArgument(
        f"{step.address}: expected {method} of {type(step.module).__name__} to return a {kind.__name__} for each "
        f"of its outputs: {len(step.outputs)}.\n  Got {len(given)}: {kinds or 'none'}.\n"
        f"  Return a {kind.__name__}, or a tuple of several, as many as n_outputs says."
    )


def seed_number(seed: Any, backend: str) -> int | None:
    """Return a seed as an int, or None.

    Raises:
        BadArgument: it is neither.
    """
    if seed is None:
        return None
    try:
        return operator.index(seed)
    except TypeError:
        raise BadArgument(
            f"{backend}.build: seed must be an int or None.\n  Got {seed!r} ({type(seed).__name__}).\n"
            "  Give an int such as seed=0."
        ) from None
