"""Strategies for tests of storages: rows, names, and what is done in turns."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from hypothesis import strategies as st

from deep_arch.storage.rows import TrialRow

NAMES: Final = (
    *(
        "net",
        "Net",
        "NET ",
        " net",
        "",
        " ",
        "\t\n",
        ".",
        "..",
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:\\nul",
        "~",
    ),
    *("'", '"', "`", "; DROP TABLE deep_arch_studies; --", "'; DROP TABLE deep_arch_studies; --", '" OR 1=1 --'),
    *("%", "%s", "%(name)s", "{}", "{0}", "$1", ":name", "?", "_", "n_t", "n%t", "*", "NULL", "None", "0", "-0.0"),
    *(
        "é",
        "e\u0301",
        "ß",
        "ss",
        "İ",
        "\U0001f9ea",
        "\u200b",
        "\ufeff",
        "\u202e",
        "\x1b[31m",
        "\x1a0000",
        "\0",
        "a\0b",
        "\ud800",
    ),
    *("x" * 10_000, "x" * 10_001, "".join([chr(0x4E00 + 7 * i % 20_000) for i in range(10_000)])),
)
"""Names that a storage might take for something else, or for one another."""

any_text: Final = st.one_of(
    st.text(),  # of any character, zeros and emoji among them, but halves
    st.text(st.characters(), max_size=5),
    st.sampled_from(NAMES),
    st.text(st.characters(categories=["Cs", "Cc", "So"])),
)

floats: Final = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [-0.0, 0.0, 5e-324, 1e-320, sys.float_info.min, sys.float_info.max, -sys.float_info.max, 0.1, 1 / 3, 1e16 + 2]
)

_steps: Final = st.dictionaries(st.integers(0, 2**40), floats, max_size=4)

json_text: Final = any_text.map(lambda text: json.loads(json.dumps(text)))  # which makes two halves one character

attributes: Final = st.dictionaries(
    json_text,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | floats | json_text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_text, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
"""What JSON can hold."""

_short: Final = st.text("0123456789abcdef", min_size=1, max_size=32)

results: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {
        "scores": st.lists(floats, min_size=1, max_size=3).map(tuple),
        "intermediate": _steps,
        "error": st.none() | any_text,
        "attributes": attributes,
        "ranked": st.booleans(),
    }
)
"""What an `End` holds, beside the state."""

trials: Final[st.SearchStrategy[TrialRow]] = st.builds(
    TrialRow,
    number=st.just(0),
    values=any_text,
    digest=_short,
    given=st.just(1),
    key=st.none() | _short,
    budget=st.none() | floats | st.integers(0, 2**70),
    continues=st.none() | st.integers(0, 2**31 - 1),
    proposed=st.none() | any_text,
    attributes=attributes,
    intermediate=_steps,
    worker=_short,
    lost=st.integers(0, 100),
)
"""Trials as they are given out, whose numbers and events are still to be set."""

_STEPS: Final = (
    *("give", "give", "give", "end", "end", "release", "release", "claim", "save", "count", "keep", "mark", "fail"),
    *("queue", "queue", "take", "saw", "seen", "events", "first", "latest", "waiting", "running", "owner", "saved"),
)

steps: Final = st.lists(
    st.tuples(
        st.sampled_from(_STEPS),
        st.integers(0, 7),
        st.integers(0, 2),
    ),
    max_size=40,
)
"""What is done in turns: what, to which trial, and how; "fail" ends a turn by an error."""
