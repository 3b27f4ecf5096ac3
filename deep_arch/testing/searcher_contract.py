"""What every searcher must do. A searcher's tests subclass `SearcherContract` and say how to make the searcher.

The laws are those of `deep_arch.Searcher`; each has a test of that name, which runs on every space of
`deep_arch.testing.searcher_spaces`.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import os
import random
import subprocess
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import pytest

from deep_arch.errors import BadArgument
from deep_arch.language.domains import REJECTED
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.mixtures import Mixture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinalState, FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_spaces import SPACES

_DRAW: Final = "draw from self.rng alone, and let nothing depend on the order of a set"
_LOST: Final = "went on otherwise than without the stop; `state_dict` holds all that `ask`, `choose` and `tell` change"
_MANY: Final = 64

on_every_space = pytest.mark.parametrize("name", SPACES)


class SearcherContract(ABC):
    """Tests of the laws of `Searcher`.

    Example:
        class TestMySearcher(SearcherContract):
            def make(self) -> Searcher:
                return MySearcher(population=5)

    Attributes:
        n_objectives: how many scores the searcher is told.
        n_trials: how many trials each test runs; more than the searcher needs until it learns.
        refused: names of spaces that the searcher cannot search, which it says by an error that its own tests match.
        proposes_holes: whether it proposes partial programs too, with holes.
    """

    n_objectives: int = 1
    n_trials: int = 30
    refused: Collection[str] = ()
    proposes_holes: bool = False

    @abstractmethod
    def make(self) -> Searcher:
        """Return a new searcher, with settings small enough that it learns within `n_trials`."""

    # --- valid proposals -----------------------------------------------------------------------------------------

    @on_every_space
    def test_proposes_only_architectures_of_its_space(self, name: str) -> None:
        for text in self.history(self.started(name), SPACES[name]):
            left = Architecture.from_json(text, SPACES[name]).unassigned
            assert not left, f"proposed an architecture that leaves {left[0].address} open"

    def test_handles_a_space_without_choices(self) -> None:
        space = SPACES["constant"]
        assert set(self.history(self.started("constant"), space)) == {space.sample(seed=0).to_json()}, (
            "did not propose the only architecture of a space in which there is nothing to choose"
        )

    @on_every_space
    def test_proposes_what_it_is_given(self, name: str) -> None:
        histories = [self.history_after_given(name, resumes) for resumes in (False, True)]
        assert histories[0] == histories[1], f"went on otherwise from a state with such a proposal out; {_LOST}"

    @on_every_space
    def test_weighs_what_is_offered(self, name: str) -> None:
        searcher, space = self.started(name), SPACES[name]
        for number, values in self.proposals(searcher):
            for point in _points(space, self.at(space, values).values):
                mixture = _weighed(searcher, point)
                assert searcher.relaxed or mixture is None, "weighed, and is not `relaxed`"
                if mixture is not None:
                    _check_mixture(point, mixture)
            architecture, budget = self.at(space, values), searcher.budget(values)
            searcher.tell(self.told(searcher, self.outcome(number, architecture, budget)))

    # --- results of every kind -----------------------------------------------------------------------------------

    @on_every_space
    def test_takes_results_in_any_order(self, name: str) -> None:
        searcher, space, rng = self.started(name), SPACES[name], random.Random(1)
        out: list[FinishedTrial] = []
        for number in range(self.n_trials):
            if (values := searcher.ask()) is not None:
                out.append(self.told(searcher, self.outcome(number, self.at(space, values), searcher.budget(values))))
            if out and (values is None or len(out) == 4):
                searcher.tell(out.pop(rng.randrange(len(out))))

    @on_every_space
    def test_survives_trials_without_scores(self, name: str) -> None:
        searcher = self.started(name)
        for number, values in self.proposals(searcher):
            self.at(SPACES[name], values)
            state: FinalState = "failed" if number % 2 else "skipped"
            searcher.tell(FinishedTrial(number, values, state=state, budget=searcher.budget(values)))

    @on_every_space
    def test_takes_a_result_twice(self, name: str) -> None:
        searcher = self.started(name)
        first: dict[str, int] = {}
        for number, values in self.proposals(searcher):
            architecture = self.at(SPACES[name], values)
            # A result from the record carries the number of the trial that has it.
            budget = searcher.budget(values)
            number = first.setdefault(f"{architecture.to_json()} {budget}", number)
            told = self.told(searcher, self.outcome(number, architecture, budget))
            searcher.tell(told)
            searcher.tell(told)

    @on_every_space
    def test_stays_over(self, name: str) -> None:
        searcher, space = self.started(name), SPACES[name]
        if len(self.history(searcher, space)) < self.n_trials:
            assert searcher.ask() is None, "proposed again after None with no trial out"

    # --- exact repetition ----------------------------------------------------------------------------------------

    @on_every_space
    def test_same_seed_same_history(self, name: str) -> None:
        histories = [self.history(self.started(name), SPACES[name]) for _ in range(2)]
        assert histories[0] == histories[1], f"the same seed gave another history; {_DRAW}"

    @on_every_space
    def test_start_begins_anew(self, name: str) -> None:
        searcher = self.started(name)
        expected = self.history(searcher, SPACES[name])
        searcher.start(SPACES[name], random.Random(0))
        assert self.history(searcher, SPACES[name]) == expected, "`start` kept something of the search before"

    def test_same_history_in_every_process(self) -> None:
        expected = self.histories()
        found = _in_another_process(type(self)).histories
        assert found == expected, f"another process gave another history; {_DRAW}"

    @on_every_space
    def test_resumes_exactly(self, name: str) -> None:
        state, expected = self.half_a_history(name)
        assert self.second_half(name, state) == expected, _LOST

    def test_resumes_in_another_process(self) -> None:
        found = _in_another_process(type(self))
        assert found.second_halves == found.second_halves_here, _LOST

    def test_refuses_a_foreign_state(self) -> None:
        searcher = self.started("constant")
        own = searcher.state_dict()
        for state in ({}, {**own, "of": "Another"}, {**own, "space": "another"}):
            with pytest.raises(BadArgument, match=f"expected the state of a {type(searcher).__name__}"):
                searcher.load_state_dict(state)
        for key in own.keys() - {"of", "space"}:
            with pytest.raises(BadArgument, match=f"Got one without {key!r}"):
                searcher.load_state_dict({other: part for other, part in own.items() if other != key})

    @on_every_space
    def test_moves_no_global_random_state(self, name: str) -> None:
        before = _global_random_states()
        self.history(self.started(name), SPACES[name])
        assert _global_random_states() == before, "a global random state moved; draw from self.rng"

    # --- how the tests search ------------------------------------------------------------------------------------

    def started(self, name: str, seed: int = 0) -> Searcher:
        """Return a searcher that begins to search the named space."""
        if name in self.refused:
            pytest.skip(f"the searcher refuses the space {name}")
        searcher = self.make()
        searcher.start(SPACES[name], random.Random(seed))
        return searcher

    def at(self, space: SearchSpace, values: Values) -> Architecture:
        """Return the architecture with these values, which are a proposal."""
        return (space.proposed if self.proposes_holes else space.at)(values)

    def proposals(self, searcher: Searcher, first: int = 0) -> Iterator[tuple[int, Values]]:
        """Yield numbered proposals, until the searcher has none; the caller tells each result before the next."""
        for number in range(first, self.n_trials):
            if (values := searcher.ask()) is None:
                return
            yield number, values

    def outcome(self, number: int, architecture: Architecture, budget: float | None = None) -> FinishedTrial:
        """Return what came of a trial, the same in every process: mostly scores, now and then none."""
        if number % 5 == 3:
            state: FinalState = "failed" if number % 2 else "skipped"
            return FinishedTrial(number, architecture.values, state=state, budget=budget)
        text = architecture.to_json().encode()
        scores = tuple([zlib.crc32(text, objective) / 2**32 for objective in range(self.n_objectives)])
        return FinishedTrial(number, architecture.values, scores, {0: scores[0] / 2, 1: scores[0]}, budget=budget)

    def told(self, searcher: Searcher, trial: FinishedTrial) -> FinishedTrial:
        """Return a result as a search tells it: to a relaxed searcher with mixtures and slopes."""
        if not searcher.relaxed or trial.state != "complete":
            return trial
        found = {point.address: _weighed(searcher, point) for point in _points(searcher.space, trial.values)}
        mixtures = {address: mixture for address, mixture in found.items() if mixture is not None}
        slopes = {
            address: tuple([zlib.crc32(f"{address} {i} {trial.gains}".encode()) / 2**32 for i in range(len(m.values))])
            for address, m in mixtures.items()
        }
        return replace(trial, slopes=slopes, mixtures=mixtures)

    def history(self, searcher: Searcher, space: SearchSpace, first: int = 0) -> list[str]:
        """Return the proposals from the trial `first` on, as JSON."""
        history: list[str] = []
        for number, values in self.proposals(searcher, first):
            architecture = self.at(space, values)
            history.append(architecture.to_json())
            searcher.tell(self.told(searcher, self.outcome(number, architecture, searcher.budget(values))))
        return history

    def history_after_given(self, name: str, resumes: bool) -> list[str]:
        """Return the proposals, as JSON, that follow a whole and a partial one from outside, each resumed if asked."""
        searcher, space = self.started(name), SPACES[name]
        whole = space.sample(seed=5).values
        part = dict(list(whole.items())[: len(whole) // 2])
        for number, given in enumerate([whole, part]):
            values = searcher.propose(given)
            architecture, budget = self.at(space, values), searcher.budget(values)
            kept = {address: value for address, value in architecture.values.items() if address in given}
            assert kept == given, f"proposed {values} for {given}"
            if resumes:
                state = json.dumps(searcher.state_dict(), allow_nan=False)
                searcher = self.started(name, seed=1)
                searcher.load_state_dict(json.loads(state))
            searcher.tell(self.told(searcher, self.outcome(number, architecture, budget)))
        return self.history(searcher, space, 2)

    def histories(self) -> dict[str, list[str]]:
        """Return the proposals in each space that the searcher does not refuse, as JSON."""
        return {name: self.history(self.started(name), SPACES[name]) for name in SPACES if name not in self.refused}

    def half_a_history(self, name: str) -> tuple[str, list[str]]:
        """Return a state from the middle of a search, through JSON, and the proposals after it."""
        searcher, half = self.started(name), self.n_trials // 2
        for number, values in self.proposals(searcher):
            outcome = self.outcome(number, self.at(SPACES[name], values), searcher.budget(values))
            searcher.tell(self.told(searcher, outcome))
            if number == half:
                break
        state = json.dumps(searcher.state_dict(), allow_nan=False)
        return state, self.history(searcher, SPACES[name], half + 1)

    def second_half(self, name: str, state: str) -> list[str]:
        """Return the proposals of a new searcher that continues from a state."""
        resumed = self.started(name, seed=1)  # the state has to bring its own randomness, and to replace what was
        self.history(resumed, SPACES[name], self.n_trials - 3)
        resumed.load_state_dict(json.loads(state))
        return self.history(resumed, SPACES[name], self.n_trials // 2 + 1)


def _points(space: SearchSpace, values: Values) -> list[ChoicePoint]:
    return [ChoicePoint(address, domain, None, values) for address, domain in space.decidable(values).items()]


def _weighed(searcher: Searcher, point: ChoicePoint) -> Mixture | None:
    if point.domain.size > _MANY:  # which searchers may refuse to weigh, and which take long
        return None
    return searcher.weigh(point)


def _check_mixture(point: ChoicePoint, mixture: Mixture) -> None:
    outside = [value for value in mixture.values if point.domain.accept(value) is REJECTED]
    assert not outside, f"{point.address}: weighed {outside[:1]}, which is not {point.domain}"
    total = sum([mixture.numbers[i] for i in mixture.active])
    assert abs(total - 1) < 1e-9, f"{point.address}: what is active weighs {total} together, and not 1"


class _Elsewhere(NamedTuple):
    """What another process proposed in each space: whole histories, and second halves of those that began here."""

    histories: dict[str, list[str]]
    second_halves: dict[str, list[str]]
    second_halves_here: dict[str, list[str]]


@functools.cache
def _in_another_process(cls: type[SearcherContract]) -> _Elsewhere:
    """Ask a process that hashes otherwise, one for both tests of a class: most of the time it imports."""
    contract = cls()
    halves = {name: contract.half_a_history(name) for name in SPACES if name not in contract.refused}
    states = {name: state for name, (state, _) in halves.items()}
    order = {"file": inspect.getfile(cls), "class": cls.__qualname__, "states": states}
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2",
    }
    command = [sys.executable, "-c", f"import {__name__} as contract; contract.answer_parent()"]
    run = subprocess.run(command, input=json.dumps(order), env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    return _Elsewhere(**answer, second_halves_here={name: expected for name, (_, expected) in halves.items()})


def answer_parent() -> None:
    """Do in a new process what the parent ordered on standard input, and print the histories."""
    order = json.load(sys.stdin)
    spec = importlib.util.spec_from_file_location(Path(order["file"]).stem, order["file"])
    assert spec is not None and spec.loader is not None, "the contract's subclass stands in a Python file"
    found: Any = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    for part in order["class"].split("."):
        found = getattr(found, part)
    contract = cast(SearcherContract, found())
    histories = contract.histories()
    second_halves = {name: contract.second_half(name, state) for name, state in order["states"].items()}
    print(json.dumps({"histories": histories, "second_halves": second_halves}))


def _global_random_states() -> list[str]:
    """Return Python's global random state, and NumPy's if anything has imported it."""
    numpy: Any = sys.modules.get("numpy")
    return [repr(random.getstate())] + ([] if numpy is None else [repr(numpy.random.get_state(legacy=False))])
