"""Alternatives: what a call in a fragment can unfold to, over the values of the hyperparameters that decide it."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from deep_arch.errors import DeepArchError, NotCountable
from deep_arch.language.dependence import evaluate, roots
from deep_arch.language.domains import Domain, Integer, Real
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.program import Program

Binding = dict[Independent, Any]
"""The values of the independent hyperparameters that decide a call."""

MANY = 1_000_000
"""Combinations of values that are still listed."""

_ENDS = 100
"""Of longer domains only so many values, and the last if it is not far, are tried to find an address."""


def call_roots(call: Call) -> list[Independent]:
    """Return the independent hyperparameters that decide a call's arguments."""
    return roots(h for _, h in call.module.open_arguments)


def bindings(
    decisive: list[Independent],
    where: str,
    settled: Mapping[Independent, Any] = MappingProxyType({}),
    domain: Callable[[Independent], Domain] = operator.attrgetter("domain"),
) -> Iterator[Binding]:
    """Yield every combination of values, with only the one value of what is settled.

    Raises:
        NotCountable: there are too many, or infinitely many.
    """
    if math.prod([domain(h).size for h in decisive if h not in settled]) > MANY:
        raise NotCountable(
            f"{where}: too many values decide what this unfolds to.\n  Got {decisive!r}.\n"
            "  Use a smaller domain for what decides structure, or fix it with space.fix."
        )
    choices = [(settled[h],) if h in settled else tuple(domain(h).values()) for h in decisive]
    for values in itertools.product(*choices):
        yield dict(zip(decisive, values, strict=True))


def expand(fragment: Fragment, call: Call, binding: Binding) -> Fragment:
    """Return what a substitution call unfolds to at a binding."""
    values = tuple([evaluate(h, binding) for _, h in call.module.open_arguments])
    substitution: Any = call.module
    return fragment.program.expand(substitution, values, len(call.inputs), fragment.where(call.module))


def _alternatives(fragment: Fragment, module: Any, n_inputs: int) -> Iterator[Fragment]:
    """Yield what a module unfolds to, as far as that can be listed: long domains at their ends."""
    decisive = roots(h for _, h in module.open_arguments)
    choices = [_some_values(h) for h in decisive]
    for values in itertools.islice(itertools.product(*choices), 1000):
        binding = dict(zip(decisive, values, strict=True))
        arguments = tuple([evaluate(h, binding) for _, h in module.open_arguments])
        with contextlib.suppress(DeepArchError):  # values that do not fit lead nowhere
            yield fragment.program.expand(module, arguments, n_inputs, fragment.where(module))


def _some_values(hyperparameter: Independent) -> list[Any]:
    domain = hyperparameter.domain
    if isinstance(domain, Real):
        return [domain.low, domain.high]
    first = list(itertools.islice(domain.values(), _ENDS))
    return [*first, domain.high] if isinstance(domain, Integer) and _ENDS < domain.size <= MANY // 100 else first


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
        for name, inner in _unfolded_towards(fragment, rest):
            todo.append((inner, rest[len(name + inner.ending) :]))
    return list(found)


def _unfolded_towards(fragment: Fragment, rest: str) -> Iterator[tuple[str, Fragment]]:
    n_inputs = {id(call.module): len(call.inputs) for call in fragment.calls}
    for module, name in fragment.named_modules():
        if module.substitution and rest.startswith(name):
            for inner in _alternatives(fragment, module, n_inputs.get(id(module), 1)):
                if rest.startswith(name + inner.ending):
                    yield name, inner


def has_address(program: Program, address: str) -> bool:
    """Return whether some architecture reaches an address."""
    return bool(find(program, address))
