"""Grafting: an architecture with other values below one application of a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deep_arch.errors import BadArgument, MissingValues, ValueOutsideDomain, is_kind, wrong_kind
from deep_arch.language.domains import REJECTED
from deep_arch.programs.applications import Application, Subtree, application, applications, standing
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.frames import Frame, Unfolding
from deep_arch.spaces.place import below


def grafted(
    architecture: Architecture, unfolding: Unfolding, address: Application | str, values: Mapping[str, Any]
) -> Architecture:
    """Return the architecture with other values below an application; see `Architecture.graft`."""
    frame = standing(unfolding, address)
    prefix = frame.prefix
    _check_values(unfolding, frame, values)
    given = {prefix + name: value for name, value in values.items()}
    kept = {a: value for a, value in unfolding.values.items() if not below(a, prefix)}
    space = architecture.space
    try:
        made = Architecture(space, space.replay({**kept, **given}, required=given))
    except ValueOutsideDomain as error:
        if space.restrictions and _fits(architecture, {**kept, **given}):
            raise ValueOutsideDomain(
                f"{prefix.rstrip('/')}: what would stand here is outside of the sub-space.\n  Got {space!r}.\n"
                "  Graft something smaller, or an architecture of the whole space."
            ) from error
        raise
    if (missing := made.unassigned) and not architecture.unassigned:
        raise MissingValues(
            f"{missing[0].address}: has no value after the graft; it must be {missing[0].domain}.\n"
            f"  Got values for {len(given)} hyperparameters below {prefix.rstrip('/')!r}.\n"
            "  Add the value by its address as seen from there, or take all values from architecture.subtree."
        )
    return made


def _check_values(unfolding: Unfolding, frame: Frame, values: object) -> None:
    if not is_kind(values, Mapping):
        mend = "Give what architecture.subtree returned, or {'or.which': 'leaf'}."
        raise wrong_kind(frame.prefix.rstrip("/"), "values by address as seen from the application", values, mend)
    if not isinstance(values, Subtree):
        return
    here, there = application(frame), values.application
    if there.type != here.type:
        fitting = [each.address for each in applications(unfolding) if each.type == there.type]
        where = f"such as {fitting[0]!r}" if fitting else "of which this architecture has none"
        raise BadArgument(
            f"{here.address}: expected what stands below an application of {here}.\n"
            f"  Got what stood below one of {there}, at {there.address!r}.\n"
            f"  Graft it where {there} is applied, {where}."
        )


def _fits(architecture: Architecture, values: Mapping[str, Any]) -> bool:
    """Return whether the whole space has these values."""
    domains = architecture.space.domains(values)
    return all(a not in domains or domains[a].accept(value) is not REJECTED for a, value in values.items())
