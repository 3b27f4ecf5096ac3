"""Dependence: from hyperparameters to the independent ones that they come from, and from values to theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deep_arch.language.domains import Domain
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent


def roots(hyperparameters: Iterable[Any]) -> list[Independent]:
    """Return the independent hyperparameters among some, and those that the dependent ones come from, each once."""
    found: dict[Hyperparameter, None] = {}
    todo = list(hyperparameters)[::-1]
    while todo:
        hyperparameter = todo.pop()
        if isinstance(hyperparameter, Hyperparameter) and hyperparameter not in found:
            found[hyperparameter] = None
            if isinstance(hyperparameter, Dependent):
                todo += reversed(hyperparameter.parents)
    return [h for h in found if isinstance(h, Independent)]


def domain_at(hyperparameter: Independent, values: Mapping[Independent, Any]) -> Domain:
    """Return the domain of a hyperparameter where those that it depends on have `values`."""
    return hyperparameter.domain


def evaluate(hyperparameter: Any, values: Mapping[Independent, Any]) -> Any:
    """Return the value of a hyperparameter, or of a plain value itself, where its roots have `values`.

    Raises:
        DependentFailed: the function of a dependent hyperparameter raised.
    """
    known: dict[Any, Any] = dict(values)
    todo = [hyperparameter]
    while todo:
        h = todo[-1]
        if not isinstance(h, Dependent) or h in known:
            todo.pop()
            continue
        missing = [p for p in h.parents if isinstance(p, Dependent) and p not in known]
        if missing:
            todo += missing
            continue
        known[h] = h.compute([known[p] if isinstance(p, Hyperparameter) else p for p in h.parents], repr(h))
    return known[hyperparameter] if isinstance(hyperparameter, Hyperparameter) else hyperparameter
