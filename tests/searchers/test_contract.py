"""The contract covers every searcher, tests every law, and catches searchers that break one."""

from __future__ import annotations

import importlib
import inspect
import itertools
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
import deep_arch.searchers
from deep_arch.errors import BadArgument, DeepArchError, TrialError
from deep_arch.searchers import EarlyStopping, RandomSearch, median_rule
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.readme_space import net
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import holed

HERE = Path(__file__)


def test_every_exported_searcher_is_covered() -> None:
    exported = [cls for _, cls in inspect.getmembers(deep_arch.searchers, inspect.isclass)]
    searchers = {cls.__name__ for cls in exported if issubclass(cls, Searcher) and not inspect.isabstract(cls)}
    text = "".join(path.read_text() for path in HERE.parent.glob("test_*.py") if path != HERE)
    covered = set(re.findall(r"class Test(\w+)\(SearcherContract\)", text))
    assert searchers and searchers <= covered


def test_every_searcher_file_is_exported() -> None:
    folder = Path(inspect.getfile(deep_arch.searchers)).parent
    for path in folder.glob("*.py"):
        module = importlib.import_module(f"deep_arch.searchers.{path.stem}")
        own = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
        for cls in own:
            if issubclass(cls, Searcher) and not inspect.isabstract(cls):
                assert hasattr(deep_arch.searchers, cls.__name__)


def test_every_law_has_a_test_of_its_name() -> None:
    _, laws = (inspect.getdoc(Searcher) or "").split("\nLaws")
    names = re.findall(r"^    (\w+):", laws, re.MULTILINE)
    tests = [name.removeprefix("test_") for name in vars(SearcherContract) if name.startswith("test_")]
    assert sorted(names) == sorted(tests)


OF_ONE_SCORE = [
    "AsynchronousHalving",
    "BOHB",
    "BestFirstSearch",
    "DARTS",
    "DPads",
    "GDAS",
    "GeneticAlgorithm",
    "Growth",
    "GumbelMasking",
    "Hyperband",
    "InterpolatedWidths",
    "LocalSearch",
    "MonteCarloTreeSearch",
    "ProximalPolicy",
    "RegularizedEvolution",
    "Reinforce",
    "SETN",
    "SuccessiveHalving",
]


@pytest.mark.parametrize("name", OF_ONE_SCORE)
def test_a_searcher_of_one_score_refuses_several(name: str) -> None:
    searcher: Searcher = getattr(deep_arch.searchers, name)()
    for wrapped in (searcher, EarlyStopping(searcher, median_rule())):
        with pytest.raises(BadArgument, match=r"learns from 1 score of a trial(.|\n)*'minimize'(.|\n)*NSGA2"):
            da.search(net, wrapped, trials=3, seed=0, directions=["maximize", "minimize"])
    searcher.start(holed, random.Random(0))
    with pytest.raises(TrialError, match=r"trial 0: expected one score(.|\n)*Got 2: \(1.0, -2.0\)(.|\n)*NSGA2"):
        values = searcher.ask() or {}
        searcher.tell(FinishedTrial(0, values, (1.0, -2.0), budget=searcher.budget(values)))


# --- searchers that break one law each -----------------------------------------------------------------------------


class Invalid(RandomSearch):
    def choose(self, point: ChoicePoint) -> Any:
        return "nothing that any domain has"


class Global(RandomSearch):
    def choose(self, point: ChoicePoint) -> Any:
        random.random()
        return super().choose(point)


class Fresh(RandomSearch):
    def choose(self, point: ChoicePoint) -> Any:
        return point.domain.draw(random.Random())


class Hashing(RandomSearch):
    def choose(self, point: ChoicePoint) -> Any:
        return point.domain.draw(random.Random(hash(point.address)))


class Forgetful(RandomSearch):
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Hungry(RandomSearch):
    def tell(self, trial: FinishedTrial) -> None:
        if trial.gains[0] < 0:
            raise AssertionError


class Strict(RandomSearch):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def tell(self, trial: FinishedTrial) -> None:
        assert trial.number not in self.told, "told twice"
        self.told.append(trial.number)


class Ordered(Strict):
    def tell(self, trial: FinishedTrial) -> None:
        assert trial.number >= max(self.told, default=0), "told out of order"
        super().tell(trial)


class Lazarus(RandomSearch):
    count = 0

    def ask(self) -> Values | None:
        self.count += 1
        return None if self.count == 5 else super().ask()


class Lingering(RandomSearch):
    def __init__(self) -> None:
        super().__init__()
        self.counter = itertools.count()

    def choose(self, point: ChoicePoint) -> Any:
        return point.domain.draw(random.Random(next(self.counter)))


class Deaf(RandomSearch):
    def propose(self, values: Values) -> Values:
        return self.space.sample(self.rng).values


class Mute(RandomSearch):
    def ask(self) -> None:
        return None


class Heavy(RandomSearch):
    relaxed = True

    def weigh(self, point: ChoicePoint) -> da.Mixture:
        return da.Mixture((point.domain.at(0), point.domain.at(1)), (0.5, 0.6))


class Foreign(RandomSearch):
    relaxed = True

    def weigh(self, point: ChoicePoint) -> da.Mixture:
        return da.Mixture(("nothing that any domain has",), (1.0,))


class Contract(SearcherContract):
    """The contract, applied by hand to a searcher that breaks it."""

    broken: type[RandomSearch]

    def make(self) -> RandomSearch:
        return self.broken()


class OfHashing(Contract):
    broken = Hashing


class OfForgetful(Contract):
    broken = Forgetful


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Invalid, "proposes_only_architectures_of_its_space"),
        (Deaf, "proposes_what_it_is_given"),
        (Mute, "handles_a_space_without_choices"),
        (Heavy, "weighs_what_is_offered"),
        (Foreign, "weighs_what_is_offered"),
        (Ordered, "takes_results_in_any_order"),
        (Hungry, "survives_trials_without_scores"),
        (Strict, "takes_a_result_twice"),
        (Lazarus, "stays_over"),
        (Fresh, "same_seed_same_history"),
        (Lingering, "start_begins_anew"),
        (Forgetful, "resumes_exactly"),
        (Global, "moves_no_global_random_state"),
    ],
)
def test_a_broken_law_is_caught(broken: type[RandomSearch], law: str) -> None:
    contract = type("Of", (Contract,), {"broken": broken})()
    test = getattr(contract, f"test_{law}")
    with pytest.raises((AssertionError, DeepArchError, IndexError)):
        test(**({"name": "flat"} if "name" in inspect.signature(test).parameters else {}))


def test_a_law_broken_in_another_process_is_caught() -> None:
    with pytest.raises(AssertionError):
        OfHashing().test_same_history_in_every_process()
    with pytest.raises(AssertionError):
        OfForgetful().test_resumes_in_another_process()
