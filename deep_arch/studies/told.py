"""What a trial is told: scores and slopes, of whatever library, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from deep_arch.errors import TrialError, is_kind, nearest
from deep_arch.spaces.mixtures import Mixture


def checked_slopes(number: int, slopes: Any, mixtures: Mapping[str, Mixture]) -> Mapping[str, tuple[float, ...]] | None:
    """Return slopes as plain numbers, or None if one is no finite number.

    Args:
        number: of the trial.
        slopes: what the trial was told.
        mixtures: what its searcher gave.

    Raises:
        TrialError: there are none, or not those of the mixtures.
    """
    if slopes is None or not is_kind(slopes, Mapping):
        raise TrialError(
            f"trial {number}: expected slopes beside the score, by address, since its searcher is relaxed.\n"
            f"  Got {'none' if slopes is None else repr(slopes)}.\n"
            "  Run `model = supernet.at(trial)`, and write trial.tell(score, slopes=model.slopes(score)) with the "
            "score that the model gave, as a tensor."
        )
    found = {address: _numbers(number, address, given, mixtures) for address, given in slopes.items()}
    complete = {address: told for address, told in found.items() if told is not None}
    return complete if len(complete) == len(found) else None


def _numbers(number: int, address: str, given: Any, mixtures: Mapping[str, Mixture]) -> tuple[float, ...] | None:
    if address not in mixtures:
        raise TrialError(
            f"trial {number}: {address}: expected no slope, as nothing relaxed it.\n  Got {given!r}.\n"
            "  Tell model.slopes(score) of a model from supernet.at(trial), with this very trial; searchers that are "
            f"not relaxed, and trials that are run as paths, have none.{nearest(address, mixtures)}"
        )
    numbers = [finite(slope) for slope in listed(given)]
    if len(numbers) != (n := len(mixtures[address].values)):
        raise TrialError(
            f"trial {number}: {address}: expected {n} slopes.\n  Got {len(numbers)}: {given!r}.\n"
            "  Tell model.slopes(score) unchanged: a number for each weight of the mixture."
        )
    told = tuple([slope for slope in numbers if slope is not None])
    return told if len(told) == n else None


def listed(score: Any) -> list[Any]:
    """Return the scores in a number, tuple, list, array or tensor."""
    score = (
        score.numpy() if hasattr(score.__class__, "numpy") and not hasattr(score, "tolist") else score
    )  # of TensorFlow
    score = score.tolist() if hasattr(score, "tolist") else score
    return list(score) if isinstance(score, tuple | list) else [score]  # pyright: ignore[reportUnknownArgumentType]


def finite(score: Any) -> float | None:
    """Return a score as a float, or None for what is no finite number."""
    if isinstance(score, str | bytes):  # float would read them
        return None
    try:
        number = float(score)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
