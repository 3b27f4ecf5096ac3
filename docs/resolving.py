"""Draw the picture of the README: the space of the first example, resolving in four states, side by side."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import deep_arch as da
from deep_arch.testing.readme_space import net

SVG = "http://www.w3.org/2000/svg"
GAP = 24


def states() -> list[tuple[str, da.Architecture]]:
    """Return four states on the way, each with what has just happened."""
    start = net.start()
    counted = start.assign("n", 1)
    used = counted.assign("optional.use", True)
    whole = used
    while whole.unassigned:
        point = whole.unassigned[0]
        whole = whole.assign(point, list(point.domain.values())[len(whole.values) % 2])
    return [
        ("nothing assigned", start),
        ("n = 1: both repeats unfold", counted),
        ("optional.use = True", used),
        ("specified: ready to build", whole),
    ]


def panel(title: str, state: da.Architecture, folder: Path) -> tuple[ElementTree.Element, float, float]:
    """Return one state as an SVG element with its width and height in points."""
    path = folder / "panel.svg"
    state.render(path, legend=False)
    root = ElementTree.fromstring(path.read_text())
    path.unlink()
    width, height = (float(re.sub(r"[a-z]+", "", root.attrib[side])) for side in ("width", "height"))
    root.attrib.update({"width": f"{width:.0f}", "height": f"{height:.0f}", "aria-label": title})  # points as pixels
    return root, width, height


def main() -> None:
    folder = Path(__file__).parent / "pictures"
    ElementTree.register_namespace("", SVG)
    panels = [(title, *panel(title, state, folder)) for title, state in states()]
    total = sum(width for _, _, width, _ in panels) + GAP * (len(panels) - 1)
    tallest = max(height for *_, height in panels)
    page = ElementTree.Element(f"{{{SVG}}}svg", {"viewBox": f"0 0 {total:.0f} {tallest + 30:.0f}"})
    ElementTree.SubElement(page, f"{{{SVG}}}rect", {"width": "100%", "height": "100%", "fill": "white"})
    left = 0.0
    for i, (title, root, width, _) in enumerate(panels):
        label = {"x": f"{left + width / 2:.0f}", "y": "18", "font-family": "Helvetica,Arial,sans-serif"}
        label |= {"font-size": "15", "font-weight": "bold", "text-anchor": "middle", "fill": "#1f2933"}
        ElementTree.SubElement(page, f"{{{SVG}}}text", label).text = f"{i + 1}. {title}"
        root.attrib.update({"x": f"{left:.0f}", "y": "30"})
        page.append(root)
        left += width + GAP
    (folder / "resolving.svg").write_text(ElementTree.tostring(page, encoding="unicode") + "\n")


if __name__ == "__main__":
    main()
