"""Studies that are to go on as others than they were, or whose searchers do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import StudyError, TrialError
from deep_arch.searchers import RandomSearch, RegularizedEvolution, median_rule
from deep_arch.searchers.early_stopping import EarlyStopping
from deep_arch.studies.about import searcher_text
from deep_arch.studies.study import Study
from deep_arch.testing.searcher_spaces import SPACES
from tests.studies.every_searcher import MADE
from tests.studies.objectives import net, units

FILE = "runs.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE


def study(file: Any, **options: Any) -> Study:
    return da.Study(net, RandomSearch(), file, **{"name": "digits", "seed": 0, **options})


def run(of: Study, n: int) -> Study:
    of.run(units, trials=n, progress=False)
    return of


@da.space
def wider(x: Any) -> Any:
    da.config(rate=da.real(0, 1))
    return ops.Dense(units=da.integer(1, 10**7))(x)


def test_another_space_is_refused_with_what_changed(file: Path) -> None:
    run(study(file), 2)
    with pytest.raises(StudyError, match=r"'digits' in sqlite:(.|\n)*expected the space that(.|\n)*net") as caught:
        da.Study(wider, RandomSearch(), file, "digits")
    text = str(caught.value)
    assert "Got wider, which is another (- as begun, + as given)" in text and "name='digits-2'" in text
    assert any(line.startswith("- ") and "1000000" in line for line in text.splitlines())
    assert any(line.startswith("+ ") and "10000000" in line for line in text.splitlines())
    assert run(study(file), 3).counts == {"complete": 3}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"searcher": RegularizedEvolution()},
            r"expected the searcher that it was begun with, RandomSearch(.|\n)*Got Reg",
        ),
        ({"searcher": RandomSearch("architectures")}, r"RandomSearch\((.|\n)*Got RandomSearch\(.*'architectures'"),
        ({"searcher": EarlyStopping(RandomSearch(), median_rule())}, r"Got EarlyStopping\(searcher=RandomSearch\("),
        ({"directions": "minimize"}, r'the directions that it was begun with, \["maximize"\](.|\n)*Got \["minimize"\]'),
        ({"duplicates": "give"}, r"the duplicates that it was begun with, record(.|\n)*Got give"),
    ],
)
def test_another_way_to_search_is_refused(file: Path, options: dict[str, Any], text: str) -> None:
    run(study(file), 2)
    given: dict[str, Any] = {"searcher": RandomSearch(), "storage": file, "name": "digits", **options}
    with pytest.raises(StudyError, match=text + r"(.|\n)*Go on with what it was, or begin another: name='digits-2'"):
        da.Study(net, **given)


@pytest.mark.parametrize("name", MADE)
def test_a_searcher_that_has_searched_is_still_the_same(name: str) -> None:
    space = SPACES["flat"]
    searcher = MADE[name](space)
    before = searcher_text(searcher)
    for trial in da.search(space, searcher, 8, seed=0):
        trial.skip()
    assert searcher_text(searcher) == before == searcher_text(MADE[name](space))
    assert " at 0x" not in before


def test_a_searcher_is_not_that_of_two_searches(file: Path) -> None:
    searcher = RandomSearch()
    one = da.Study(net, searcher, file)
    da.search(net, searcher, 3)
    with pytest.raises(TrialError, match=r"another search has started its searcher since"):
        one.ask()


class Fickle(RandomSearch):
    """Draws from what no state holds."""

    def choose(self, point: Any) -> Any:
        return point.domain.draw(random.Random())


def test_a_searcher_that_proposes_otherwise_is_found_out(file: Path) -> None:
    one, other = (da.Study(net, Fickle(), file, "digits") for _ in range(2))
    one._save_after = 10**9
    trial = one.ask()
    with pytest.raises(StudyError, match=r"trial 0: expected its searcher to propose again what(.|\n)*self\.rng"):
        other.ask()
    assert trial is not None and one.trials[0].values == trial.values
    trial.tell(1)
    for of in (one, other):
        of.close()


class Stumbling(RandomSearch):
    """Cannot be told that something failed."""

    def tell(self, trial: da.FinishedTrial) -> None:
        if trial.state == "failed":
            raise ZeroDivisionError


def test_what_a_searcher_stumbles_over_leaves_nothing_half_done(file: Path) -> None:
    one = da.Study(net, Stumbling(), file, "digits", seed=0)
    trial = next(one)
    with pytest.raises(ZeroDivisionError):
        trial.fail("no")
    assert one.counts == {"running": 1}
    one.close()
    other = da.Study(net, Stumbling(), file, "digits")
    again = next(other)
    again.tell(3)
    assert (again.values, other.counts) == (trial.values, {"complete": 1})
