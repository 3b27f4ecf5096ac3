from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, MissingDependency
from deep_arch.visualization import plot_sharpening, sharpening
from deep_arch.visualization.sharpening_plots import MOST_PANELS

WHICH = "or.which"


@dataclass
class Told:
    mixtures: Any


def _step(*weights: float, address: str = WHICH) -> dict[str, Any]:
    return {address: da.Mixture(("conv", "pool", "skip")[: len(weights)], weights)}


def test_each_value_has_its_weights_over_the_steps() -> None:
    (curve,) = sharpening([_step(0.5, 0.5), _step(0.75, 0.25), _step(1.0, 0.0)]).decisions
    assert (curve.address, curve.values, curve.steps) == (WHICH, ("conv", "pool"), (1, 2, 3))
    assert curve.weights == ((0.5, 0.75, 1.0), (0.5, 0.25, 0.0))
    assert curve.entropies == pytest.approx((1.0, 0.811278, 0.0))


def test_weights_are_shares_whatever_they_sum_to() -> None:
    (curve,) = sharpening([_step(2.0, 6.0), _step(0.0, 0.0)]).decisions
    assert curve.weights == ((0.25, 0.0), (0.75, 0.0))


def test_a_decision_is_shown_where_it_was_met() -> None:
    found = sharpening([_step(1, 1, 1), {}, Told(_step(0, 0, 1) | _step(1, 1, address="b"))])
    assert [(curve.address, curve.steps) for curve in found.decisions] == [(WHICH, (1, 3)), ("b", (3,))]
    assert found.steps == (1, 3) and found.entropies == pytest.approx((1.0, 0.5))


def test_what_is_decided_later_has_all_the_weight_and_what_is_never_relaxed_is_left_out() -> None:
    (curve,) = sharpening([_step(0.5, 0.5) | {"n": 3}, {WHICH: "pool", "n": 3}]).decisions
    assert curve.weights == ((0.5, 0.0), (0.5, 1.0))
    assert curve.entropies == (1.0, 0.0)


def test_values_that_a_step_lacks_weigh_nothing_there() -> None:
    (curve,) = sharpening([{"n": da.Mixture((1, 2), (1, 1))}, {"n": da.Mixture((1, True), (1, 1))}]).decisions
    assert (curve.values, curve.weights) == (("1", "2", "True"), ((0.5, 0.5), (0.5, 0.0), (0.0, 0.5)))


def test_more_decisions_than_a_page_holds_are_summed_up() -> None:
    steps = [{f"d{i}": da.Mixture((0, 1), (1.0, float(i < MOST_PANELS))) for i in range(MOST_PANELS + 4)}]
    found = sharpening(steps)
    assert len(found.decisions) == 16 and found.entropies == (0.75,)
    assert found.others == {1: 0.0}


@pytest.mark.parametrize(("history", "place"), [([_step(1, 1), 3], "step 2: "), (_step(1, 1), ""), (7, "")])
def test_what_is_no_history_is_an_error(history: Any, place: str) -> None:
    with pytest.raises(BadArgument, match=rf"(?s)plot_sharpening: {place}.*expected.*Keep dict\(trial.mixtures\)"):
        plot_sharpening(history)


def test_a_panel_shows_a_line_for_each_value_and_the_last_one_the_entropy(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = plot_sharpening([_step(0.5, 0.5), _step(1.0, 0.0)], tmp_path / "sharp.png")
    decision, entropy = figure.axes
    assert [line.get_label() for line in decision.lines] == ["conv", "pool"]
    assert decision.lines[0].get_xydata().tolist() == [[1, 0.5], [2, 1.0]]
    assert entropy.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.0]]
    assert (tmp_path / "sharp.png").read_bytes().startswith(b"\x89PNG")


def test_there_are_no_more_panels_than_a_page_holds() -> None:
    pytest.importorskip("matplotlib")
    figure = plot_sharpening([{f"d{i}": da.Mixture((0, 1), (1, 1)) for i in range(20)}])
    assert len(figure.axes) == MOST_PANELS + 1
    assert [line.get_label() for line in figure.axes[-1].lines] == ["all 20 decisions", "the 8 not shown"]


def test_no_steps_give_an_empty_plot() -> None:
    pytest.importorskip("matplotlib")
    assert len(plot_sharpening([]).axes) == 1


def test_pyplot_is_not_loaded() -> None:
    pytest.importorskip("matplotlib")
    program = (
        "import sys; from deep_arch.visualization import plot_sharpening; assert 'matplotlib' not in sys.modules; "
        "plot_sharpening([]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependency, match=r'pip install "deep_arch\[plot\]"'):
        plot_sharpening([])
