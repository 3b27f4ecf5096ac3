"""The labels of nodes and clusters, in the HTML that Graphviz reads."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from typing import Final

from deep_arch.visualization import palette
from deep_arch.visualization.plan import Heading, Node, Row

_WIDTH: Final = 40
"""Letters on one line of a node, beyond which a graph of many nodes becomes too wide to read."""


def escape(text: str) -> str:
    """Return `text` for a label: Graphviz reads a backslash as the start of an escape, and XML has no control letters."""
    printable = "".join(c if c.isprintable() else "�" for c in text)
    return html.escape(printable).replace("\\", "&#92;")


def font(text: str, size: float, colour: str = palette.INK, bold: bool = False) -> str:
    """Return `text`, which may span lines, in a size in points and a colour."""
    lines = "<BR/>".join(map(escape, text.split("\n")))
    inner = f"<B>{lines}</B>" if bold else lines
    return f'<FONT POINT-SIZE="{size:g}" COLOR="{colour}">{inner}</FONT>'


def table(rows: Iterable[str], spacing: int = 2, attributes: str = "") -> str:
    """Return a table of rows, each the text of its cells."""
    body = "".join(f"<TR>{row}</TR>" for row in rows)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="2"{attributes}>{body}</TABLE>'


def cell(content: str, attributes: str = "") -> str:
    """Return a cell of a table."""
    return f'<TD ALIGN="LEFT" BALIGN="LEFT"{attributes}>{content}</TD>'


def chip(row: Row) -> str:
    """Return the cell of one hyperparameter or constant."""
    fill, line = palette.ROWS[row.kind]
    sign = palette.SIGNS[row.kind]
    text = _wrapped(f"{sign} {row.text}" if sign else row.text)
    return cell(font(text, 9), f' BGCOLOR="{fill}" COLOR="{line}" BORDER="1" STYLE="ROUNDED{_dash(row)}"')


def _dash(row: Row) -> str:
    return ",DASHED" if row.kind == "open" else ""


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, subsequent_indent="   ", break_on_hyphens=False)) or text


def node_label(node: Node) -> str:
    """Return the label of a module, a substitution, a config box, a mark, a port or a hyperparameter apart."""
    if node.kind in ("input", "output"):
        return _port_label(node)
    if node.kind == "hyperparameter":
        return _hyperparameter_label(node)
    if node.kind == "empty":
        return heading_label(node.headings, muted=True)
    return _module_label(node)


def _port_label(node: Node) -> str:
    lines = [font(node.title, 11, palette.PAPER, bold=True)]
    if node.shapes:
        lines.append(font(node.shapes, 8, palette.PAPER))
    return "<BR/>".join(lines)


def _hyperparameter_label(node: Node) -> str:
    row = node.rows[0]
    lines = [font(_wrapped(f"{palette.SIGNS[row.kind]} {row.text}"), 10)]
    if node.detail:
        lines.append(font(node.detail, 8, palette.MUTED))
    return "<BR/>".join(lines)


def _module_label(node: Node) -> str:
    title = font(node.title, 11, bold=True)
    if node.detail:
        title += font("  " + _wrapped(node.detail), 9, palette.MUTED)
    lines = [cell(title), *map(chip, node.rows)]
    last = [font(node.caption, 8, palette.MUTED)] if node.caption else []
    if node.shapes:
        last.append(font(("   " if last else "") + "→ " + node.shapes, 8, palette.SHAPE, bold=True))
    if last:
        lines.append(cell("".join(last)))
    if node.misfit:
        lines.append(cell(font("× its inputs do not fit", 8, palette.MISFIT, bold=True)))
    if node.tie is not None:
        lines.append(_tie_chip(node.tie))
    return table(lines)


def _tie_chip(tie: int) -> str:
    text = font(f"tied {palette.tie_name(tie)}", 8, palette.PAPER, bold=True)
    return cell(text, f' BGCOLOR="{palette.tie_colour(tie)}" STYLE="ROUNDED"')


def heading_label(headings: Iterable[Heading], muted: bool = False) -> str:
    """Return the title of a cluster, or the text of the mark of what left no module."""
    cells: list[str] = []
    for heading in headings:
        if cells:
            cells.append(cell(font("›", 10, palette.MUTED)))
        cells.append(cell(font(heading.name, 9 if muted else 10, palette.MUTED if muted else palette.INK, not muted)))
        cells += map(chip, heading.rows)
    if muted:
        cells.append(cell(font("→ nothing", 8, palette.MUTED)))
    return table(["".join(cells)])
