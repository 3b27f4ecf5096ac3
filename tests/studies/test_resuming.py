"""A study goes on as the search that was never stopped: the same proposals, told the same, whoever runs its trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import NSGA2, RandomSearch, RegularizedEvolution
from deep_arch.studies import search, stored_search
from deep_arch.testing.searcher_spaces import DEPENDING, SPACES
from tests.studies.driving import Alone, Make, Shared, drive
from tests.studies.every_searcher import EXPORTED, MADE, OF_SCORES

pytestmark = pytest.mark.filterwarnings("ignore:(.|\\n)*proposals in a row were duplicates")


@pytest.fixture(autouse=True)
def _ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches of small spaces end after fewer duplicates in a row."""
    monkeypatch.setattr(search, "MAX_DUPLICATES", 40)


@da.space
def few(x: Any) -> Any:
    """Have twelve architectures, so that most proposals are duplicates."""
    return ops.Dense(units=da.choice([1, 2, 3, 4, 5, 6]), use_bias=da.boolean())(x)


def check_same(
    folder: Path,
    space: da.SearchSpace,
    make: Make,
    trials: int = 30,
    *,
    order: int = 0,
    n_workers: int = 1,
    most_out: int = 1,
    stops: float = 0.2,
    n_scores: int = 1,
    queued: tuple[Any, ...] = (),
    **options: Any,
) -> Any:
    """Fail where a study that is stopped, and shared, is another than the search alone; return what both were."""
    folder.mkdir(exist_ok=True)
    alone = Alone(space, make, trials, seed=order, **options)
    shared = Shared(folder / "runs.db", space, make, trials, order, n_workers, **options)
    try:
        for one in (alone, shared):
            drive(one, order, n_workers, most_out, stops, n_scores, queued)
        expected, found = alone.result(), shared.result()
    finally:
        shared.close()
    assert found[0] == expected[0]
    ended_early = len(expected[0]) < trials  # where a study asks its searcher anew whether it has something to propose
    assert ended_early or found[1] == expected[1] or "OptunaSearcher" in str(expected[1]["of"])  # which pickles
    return expected[0]


def test_every_searcher_is_here() -> None:
    assert set(MADE) == EXPORTED


@pytest.mark.parametrize("name", OF_SCORES)
def test_a_study_that_is_stopped_goes_on_exactly(name: str, tmp_path: Path) -> None:
    check_same(tmp_path, SPACES["flat"], MADE[name], 16)


@pytest.mark.parametrize("name", OF_SCORES)
def test_workers_that_share_a_study_search_as_one_does(name: str, tmp_path: Path) -> None:
    trials = 12 if name in ("OptunaSearcher", "SurrogateSearch") else 20  # whose steps take long
    check_same(tmp_path, SPACES["conditional"], MADE[name], trials, n_workers=2, most_out=4, stops=0.1)


@pytest.mark.parametrize("name", ["Hyperband", "LocalSearch", "RandomSearch", "RegularizedEvolution"])
def test_duplicates_are_answered_as_in_one_search(name: str, tmp_path: Path) -> None:
    check_same(tmp_path, few, MADE[name], 20, n_workers=2, most_out=3, stops=0.1)


@pytest.mark.parametrize("name", ["AsynchronousHalving", "BOHB", "Hyperband", "SuccessiveHalving"])
def test_several_budgets_are_out_at_once(name: str, tmp_path: Path) -> None:
    rows = check_same(tmp_path, SPACES["flat"], MADE[name], 40, n_workers=3, most_out=6, stops=0.1)
    assert len({budget for _, _, _, budget, *_ in rows}) > 1
    assert any(continues is not None for *_, continues, _, _ in rows)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "where"), [(1, "constant"), (4, "conditional"), (7, "fixed"), (10, "narrowing")])
@pytest.mark.parametrize("name", OF_SCORES)
def test_any_order_of_any_workers_is_gone_through_again(name: str, order: int, where: str, tmp_path: Path) -> None:
    space = SPACES[where]
    queued = (space.sample(1), space.sample(2)) if order % 2 else ()
    check_same(tmp_path, space, MADE[name], 25, order=order, n_workers=3, most_out=5, stops=0.1, queued=queued)


@pytest.mark.parametrize("saves", ["at each event", "now and then", "never"])
@pytest.mark.parametrize("loads", [False, True])
def test_how_often_the_state_is_saved_and_loaded_changes_nothing(
    saves: str, loads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        stored_search, "_BYTES_AN_EVENT", {"at each event": 10**9, "now and then": 2048, "never": 1}[saves]
    )
    monkeypatch.setattr(stored_search, "_BYTES_SHARED", 0)
    monkeypatch.setattr(stored_search.StoredSearch, "_loads_quicker", lambda *_: loads)
    for space in (few, DEPENDING["rising"]):
        check_same(tmp_path / space.name, space, MADE["RegularizedEvolution"], 30, n_workers=3, most_out=4, stops=0.1)


def test_several_directions(tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_workers": 2, "most_out": 3, "directions": ("maximize", "minimize")}
    rows = check_same(tmp_path, SPACES["flat"], lambda _: NSGA2(population=6), n_scores=2, **options)
    assert {len(row[4]) for row in rows} == {0, 2}


def test_scores_that_are_minimized(tmp_path: Path) -> None:
    make = MADE["RegularizedEvolution"]
    check_same(tmp_path, SPACES["flat"], make, 20, n_workers=2, most_out=3, directions="minimize")


def test_duplicates_that_are_given_out(tmp_path: Path) -> None:
    make = MADE["RegularizedEvolution"]
    rows = check_same(tmp_path, few, make, 40, n_workers=2, most_out=3, duplicates="give")
    assert len(rows) == 40 > len({row[0] for row in rows})


@pytest.mark.parametrize("name", ["RegularizedEvolution", "Hyperband", "ProximalPolicy"])
def test_what_is_tried_first(name: str, tmp_path: Path) -> None:
    """Known configurations, whole and in part, of which some are duplicates."""
    space = SPACES["conditional"]
    first = [space.sample(3), {"or.which": "deep"}, space.sample(3), space.sample(4).to_json()]
    queued = ({"or.which": "dense"}, space.sample(5), {"or[deep]/repeat.times": 2}, space.sample(3))
    rows = check_same(tmp_path, space, MADE[name], 20, n_workers=2, most_out=3, first=first, queued=queued)
    assert rows[0][0] == space.sample(3).to_json()


def test_what_is_tried_first_where_domains_depend_on_values(tmp_path: Path) -> None:
    queued = ({"b": 5}, {"a": 2}, {"c": 24})
    check_same(tmp_path, DEPENDING["rising"], lambda _: RegularizedEvolution(5, 2), 20, n_workers=2, queued=queued)


def test_a_sub_space_with_partial_architectures(tmp_path: Path) -> None:
    space = SPACES["some"]
    check_same(tmp_path, space, lambda _: RandomSearch(), n_workers=2, most_out=3)
