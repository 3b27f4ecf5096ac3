"""Relaxed searchers in a search: mixtures that a trial gives, and slopes that it is told."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import TrialError
from deep_arch.searchers import EarlyStopping, Feasible, NoRepeats, Partitioned, RandomSearch, WarmStart, median_rule
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher

UNITS = "dense.units"


@da.space
def net(x: Any) -> Any:
    da.config(rate=da.choice([0.1, 0.2], name="rate"))
    return ops.Dense(units=da.choice([1, 2, 3]))(x)


class Weighing(RandomSearch):
    """Weighs all values alike, and remembers what it was asked and told."""

    relaxed = True
    n_objectives: int | None = 1

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.told: list[FinishedTrial] = []

    def weigh(self, point: ChoicePoint) -> da.Mixture:
        self.asked.append(point.address)
        values = tuple(point.domain.values())
        return da.Mixture(values, [1 / len(values)] * len(values))

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


def point(space: da.SearchSpace = net, name: str = UNITS) -> ChoicePoint:
    found: list[ChoicePoint] = []

    def pick(here: ChoicePoint) -> Any:
        found.append(here)
        return here.domain.at(0)

    space.decide(pick)
    return next(here for here in found if here.address == name)


def weighed(searcher: Searcher, **settings: Any) -> da.Trial:
    trial = next(da.search(net, searcher, trials=3, seed=0, **settings))
    trial.weigh(point())
    return trial


def test_a_trial_weighs_once_for_each_address() -> None:
    searcher = Weighing()
    trial = next(da.search(net, searcher, trials=1, seed=0))
    assert trial.relaxed and trial.mixtures == {}
    mixture = trial.weigh(point())
    assert mixture is trial.weigh(point()) and trial.mixtures == {UNITS: mixture}
    assert searcher.asked == [UNITS]
    trial.tell(1.0, slopes={UNITS: (1, 2, 3)})
    assert trial.mixtures == {UNITS: mixture} and trial.slopes == {}
    with pytest.raises(TrialError, match="has ended as complete"):
        trial.weigh(point())


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_slopes_are_those_of_the_gain(direction: Any) -> None:
    searcher = Weighing()
    trial = weighed(searcher, directions=direction)
    mixture = trial.mixtures[UNITS]
    trial.tell(2.0, slopes={UNITS: [1, 0.5, -2]})
    (told,) = searcher.told
    sign = 1 if direction == "maximize" else -1
    assert told.gains == (2.0 * sign,)
    assert told.slopes == {UNITS: (1.0 * sign, 0.5 * sign, -2.0 * sign)} and told.mixtures == {UNITS: mixture}


def test_slopes_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    searcher = Weighing()
    weighed(searcher).tell(numpy.float32(2), slopes={UNITS: numpy.array([1, 2, 3])})
    assert searcher.told[0].slopes == {UNITS: (1.0, 2.0, 3.0)}
    assert type(searcher.told[0].slopes[UNITS][0]) is float


def test_a_relaxed_searcher_needs_slopes() -> None:
    trial = weighed(Weighing())
    with pytest.raises(TrialError, match=r"expected slopes beside the score(.|\n)*Got none(.|\n)*model\.slopes"):
        trial.tell(1.0)
    trial.tell(1.0, slopes={})  # what the score depends on may be none of them


@pytest.mark.parametrize(
    ("slopes", "text"),
    [
        ({UNITS: (1, 2)}, r"dense.units: expected 3 slopes(.|\n)*Got 2: \(1, 2\)"),
        ({"dense.unit": (1, 2, 3)}, r"dense.unit: expected no slope, as nothing relaxed it(.|\n)*'dense.units'"),
        ([1, 2, 3], r"by address(.|\n)*Got \[1, 2, 3\]"),
    ],
)
def test_slopes_are_those_of_the_mixtures(slopes: Any, text: str) -> None:
    trial = weighed(Weighing())
    with pytest.raises(TrialError, match=text):
        trial.tell(1.0, slopes=slopes)
    assert trial.state == "running"


def test_slopes_that_are_no_numbers_fail_the_trial() -> None:
    searcher = Weighing()
    trial = weighed(searcher)
    with pytest.warns(da.SearchWarning, match="a slope must be a finite number"):
        trial.tell(1.0, slopes={UNITS: (1, float("nan"), 0)})
    assert trial.state == "failed" and searcher.told[0].slopes == {}
    trial = weighed(searcher)
    with pytest.warns(da.SearchWarning, match="a score must be a finite number"):
        trial.tell(float("nan"))
    assert trial.state == "failed"


def test_a_searcher_that_is_not_relaxed_takes_no_slopes() -> None:
    trial = next(da.search(net, RandomSearch(), trials=1, seed=0))
    assert not trial.relaxed and trial.weigh(point()) is None and trial.mixtures == {}
    with pytest.raises(TrialError, match=r"not relaxed"):
        trial.tell(1.0, slopes={UNITS: (1, 2, 3)})
    trial.tell(1.0, slopes={})


def test_duplicates_of_a_relaxed_searcher_are_given_out() -> None:
    search = da.search(net, Weighing(), trials=50, seed=0)
    for trial in search:
        trial.tell(0.0, slopes={})
    assert len(search.trials) == 50


def test_a_search_with_a_relaxed_trial_out_is_pickled() -> None:
    search = da.search(net, Weighing(), trials=2, seed=0)
    trial = search.ask()
    assert trial is not None and trial.weigh(point()) is not None
    resumed = pickle.loads(pickle.dumps(search))
    (again,) = resumed.trials
    assert again.mixtures[UNITS].values == (1, 2, 3)
    again.tell(1.0, slopes={UNITS: (1, 2, 3)})
    assert resumed.searcher.told[0].slopes == {UNITS: (1.0, 2.0, 3.0)}


def test_slopes_are_written_with_a_trial() -> None:
    searcher = Weighing()
    trial = weighed(searcher)
    trial.tell(1.0, slopes={UNITS: (1, 2, 3)})
    (told,) = searcher.told
    again = searcher.decode_trial(searcher.encode_trial(told))
    assert again.slopes == told.slopes and again.mixtures == {}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inside: EarlyStopping(inside, median_rule()),
        lambda inside: Feasible(inside, bool),
        NoRepeats,
        lambda inside: WarmStart(inside, []),
        lambda inside: Partitioned([(lambda p: p.name == UNITS, inside), (lambda p: p.name != UNITS, RandomSearch())]),
    ],
)
def test_wrappers_pass_it_on(wrap: Any) -> None:
    inside = Weighing()
    trial = weighed(wrap(inside))
    assert trial.relaxed and inside.asked == [UNITS]
    trial.tell(1.0, slopes={UNITS: (1, 2, 3)})
    assert inside.told[0].slopes == {UNITS: (1.0, 2.0, 3.0)}
    assert not EarlyStopping(RandomSearch(), median_rule()).relaxed


def test_each_part_is_told_its_own_slopes() -> None:
    units, rates = Weighing(), Weighing()
    searcher = Partitioned([(lambda p: p.name == UNITS, units), (lambda p: p.name != UNITS, rates)])
    trial = weighed(searcher)
    assert trial.weigh(point(name="rate")) is not None
    trial.tell(1.0, slopes={UNITS: (1, 2, 3), "rate": (4, 5)})
    assert units.told[0].slopes == {UNITS: (1.0, 2.0, 3.0)} and rates.told[0].slopes == {"rate": (4.0, 5.0)}
