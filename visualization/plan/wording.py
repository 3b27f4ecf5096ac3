"""How values, domains, formulas and constants read in a drawing."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Container, Iterable, Sequence
from typing import Any, Final

from deep_arch.language.depending import Depending
from deep_arch.language.domains import Choice, Domain, Integer, Real
from deep_arch.language.filling import Hole
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import Module, Operation, Wrapped, snake_case
from deep_arch.language.options import same
from deep_arch.language.part_modules import Maker, Undecided
from deep_arch.language.stepped import Stepped
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.language.values import Late
from deep_arch.measures.formulas import formula_text, last_part, operand_text
from deep_arch.measures.naming import Names, domain_lead, domain_names, is_place, recorded_arguments, value_names
from deep_arch.spaces.graph import Argument

_VALUE_LENGTH: Final = 28
_OPTIONS_SHOWN: Final = 6
_OPTIONS_LENGTH: Final = 44
_CONSTANTS_SHOWN: Final = 12


def shorten(text: str, length: int = _VALUE_LENGTH) -> str:
    """Return `text`, its end cut off where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def value_text(value: Any) -> str:
    """Return a value as a reader knows it, and the same in every process."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(value_text, value))) + "}"
    name = getattr(value, "__name__", None)
    if isinstance(name, str):
        return shorten(name)
    if isinstance(value, float):
        return f"{value:.6g}"
    return shorten(re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(value).split())))


def domain_text(domain: Domain) -> str:
    """Return a domain as a set or interval, such as `{64, 128}` or `[0.1, 1.0] log`."""
    if isinstance(domain, Choice | Subset | Permutation):
        return domain_lead(domain) + _set(domain.options)
    log = " log" if getattr(domain, "log", False) else ""
    if isinstance(domain, Integer):
        if domain.size <= 4:
            return _set(domain.values()) + log
        start = f"{domain.low}, {domain.low + domain.step}" if domain.step > 1 else f"{domain.low}"
        return f"{{{start}, …, {domain.high}}}{log}"
    if isinstance(domain, Real):
        return f"[{domain.low:g}, {domain.high:g}]{log}"
    if isinstance(domain, Stepped):
        if domain.size <= 4:
            return _set(domain.values()) + log
        return f"{{{domain.low:g}, {domain.at(1):g}, …, {domain.high:g}}}{log}"
    return shorten(str(domain), _OPTIONS_LENGTH)


def named_domain_text(domain: Domain, names: Names) -> str:
    """Return a domain by the names of the candidates that it leaves, such as `Identity | MaxPool`."""
    named = domain_names(domain, names)
    if named is None:
        return domain_text(domain)
    listed = _listed([shorten(name) for name in named], " | ")
    return domain_lead(domain) + listed


def depending_text(argument: Argument, depending: Depending) -> str:
    """Return a domain that is not known yet by the formulas of what it depends on, such as `{1, …, 2 · n}`."""
    given = [operand_text(parent, value_text) for parent in argument.parents]
    if issubclass(depending.kind, Permutation):
        return f"orders of {given[0]}"
    if issubclass(depending.kind, Subset):
        return f"{given[1]} of {given[0]}"
    if issubclass(depending.kind, Choice):
        return given[0] if given[0][0] == "(" else f"options {given[0]}"
    low, high, *step = given[:-1]
    log = " log" if argument.parents[-1] is True else ""
    if not step:
        return f"[{low}, {high}]{log}"
    if step == ["1"] and depending.kind is Integer:
        return f"{{{low}, …, {high}}}{log}"
    return f"{{{low}, …, {high}}} by {step[0]}{log}"


def _set(options: Iterable[Any]) -> str:
    return "{" + _listed([value_text(option) for option in options], ", ") + "}"


def _listed(texts: Sequence[str], separator: str) -> str:
    shown: list[str] = []
    for text in texts[:_OPTIONS_SHOWN]:
        if shown and len(separator.join([*shown, text])) > _OPTIONS_LENGTH:
            break
        shown.append(text)
    if len(texts) > len(shown):
        shown.append(f"… {len(texts)} in all")
    return separator.join(shown)


def formula(argument: Argument) -> str:
    """Return what a dependent hyperparameter is computed from, such as `2 · n`."""
    return formula_text(argument, value_text)


def argument_text(
    name: str, argument: Argument, domain: Domain | Depending | None, separate: bool, names: Names
) -> str:
    """Return one line for a hyperparameter.

    Args:
        name: what it is called here.
        argument: the hyperparameter.
        domain: the values it may take in this space; None for a dependent one.
        separate: whether it is drawn apart, so that the line only refers to it.
        names: of what it chooses from; empty where they have none.
    """
    is_known = not argument.is_open and not isinstance(argument.value, Late)
    chosen = value_names(argument.value, names) if is_known and names else ""
    given = f" = {value_text(argument.value)}{f' ({shorten(chosen, _OPTIONS_LENGTH)})' if chosen else ''}"
    given = given if is_known else ""
    if argument.needs_shapes:
        return name + (given or f" = {formula(argument)}")
    if separate:
        reference = last_part(argument.address)
        return name + (f" = {reference}" if reference != name else "") + given
    if domain is None:
        return f"{name} = {formula(argument)}{given}"
    if given:
        return name + given
    text = depending_text(argument, domain) if isinstance(domain, Depending) else named_domain_text(domain, names)
    return f"{name} ∈ {text}"


def chosen_text(arguments: Sequence[str], values: Sequence[Any], names: Names) -> str:
    """Return what tells one alternative of a substitution: the value, or the candidate's name, that decides it."""
    texts = [option_text(value, names) for value in values]
    if len(texts) == 1:
        return texts[0]
    return ", ".join([f"{name} = {text}" for name, text in zip(arguments, texts, strict=True)])


