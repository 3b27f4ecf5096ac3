from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import MonteCarloTreeSearch, RandomSearch
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES, holed


class TestMonteCarloTreeSearch(SearcherContract):
    def make(self) -> MonteCarloTreeSearch:
        return MonteCarloTreeSearch(branches=3)


def configured(**hyperparameters: Callable[[], Any]) -> da.SearchSpace:
    """Return the space of these hyperparameters, which are made anew each time that the function runs."""

    def net(x: Any) -> Any:
        da.config(**{name: make() for name, make in hyperparameters.items()})
        return ops.Identity()(x)

    return da.space(net)


pair = configured(a=da.boolean, b=da.boolean)


def started(space: da.SearchSpace, seed: int = 0, **arguments: Any) -> MonteCarloTreeSearch:
    searcher = MonteCarloTreeSearch(**arguments)
    searcher.start(space, random.Random(seed))
    return searcher


def ask(searcher: Searcher) -> Values:
    values = searcher.ask()
    assert values is not None
    return values


def run(searcher: Searcher, n: int, score: Callable[[Values], float]) -> list[Values]:
    proposed: list[Values] = []
    for number in range(n):
        proposed.append(ask(searcher))
        searcher.tell(FinishedTrial(number, proposed[-1], (score(proposed[-1]),)))
    return proposed


def tree(searcher: Searcher) -> list[list[Any]]:
    rows: list[list[Any]] = searcher.state_dict()["tree"]
    return rows


# --- the tree ------------------------------------------------------------------------------------------------------


def test_each_proposal_adds_a_node_and_counts_on_its_way() -> None:
    searcher = started(pair, exploration=0)
    scores = {(False, False): 1.0, (False, True): 2.0, (True, False): 4.0, (True, True): 8.0}
    proposed = run(searcher, 4, lambda values: scores[values["a"], values["b"]])
    assert proposed[0]["a"] != proposed[1]["a"], "the root's children come first"
    assert proposed[2]["a"] and proposed[3]["a"], "4 and 8 are better than 1 and 2"
    assert proposed[2]["b"] != proposed[3]["b"], "each of them once"

    first, second, third, fourth = (scores[v["a"], v["b"]] for v in proposed)
    worse, better = (2, 1) if proposed[0]["a"] else (1, 2)
    assert tree(searcher) == [  # parent, children (-1 where all below was proposed), visits, scores, their sum
        [-1, [worse, -1], 4, 4, first + second + 12.0],
        [0, [], 1, 1, first] if worse == 1 else [0, [-1, -1], 3, 3, first + 12.0],
        [0, [], 1, 1, second] if worse == 2 else [0, [-1, -1], 3, 3, second + 12.0],
        [better, [], 1, 1, third],
        [better, [], 1, 1, fourth],
    ]


@pytest.mark.parametrize(("exploration", "expected"), [(0.0, False), (0.25, False), (0.27, True), (5.0, True)])
def test_the_child_with_the_highest_bound_is_visited(exploration: float, expected: bool) -> None:
    # Scores lie from 10 to 20. The means are 15 and 13, normalised 0.5 and 0.3, of 8 and 2 visits below 11:
    # 0.5 + c sqrt(2 ln(11) / 8) = 0.5 + 0.774 c equals 0.3 + c sqrt(2 ln(11) / 2) = 0.3 + 1.549 c at c = 0.258.
    searcher = started(pair, exploration=exploration)
    rows = [[-1, [1, 2], 11, 10, 146.0], [0, [], 8, 8, 120.0], [0, [], 2, 2, 26.0]]
    searcher.load_state_dict({**searcher.state_dict(), "tree": rows, "range": [10.0, 20.0]})
    assert ask(searcher)["a"] is expected


def test_what_has_no_score_counts_as_the_worst_so_far() -> None:
    searcher = started(configured(a=lambda: da.choice(range(3)), b=lambda: da.real(0, 1)), exploration=0)
    fates = {
        0: FinishedTrial(0, {}, state="failed"),
        1: FinishedTrial(0, {}, (-7.0,)),
        2: FinishedTrial(0, {}, (-6.9,)),
    }
    for number in range(3):
        values = ask(searcher)
        fate = fates[values["a"]]
        searcher.tell(FinishedTrial(number, values, fate.gains, state=fate.state))
    assert [row[2:4] for row in sorted(tree(searcher)[1:], key=lambda row: row[3])] == [[1, 0], [1, 1], [1, 1]]
    assert all(values["a"] == 2 for values in run(searcher, 5, lambda _: -6.95))


def test_proposals_that_are_out_together_differ() -> None:
    searcher = started(configured(a=lambda: da.integer(0, 2**20 - 1)))
    run(searcher, 50, lambda values: -abs(values["a"] - 300_000))
    together = [ask(searcher) for _ in range(8)]
    assert len({values["a"] for values in together}) == 8
    places = [place for _, place in searcher.state_dict()["out"]]
    assert len(set(places)) == 8
    for number, values in reversed(list(enumerate(together))):
        searcher.tell(FinishedTrial(number, values, (0.5,)))
    assert searcher.state_dict()["out"] == []
    assert tree(searcher)[0][2:4] == [58, 58]


