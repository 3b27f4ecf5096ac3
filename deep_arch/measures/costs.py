"""Shapes and costs of an architecture, without any framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch, nearest
from deep_arch.language.specs import Spec
from deep_arch.spaces.graph import GraphCall

if TYPE_CHECKING:
    from deep_arch.spaces.architecture import Architecture, Inputs


@dataclass(frozen=True, slots=True)
class Cost:
    """What an architecture costs for one example.

    Attributes:
        parameters: trained numbers; tied ones count once.
        macs: multiply-accumulates of one forward pass.
        activation_bytes: bytes of all that the calls give.
        non_trainable: numbers that a model holds and no optimizer changes, such as running means; tied ones count once.
    """

    parameters: int
    macs: int
    activation_bytes: int
    non_trainable: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters,
            self.macs + other.macs,
            self.activation_bytes + other.activation_bytes,
            self.non_trainable + other.non_trainable,
        )


def input_specs(architecture: Architecture, inputs: Inputs) -> list[Spec]:
    """Return the spec of each input in order.

    Raises:
        BadArgument: an input without a spec, or a spec without an input.
    """
    names = architecture.graph.inputs
    given = {names[0]: inputs} if isinstance(inputs, Spec) and len(names) == 1 else inputs
    if not isinstance(given, Mapping):
        raise BadArgument(
            f"{architecture.space.name}: inputs are one spec, or a mapping from {', '.join(names)} to specs.\n"
            f"  Got {given!r}.\n  Write inputs=da.image(channels=3, height=32, width=32), or a dict of such."
        )
    for name in [*names, *given]:
        if name not in given or name not in names or not isinstance(given[name], Spec):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BadArgument(
                f"{architecture.space.name}: needs a spec for each of the inputs {', '.join(names) or '(none)'}.\n"
                f"  Got {dict(given)!r}.\n  {name!r} is "
                + ("missing, or no spec." if name in names else "no input of the space.")
                + nearest(name, [other for other in (names if name in given else given) if other != name])
            )
    return [given[name] for name in names]


def apply_rule(call: GraphCall, specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the specs of a call's outputs.

    Raises:
        NotSpecified: an argument has no value yet.
        NotSupported: the module has no shape rule.
        ShapeMismatch: the inputs do not fit.
    """
    if call.is_open:
        waiting = ", ".join(a.address for a in call.arguments if a.is_open)
        raise NotSpecified(
            f"{call.address}: has no shape before it is decided.\n  Got no value for {waiting}.\n"
            "  Assign it, or take an architecture from space.sample."
        )
    module = call.module
    rule = getattr(module, "shape", None)
    if rule is None:
        raise NotSupported(
            f"{call.address}: a wrapped callable has no shape rule.\n  Got {module!r}.\n"
            "  Wrap it with a backend's own wrap, which asks the framework, or write an Operation."
        )
    try:
        result: Spec | tuple[Spec, ...] = rule(*specs)
    except (ShapeMismatch, BadArgument, NotSupported) as error:
        raise type(error)(_at(call, str(error))) from error
    except (TypeError, IndexError) as error:
        raise ShapeMismatch(
            f"{call.address}: {type(module).__name__} does not take {len(specs)} inputs.\n  Got {_listed(specs)}.\n"
            f"  {error}."
        ) from error
    given: tuple[Spec, ...] = result if isinstance(result, tuple) else (result,)
    if len(given) != len(call.outputs):
        raise ShapeMismatch(
            f"{call.address}: expected a shape for each of its {len(call.outputs)} outputs.\n  Got {_listed(given)}.\n"
            f"  Let n_outputs and shape of {type(module).__name__} agree."
        )
    return given


def _at(call: GraphCall, message: str) -> str:
    """Return a rule's message with the call's address in place of the module's name."""
    return call.address + message.removeprefix(call.module.base_name)


def _listed(specs: tuple[Spec, ...]) -> str:
    return ", ".join(map(str, specs)) or "none"


def infer(architecture: Architecture, inputs: Inputs) -> tuple[Spec, ...]:
    """Return the spec of each value of the graph, by id."""
    specs = input_specs(architecture, inputs)
    first: dict[str, tuple[GraphCall, int]] = {}
    for call in architecture.graph.calls:
        taken = tuple([specs[i] for i in call.inputs])
        specs += apply_rule(call, taken)
        if call.template.shared:
            _check_tie(first, call, taken)
    return tuple(specs)


def _check_tie(first: dict[str, tuple[GraphCall, int]], call: GraphCall, specs: tuple[Spec, ...]) -> None:
    """Raise ShapeMismatch where one module would need other parameters than at its first call."""
    module: Any = call.module
    needed = module.parameters(*specs)
    before, had = first.setdefault(call.module_address, (call, needed))
    if needed != had:
        raise ShapeMismatch(
            f"{call.address}: shares its parameters with {before.address}, which needs {had:,} of them.\n"
            f"  Got inputs {_listed(specs)}, which need {needed:,}.\n"
            "  Give both calls inputs of one shape, or make a module for each."
        )


def cost_of(call: GraphCall, specs: tuple[Spec, ...]) -> Cost:
    """Return the cost of one call, whose parameters are counted whether or not they are tied."""
    taken = [specs[i] for i in call.inputs]
    module: Any = call.module
    n_bytes = sum(specs[i].n_bytes for i in call.outputs)
    return Cost(module.parameters(*taken), module.macs(*taken), n_bytes, module.non_trainable(*taken))


def total(architecture: Architecture, inputs: Inputs) -> Cost:
    """Return the cost of an architecture for one example."""
    specs = infer(architecture, inputs)
    parameters = macs = n_bytes = non_trainable = 0
    counted: set[str] = set()
    for call in architecture.graph.calls:
        cost = cost_of(call, specs)
        macs, n_bytes = macs + cost.macs, n_bytes + cost.activation_bytes
        if call.module_address not in counted:
            counted.add(call.module_address)
            parameters, non_trainable = parameters + cost.parameters, non_trainable + cost.non_trainable
    return Cost(parameters, macs, n_bytes, non_trainable)