def option_text(value: Any, names: Names) -> str:
    """Return a value of a domain as a reader knows it, such as `adam: Adam`; texts without their quotes."""
    if names:
        with contextlib.suppress(TypeError):  # of what has no hash
            named = domain_names(Choice([value]), names)
            if named is not None:
                return shorten(named[0])
    return shorten(value) if isinstance(value, str) else value_text(value)


def weight_text(weight: float) -> str:
    """Return a weight with two digits after the point."""
    return "<0.01" if 0 < weight < 0.005 else f"{weight:.2f}"


def operation_name(module: Module) -> str:
    """Return a module's kind: the class of an operation, the wrapped callable's name, the word for a substitution."""
    if isinstance(module, Maker | Undecided):
        return module.title
    if isinstance(module, Wrapped):
        return getattr(module.factory, "__name__", type(module.factory).__name__)
    kind = type(module).__name__
    if not module.substitution:
        return kind
    if kind.startswith("_"):  # a rule or a copy, which is known by its own name only
        return module.base_name
    word = snake_case(kind)
    return f"{word} {module.base_name}" if module.explicit_name else word


def constants(module: Module, without: Container[str] = ()) -> list[str]:
    """Return the constant arguments that differ from their defaults, as a call would show them.

    Args:
        module: what they are arguments of.
        without: arguments of recorded calls that are shown otherwise.
    """
    if isinstance(module, Maker):
        return _recorded_constants(module, without)
    open_names = {name for name, _ in module.open_arguments}
    defaults = _defaults(module) if isinstance(module, Operation) else {}
    shown: list[str] = []
    for name, value in module.arguments.items():
        if name not in open_names and not (name in defaults and same(defaults[name], value)):
            shown.append(_sizes(module, name, value) or f"{name}={value_text(value)}")
    return shown


def _recorded_constants(module: Maker, without: Container[str]) -> list[str]:
    given = [
        value_text(value) if is_place(name) else f"{name}={value_text(value)}"
        for name, value in recorded_arguments(module)
        if not isinstance(value, Hyperparameter | Hole) and name not in without
    ]
    left_out = len(given) - _CONSTANTS_SHOWN
    return given if left_out <= 0 else [*given[:_CONSTANTS_SHOWN], f"… {left_out} more"]


def _defaults(operation: Operation) -> dict[str, Any]:
    parameters = inspect.signature(type(operation)).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _sizes(module: Module, name: str, value: Any) -> str:
    """Return a window's size as `3×3`, since that needs no name."""
    if name not in ("kernel_size", "pool_size"):
        return ""
    sizes: Any = (value,) * int(getattr(module, "ndim", 1)) if type(value) is int else value
    is_tuple = type(sizes) is tuple and all(type(size) is int for size in sizes)
    return "×".join(map(str, sizes)) if is_tuple else ""