def test_a_result_counts_as_often_as_it_was_proposed() -> None:
    searcher = started(SPACES["constant"])
    asked = [ask(searcher), ask(searcher)]
    for values in (*asked, *asked):
        searcher.tell(FinishedTrial(0, values, (3.0,)))
    assert tree(searcher) == [[-1, [], 2, 2, 6.0]]


@pytest.mark.parametrize("name", SPACES)
def test_every_result_finds_its_proposal(name: str) -> None:
    searcher = started(SPACES[name], branches=2)
    run(searcher, 40, lambda values: float(len(values)))
    assert searcher.state_dict()["out"] == []
    assert tree(searcher)[0][2:4] == [40, 40]


def test_what_is_never_told_takes_no_memory() -> None:
    searcher = started(configured(a=lambda: da.integer(0, 2**20 - 1)))
    asked = [ask(searcher) for _ in range(1100)]
    assert len(searcher.state_dict()["out"]) == 1000
    searcher.tell(FinishedTrial(0, asked[0], (1.0,)))
    assert tree(searcher)[0][2:4] == [1100, 0], "forgotten"
    searcher.tell(FinishedTrial(1099, asked[-1], (1.0,)))
    assert tree(searcher)[0][2:4] == [1100, 1]


def test_a_state_brings_what_is_out_and_does_not_change_any_more() -> None:
    space = configured(a=lambda: da.choice(range(4)), b=lambda: da.real(0, 1))
    searcher = started(space)
    run(searcher, 10, lambda values: 5.0 + values["a"])
    out = [ask(searcher) for _ in range(3)]
    state = searcher.state_dict()
    text = json.dumps(state)
    assert state["range"] == [5.0, 8.0] and len(state["out"]) == 3

    resumed = started(space, seed=1)
    resumed.load_state_dict(json.loads(text))
    for each in (searcher, resumed):
        for number, values in enumerate(out):
            each.tell(FinishedTrial(number, values, (9.0,)))
        run(each, 10, lambda values: 5.0 + values["a"])
    assert resumed.state_dict() == searcher.state_dict()
    assert tree(resumed)[0][3] == 23
    assert json.dumps(state) == text


@pytest.mark.parametrize("further", [{}, {"only": lambda: da.choice(["one"])}])
def test_everything_is_proposed_before_anything_is_walked_to_again(further: Any) -> None:
    three = configured(a=da.boolean, b=da.boolean, c=da.boolean, **further)
    searcher = started(three)
    proposed = run(searcher, 14, lambda values: 4.0 * values["a"] + values["c"])
    assert len(tree(searcher)) == 15 and tree(searcher)[0][1] == [-1, -1]
    assert len({tuple(values.values()) for values in proposed}) == 8
    assert len(run(searcher, 5, lambda _: 0.0)) == 5
    assert len(tree(searcher)) == 15


def test_a_search_of_a_small_space_sees_all_of_it() -> None:
    found = da.search(SPACES["conditional"], MonteCarloTreeSearch(), trials=1000, seed=0)
    for trial in found:
        trial.tell(-float(len(trial.values)))
    assert found.ending == "every architecture of the space was seen"


# --- spaces of every kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_dead_end_is_left(seed: int) -> None:
    @da.rule
    def again(h: Any) -> Any:
        return da.or_([ops.ReLU, lambda: again(h)], which=h)

    searcher = started(da.space(lambda x: again(da.choice([0, 1], name="h"))(x)).limit(3), seed, exploration=0)
    assert run(searcher, 10, lambda _: 1.0) == [{"h": 0}] * 10


def test_deep_trees_need_no_recursion() -> None:
    depth = 1200

    @da.space
    def chain(x: Any) -> Any:
        for _ in range(depth):
            x = ops.Scale(da.choice([1.0, 2.0]))(x)
        return x

    searcher = started(chain)
    rows = [[i - 1, [-1, i + 1], 2, 2, 1.0] for i in range(depth)]
    rows.append([depth - 1, [], 1, 1, 0.5])
    searcher.load_state_dict({**searcher.state_dict(), "tree": rows})
    (values,) = run(searcher, 1, lambda _: 0.7)
    assert set(values.values()) == {2.0}
    state = json.loads(json.dumps(searcher.state_dict(), allow_nan=False))
    assert state["tree"][0] == [-1, [-1, -1], 3, 3, 1.7], "the last of all was proposed"
    assert state["tree"][depth] == [depth - 1, [], 2, 2, 1.2]


def test_where_a_number_decides_how_many_options_follow_the_tree_holds_all_of_them() -> None:
    @da.space
    def net(x: Any) -> Any:
        n = da.dependent(lambda a: 2 + int(a * 1e6) % 3, da.real(0, 1, name="a"))
        return da.substitute(lambda n: ops.Dense(units=da.integer(1, n)), n=n)(x)

    searcher = started(net)
    for values in run(searcher, 600, lambda values: -abs(values["a"] - 0.3)):
        net.at(values)


