from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, MissingDependency
from deep_arch.searchers import RandomSearch
from deep_arch.visualization import plot_scores, score_curve


@dataclass
class Ended:
    score: float | None


def test_the_best_so_far_never_falls() -> None:
    curve = score_curve([0.2, 0.1, 0.5, 0.4])
    assert (curve.positions, curve.scores, curve.best) == ((1, 2, 3, 4), (0.2, 0.1, 0.5, 0.4), (0.2, 0.2, 0.5, 0.5))


def test_the_best_so_far_never_rises_when_minimized() -> None:
    assert score_curve([3, 4, 1], minimize=True).best == (3, 3, 1)


def test_trials_without_a_score_keep_their_place() -> None:
    curve = score_curve([Ended(None), Ended(0.5), Ended(float("nan")), Ended(0.4), Ended(None)])
    assert (curve.positions, curve.best, curve.n_trials) == ((2, 4), (0.5, 0.5), 5)


@pytest.mark.parametrize("score", [(1.0, 2.0), "high"])
def test_what_is_no_number_is_an_error_with_its_place(score: Any) -> None:
    with pytest.raises(BadArgument, match=r"(?s)trial 1: expected a number.*several objectives"):
        plot_scores([0.5, Ended(score)])


def test_the_plot_shows_a_dot_for_each_trial_and_the_best_up_to_the_last(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = plot_scores([0.2, 0.5, 0.4, None], tmp_path / "scores.png")
    (axes,) = figure.axes
    assert axes.collections[0].get_offsets().tolist() == [[1, 0.2], [2, 0.5], [3, 0.4]]
    assert axes.lines[0].get_xydata().tolist() == [[1, 0.2], [2, 0.5], [3, 0.5], [4, 0.5]]
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_no_trials_give_an_empty_plot() -> None:
    pytest.importorskip("matplotlib")
    assert plot_scores([]).axes[0].lines[0].get_xydata().tolist() == []


def test_pyplot_is_not_loaded() -> None:
    pytest.importorskip("matplotlib")
    program = (
        "import sys; from deep_arch.visualization import plot_scores; assert 'matplotlib' not in sys.modules; "
        "plot_scores([1, 2]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependency, match=r'pip install "deep_arch\[plot\]"'):
        plot_scores([1, 2])


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_search_is_plotted_in_its_direction_and_not_moved_on(direction: Any) -> None:
    net = da.space(lambda x: da.ops.Dense(units=da.integer(1, 100))(x))
    search = da.search(net, RandomSearch(), trials=5, seed=0, directions=direction)
    next(search).tell(2)
    next(search).tell(1)
    best = (2, 1) if direction == "minimize" else (2, 2)
    assert score_curve(search).best == best and len(search.trials) == 2
    assert score_curve(search, minimize=True).best == (2, 1)
