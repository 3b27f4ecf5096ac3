"""Dependence: from hyperparameters to the independent ones that they come from, and from values to theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deep_arch.language.domains import Domain
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent


def roots(hyperparameters: Iterable[Any]) -> list[Independent]:
    """Return the independent hyperparameters among some, and those that they come from, each once.

    A dependent one comes from its parents; one whose domain depends on others comes after these.
    """
    found: dict[Independent, None] = {}
    met: set[Hyperparameter] = set()
    todo = list(hyperparameters)[::-1]
    while todo:
        hyperparameter = todo.pop()
        if isinstance(hyperparameter, Independent):
            parents = () if hyperparameter in met else hyperparameter.parents
            if not parents:
                found[hyperparameter] = None
                continue
            todo.append(hyperparameter)  # to be found when what its domain depends on is
        elif isinstance(hyperparameter, Dependent) and hyperparameter not in met:
            parents = hyperparameter.parents
        else:
            continue
        met.add(hyperparameter)
        todo += reversed(parents)
    return list(found)


def closure(hyperparameters: Iterable[Any]) -> list[Hyperparameter]:
    """Return the hyperparameters among some, and all that they are computed from or whose values bound them."""
    found: dict[Hyperparameter, None] = {}
    todo = list(hyperparameters)
    while todo:
        hyperparameter = todo.pop()
        if isinstance(hyperparameter, Hyperparameter) and hyperparameter not in found:
            found[hyperparameter] = None
            todo += getattr(hyperparameter, "parents", ())
    return list(found)


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


def domain_at(hyperparameter: Independent, values: Mapping[Independent, Any]) -> Domain:
    """Return the domain of a hyperparameter where what it depends on has these `values`.

    Raises:
        InvalidDomain: it has none there.
        DependentFailed: the function of a dependent hyperparameter raised.
    """
    depending = hyperparameter.depending
    if depending is None:
        return hyperparameter.domain
    return depending.at([evaluate(parent, values) for parent in depending.parents], hyperparameter.text)