def test_huge_scores_leave_the_state_finite() -> None:
    searcher = started(pair)
    run(searcher, 6, lambda values: 1.7e308 if values["a"] else -1.7e308)
    json.dumps(searcher.state_dict(), allow_nan=False)


# --- bisection -----------------------------------------------------------------------------------------------------


def most_visited(searcher: Searcher) -> list[int]:
    """Return the options that lead from the root to the most visited child, and so on."""
    rows, place, options = tree(searcher), 0, list[int]()
    while seen := [(rows[child][2], option, child) for option, child in enumerate(rows[place][1]) if child > 0]:
        _, option, place = max(seen)
        options.append(option)
    return options


@pytest.mark.parametrize(
    ("make", "halves"),
    [
        (lambda: da.choice(list("abcdefgh")), [["a", "b", "c", "d"], ["e", "f", "g", "h"]]),
        (lambda: da.integer(1, 7), [[1, 2, 3], [4, 5, 6, 7]]),
        (lambda: da.integer(10, 50, step=10), [[10, 20], [30, 40, 50]]),
        (lambda: da.integer(1, 9, log=True), [[1, 2], [3, 4, 5, 6, 7, 8, 9]]),  # the middle is sqrt(1 * 9)
    ],
)
def test_a_wide_domain_is_halved_on_its_own_scale(make: Callable[[], Any], halves: list[list[Any]]) -> None:
    for option, half in enumerate(halves):
        seen = set[Any]()
        for seed in range(60):
            searcher = started(configured(a=make), seed, branches=2)
            value = ask(searcher)["a"]
            if tree(searcher)[0][1][option]:
                seen.add(value)
        assert sorted(seen) == half


def test_an_interval_is_halved_to_a_fixed_resolution() -> None:
    searcher = started(configured(a=lambda: da.real(0, 1)), exploration=0.2)
    proposed = run(searcher, 2500, lambda values: -abs(values["a"] - 0.3))
    options = most_visited(searcher)
    assert len(options) == 8
    low = sum(option / 2 ** (i + 1) for i, option in enumerate(options))
    assert low <= 0.3 < low + 2**-8
    assert len({values["a"] for values in proposed}) == 2500


def test_few_enough_options_are_children_of_one_node() -> None:
    space = configured(a=lambda: da.choice(range(5)))
    assert len(tree(started_and_asked(space, branches=5))[0][1]) == 5
    assert len(tree(started_and_asked(space, branches=4))[0][1]) == 2


def started_and_asked(space: da.SearchSpace, branches: int) -> Searcher:
    searcher = started(space, branches=branches)
    ask(searcher)
    return searcher


# --- searching -----------------------------------------------------------------------------------------------------


def test_visits_concentrate_on_the_optimum() -> None:
    names = [f"h{i}" for i in range(6)]
    space = configured(**dict.fromkeys(names, lambda: da.choice(range(4))))
    found = 0
    for seed in range(10):
        searcher = started(space, seed)
        proposed = run(searcher, 400, lambda values: float(sum(values[name] == 2 for name in names)))
        found += any(set(values.values()) == {2} for values in proposed)
        assert most_visited(searcher)[:2] == [2, 2]
        root = tree(searcher)[0]
        assert tree(searcher)[root[1][2]][2] > 250, "of 400 visits"
    assert found >= 9  # random search finds one of 4096 in a tenth of the runs


@pytest.mark.parametrize("log", [False, True])
def test_bisection_beats_random_search_on_a_wide_domain(log: bool) -> None:
    space = configured(a=lambda: da.integer(1, 100_000, log=log))
    distance: Callable[[int], float] = (lambda a: abs(math.log(a / 420))) if log else (lambda a: abs(a - 42_000))

    def nearest(searcher: Searcher, seed: int) -> float:
        searcher.start(space, random.Random(seed))
        return min(distance(values["a"]) for values in run(searcher, 100, lambda values: -distance(values["a"])))

    pairs = [(nearest(MonteCarloTreeSearch(), seed), nearest(RandomSearch(), seed)) for seed in range(10)]
    assert sum(ours < theirs for ours, theirs in pairs) >= 8
    assert statistics.median(ours for ours, _ in pairs) < statistics.median(theirs for _, theirs in pairs) / 3


def test_it_searches_a_grammar_with_holes_and_proposes_none() -> None:
    searcher = MonteCarloTreeSearch()
    search = da.search(holed.limit(4), searcher, trials=200, seed=0)
    for trial in search:
        assert not trial.architecture.holes and "hole" not in trial.values.values()
        trial.tell(float([*trial.values.values()].count("layer")))
    assert len(search.trials) == 200 and (search.best.score or 0) >= 6, "nearly as many layers as fit, which are 8"
    assert all("hole" not in searcher.decode(text).values() for text, _ in searcher.state_dict()["out"])


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"MonteCarloTreeSearch: exploration is a number of at least 0.\n  Got -1"):
        MonteCarloTreeSearch(exploration=-1)
    with pytest.raises(BadArgument, match=r"MonteCarloTreeSearch: branches is an int of at least 2.\n  Got 1 \(int\)"):
        MonteCarloTreeSearch(branches=1)
