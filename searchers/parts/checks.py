"""Checks of what searchers are made with."""

from __future__ import annotations

import math

from deep_arch.errors import BadArgument
from deep_arch.language.foreign import as_int, plain


def check_count(searcher: object, least: int = 1, **counts: object) -> None:
    """Raise BadArgument for what is no int of at least `least`."""
    for name, count in counts.items():
        if (n := as_int(count)) is None or n < least:
            raise _bad(searcher, name, f"an int of at least {least}", count)


def check_number(searcher: object, low: float, high: float = math.inf, **numbers: object) -> None:
    """Raise BadArgument for what is no finite number from `low` to `high`, both included."""
    for name, given in numbers.items():
        number = plain(given)
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not (low <= number <= high and math.isfinite(number))
        ):
            bounds = f" of at least {low:g}" if high == math.inf else f" from {low:g} to {high:g}"
            raise _bad(searcher, name, f"a {'finite number' if low == -math.inf else f'number{bounds}'}", given)


def check_option(searcher: object, name: str, option: object, options: tuple[object, ...]) -> None:
    """Raise BadArgument for what is none of the options."""
    if option not in options:
        raise _bad(searcher, name, " or ".join(map(repr, options)), option)


def check_function(searcher: object, **functions: object) -> None:
    """Raise BadArgument for what cannot be called."""
    for name, function in functions.items():
        if not callable(function):
            raise _bad(searcher, name, "a function", function)


def _bad(searcher: object, name: str, expected: str, got: object) -> BadArgument:
    where = getattr(searcher, "__name__", type(searcher).__name__)  # of a function, or of a searcher
    return BadArgument(
        f"{where}: {name} is {expected}.\n  Got {got!r} ({type(got).__name__}).\n  Leave it out for a good default."
    )
