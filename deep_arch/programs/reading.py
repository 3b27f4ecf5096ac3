"""Reading: the structure of a text that should be a term, whatever the space."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from deep_arch.errors import UnreadableTerm
from deep_arch.language.values import UNSET
from deep_arch.programs.terms import KEY, LITERALS, OPEN, WORD

_BLANK: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_TEXT: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_IS: Final = re.compile(r"\s*=")
_CLOSING: Final = {"(": ")", "[": "]"}


@dataclass(eq=False)
class Read:
    """A term as it is written.

    Attributes:
        value: what stands for the production; UNSET for an open one.
        start, end: where that begins, and where the term ends.
        arguments: named values.
        parts: the terms in it.
    """

    value: Any
    start: int
    end: int
    arguments: list[Argument] = field(default_factory=list["Argument"])
    parts: list[Read] = field(default_factory=list["Read"])


@dataclass(frozen=True)
class Argument:
    """A named value as it is written, which starts at `start`, its name at `at`."""

    name: str
    value: Any
    at: int
    start: int


def unreadable(text: str, at: int, expected: str, got: str, mend: str) -> UnreadableTerm:
    """Return the error for what stands at a position of a text, and show where that is."""
    begin = text.rfind("\n", 0, at) + 1
    line, column = text[begin:].partition("\n")[0], at - begin
    first = max(0, column - 80)
    shown = line[first : first + 110].expandtabs(1)
    row = f"line {text.count(chr(10), 0, at) + 1}, " if "\n" in text else ""
    return UnreadableTerm(
        f"parse, {row}column {column + 1}: {expected}.\n    {shown}\n    {' ' * (column - first)}^\n"
        f"  Got {got}.\n  {mend}"
    )


class Reader:
    """Reads one text; without recursion, since programs may be deep."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def read(self) -> Read:
        """Return the whole: a term without a head, whose arguments and parts stand side by side.

        Raises:
            UnreadableTerm: the text is none.
        """
        whole = Read(None, 0, len(self._text))
        around: list[Read] = []  # the terms whose parentheses are open
        inner = whole
        self._skip()
        done = self._at == len(self._text)  # a program without choices
        while not done:
            self._item(inner)
            while not self._takes(","):
                if self._at == len(self._text) and not around:
                    done = True
                    break
                last = inner.parts[-1] if inner.parts else None
                if last is not None and last.end == self._at and self._takes("("):
                    around.append(inner)
                    inner = last
                    if not self._takes(")"):
                        break
                elif not (around and self._takes(")")):
                    raise self._broken(bool(around))
                inner = around.pop()
                inner.parts[-1].end = self._at
        return whole

    def _item(self, term: Read) -> None:
        """Read an argument, or the head of a part."""
        self._skip()
        at, name = self._at, self._name()
        if name is None:
            term.parts.append(Read(self._value(), at, self._at))
            self._skip()
            term.parts[-1].end = self._at
        else:
            self._skip()
            start = self._at
            term.arguments.append(Argument(name, self._value(), at, start))
            self._skip()

    def _name(self) -> str | None:
        """Return the name before an equals sign, if there is one."""
        found = KEY.match(self._text, self._at) or _TEXT.match(self._text, self._at)
        sign = found and _IS.match(self._text, found.end())
        if not found or not sign:
            return None
        self._at = sign.end()
        return str(json.loads(found[0])) if found[0][0] == '"' else found[0]

    def _value(self) -> Any:
        """Return a literal, a text, or what it is encoded as."""
        nested: list[tuple[str, int, list[Any]]] = []
        while True:
            self._skip()
            opening = self._text[self._at : self._at + 1]
            if opening in ("(", "["):
                nested.append((opening, self._at, []))
                self._at += 1
                value: Any = UNSET
            else:
                value = self._simple(bool(nested))
            while nested:
                opening, _, items = nested[-1]
                if value is not UNSET:
                    items.append(value)
                comma = value is not UNSET and self._takes(",")
                if not self._takes(_CLOSING[opening]):
                    if value is not UNSET and not comma:
                        raise self._broken(True)
                    break
                nested.pop()
                value = tuple(items) if opening == "(" else items
            if not nested:
                return value

    def _simple(self, nested: bool) -> Any:
        text, at = self._text, self._at
        if text[at : at + 1] == "#":
            return self._encoded()
        for pattern in (_NUMBER, _TEXT, WORD):
            found = pattern.match(text, at)
            if found:
                self._at = found.end()
                return LITERALS[found[0]] if found[0] in LITERALS else _value_of(pattern, found[0])
        if text[at : at + 1] == OPEN and not nested:
            self._at += 1
            return UNSET
        raise unreadable(
            text,
            at,
            "expected the name of a production or argument, or a value",
            repr(text[at]) if at < len(text) else "the end of the text",
            "Write a term such as Sum(Window(before=4)(Speed), Angle), other names in double quotes, and ? for what is "
            "open.",
        )

    def _encoded(self) -> Any:
        """Return what stands behind a `#` for an option that has no literal."""
        try:
            value, self._at = json.JSONDecoder().raw_decode(self._text, self._at + 1)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value  # pyright: ignore[reportUnknownVariableType]
        if type(value) is int:
            return {"option": value}
        raise unreadable(self._text, self._at, "expected the number of an option after #", "none", "Write #0 or #1.")

    def _skip(self) -> None:
        """Pass over blanks and braces, in which weights are said."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
            if self._text[self._at : self._at + 1] != "{":
                return
            self._braces()

    def _braces(self) -> None:
        begin, self._at = self._at, self._at + 1
        while self._text[self._at : self._at + 1] != "}":
            found = _TEXT.match(self._text, self._at)
            self._at = found.end() if found else self._at + 1
            if self._at >= len(self._text):
                raise unreadable(self._text, begin, "expected a closing brace", "none", "End what it says by `}`.")
        self._at += 1

    def _takes(self, sign: str) -> bool:
        self._skip()
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        self._skip()
        return True

    def _broken(self, inside: bool) -> UnreadableTerm:
        got = repr(self._text[self._at]) if self._at < len(self._text) else "the end of the text"
        expected = "expected a comma or a closing parenthesis" if inside else "expected a comma or the end"
        mend = "Close each parenthesis, and put names that are no words in double quotes."
        return unreadable(self._text, self._at, expected, got, mend)


def _value_of(pattern: re.Pattern[str], found: str) -> Any:
    if pattern is WORD:
        return found
    if pattern is _TEXT:
        try:
            return json.loads(found, strict=False)
        except ValueError:  # an escape that JSON does not know
            return found[1:-1]
    return float(found) if set(found) & set(".eE") else int(found)
