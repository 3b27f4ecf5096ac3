from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, MissingDependency
from deep_arch.visualization import mimebundle, render
from deep_arch.visualization.dot.digraph import BACKSLASH

GOLDEN = Path(__file__).parent / "golden"
IMAGE = da.image(channels=3, height=32, width=32)
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot is not installed")


def _values(names: list[str], space: da.SearchSpace) -> da.Architecture:
    """Return the state after assigning the first value of these hyperparameters."""
    state = space.start()
    for name in names:
        state = state.assign(name, next(iter(_point(state, name).domain.values())))
    return state


def _point(state: da.Architecture, address: str) -> da.ChoicePoint:
    return next(point for point in state.unassigned if point.address == address)


# --- golden files ------------------------------------------------------------------------------------------------

STATES: dict[str, Callable[[da.SearchSpace], str]] = {
    "nothing_assigned": lambda net: render(net),
    "one_assigned": lambda net: render(net.start().assign("n", 2), direction="LR"),
    "option_left_out": lambda net: render(_values(["optional.use"], net), legend=False),
    "specified": lambda net: render(net.sample(seed=1), inputs=IMAGE),
}


@pytest.mark.parametrize("name", STATES)
def test_the_text_is_the_golden_one(name: str, net: da.SearchSpace) -> None:
    text, path = STATES[name](net), GOLDEN / f"{name}.dot"
    if os.environ.get("DEEP_ARCH_REFRESH_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8"), "look at the change, then set DEEP_ARCH_REFRESH_GOLDEN=1"


# --- files -------------------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("PNG", b"\x89PNG\r\n")])
def test_a_picture_has_the_format_of_its_ending(net: da.SearchSpace, tmp_path: Path, ending: str, magic: bytes) -> None:
    net.sample(seed=0).render(tmp_path / f"net.{ending}")
    assert (tmp_path / f"net.{ending}").read_bytes().startswith(magic)


@needs_dot
def test_an_svg_is_xml_that_holds_every_address(ties: da.SearchSpace, strange: str, tmp_path: Path) -> None:
    architecture = _values(["or.which"], ties)
    architecture.render(tmp_path / "ties.svg")
    told = _told_by(ET.fromstring((tmp_path / "ties.svg").read_bytes()))
    graph = architecture.graph
    addresses = [call.address for call in graph.calls] + [point.address for point in architecture.unassigned]
    addresses += [group.address for group in graph.groups] + list(architecture.values)
    assert [address for address in addresses if address.replace("\\", BACKSLASH) not in told] == []
    assert strange.replace("\\", BACKSLASH) in told


def _told_by(svg: ET.Element) -> str:
    tips = [value for element in svg.iter() for name, value in element.items() if name.endswith("}title")]
    return "\n".join([*tips, *["".join(element.itertext()) for element in svg.iter() if element.text]])


@pytest.mark.parametrize("ending", ["dot", "gv"])
def test_dot_text_is_written_as_it_is_returned(net: da.SearchSpace, tmp_path: Path, ending: str) -> None:
    text = net.render(tmp_path / f"net.{ending}")
    assert (tmp_path / f"net.{ending}").read_bytes() == text.encode()


@needs_dot
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_a_hundred_modules_render(cells: da.SearchSpace, tmp_path: Path, direction: str) -> None:
    architecture = cells.sample(seed=0)
    assert len(architecture.graph) > 100
    architecture.render(tmp_path / "cells.svg", direction=direction, inputs=IMAGE)
    svg = ET.fromstring((tmp_path / "cells.svg").read_bytes())
    modules = [element for element in svg.iter() if element.get("class") == "node module"]
    assert len(modules) == len(architecture.graph)


@needs_dot
def test_a_hundred_nested_rules_render(recursive: da.SearchSpace, tmp_path: Path) -> None:
    state = recursive.start()
    while not state.is_specified:
        state = state.assign(state.unassigned[0], "more" if len(state.values) < 100 else "end")
    state.render(tmp_path / "deep.svg")
    ET.fromstring((tmp_path / "deep.svg").read_bytes())


