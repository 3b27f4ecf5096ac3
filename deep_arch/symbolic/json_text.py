"""Programs as JSON: text to keep, to compare and to send, from which the program is read in another process."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from deep_arch.errors import BadArgument, DeepArchError, is_kind, nearest, wrong_kind
from deep_arch.language.foreign import PLAIN
from deep_arch.symbolic.forms import READERS, Form, form_of

_FORMAT: Final = "deep_arch.program"
_VERSION: Final = 1
_LONG: Final = 64
"""Bits beyond which an int is not written as one, since readers of JSON disagree about these."""


class _Place:
    """A place of a program that is being written.

    Attributes:
        value: what stands there.
        step: what it adds to the path of the place above.
        form: what is written of it, once that is known.
    """

    __slots__ = ("_above", "_step", "form", "value")

    def __init__(self, value: Any, step: str = "", above: _Place | None = None) -> None:
        self.value, self._step, self._above = value, step, above
        self.form: Form | None = None

    def __str__(self) -> str:
        place: _Place | None = self
        steps: list[str] = []
        while place is not None:
            steps.append(place._step)
            place = place._above
        return "".join(reversed(steps)).lstrip(".") or "program"


def to_json(program: Any) -> str:
    """Return a program as JSON text.

    Classes and functions are written by module and name, and so are rules and search spaces; what stands in several
    places is written once, and is one thing again when it is read. Nodes come in a flat list, each after those that it
    refers to by their number, as `[3]`.

    Raises:
        BadArgument: something has no name that leads to it, such as a lambda, or is an object that was made already.

    Example:
        >>> import deep_arch as da
        >>> from fractions import Fraction
        >>> print(to_json(da.symbolize(Fraction)(1, denominator=3)))
        {"format": "deep_arch.program", "version": 1, "nodes": [
        {"kind": "name", "name": "fractions:Fraction", "of": []},
        {"kind": "symbol", "of": [[0]]},
        {"kind": "call", "partial": false, "keys": ["numerator", "denominator"], "of": [[1], 1, 3]}
        ], "program": [2]}
    """
    nodes: list[str] = []
    numbers: dict[int, int] = {}
    kept: list[Any] = []  # what the numbers are of, which keeps their identity
    above: set[int] = set()
    todo = [_Place(program)]
    while todo:
        place = todo.pop()
        value, form = place.value, place.form
        if form is not None:
            above.remove(id(value))
            numbers[id(value)] = len(nodes)
            kept.append((value, form))
            of = [_slot(held, numbers) for _, held in form.held]
            nodes.append(json.dumps({"kind": form.kind, **form.said, "of": of}, allow_nan=False))
        elif not _is_inline(value) and id(value) not in numbers:
            if id(value) in above:
                raise _holds_itself(place)
            above.add(id(value))
            place.form = form_of(value, place)
            todo.append(place)
            todo += [_Place(held, step, place) for step, held in reversed(place.form.held)]
    written = ",\n".join(nodes)
    end = json.dumps(_slot(program, numbers))
    return f'{{"format": "{_FORMAT}", "version": {_VERSION}, "nodes": [\n{written}\n], "program": {end}}}'


def _is_inline(value: Any) -> bool:
    """Return whether JSON holds a value as it is."""
    kind = value.__class__
    if kind is float:
        return math.isfinite(value)
    return kind in PLAIN and (kind is not int or value.bit_length() <= _LONG)


def _slot(value: Any, numbers: dict[int, int]) -> Any:
    return value if _is_inline(value) else [numbers[id(value)]]


def _holds_itself(place: _Place) -> BadArgument:
    return BadArgument(
        f"{place}: holds itself.\n  Got a {type(place.value).__name__} inside of itself.\n"
        "  A program is a tree in which things may stand in several places; write a da.rule for one that goes on."
    )


def from_json(text: str) -> Any:
    """Return the program that `to_json` wrote, equal to that one.

    It imports the modules that the text names and makes values of the classes that it names, so it runs code that the
    text chooses: read text from those alone whose code you would run.

    Raises:
        BadArgument: the text is not what `to_json` writes, or a class no longer takes what its call is given.
        MissingDependency: a module that the text names cannot be imported.
        UnknownName: a module has no longer what the text names.

    Example:
        >>> import deep_arch as da
        >>> from fractions import Fraction
        >>> program = da.symbolize(Fraction)(da.choice([1, 2]), 3)
        >>> from_json(to_json(program)) == program
        True
    """
    written = _checked(text)
    made: list[Any] = []
    for i, node in enumerate(written["nodes"]):
        made.append(_made(node, made, i))
    return _held(written["program"], made, "program")


def _checked(text: Any) -> Any:
    """Return what the text holds, which has nodes and a program."""
    mend = "Pass the text that to_json(program) returns."
    if not is_kind(text, str):
        raise wrong_kind("from_json", "the text that to_json writes", text, mend)
    try:
        written: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadArgument(
            f"from_json: expected the text that to_json writes.\n  Got {text[:80]!r}, which is no JSON: {error}.\n"
            f"  {mend}"
        ) from error
    if not is_kind(written, dict) or written.get("format") != _FORMAT:
        raise BadArgument(f"from_json: expected the text that to_json writes.\n  Got {text[:80]!r}.\n  {mend}")
    if written.get("version") != _VERSION:
        raise BadArgument(
            f"from_json: reads version {_VERSION} of the text.\n  Got version {written.get('version')!r}.\n"
            "  Read it with the version of deep_arch that wrote it, or a later one."
        )
    if not is_kind(written.get("nodes"), list) or "program" not in written:
        raise BadArgument(f"from_json: the text lacks its nodes or its program.\n  Got {text[:80]!r}.\n  {mend}")
    return written


def _made(node: Any, made: Sequence[Any], number: int) -> Any:
    """Return what a node of the text stands for."""
    kind: Any = node.get("kind") if is_kind(node, dict) else None
    read = READERS.get(kind) if is_kind(kind, str) else None
    if read is None:
        raise BadArgument(
            f"from_json: node {number} has a kind that is known.\n  Got {node!r:.200}.\n"
            f"  The kinds are {', '.join(READERS)}.{nearest(kind, READERS)}"
        )
    if not is_kind(node.get("of"), list):
        raise _not_read(node, number, "it has no list of what it is of")
    held = [_held(slot, made, f"node {number}") for slot in node["of"]]
    try:
        return read(node, held)
    except DeepArchError:
        raise
    except Exception as error:  # of constructors that the text names, too
        raise _not_read(node, number, f"{type(error).__name__}: {error}") from error


def _not_read(node: Any, number: int, why: str) -> BadArgument:
    return BadArgument(
        f"from_json: node {number} cannot be read: {why}.\n  Got {node!r:.200}.\n"
        "  Take the text as to_json wrote it; if the class has changed since, change the text alike."
    )


def _held(slot: Any, made: Sequence[Any], where: str) -> Any:
    if slot is None or isinstance(slot, bool | int | float | str):
        return slot
    number = slot[0] if is_kind(slot, list) and len(slot) == 1 else None
    if type(number) is not int or not 0 <= number < len(made):
        raise BadArgument(
            f"from_json: {where} refers to a node that stands before it, as [number].\n  Got {slot!r}, where "
            f"{len(made)} stand before.\n  Take the text as to_json wrote it."
        )
    return made[number]
