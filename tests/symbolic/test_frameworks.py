"""Programs of recorded calls on Keras, which takes one backend in a process, and on scikit-learn."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.searchers import RandomSearch

_PROGRAM = Path(__file__).with_name("keras_program.py")
_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax", "tensorflow"])
def test_keras_models_are_searched_on(backend: str, tmp_path: Path) -> None:
    for package in ("keras", backend):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    settings = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(_PROGRAM), str(tmp_path)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"passed on {backend}" in done.stdout


def pipeline() -> Any:
    """Return a pipeline with steps in tuples, one of which may be left out."""
    from sklearn import decomposition, linear_model, pipeline, preprocessing, svm

    steps = [
        ("scale", da.choice(["passthrough", da.symbolize(preprocessing.StandardScaler)()])),
        ("reduce", da.symbolize(decomposition.PCA)(n_components=da.choice([4, 16]), random_state=0)),
        (
            "classify",
            da.choice(
                {
                    "svc": da.symbolize(svm.SVC)(C=da.real(0.1, 10, log=True)),
                    "logistic": da.symbolize(linear_model.LogisticRegression)(max_iter=2000),
                }
            ),
        ),
    ]
    return da.symbolize(pipeline.Pipeline)(steps)


def test_pipelines_have_their_steps_in_tuples() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    space = da.space(pipeline())
    assert space.discretize(3).size() == 2 * 2 * (3 + 1)
    values = space.sample(seed=0).values
    assert {"steps[0][1]", "steps[1][1].n_components", "steps[2][1]"} <= set(values)
    made = da.build(space.at(values))
    assert type(made) is Pipeline and all(isinstance(step, tuple) for step in made.steps)
    copy = clone(made)
    assert copy is not made and repr(copy) == repr(made)
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)


def test_a_search_of_pipelines_scores_by_cross_validation() -> None:
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_score

    x, y = load_digits(return_X_y=True)
    search = da.search(pipeline(), RandomSearch(), trials=4, seed=1)
    for trial in search:
        scores = cross_val_score(da.build(trial), x[:300], y[:300], cv=3)
        assert (scores == cross_val_score(da.build(trial), x[:300], y[:300], cv=3)).all(), "made anew, fitted alike"
        trial.tell(float(scores.mean()))
    assert search.best.scores[0] > 0.7
    assert not hasattr(da.build(search.best).steps[1][1], "components_"), "what was fitted is not what is made next"
