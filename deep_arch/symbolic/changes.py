"""What differs between two programs, as a table: what a search changed against what it began with."""

from __future__ import annotations

from typing import Any, Final

from deep_arch.language.parts import DELETE, as_part
from deep_arch.spaces.architecture import Architecture
from deep_arch.symbolic.building import resolve
from deep_arch.symbolic.paths import diff

_HEADINGS: Final = ("path", "before", "after")
_LENGTH: Final = 60
_NOTHING: Final = "–"


def changes(one: Any, other: Any) -> str:
    """Return a table of what differs between two programs: its path, what stands there in one and in the other.

    A dash stands for what is not there.

    Args:
        one: a program, or an architecture or trial of a program's space.
        other: the same.

    Raises:
        NotSpecified, BadArgument: an architecture that has no program, see `resolve`.

    Example:
        >>> import deep_arch as da
        >>> Conv = da.symbolize(complex)
        >>> print(changes(Conv(real=8), Conv(real=16, imag=1)))
        path  before  after
        real  8       16
        imag  0       1
    """
    found = diff(program_of(one), program_of(other))
    if not found:
        return "nothing differs"
    rows = [_HEADINGS, *[(path or "program", _text(before), _text(after)) for path, (before, after) in found.items()]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows])


def program_of(thing: Any) -> Any:
    """Return a program itself, and that of an architecture or trial."""
    if as_part(thing) is not None:
        return thing
    return resolve(thing) if isinstance(getattr(thing, "architecture", thing), Architecture) else thing


def _text(value: Any) -> str:
    text = _NOTHING if value is DELETE else " ".join(repr(value).split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"
