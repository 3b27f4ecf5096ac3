"""The colours and the type of drawings.

The hues are those of Okabe and Ito (2008), which stay apart for readers who see fewer colours, lightened where text
stands on them. No distinction rests on colour alone: each has a shape, a line style or a sign of its own.
"""

from __future__ import annotations

from typing import Final

FONT: Final = "Helvetica,Arial,sans-serif"
INK: Final = "#1F2933"
MUTED: Final = "#5B6673"
LINE: Final = "#3E4C59"
WIRE: Final = "#66727F"
PAPER: Final = "#FFFFFF"

MODULE: Final = ("#FFFFFF", LINE)
SUBSTITUTION: Final = ("#FDEFE2", "#B34700")
PORT: Final = ("#00664B", "#00664B")
CONFIG: Final = ("#F5F5F0", "#7A7A6A")
CHANGED: Final = ("#FFF1EB", "#B34700")
EMPTY: Final = ("#FFFFFF", "#9AA5B1")
MIXED: Final = ("#DDF3EA", "#00664B")
FLOW: Final = "#2A8C6E"
FAINT: Final = "#8793A0"
BAR: Final = ("#2A8C6E", "#C3E0D5")
IDLE_BAR: Final = ("#B4BEC9", "#E4E9EE")
"""What a share fills of a bar, and the rest of it, where the value is computed and where not."""

ROWS: Final = {
    "open": ("#FFF3A3", "#8A6D00"),
    "assigned": ("#D2E9F8", "#005B8F"),
    "dependent": ("#EBD7E6", "#8A3A70"),
    "constant": ("#ECEFF1", MUTED),
    "changed": ("#FFD9CC", "#B34700"),
    "relaxed": ("#DDF3EA", "#00664B"),
}
"""Fill and border of each kind of row."""

SIGNS: Final = {"open": "○", "assigned": "●", "dependent": "ƒ", "constant": "", "changed": "≠", "relaxed": "Σ"}

CLUSTERS: Final = ("#F3F7FB", "#E6EEF6", "#D9E5F1", "#CDDCEB")
CLUSTER_LINE: Final = "#8CA3BA"
SHAPE: Final = "#00664B"
MISFIT: Final = "#B8001F"
TIES: Final = ("#005B8F", "#B34700", "#00664B", "#8A3A70", "#5E4B00", "#3D3D8F")


def tie_colour(tie: int) -> str:
    """Return the colour of one tied module."""
    return TIES[tie % len(TIES)]


def tie_name(tie: int) -> str:
    """Return A, B, ..., Z, AA, AB, ... for the first, second, ... tied module."""
    name = ""
    tie += 1
    while tie:
        tie, letter = divmod(tie - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
