from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.language.values import Value
from deep_arch.visualization import palette, render_supernet

GOLDEN = Path(__file__).parent / "golden" / "supernet.dot"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot is not installed")


@da.space
def cell(x: Value) -> Value:
    operations = {"conv": lambda: ops.Conv2D(8, da.choice([3, 5])), "skip": lambda y: y, "zero": ops.Zero}
    a = da.or_(operations, name="a")(x)
    b = da.optional(lambda: ops.ReLU())(a)
    return da.or_(operations, name="b")(b)


MIXTURES = {
    "a.which": da.Mixture(("conv", "skip", "zero"), (0.625, 0.375, 0.0)),
    "a[conv]/conv2d.kernel_size": da.Mixture((3, 5), (0.75, 0.25)),
    "optional.use": da.Mixture((False, True), (0.5, 0.5), active=(1,)),
}


def test_the_text_is_the_golden_one() -> None:
    text = render_supernet(cell, MIXTURES)
    if os.environ.get("DEEP_ARCH_REFRESH_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8", newline="\n")
    assert text == GOLDEN.read_text(encoding="utf-8"), "look at the change, then set DEEP_ARCH_REFRESH_GOLDEN=1"


def _line(text: str, label: str) -> dict[str, str]:
    """Return the attributes of the only line with a label."""
    (line,) = [line for line in text.splitlines() if "->" in line and f'label=" {label}"' in line]
    return dict(re.findall(r'(\w+)="?([^" ]+)"?[ \]]', line))


def test_lines_are_as_wide_as_their_weights() -> None:
    text = render_supernet(cell, MIXTURES)
    widths = [float(_line(text, label)["penwidth"]) for label in ("0.62", "0.38")]
    assert widths == pytest.approx([0.8 + 3.7 * 0.625, 0.8 + 3.7 * 0.375], abs=0.01)
    faint = _line(text, "0.00")
    assert (faint["style"], faint["color"], float(faint["penwidth"])) == ("dashed", palette.FAINT, 0.7)


def test_what_reaches_nothing_is_grey() -> None:
    (zero,) = [line for line in render_supernet(cell, MIXTURES, legend=False).splitlines() if ">Zero<" in line]
    assert palette.INK not in zero and palette.FAINT in zero and "dashed" in zero


def test_the_legend_tells_only_of_what_is_there() -> None:
    assert "sum of alternatives" in render_supernet(cell, MIXTURES)
    nothing = render_supernet(cell, {})
    assert not any(words in nothing for words in ("sum of alternatives", "relaxed: ", "weight of", "weight 0"))
    assert "sum of alternatives" not in render_supernet(cell, MIXTURES, legend=False)


@needs_dot
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_dot_draws_it_and_warns_of_nothing(direction: str) -> None:
    text = render_supernet(cell, MIXTURES, direction=direction, inputs=da.image(channels=8, height=9, width=9))
    ran = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True)
    assert ran.stderr == b"" and b"<svg" in ran.stdout


def test_it_is_written_like_other_drawings(tmp_path: Path) -> None:
    text = render_supernet(cell, MIXTURES, tmp_path / "cell.dot")
    assert (tmp_path / "cell.dot").read_text(encoding="utf-8") == text
    with pytest.raises(BadArgument, match="no option 'legnd'"):
        render_supernet(cell, MIXTURES, legnd=True)


@pytest.mark.parametrize("thing", [None, cell.sample(seed=0)])
def test_what_is_no_space_is_refused(thing: Any) -> None:
    with pytest.raises(BadArgument, match="render_supernet: expected a space"):
        render_supernet(thing, {})
