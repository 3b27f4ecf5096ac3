"""Checks of what a search is made with."""

from __future__ import annotations

import math
import random
from typing import Any

from deep_arch.errors import BadArgument, is_kind, wrong_kind
from deep_arch.language.foreign import as_int
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.directions import Direction
from deep_arch.studies.searcher import SEVERAL_SCORES, Searcher


def check_objectives(searcher: Searcher, directions: tuple[Direction, ...]) -> None:
    """Raise BadArgument where a searcher learns from another number of scores."""
    n = searcher.n_objectives
    if n is not None and n != len(directions):
        name = type(searcher).__name__
        raise BadArgument(
            f"search: {name} learns from {n} score{'s' if n > 1 else ''} of a trial.\n"
            f"  Got directions={directions!r}.\n{SEVERAL_SCORES}"
        )


def check_seconds(where: str, name: str, given: Any, mend: str) -> None:
    """Raise BadArgument for what is no time that passes."""
    if isinstance(given, bool) or not is_kind(given, int | float) or not 0 < given < math.inf:
        raise wrong_kind(where, f"{name} to be a number of seconds", given, mend)


def check_kinds(space: Any, searcher: Any, trials: Any, seed: Any, duplicates: Any) -> None:
    """Raise BadArgument for an argument of the wrong kind."""
    if not isinstance(space, SearchSpace):
        raise _bad(
            "the first argument is a search space, or a program with something left open",
            space,
            "Write `@da.space` above the space's function; for a program see da.symbolize.",
        )
    if not isinstance(searcher, Searcher):
        made = f"{searcher.__name__}()" if isinstance(searcher, type) else "RandomSearch() of deep_arch.searchers"
        raise _bad("the second argument is a searcher", searcher, f"Pass an instance: {made}.")
    if (n := as_int(trials)) is None or n < 0:
        raise _bad(
            "trials is an int of at least 0", trials, "Write trials=100; to stop earlier, break out of the loop."
        )
    if seed is not None and not isinstance(seed, random.Random) and as_int(seed) is None:
        raise _bad("seed is an int, a random.Random or None", seed, "Write seed=0 for the same search each time.")
    if duplicates not in ("record", "give"):
        raise _bad("duplicates is 'record' or 'give'", duplicates, "Leave it out to evaluate each architecture once.")


def check_batch(n: Any) -> int:
    """Return the number of trials of a batch.

    Raises:
        BadArgument: it is no int of at least 1.
    """
    if (number := as_int(n)) is None or number < 1:
        raise wrong_kind("search", "batches of at least 1 trial", n, "Write search.batches(100).")
    return number


def check_name(name: Any) -> None:
    """Raise BadArgument for what is no name of a study, as any text is that a database can hold; None is left out."""
    if name is not None and (not is_kind(name, str) or not name or "\0" in name or not _is_text(name)):
        raise wrong_kind("study", "a name, a str of at least one character", name, "Write name='digits'.")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half of a character
        return False
    return True


def _bad(expected: str, got: Any, mend: str) -> BadArgument:
    return BadArgument(f"search: {expected}.\n  Got {got!r} ({type(got).__name__}).\n  {mend}")
