"""What candidates of a choice, and the arguments of recorded calls, are called in drawings and tables."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from deep_arch.language.domains import Choice, Domain
from deep_arch.language.filling import Form, Hole
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Module
from deep_arch.language.options import content_key
from deep_arch.language.part_modules import Held, Maker, OnePart, SeveralParts, Undecided
from deep_arch.language.parts import StandIn, as_part, children, is_plain
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.substitutions import Or, Permute
from deep_arch.spaces.graph import Argument, Graph

_LENGTH: Final = 28
_ITEMS: Final = 3
_LAST_STEP: Final = re.compile(r"""[^.\[\]/]*(?:\[(?:'[^']*'|"[^"]*"|[^\]'"]*)\])*\Z""")
_PLACE: Final = re.compile(r"\[\d+\]\Z")
_ANONYMOUS: Final = "<lambda>"

Names = Mapping[Any, str]
"""What chooses a candidate, such as its position, to the candidate's name; empty where it has none."""

NAMELESS: Final[Names] = MappingProxyType({})


def is_recorded(graph: Graph) -> bool:
    """Return whether a graph is that of a program of recorded calls."""
    return any(isinstance(call.template, Maker | Undecided) for call in graph.calls)


def last_step(path: str) -> str:
    """Return what a path of a program ends with: the last name, with the places in it.

    Example:
        >>> last_step("model.op[2].layers[0]")
        'layers[0]'
    """
    found = _LAST_STEP.search(path)
    return found[0] if found is not None and found[0] else path


# --- candidates ------------------------------------------------------------------------------------------------------


def candidate_names(module: Module) -> Names:
    """Return the names of what a module chooses from; nothing where it does not choose, or none has a name."""
    if not isinstance(module, OnePart | SeveralParts | Or | Permute):
        return NAMELESS
    names = {key: candidate_name(candidate) for key, candidate in module.candidates.items()}
    return names if any(names.values()) else NAMELESS


def candidate_name(candidate: Any) -> str:
    """Return what a reader knows a candidate by; an empty text for a function without a name."""
    part = as_part(candidate)
    if part is not None:
        return part.__class__.title(part)
    if isinstance(candidate, Hyperparameter):
        return candidate.name or str(getattr(candidate, "domain", "formula"))
    if isinstance(candidate, Module):
        return candidate.base_name
    while isinstance(candidate, functools.partial):
        candidate = candidate.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    name = getattr(candidate, "__name__", None)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(name, str):
        return "" if name == _ANONYMOUS else name
    return _value_name(candidate)


def _value_name(value: Any) -> str:
    held = children(value)
    if not held or is_plain(value):
        return short_text(value)
    names = [candidate_name(item) for _, item in held[:_ITEMS]]
    return f"{type(value).__name__} of {', '.join(names)}{', …' if len(held) > _ITEMS else ''}"


def short_text(value: Any) -> str:
    """Return a value on one short line, the same in every process."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(value).split()))
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


def names_by_address(graph: Graph) -> dict[str, Names]:
    """Return the names of what each hyperparameter chooses from; nothing for one that chooses among different ones."""
    found: dict[str, Names] = {}
    users = [(call.template, call.arguments) for call in graph.calls if call.template.substitution]
    for module, arguments in [*users, *[(group.module, group.arguments) for group in graph.groups]]:
        names = candidate_names(module)
        for argument in arguments if names else ():
            found[argument.address] = names if found.get(argument.address, names) == names else {}
    return {address: names for address, names in found.items() if names}


def domain_names(domain: Domain, names: Names) -> list[str] | None:
    """Return the candidates that a domain leaves, such as `adam: Adam`; None where it does not list what chooses."""
    if not isinstance(domain, Choice | Subset | Permutation):
        return None
    options, known = domain.options, {content_key(key) for key in names}
    if not all(content_key(option) in known for option in options):
        return None
    has_keys = [*names] != [*range(len(names))] or not all(names[key] for key in options)
    return [_keyed(key, names[key]) if has_keys else names[key] for key in options]


def domain_lead(domain: Domain) -> str:
    """Return what stands before the names of what a domain lists, such as `2 of`."""
    if isinstance(domain, Permutation):
        return "orders of "
    if not isinstance(domain, Subset):
        return ""
    how = ("" if domain.distinct else " repeatable") + (" ordered" if domain.ordered else "")
    return f"{domain.length}{how} of "


def _keyed(key: Any, name: str) -> str:
    text = key if isinstance(key, str) and key.isidentifier() else _value_name(key)
    return f"{text}: {name}" if name and name != text else text


def value_names(value: Any, names: Names) -> str:
    """Return the names of what a value chooses: `Conv`, or `Identity, Conv` for a tuple; empty where they have none."""
    keys: Any = value if value.__class__ is tuple and value not in names else (value,)
    found = [names.get(key, "") for key in keys]
    return ", ".join(found) if found and all(found) and found != [value] else ""


def choosing_name(argument: Argument, module: Module) -> str:
    """Return what an argument of a module is called: that of a choice in a program by the place it decides."""
    if isinstance(module, Held):
        return _shown(module, argument.name)
    chooses = isinstance(module, OnePart | SeveralParts) and argument.domain is not None
    return last_step(argument.address) if chooses else argument.name


# --- arguments of recorded calls -------------------------------------------------------------------------------------


def recorded_arguments(module: Maker) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of a recorded call by name: plain ones whole, and of others what they hold.

    A `Hole` stands for what comes in by an edge.
    """
    written = iter(module.written)
    step, value, plain = "", None, False
    begun = seen = False
    for path, held in module.arguments.items():
        while not begun or not _leads(path, step):
            (step, value), begun, seen = next(written), True, False
            plain = is_plain(value)
        if plain and not seen:
            yield _shown(module, step), value.stands_for if isinstance(value, StandIn) else value
        elif not plain and not isinstance(held, Form):
            yield _shown(module, path), held
        seen = True


def input_names(module: Maker) -> dict[int, str]:
    """Return the names of the arguments that come in by edges, by the number of the edge."""
    return {held.edge: name for name, held in recorded_arguments(module) if isinstance(held, Hole)}


def shown_path(address: str) -> str:
    """Return the path at which a call stands; the list of several parts stands where these are."""
    return address.removesuffix("[]")


def is_place(name: str) -> bool:
    """Return whether an argument has no name but its place, such as `[0]`."""
    return _PLACE.match(name) is not None


def _leads(path: str, step: str) -> bool:
    return path.startswith(step) and (len(path) == len(step) or path[len(step)] in ".[")


def _shown(module: Maker, path: str) -> str:
    """Return the path of an argument; what is no call has no arguments, but what it holds."""
    return path.removeprefix("[0]").removeprefix(".") if isinstance(module, Held) else path
