"""Finding: the hyperparameters that have an address, somewhere in a space."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from deep_arch.errors import DeepArchError
from deep_arch.language.dependence import domain_at, evaluate, roots
from deep_arch.language.domains import Domain, Integer, Real
from deep_arch.language.fragment import Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.modules import Module
from deep_arch.language.program import Program

_ENDS: Final = 100
"""Of longer domains only so many values, and the last if it is not far, are tried to find an address."""

_FAR: Final = 10_000

_MOST: Final = 1000
"""Combinations of values that are tried for one module."""


def find(program: Program, address: Any) -> list[Independent]:
    """Return the independent hyperparameters that have an address, one for each way in which it is reached."""
    found: dict[Independent, None] = {}
    todo = [(program.root, address)] if isinstance(address, str) else []
    seen: set[tuple[int, str]] = set()
    while todo:
        fragment, rest = todo.pop()
        if (id(fragment), rest) in seen:
            continue
        seen.add((id(fragment), rest))
        for suffix, hyperparameter in zip(fragment.suffixes, fragment.hyperparameters, strict=True):
            if suffix == rest and isinstance(hyperparameter, Independent):
                found[hyperparameter] = None
        for lead, inner in _towards(fragment, rest):
            todo.append((inner, rest[len(lead) :]))
    return list(found)


def _towards(fragment: Fragment, rest: str) -> Iterator[tuple[str, Fragment]]:
    """Yield what the modules made in a fragment unfold to, with what addresses inside begin with here.

    A module is called here or further in, and its address begins here, so this goes by modules and not by calls.
    """
    n_inputs = {id(call.module): len(call.inputs) for call in fragment.calls}
    for module, name in fragment.named_modules():
        if module.substitution and not module.closed and rest.startswith(name):
            for inner in _some(fragment, module, n_inputs.get(id(module), 1)):
                if rest.startswith(name + inner.ending):
                    yield name + inner.ending, inner


def _some(fragment: Fragment, module: Module, n_inputs: int) -> Iterator[Fragment]:
    """Yield what a module unfolds to, as far as that can be listed: long domains at their ends."""
    decisive = roots(h for _, h in module.open_arguments)
    for binding in itertools.islice(_bindings(decisive), _MOST):
        with contextlib.suppress(DeepArchError):  # values that do not fit lead nowhere
            yield expanded(fragment, module, n_inputs, binding)


def _bindings(decisive: list[Independent]) -> Iterator[dict[Independent, Any]]:
    """Yield values of some hyperparameters, those that others' domains depend on first."""
    todo: list[Iterator[dict[Independent, Any]]] = [iter([dict[Independent, Any]()])]
    while todo:
        binding = next(todo[-1], None)
        if binding is None:
            todo.pop()
        elif len(todo) > len(decisive):
            yield binding
        else:
            hyperparameter = decisive[len(todo) - 1]
            with contextlib.suppress(DeepArchError):  # there is no domain at these values
                values = _ends(domain_at(hyperparameter, binding))
                todo.append(iter([{**binding, hyperparameter: value} for value in values]))


def _ends(domain: Domain) -> list[Any]:
    if isinstance(domain, Real):
        return [domain.low, domain.high]
    first = list(itertools.islice(domain.values(), _ENDS))
    return [*first, domain.high] if isinstance(domain, Integer) and _ENDS < domain.size <= _FAR else first


def has_address(program: Program, address: str) -> bool:
    """Return whether some architecture reaches an address."""
    return bool(find(program, address))


def expanded(fragment: Fragment, module: Any, n_inputs: int, binding: Mapping[Independent, Any]) -> Fragment:
    """Return what a module made in or around a fragment unfolds to at some values."""
    values = tuple([evaluate(h, binding) for _, h in module.open_arguments])
    return fragment.program.expand(module, values, n_inputs, fragment.where(module))
