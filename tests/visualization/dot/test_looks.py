"""Each thing that a reader must tell apart looks different, and its text can be read."""

from __future__ import annotations

import pytest

from deep_arch.visualization import palette
from deep_arch.visualization.dot.digraph import _BOXES, _COLOURS, _EDGES
from deep_arch.visualization.dot.labels import escape


def test_every_kind_of_box_looks_different() -> None:
    looks = [(_BOXES[kind].get("shape"), _BOXES[kind]["style"], _COLOURS.get(kind)) for kind in _BOXES]
    assert len(set(looks)) == len(_BOXES)


def test_rows_differ_in_sign_and_colour() -> None:
    assert len(set(palette.SIGNS.values())) == len(set(palette.ROWS.values())) == len(palette.ROWS)


def test_lines_differ_in_more_than_colour() -> None:
    seen = [style for style in _EDGES.values() if style.get("style") != "invis"]
    looks = [(style.get("style"), style.get("arrowhead"), style.get("penwidth")) for style in seen]
    assert len(set(looks)) == len(seen) == len(_EDGES) - 2


@pytest.mark.parametrize("fill", [*(fill for fill, _ in palette.ROWS.values()), *palette.CLUSTERS, palette.PAPER])
def test_text_stands_out_from_every_fill(fill: str) -> None:
    assert _contrast(palette.INK, fill) >= 7  # level AAA of the Web Content Accessibility Guidelines 2.2


def test_white_text_stands_out_from_ports() -> None:
    assert _contrast(palette.PAPER, palette.PORT[0]) >= 4.5


def _contrast(a: str, b: str) -> float:
    """Return the contrast of two colours, as the Web Content Accessibility Guidelines define it."""
    low, high = sorted([_luminance(a), _luminance(b)])
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_tells_grey_on_grey() -> None:
    assert _contrast("#777777", "#888888") < 2


def test_each_tied_module_has_another_name() -> None:
    assert [palette.tie_name(i) for i in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_labels_escape_what_dot_html_and_xml_would_read() -> None:
    assert escape('<b>&"\\N') == "&lt;b&gt;&amp;&quot;&#92;N"
    assert escape("a\x00b") == "a�b"
