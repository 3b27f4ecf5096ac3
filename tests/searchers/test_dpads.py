"""dPads: the laws of searchers, what is pruned and fixed, and what it is made with. Its runs are in tests/supernets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deep_arch.errors import BadArgument
from deep_arch.searchers import DPads, Stage
from deep_arch.searchers.parts.best_states import BestStates, State
from deep_arch.searchers.parts.policy import Parameter
from deep_arch.studies.searcher import Searcher
from deep_arch.testing.searcher_contract import SearcherContract


class TestDPads(SearcherContract):
    def make(self) -> Searcher:
        return DPads(epoch=2, schedule=[(1, 1), Stage(2, 1, keep=2)], neural_epochs=1, symbolic_epochs=2)


def state(number: int = 0, score: float = 0.0, **met: tuple[int, str]) -> State:
    """Return a state with decisions of one-letter keys, whose logits fall from the first key on."""
    found = State(number, score=score, met={name: (depth, [*keys]) for name, (depth, keys) in met.items()})
    found.logits = {a: {k: Parameter(-float(i)) for i, k in enumerate(keys)} for a, (_, keys) in found.met.items()}
    return found


def test_pruning_keeps_exactly_the_likeliest_in_their_order() -> None:
    pruned = state(x=(1, "abcd"), y=(2, "ab"), z=(2, "a"))
    pruned.logits["x"]["d"].value = 5.0
    pruned.prune(2)
    assert pruned.left == {"x": ["a", "d"], "y": ["a", "b"], "z": ["a"]}
    pruned.prune(3)
    assert {len(pruned.left[name]) for name in "yz"} == {2, 1}


def test_what_is_open_is_first_by_depth_and_then_as_it_was_met() -> None:
    assert state(z=(3, "ab"), y=(2, "ab"), x=(2, "ab"), w=(1, "a")).open() == "y"
    assert state(w=(1, "a")).open() is None
    assert state(w=(1, "a"), x=(2, "abc")).size() == 3


def test_a_fixed_state_goes_on_with_logits_of_its_own() -> None:
    first = state(x=(1, "ab"), y=(2, "ab"))
    other = first.fixed("x", "b", number=7)
    assert (other.number, other.parent, other.left) == (7, 0, {"x": ["b"]})
    other.logits["y"]["a"].ascend(1.0, 0.1)
    assert first.logits["y"]["a"].value == 0.0 != other.logits["y"]["a"].value


def test_the_best_state_goes_on_first_and_what_is_no_better_than_a_program_is_left() -> None:
    states = BestStates()
    states.take(state(0, 0.5, x=(1, "ab")))
    found = states.next()
    assert found is not None and (found.number, found.left) == (1, {"x": ["a"]})
    states.take(state(1, 0.4, x=(1, "a"), y=(2, "ab")))
    found = states.next()
    assert found is not None and (found.number, found.left) == (2, {"x": ["b"]})
    states.take(state(2, 0.9, x=(1, "b"), y=(2, "ab")))
    assert states.needed() == {1, 2}
    found = states.next()
    assert found is not None and (found.number, found.parent, found.left) == (3, 2, {"y": ["a"]})
    states.take(state(3, 0.6, x=(1, "b"), y=(2, "a")))
    assert states.best is not None and states.best.number == 3 and not states.frontier
    found = states.next()
    assert found is not None and found.number == 4
    states.take(state(4, 0.2, x=(1, "b"), y=(2, "b")))
    assert states.best.number == 3 and states.next() is None and states.needed() == {3}


def test_states_go_through_json() -> None:
    states = BestStates()
    states.take(state(0, 0.5, x=(1, "ab")))
    states.take(state(1, 0.3, x=(1, "a")))
    states.next()
    written = json.dumps(states.written(), allow_nan=False)
    assert json.dumps(BestStates.read(json.loads(written)).written()) == written
    assert State.read(json.loads(json.dumps(State().written(), allow_nan=False))) == State()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epoch": 0}, r"DPads: epoch is an int of at least 1\.\n  Got 0 \(int\)"),
        (
            {"schedule": [4]},
            r"DPads: expected each row of the schedule to be a Stage.*\n  Got 4 \(int\)\.\n  Write Stage",
        ),
        ({"schedule": [(2, -1)]}, "DPads: epochs is an int of at least 0"),
        ({"schedule": [(0, 1)]}, "DPads: depth is an int of at least 1"),
        ({"schedule": [(1, 1, 0)]}, "DPads: keep is an int of at least 1"),
        ({"clip": -1}, "DPads: clip is a number of at least 0"),
        ({"symbolic_epochs": 1.5}, "DPads: symbolic_epochs is an int of at least 1"),
    ],
)
def test_what_it_is_made_with_is_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        DPads(**{"epoch": 1, **arguments})