@needs_dot
def test_dot_warns_of_nothing(ties: da.SearchSpace, net: da.SearchSpace) -> None:
    for architecture in (ties.start(), ties.sample(seed=1), net.start().assign("n", 2), net.sample(seed=3)):
        ran = subprocess.run(["dot", "-Tsvg"], input=render(architecture).encode(), capture_output=True, check=True)
        assert ran.stderr == b""


# --- the same text everywhere ------------------------------------------------------------------------------------

_PROGRAM = """
import deep_arch as da
from deep_arch import ops
@da.space
def net(x):
    options = [frozenset({"a", "b", "c", "d"}), len, object]
    x = ops.Dropout(rate=da.choice(options, name="odd"))(x)
    return da.repeat(ops.ReLU, da.dependent(lambda n: n + 1, da.integer(0, 9)))(x)
print(net.render(), net.sample(seed=0).render())
"""


def test_another_process_with_another_hash_seed_gives_the_same_text() -> None:
    def text(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
        return subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, check=True).stdout

    assert text("1") == text("2") != b""


def test_labels_show_strange_keys_as_they_are(ties: da.SearchSpace) -> None:
    assert "&lt;b&gt;&amp;&quot;c&quot;&#92;N:" in _values(["or.which"], ties).render()


def test_rendering_twice_gives_the_same_text(ties: da.SearchSpace) -> None:
    assert ties.sample(seed=3).render() == ties.sample(seed=3).render()


# --- what is missing ---------------------------------------------------------------------------------------------


def test_without_the_program_the_error_says_how_to_install_it(
    net: da.SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency) as caught:
        net.render(tmp_path / "net.svg")
    for command in ("apt install", "dnf install", "brew install", "winget install", "conda install", "pip install"):
        assert command in str(caught.value)
    assert not (tmp_path / "net.svg").exists()


def test_without_the_program_dot_text_and_notebooks_still_work(
    net: da.SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert net.render().startswith("digraph net {")
    net.render(tmp_path / "net.dot")
    assert mimebundle(net) == {"text/plain": "<space net>"}


def test_without_the_package_the_error_names_it(net: da.SearchSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingDependency, match="pip install graphviz"):
        net.render()
    assert list(mimebundle(net)) == ["text/plain"]


@needs_dot
def test_a_notebook_shows_a_picture(net: da.SearchSpace) -> None:
    for shown in (net, net.sample(seed=0)):
        bundle = mimebundle(shown)
        assert bundle["text/plain"] == repr(shown)
        assert ET.fromstring(bundle["image/svg+xml"].encode()).tag.endswith("svg")


# --- options -----------------------------------------------------------------------------------------------------


def test_an_unknown_option_names_the_valid_ones(net: da.SearchSpace) -> None:
    with pytest.raises(BadArgument, match=r"(?s)no option 'legnd'.*inputs, legend, direction.*'legend'"):
        net.render(legnd=True)


@pytest.mark.parametrize("path", ["net.jpg", "net"])
def test_an_unknown_ending_names_the_valid_ones(net: da.SearchSpace, path: str) -> None:
    with pytest.raises(BadArgument, match=r"\.svg, \.png, \.pdf, \.dot, \.gv"):
        net.render(path)


def test_an_unknown_direction_names_the_valid_ones(net: da.SearchSpace) -> None:
    with pytest.raises(BadArgument, match=r"(?s)'TB'.*'LR'.*'up'"):
        net.render(direction="up")


@pytest.mark.parametrize("thing", [None, 3, "net"])
def test_what_is_no_architecture_is_refused(thing: Any) -> None:
    with pytest.raises(BadArgument, match="expected an architecture or a space"):
        render(thing)


def test_the_legend_can_be_left_out(net: da.SearchSpace) -> None:
    assert "not expanded yet" in net.render()
    assert "not expanded yet" not in net.render(legend=False)


def test_the_legend_tells_only_of_what_is_there(net: da.SearchSpace) -> None:
    assert "not expanded yet" not in net.sample(seed=0).render()
    assert "tied" not in net.sample(seed=0).render()
