from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FixedTrial, TrialState

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, MissingValues, TooDeep, ValueOutsideDomain
from deep_arch.searchers import suggest
from deep_arch.searchers.optuna_objective import parameters
from deep_arch.testing.searcher_spaces import SPACES


@da.space
def net(x: Any) -> Any:
    """Have every kind of domain, some of them conditional."""
    da.config(rate=da.real(1e-4, 1e-1, log=True), order=da.permutation(["a", "b", "c"]))
    n = da.choice([1, 2, 4], name="n")
    x = da.repeat(lambda: ops.Dense(units=da.integer(8, 64, step=8)), n)(x)
    return da.optional(lambda: da.or_([ops.ReLU, ops.Tanh]))(x)


def study(**arguments: Any) -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0), **arguments)


@pytest.mark.parametrize("name", SPACES)
def test_a_finished_trial_gives_its_architecture_again(name: str) -> None:
    space, found = SPACES[name], study()
    for _ in range(15):
        trial = found.ask()
        architecture = suggest(trial, space)
        assert not architecture.unassigned and architecture == space.at(architecture.values)
        frozen = found.tell(trial, random.Random(architecture.to_json()).random())
        assert suggest(frozen, space) == architecture
        assert suggest(FixedTrial(frozen.params), space) == architecture


def test_values_are_readable_where_optuna_can_hold_them() -> None:
    trial = study().ask()
    values = suggest(trial, SPACES["flat"]).values
    held = {"rate", "parts[0]", "parts[1]", "order[0]", "order[1]", "order[2]", "dense.units", "active"}
    assert held < set(trial.params) and all(trial.params[a] == values[a] for a in held & values.keys())
    conditional = study().ask()
    assert suggest(conditional, SPACES["conditional"]).values["or.which"] == conditional.params["or.which"]


def test_options_that_optuna_cannot_hold_are_positions() -> None:
    for options in ([ops.ReLU, ops.Tanh], [1, True], [[1], [2]], [1.0, float("inf")]):
        space = da.space(lambda x, o=options: da.substitute(lambda option: ops.Identity(), option=da.choice(o))(x))
        (value,) = suggest(FixedTrial({"substitute.option": 1}), space).values.values()
        assert value is options[1]


def test_a_study_finds_the_best_architecture() -> None:
    found = study()
    found.optimize(lambda trial: suggest(trial, net).cost(da.vector(8)).parameters, n_trials=40)
    assert suggest(found.best_trial, net).cost(da.vector(8)).parameters == found.best_value
    assert found.best_params["n"] == 1 and found.best_params["repeat[0]/dense.units"] == 8


def test_a_sub_space_asks_only_what_is_open() -> None:
    trial = study().ask()
    architecture = suggest(trial, net.fix({"n": 2}).where(lambda point: point.name != "rate"))
    assert architecture.values["n"] == 2 and "n" not in trial.params
    assert not {"rate", "n"} & set(trial.params) and "rate" not in architecture.values


def test_enqueued_parameters_are_what_is_suggested() -> None:
    for name, space in SPACES.items():
        found = study()
        for seed in range(5):
            architecture = space.sample(seed=seed)
            found.enqueue_trial(parameters(space, architecture.values))
            trial = found.ask()
            assert suggest(trial, space) == architecture, name
            found.tell(trial, 0.0)


# --- with Optuna's own machinery -----------------------------------------------------------------------------------

WORKER = """
import sys
import optuna
from deep_arch.searchers import suggest
from deep_arch.testing.searcher_spaces import SPACES

def objective(trial):
    architecture = suggest(trial, SPACES["conditional"])
    trial.set_user_attr("architecture", architecture.to_json())
    return len(architecture.graph.calls)

study = optuna.load_study(study_name="shared", storage=sys.argv[1])
study.optimize(objective, n_trials=5)
"""


def objective(trial: optuna.Trial) -> float:
    architecture = suggest(trial, SPACES["conditional"])
    trial.set_user_attr("architecture", architecture.to_json())
    return len(architecture.graph.calls)


