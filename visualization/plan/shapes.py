"""Shapes as far as a partial architecture has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from deep_arch.errors import BadArgument, DependentFailed, InvalidDomain, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.language.selection import Select
from deep_arch.language.specs import Inputs, Spec
from deep_arch.measures.settling import argument_values
from deep_arch.measures.shapes import apply_rule, input_specs
from deep_arch.spaces.graph import Graph, GraphCall


class Shapes(NamedTuple):
    """The shape of each value by id, None where it is not known, and the calls that their inputs do not fit."""

    specs: list[Spec | None]
    misfits: dict[str, str]


def known_shapes(graph: Graph, where: str, inputs: Inputs | None) -> Shapes:
    """Return the shapes that are known; what follows something undecided or unfit is not.

    Args:
        graph: partial or fully specified.
        where: the space, for the message of an error.
        inputs: the specs of the inputs; with None, no shape is known.

    Raises:
        BadArgument: an input without a spec, or a spec without an input.
    """
    if inputs is None:
        return Shapes([None] * graph.n_values, {})
    shapes = Shapes([*input_specs(graph.inputs, where, inputs)], {})
    for call in graph.calls:
        shapes.specs.extend(_given(call, shapes))
    return shapes


def _given(call: GraphCall, shapes: Shapes) -> list[Spec | None]:
    unknown: list[Spec | None] = [None] * len(call.outputs)
    taken = _known(call.inputs, shapes)
    measured = _known(call.measured, shapes)
    if call.is_open or len(measured) < len(call.measured):
        return unknown
    try:
        module = call.template.resolved(argument_values(call, measured))
        if isinstance(module, Select):
            return [shapes.specs[call.inputs[module.position(call.address)]]]
        return unknown if len(taken) < len(call.inputs) else [*apply_rule(module, call.address, tuple(taken))]
    except (NotSpecified, NotSupported):
        return unknown
    except (ShapeMismatch, BadArgument, DependentFailed, InvalidDomain) as error:
        shapes.misfits[call.address] = str(error)
        return unknown


def _known(ids: Sequence[int], shapes: Shapes) -> list[Spec]:
    return [spec for spec in (shapes.specs[i] for i in ids) if spec is not None]


def shape_text(spec: Spec) -> str:
    """Return a shape such as `64×32×32`, without the batch."""
    text = "×".join(map(str, spec.shape)) or "scalar"
    return text if spec.dtype == "float32" else f"{text} {spec.dtype}"
