"""Shapes of the values of a graph, without any framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch, is_kind, nearest, wrong_kind
from deep_arch.language.modules import Module
from deep_arch.language.specs import Inputs, Spec
from deep_arch.spaces.graph import Graph, GraphCall


def input_specs(names: Sequence[str], where: str, inputs: Inputs) -> list[Spec]:
    """Return the spec of each input in order.

    Args:
        names: of the inputs.
        where: the space, for the message of an error.
        inputs: what the user gave.

    Raises:
        BadArgument: an input without a spec, or a spec without an input.
    """
    if not names and inputs != {}:
        raise BadArgument(
            f"{where}: has no inputs, as programs of recorded calls have none.\n  Got inputs={inputs!r}.\n"
            "  The objects of a program are made by da.build(architecture), not by a backend."
        )
    given = {names[0]: inputs} if isinstance(inputs, Spec) and len(names) == 1 else inputs
    if not isinstance(given, Mapping):
        raise BadArgument(
            f"{where}: inputs are one spec, or a mapping from {', '.join(names)} to specs.\n"
            f"  Got {given!r}.\n  Write inputs=da.image(channels=3, height=32, width=32), or a dict of such."
        )
    for name in [*names, *given]:
        if name not in given or name not in names or not is_kind(given[name], Spec):
            raise BadArgument(
                f"{where}: needs a spec for each of the inputs {', '.join(names) or '(none)'}.\n"
                f"  Got {dict(given)!r}.\n  {name!r} is "
                + ("missing, or no spec." if name in names else "no input of the space.")
                + nearest(name, [other for other in (names if name in given else given) if other != name])
            )
    return [given[name] for name in names]


def call_specs(call: GraphCall, specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the specs of a call's outputs.

    Raises:
        NotSpecified: an argument has no value yet.
        NotSupported, ShapeMismatch: see `apply_rule`.
    """
    check_decided(call)
    return apply_rule(call.module, call.address, specs)


def check_decided(call: GraphCall) -> None:
    """Raise NotSpecified if a call waits for the value of a hyperparameter."""
    if call.is_open:
        waiting = ", ".join(dict.fromkeys(address for a in call.arguments for address in a.waits_for))
        raise NotSpecified(
            f"{call.address}: has no shape before it is decided.\n  Got no value for {waiting}.\n"
            "  Assign it, take an architecture from space.sample, or one with holes from architecture.completed()."
        )


def apply_rule(module: Module, address: str, specs: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the specs of a module's outputs, where the module is called at an address on such inputs.

    Raises:
        NotSupported: the module has no shape rule.
        ShapeMismatch: the inputs do not fit.
    """
    rule = getattr(module, "shape", None)
    if rule is None:
        raise NotSupported(
            f"{address}: a wrapped callable has no shape rule.\n  Got {module!r}.\n"
            "  Wrap it with a backend's own wrap, which asks the framework, or write an Operation."
        )
    try:
        result: Spec | tuple[Spec, ...] = rule(*specs)
    except (ShapeMismatch, BadArgument, NotSupported) as error:
        raise type(error)(address + str(error).removeprefix(module.base_name)) from error
    except (TypeError, IndexError) as error:
        raise ShapeMismatch(
            f"{address}: {type(module).__name__} does not take {len(specs)} inputs.\n  Got {_listed(specs)}.\n"
            f"  {error}."
        ) from error
    given: tuple[Spec, ...] = result if isinstance(result, tuple) else (result,)
    if not all(is_kind(spec, Spec) for spec in given):
        raise wrong_kind(
            f"{address}: the shape rule of {type(module).__name__}",
            "a spec, or a tuple with one for each output",
            result,
            "Return the input's spec with another shape: x.with_shape(8, *x.spatial).",
        )
    if len(given) != module.n_outputs:
        raise ShapeMismatch(
            f"{address}: expected a shape for each of its {module.n_outputs} outputs.\n  Got {_listed(given)}.\n"
            f"  Let n_outputs and shape of {type(module).__name__} agree."
        )
    return given


def infer(graph: Graph, specs: Sequence[Spec]) -> tuple[Spec, ...]:
    """Return the spec of each value of a settled graph, by id, from those of its inputs.

    Raises:
        NotSpecified: an argument has no value yet.
        NotSupported: a module has no shape rule.
        ShapeMismatch: a module does not fit its inputs, or would need other parameters than at its first call.
    """
    known = [*specs]
    first: dict[str, tuple[GraphCall, int]] = {}
    for call in graph.calls:
        taken = tuple([known[i] for i in call.inputs])
        known += call_specs(call, taken)
        if call.template.shared:
            _check_tie(first, call, taken)
    return tuple(known)


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


def _listed(specs: tuple[Spec, ...]) -> str:
    return ", ".join(map(str, specs)) or "none"
