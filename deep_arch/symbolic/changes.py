"""What differs between two programs, as a table: what a search changed against what it began with."""

from __future__ import annotations

from typing import Any, Final

from deep_arch.language.likeness import alike
from deep_arch.language.parts import DELETE, as_part, walk
from deep_arch.spaces.architecture import Architecture
from deep_arch.symbolic.building import resolve
from deep_arch.symbolic.paths import place_by_place

_HEADINGS: Final = ("path", "before", "after")
_LENGTH: Final = 60
_NOTHING: Final = "–"
_SHARING: Final = "nothing differs at any place, but not the same places hold one and the same part"


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
    one, other = program_of(one), program_of(other)
    found = differences(one, other)
    if not found:
        return "nothing differs" if alike(one, other) else _SHARING
    rows = [_HEADINGS, *[(path or "program", _text(before), _text(after)) for path, (before, after) in found.items()]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows])


def differences(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Return what differs place by place, in the order of the other program, at the end what is not there."""
    found = place_by_place(one, other)
    places = {path: i for i, (path, _, _) in enumerate(walk(other))}
    return {path: found[path] for path in sorted(found, key=lambda path: places.get(path, len(places)))}


def program_of(thing: Any) -> Any:
    """Return a program itself, and that of an architecture or trial."""
    if as_part(thing) is not None:
        return thing
    return resolve(thing) if isinstance(getattr(thing, "architecture", thing), Architecture) else thing


def _text(value: Any) -> str:
    text = _NOTHING if value is DELETE else " ".join(repr(value).split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"
