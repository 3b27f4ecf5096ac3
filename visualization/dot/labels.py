"""The labels of boxes and clusters, in the HTML that Graphviz reads."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from typing import Final

from deep_arch.visualization import palette
from deep_arch.visualization.plan.drawing import Box, Heading, Row, Share
from deep_arch.visualization.plan.wording import weight_text

_WIDTH: Final = 40
"""Letters on one line of a box, beyond which a graph of many boxes becomes too wide to read."""
_GAP: Final = "   "
_BAR: Final = (36, 6)
"""Width and height of a full bar, in points."""


def escape(text: str) -> str:
    """Return `text` for a label, where Graphviz expands backslashes and XML admits no control characters."""
    printable = "".join(c if c.isprintable() else "�" for c in text)
    return html.escape(printable).replace("\\", "&#92;")


def font(text: str, size: float, colour: str = palette.INK, bold: bool = False) -> str:
    """Return `text`, which may span lines, in a size in points and a colour."""
    lines = "<BR/>".join(map(escape, text.split("\n")))
    inner = f"<B>{lines}</B>" if bold else lines
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{inner}</FONT>'


def table(rows: Iterable[str], spacing: int = 2, padding: int = 2) -> str:
    """Return a table of rows, each the text of its cells."""
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}">{body}</TABLE>'


def cell(content: str, attributes: str = "") -> str:
    """Return a cell of a table."""
    return f'<TD ALIGN="LEFT" BALIGN="LEFT"{attributes}>{content}</TD>'


def chip(row: Row) -> str:
    """Return the cell of one hyperparameter or constant."""
    fill, line = palette.ROWS[row.kind]
    if row.shares and not row.text:
        return f"<TD>{_shared(row)}</TD>"
    dashed = ",DASHED" if row.kind == "open" else ""
    attributes = f' BGCOLOR="{fill}" COLOR="{line}" BORDER="1" STYLE="ROUNDED{dashed}"'
    return cell(_shared(row) if row.shares else font(_signed(row), 9), attributes)


def _shared(row: Row) -> str:
    """Return a relaxed hyperparameter: a line for each value, with a bar as long as its weight."""
    lines = [f'<TD ALIGN="LEFT" COLSPAN="3">{font(_signed(row), 9)}</TD>'] if row.text else []
    lines += [_share(share) for share in row.shares]
    return table(lines, spacing=0, padding=1)


def _share(share: Share) -> str:
    ink = palette.INK if share.active and share.weight > 0 else palette.FAINT
    name = f'<TD ALIGN="RIGHT">{font(share.text, 8, ink)}</TD>' if share.text else ""
    return f'{name}<TD>{_bar(share)}</TD><TD ALIGN="RIGHT">{font(weight_text(share.weight), 8, ink)}</TD>'


def _bar(share: Share) -> str:
    full, height = _BAR
    width = round(full * min(share.weight, 1.0))
    colours = palette.BAR if share.active else palette.IDLE_BAR
    parts = [(part, colour) for part, colour in zip((width, full - width), colours, strict=True) if part]
    cells = [f'<TD FIXEDSIZE="TRUE" WIDTH="{part}" HEIGHT="{height}" BGCOLOR="{c}"></TD>' for part, c in parts]
    size = f'FIXEDSIZE="TRUE" WIDTH="{full}" HEIGHT="{height}"'  # however wide the box is
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" {size}><TR>{"".join(cells)}</TR></TABLE>'


def _signed(row: Row) -> str:
    return _wrapped(f"{palette.SIGNS[row.kind]} {row.text}".strip())


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent="   ", break_on_hyphens=False)) or text


def box_label(box: Box) -> str:
    """Return the label of a module, a substitution, a config box, a mark, a port or a hyperparameter apart."""
    if box.kind in ("input", "output"):
        return _port_label(box)
    if box.kind == "hyperparameter":
        return _hyperparameter_label(box)
    if box.kind == "empty":
        return _mark_label(box)
    if box.kind in ("forked", "mixed"):
        return font(box.title, 11, palette.MIXED[1], bold=True)
    return _module_label(box)


def _port_label(box: Box) -> str:
    lines = [f"<TD>{font(box.title, 11, palette.PAPER, bold=True)}</TD>"]
    if box.shapes:
        lines.append(f"<TD>{font(box.shapes, 8, palette.PAPER)}</TD>")
    return table(lines, spacing=0, padding=1)


def _hyperparameter_label(box: Box) -> str:
    row = box.rows[0]
    lines = [f"<TD>{_shared(row) if row.shares else font(_signed(row), 10)}</TD>"]
    if box.detail:
        lines.append(f"<TD>{font(box.detail, 8, palette.MUTED)}</TD>")
    return table(lines, spacing=0, padding=1)


def _module_label(box: Box) -> str:
    title = font(box.title, 11, bold=True)
    if box.detail:
        title += font("  " + _wrapped(box.detail), 9, palette.MUTED)
    lines = [*map(_strip, box.headings), cell(title), *map(chip, box.rows)]
    last = [font(box.caption, 8, palette.MUTED)] if box.caption else []
    if box.shapes:
        last.append(font("→ " + box.shapes, 8, palette.SHAPE, bold=True))
    if box.tie is not None:
        last.append(font(f"tied {palette.tie_name(box.tie)}", 8, palette.tie_colour(box.tie), bold=True))
    if last:
        lines.append(cell(_GAP.join(last)))
    if box.change:
        lines.append(cell(font(_wrapped(f"{palette.SIGNS['changed']} {box.change}"), 9, palette.CHANGED[1], bold=True)))
    if box.misfit:
        lines.append(cell(font("× its inputs do not fit", 8, palette.MISFIT, bold=True)))
    return table(lines)


def _strip(heading: Heading) -> str:
    """Return the line on top of the only module of an expanded substitution, in the colours of a cluster."""
    texts = [font(heading.name, 9, bold=True)]
    texts += [font(_signed(row), 9, palette.ROWS[row.kind][1]) for row in heading.rows if not row.shares]
    colours = f' BGCOLOR="{palette.CLUSTERS[1]}" COLOR="{palette.CLUSTER_LINE}" BORDER="1" STYLE="ROUNDED"'
    shared = [f"<TD>{_shared(row)}</TD>" for row in heading.rows if row.shares]
    content = table(["".join([cell(_GAP.join(texts)), *shared])], spacing=0, padding=0) if shared else _GAP.join(texts)
    return cell(content, colours)


def heading_label(headings: Iterable[Heading]) -> str:
    """Return the title of a cluster."""
    cells: list[str] = []
    for heading in headings:
        if cells:
            cells.append(cell(font("›", 10, palette.MUTED)))
        cells += [cell(font(heading.name, 10, bold=True)), *map(chip, heading.rows)]
    return table(["".join(cells)])


def _mark_label(box: Box) -> str:
    lines: list[str] = []
    for heading in box.headings:
        name, nothing = font(heading.name, 9, palette.MUTED), font(box.detail or "→ nothing", 8, palette.MUTED)
        lines.append(cell(table(["".join([cell(name), *map(chip, heading.rows), cell(nothing)])], spacing=1)))
    return table(lines, spacing=0, padding=0)
