"""Our spaces in Optuna's objectives: an Optuna trial decides one of our architectures."""

from __future__ import annotations

import functools
import math
from decimal import Decimal
from typing import Any, Final

from deep_arch.errors import MissingValues, ValueOutsideDomain, is_kind, wrong_kind
from deep_arch.language.domains import REJECTED, Choice, Domain, Integer, Real
from deep_arch.language.stepped import Stepped
from deep_arch.searchers.parts.decisions import composed, decisions
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values

_STORABLE: Final = (type(None), bool, int, float, str)
"""The types of options that Optuna stores as they are."""

_MOST_OPTIONS: Final = 64
"""Of more options the position is suggested, as an integer: Optuna takes long to weigh each option by itself."""

_REFUSALS: Final = (ValueError, IndexError)
"""What a study raises for a name at which it met other options or another kind of number; the second by Optuna 4."""


def suggest(trial: Any, space: SearchSpace) -> Architecture:
    """Return the architecture that an Optuna trial decides: each hyperparameter is suggested under its address.

    So Optuna's samplers, pruners, storages and dashboard serve a space of ours. An option that Optuna can store is
    stored as it is, and any other, or one of more than 64, by its position. An address at which an earlier trial of
    the study met other options or another kind of number, since both depend on other values, is followed by what it
    is now.

    Args:
        trial: of an objective, or a finished or fixed one, such as `study.best_trial`, which gives the architecture
            again that it once decided.
        space: what to decide in; it may be a sub-space.

    Raises:
        MissingValues: the trial, or the study's sampler, gives a hyperparameter no value.
        ValueOutsideDomain: it gives one that the hyperparameter cannot take.
        TooDeep: what was decided lets no recursion end within the space's limit. A study goes on with other trials
            after `study.optimize(objective, catch=TooDeep)`.

    Example:
        >>> import deep_arch as da, optuna
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import suggest
        >>> net = da.space(lambda x: da.repeat(lambda: ops.Dense(units=da.choice([8, 16])), da.integer(1, 3))(x))
        >>> def objective(trial):
        ...     return suggest(trial, net).cost(da.vector(8)).parameters
        >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        >>> study.optimize(objective, n_trials=20)
        >>> study.best_params
        {'repeat.times': 1, 'repeat[0]/dense.units': 8}
        >>> suggest(study.best_trial, net)
        <<lambda>: repeat.times=1, repeat[0]/dense.units=8>

    References:
        Akiba, Sano, Yanase, Ohta and Koyama, Optuna: a next-generation hyperparameter optimization framework
        (KDD 2019).
    """
    if not hasattr(trial, "suggest_categorical"):
        raise wrong_kind("suggest", "first a trial of Optuna", trial, "Write suggest(trial, space).")
    if not is_kind(space, SearchSpace):
        raise wrong_kind("suggest", "second a search space", space, "Write suggest(trial, space).")
    pick = functools.partial(_pick, trial)
    return space.decide(lambda point: composed(point, pick))


def parameters(space: SearchSpace, values: Values) -> dict[str, Any]:
    """Return what to enqueue in a study so that `suggest` decides for the architecture with these values."""
    enqueued: dict[str, Any] = {}
    for address, domain in space.decidable(values).items():
        for name, simple, value in decisions(domain, address, values[address]):
            if isinstance(simple, Choice):
                position = simple.position(value) or 0
                value = position if simple.size > _MOST_OPTIONS else _offered(simple)[position]
            enqueued |= {name: value, _exactly(name, simple): value}
    return enqueued


def _pick(trial: Any, address: str, domain: Domain) -> Any:
    try:
        chosen = _suggested(trial, address, domain)
    except _REFUSALS as error:
        try:
            chosen = _suggested(trial, _exactly(address, domain), domain)
        except _REFUSALS:
            raise MissingValues(
                f"{address}: got no value from Optuna; it must be {domain}.\n  Got {type(error).__name__}: {error}\n"
                "  Pass the space that the trial was made with, and a sampler that knows all of its hyperparameters."
            ) from error
    value = _read(domain, chosen)
    if value is REJECTED:
        raise ValueOutsideDomain(
            f"{address}: {chosen!r} is not {domain}.\n  Got {chosen!r} ({type(chosen).__name__}) from Optuna's trial.\n"
            "  Pass the space that the trial was made with."
        )
    return value


def _suggested(trial: Any, name: str, domain: Domain) -> Any:
    if isinstance(domain, Integer):  # Optuna has no steps on a log scale, so `_read` takes the nearest number
        return trial.suggest_int(name, domain.low, domain.high, step=1 if domain.log else domain.step, log=domain.log)
    if isinstance(domain, Real) or (isinstance(domain, Stepped) and domain.log):
        return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
    if isinstance(domain, Stepped):
        apart = (Decimal(repr(domain.high)) - Decimal(repr(domain.low))) / max(domain.size - 1, 1)
        step = float(apart) or domain.step  # which may be 0.1 * 3, and not the 0.3 that Optuna needs
        return trial.suggest_float(name, domain.low, domain.high, step=step)
    assert isinstance(domain, Choice), "`composed` asks for options and numbers only"
    if domain.size > _MOST_OPTIONS:
        return trial.suggest_int(name, 0, domain.size - 1)
    return trial.suggest_categorical(name, _offered(domain))


def _exactly(address: str, domain: Domain) -> str:
    """Return a name that only this domain has at this address."""
    if not isinstance(domain, Choice):
        return f"{address}, {domain}"
    return f"{address}, one of {domain.size if domain.size > _MOST_OPTIONS else _offered(domain)}"


def _offered(domain: Choice) -> tuple[Any, ...]:
    """Return what stands for the options in Optuna, which takes 1, 1.0 and True for the same."""
    options = domain.options
    if all(map(_is_storable, options)) and len(set(options)) == len(options):
        return options
    return tuple(range(len(options)))


def _is_storable(option: Any) -> bool:
    return type(option) in _STORABLE and (type(option) is not float or math.isfinite(option))


def _read(domain: Domain, chosen: Any) -> Any:
    if isinstance(domain, Integer | Stepped) and domain.log and domain.low <= chosen <= domain.high:
        return domain.at_unit(domain.unit(chosen))
    if not isinstance(domain, Choice):
        return domain.accept(chosen)
    if domain.size > _MOST_OPTIONS:
        return domain.at(chosen) if type(chosen) is int and 0 <= chosen < domain.size else REJECTED
    offered = _offered(domain)
    return domain.options[offered.index(chosen)] if chosen in offered else REJECTED
