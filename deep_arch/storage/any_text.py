"""Text of any kind in a database, also such as no database holds."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

_ESCAPE: Final = "\x1a"  # the control character for what cannot be shown, so that other text stays as it is

_UNFIT: Final = re.compile(f"[\0{_ESCAPE}\ud800-\udfff]")
"""Zeros, which PostgreSQL refuses, halves of characters, which are no UTF-8, and what escapes these."""

_ESCAPED: Final = re.compile(f"{_ESCAPE}([0-9a-f]{{4}})")


class AnyText(TypeDecorator[str]):
    """A column of text of any kind: what a database cannot hold is escaped on the way in, and comes back as it was."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return what the database holds."""
        if value is None or (value.isascii() and "\0" not in value and _ESCAPE not in value):  # all JSON of ours
            return value
        return _UNFIT.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        """Return what was given."""
        if value is None or _ESCAPE not in value:
            return value
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)
