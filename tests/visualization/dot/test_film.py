from __future__ import annotations

from pathlib import Path

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument
from deep_arch.visualization import render_steps
from deep_arch.visualization.dot.film import states


def test_there_is_one_picture_before_and_one_after_each_assignment(net: da.SearchSpace, tmp_path: Path) -> None:
    architecture = net.sample(seed=2)
    paths = render_steps(architecture, tmp_path / "new" / "folder", format="dot", legend=False)
    assert [path.name for path in paths] == [f"step-{i:03d}.dot" for i in range(len(architecture.values) + 1)]
    assert paths[0].read_text(encoding="utf-8") == net.render(legend=False)
    assert paths[-1].read_text(encoding="utf-8") == architecture.render(legend=False)


def test_a_space_is_sampled_with_the_seed(net: da.SearchSpace, tmp_path: Path) -> None:
    last = render_steps(net, tmp_path, format="gv", seed=5)[-1]
    assert last.read_text(encoding="utf-8") == net.sample(seed=5).render()


def test_states_are_one_assignment_apart(net: da.SearchSpace) -> None:
    architecture = net.sample(seed=2)
    reached = list(states(architecture))
    assert reached[-1] == architecture
    assert [len(state.values) for state in reached] == list(range(len(architecture.values) + 1))


def test_the_states_of_a_partial_architecture_end_there(net: da.SearchSpace) -> None:
    partial = net.start().assign("n", 2).assign("conv2d.filters", 64)
    assert list(states(partial))[-1] == partial


def test_an_unknown_format_names_the_valid_ones(net: da.SearchSpace, tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match=r"(?s)svg, png, pdf, dot, gv.*'jpg'"):
        render_steps(net, tmp_path, format="jpg")