def test_processes_share_a_study_in_sqlite(tmp_path: Path) -> None:
    url, space = f"sqlite:///{tmp_path}/study.db", SPACES["conditional"]
    shared = study(storage=url, study_name="shared")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", WORKER, url]
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not shared.trials and worker.poll() is None:
        pass  # so that the two run at the same time
    shared.optimize(objective, n_trials=5)
    _, errors = worker.communicate()
    assert worker.returncode == 0, errors
    assert len(shared.trials) == 10
    for trial in shared.trials:
        assert suggest(trial, space).to_json() == trial.user_attrs["architecture"]


def test_pruners_stop_trials(tmp_path: Path) -> None:
    def objective(trial: optuna.Trial) -> float:
        units = suggest(trial, net).values["repeat[0]/dense.units"]
        for step in range(3):
            trial.report(float(units), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(units)

    found = study(storage=f"sqlite:///{tmp_path}/study.db", pruner=optuna.pruners.MedianPruner(n_startup_trials=3))
    found.optimize(objective, n_trials=20)
    states = [trial.state for trial in found.trials]
    assert states.count(TrialState.PRUNED) > 2 and states.count(TrialState.COMPLETE) > 2
    assert suggest(found.best_trial, net).values["repeat[0]/dense.units"] == found.best_value


def test_a_study_goes_on_after_recursion_without_end() -> None:
    @da.rule
    def nested(which: Any) -> Any:
        return da.or_({"leaf": ops.ReLU, "sum": lambda x: ops.Add()(nested(which)(x), nested(which)(x))}, which=which)

    space = da.space(lambda x: nested(da.choice(["leaf", "sum"], name="which"))(x)).limit(max_depth=3)
    found = study()
    found.optimize(lambda trial: len(suggest(trial, space).graph.calls), n_trials=20, catch=TooDeep)
    assert {trial.params["which"] for trial in found.trials if trial.state == TrialState.COMPLETE} == {"leaf"}
    assert {trial.params["which"] for trial in found.trials if trial.state == TrialState.FAIL} == {"sum"}


def test_other_options_at_one_address_get_a_name_of_their_own() -> None:
    def dense(n: int) -> Any:
        return ops.Dense(units=da.choice(list(range(1, n + 1))))

    space = da.space(lambda x: da.substitute(dense, n=da.choice([2, 3], name="n"))(x))
    found = study()
    for n, name in ((3, "substitute/dense.units"), (2, "substitute/dense.units, one of (1, 2)")):
        found.enqueue_trial({"n": n})
        trial = found.ask()
        architecture = suggest(trial, space)
        assert list(trial.params) == ["n", name]
        assert suggest(found.tell(trial, 0.0), space) == architecture


# --- errors --------------------------------------------------------------------------------------------------------


def test_arguments_are_checked() -> None:
    with pytest.raises(BadArgument, match=r"suggest: expected first a trial of Optuna(.|\n)*suggest\(trial, space\)"):
        suggest(net, study().ask())  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="suggest: expected second a search space"):
        suggest(study().ask(), net.sample(seed=0))  # type: ignore[arg-type]


def test_a_trial_of_another_space_is_named() -> None:
    with pytest.raises(
        MissingValues, match=r"^n: got no value from Optuna(.|\n)*Got ValueError: (.|\n)*Pass the space"
    ):
        suggest(FixedTrial({"rate": 0.01, "order[0]": 0, "order[1]": 0, "order[2]": 0}), net)
    units = da.space(lambda x: ops.Dense(units=da.integer(1, 8))(x))
    with (
        pytest.warns(UserWarning, match="out of the range"),
        pytest.raises(ValueOutsideDomain, match=r"^dense.units: 9 is not an integer from 1 to 8(.|\n)*Pass the space"),
    ):
        suggest(FixedTrial({"dense.units": 9}), units)
