"""The legend: a sample of each kind of thing that a drawing has, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deep_arch.visualization import palette
from deep_arch.visualization.dot.labels import cell, chip, font, table
from deep_arch.visualization.plan.drawing import Drawing, Row, Share

_IN_A_LINE: Final = 3


def caption(drawing: Drawing, legend: bool) -> str:
    """Return the label of the whole drawing: its name, its state, and the legend."""
    title = font(drawing.name, 14, bold=True) + font(f"   {drawing.state}", 10, palette.MUTED)
    rows = [cell(title)]
    entries = [*_entries(drawing)] if legend else []
    lines = [entries[i : i + _IN_A_LINE] for i in range(0, len(entries), _IN_A_LINE)]
    if lines:
        rows.append(cell(table(["".join(line) for line in lines])))
    return table(rows)


def _entries(drawing: Drawing) -> Iterator[str]:
    kinds = {box.kind for box in drawing.boxes}
    rows = [row for box in drawing.boxes for row in box.rows]
    headings = [heading for box in drawing.boxes for heading in box.headings]
    headings += [heading for cluster in drawing.clusters for heading in cluster.headings]
    row_kinds = {row.kind for row in (*rows, *[row for heading in headings for row in heading.rows])}
    if kinds & {"input", "output"}:
        yield _entry(_box("x", *palette.PORT, colour=palette.PAPER), "input, output")
    if "module" in kinds:
        yield _entry(_box("Module", *palette.MODULE), "operation")
    if "substitution" in kinds:
        yield _entry(_double_box("substitution"), "not expanded yet")
    if any(heading.rows for heading in headings) or not all(cluster.listed for cluster in drawing.clusters):
        yield _entry(_box("substitution", palette.CLUSTERS[1], palette.CLUSTER_LINE, "ROUNDED"), "expanded")
    if "empty" in kinds:
        said = next((box.detail for box in drawing.boxes if box.kind == "empty" and box.detail), "→ nothing")
        yield _entry(_box(said, *palette.EMPTY, "ROUNDED,DASHED", palette.MUTED), "expanded, no module left")
    if "mixed" in kinds:
        yield _entry(_box("+", *palette.MIXED, "ROUNDED", palette.MIXED[1]), "sum of alternatives by weight")
    if "open" in row_kinds:
        yield _entry(table([chip(Row("open", "h ∈ {a, b}"))]), "open, and its domain")
    if "assigned" in row_kinds:
        yield _entry(table([chip(Row("assigned", "h = a"))]), "assigned")
    if "dependent" in row_kinds:
        yield _entry(table([chip(Row("dependent", "h = 2 · n"))]), "dependent, and its formula")
    if "relaxed" in row_kinds:
        yield _entry(table([chip(Row("relaxed", "", shares=(Share("a", 0.7),)))]), "relaxed: a value's weight")
    if "changed" in row_kinds:
        yield _entry(table([chip(Row("changed", "h: a → b"))]), "changed argument")
    if any(box.change for box in drawing.boxes):
        yield _entry(_box("Module", *palette.CHANGED), "added, or in place of another")
    if any(edge.label and edge.weight is None for edge in drawing.edges):
        yield _entry(font("name", 8, palette.MUTED), "argument that it gives")
    yield from _line_entries({edge.kind for edge in drawing.edges})
    if any(edge.weight for edge in drawing.edges):
        yield _entry(font("0.70", 8, palette.MIXED[1]), "weight of an alternative")
    if any(edge.weight == 0 for edge in drawing.edges):
        yield _entry(font("- - ->", 10, palette.FAINT, bold=True), "weight 0, or not active")
    if any(edge.head_mark or edge.tail_mark for edge in drawing.edges):
        yield _entry(font("0, 1", 8, palette.MUTED), "order of inputs, outputs")


def _line_entries(kinds: set[str]) -> Iterator[str]:
    if "depends" in kinds:
        yield _entry(font("- - ->", 10, palette.ROWS["dependent"][1], bold=True), "decides")
    if "tied" in kinds:
        yield _entry(font("· · ·", 10, palette.tie_colour(0), bold=True), "tied: one module, called again")
    if "back" in kinds:
        yield _entry(font("- - ->", 10, palette.WIRE, bold=True), "states of the next step")


def _entry(sample: str, meaning: str) -> str:
    return cell(sample) + cell(font(meaning + "    ", 9, palette.MUTED))


def _box(text: str, fill: str, line: str, style: str = "SOLID", colour: str = palette.INK) -> str:
    content = cell(font(text, 9, colour), f' BGCOLOR="{fill}" COLOR="{line}" BORDER="1" STYLE="{style}"')
    return table([content])


def _double_box(text: str) -> str:
    fill, line = palette.SUBSTITUTION
    inner = cell(font(text, 9), f' BGCOLOR="{fill}" COLOR="{line}" BORDER="1" STYLE="DASHED"')
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="2" CELLPADDING="2" COLOR="{line}" STYLE="DASHED">'
        f"<TR>{inner}</TR></TABLE>"
    )
