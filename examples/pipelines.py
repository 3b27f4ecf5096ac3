"""Search scikit-learn pipelines, beside scikit-learn's own random search; about two minutes on one core.

    python examples/pipelines.py --trials 30 --repeats 3 --output pipelines --seed 0

A space is not only for networks. Here the value that flows through the graph is a tuple of steps, every module appends
its estimator to it, and a resolved architecture is a function that returns the steps of a pipeline. Each search scores
pipelines by cross-validation on 600 images of digits, fits the best one on all of these, and tests it on 1,197 others.
Both draw at random and alike, so that luck separates them, and pipelines that cannot be fitted.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from scipy.stats import loguniform, randint
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler
from sklearn.svm import SVC

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend
from deep_arch.errors import MissingDependency
from deep_arch.searchers import RandomSearch
from deep_arch.studies.search import Search
from deep_arch.visualization.plots import plot_scores

N_LEARNING, N_FEATURES = 600, 64


# --- the search space ------------------------------------------------------------------------------------------------


def step(estimator: Callable[..., Any]) -> Callable[..., da.Module]:
    """Return what makes modules of an estimator's class: they append one such estimator to the steps."""

    @functools.wraps(estimator, updated=())  # keeps the name and the arguments
    def make(**arguments: Any) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        return lambda steps: (*steps, estimator(**arguments))

    return da.wrap(make)


standard, robust, min_max, quantile = map(step, (StandardScaler, RobustScaler, MinMaxScaler, QuantileTransformer))
k_best, variance_threshold, pca, nystroem = map(step, (SelectKBest, VarianceThreshold, PCA, Nystroem))
support_vectors, logistic, neighbors = map(step, (SVC, LogisticRegression, KNeighborsClassifier))
forest, boosting = map(step, (RandomForestClassifier, GradientBoostingClassifier))


def quantiles() -> da.Module:
    shape = da.choice(["uniform", "normal"])
    return quantile(n_quantiles=da.integer(10, 400), output_distribution=shape, random_state=0)


def reduce(width: Any) -> da.Module:
    """Return a module that makes fewer features out of `width`, which may be a hyperparameter, or others, or none."""

    def components() -> da.Module:
        share = da.real(0.2, 1.0, name="share")
        return pca(n_components=da.dependent(lambda n, part: round(n * part), width, share), random_state=0)

    def kernel() -> da.Module:
        gamma = da.real(1e-4, 1e-1, log=True)
        return nystroem(gamma=gamma, n_components=da.integer(50, 300), random_state=0)

    return da.or_({"none": ops.Identity, "pca": components, "nystroem": kernel}, name="reduce")


def select_best() -> da.Module:
    k = da.integer(8, N_FEATURES, name="k")
    return da.sequential(lambda: k_best(k=k), lambda: reduce(k))  # so that there never are more components than k


def select_varying() -> da.Module:
    def varying() -> da.Module:
        return variance_threshold(threshold=da.real(1e-2, 1.0, log=True))

    return da.sequential(varying, lambda: reduce(N_FEATURES))  # only the data knows how many features are left


def machine() -> da.Module:
    c = da.real(1e-2, 1e3, log=True, name="C")
    kernels = {
        "linear": lambda: support_vectors(kernel="linear", C=c),
        "poly": lambda: support_vectors(kernel="poly", C=c, degree=da.integer(2, 4)),
        "rbf": lambda: support_vectors(kernel="rbf", C=c, gamma=da.real(1e-4, 1.0, log=True)),
    }
    return da.or_(kernels, name="kernel")


def trees() -> da.Module:
    tried, leaf = da.choice(["sqrt", "log2"]), da.integer(1, 5)
    return forest(n_estimators=da.integer(20, 100), max_features=tried, min_samples_leaf=leaf, random_state=0)


def boosted_trees() -> da.Module:
    return boosting(
        n_estimators=da.integer(10, 40),
        learning_rate=da.real(0.03, 0.5, log=True),
        max_depth=da.integer(2, 4),
        subsample=0.5,
        max_features="sqrt",
        random_state=0,
    )


@da.space
def pipelines(steps: Any) -> Any:
    """Scale or not, select features or not, reduce them or not, and classify."""
    scale = {"none": ops.Identity, "standard": standard, "robust": robust, "min_max": min_max, "quantile": quantiles}
    select = {"none": lambda: reduce(N_FEATURES), "best": select_best, "variance": select_varying}
    classify = {
        "machine": machine,
        "logistic": lambda: logistic(C=da.real(1e-3, 1e2, log=True), max_iter=200),
        "trees": trees,
        "boosted_trees": boosted_trees,
        "neighbors": lambda: neighbors(
            n_neighbors=da.integer(1, 15), weights=da.choice(["uniform", "distance"]), p=da.choice([1, 2])
        ),
    }
    steps = da.or_(scale, name="scale")(steps)
    steps = da.or_(select, name="select")(steps)
    return da.or_(classify, name="classify")(steps)


def resolve(architecture: da.Architecture) -> Pipeline:
    """Return the pipeline that an architecture stands for."""
    return make_pipeline(*python_backend.build(architecture)(steps=()))


# --- the same for scikit-learn ---------------------------------------------------------------------------------------


def flat_space() -> list[dict[str, Any]]:
    """Return the space as scikit-learn takes it: one dictionary for each combination of parts.

    A hyperparameter that only one part has needs a dictionary of its own for each combination of the other parts. Each
    dictionary is equally likely, so the classifiers that have no kernels to choose from stand there three times. That
    there are no more components than features cannot be said.
    """
    scalers: list[Any] = ["passthrough", StandardScaler(), RobustScaler(), MinMaxScaler()]
    shapes = ["uniform", "normal"]
    quantiles = {"n_quantiles": randint(10, 401), "output_distribution": shapes}
    scale = [_part("scale", scaler) for scaler in scalers]
    scale += [_part("scale", QuantileTransformer(random_state=0), **quantiles)]
    select = [
        _part("select", "passthrough"),
        _part("select", SelectKBest(), k=randint(8, N_FEATURES + 1)),
        _part("select", VarianceThreshold(), threshold=loguniform(1e-2, 1.0)),
    ]
    reduce = [
        _part("reduce", "passthrough"),
        _part("reduce", PCA(random_state=0), n_components=randint(round(0.2 * N_FEATURES), N_FEATURES + 1)),
        _part("reduce", Nystroem(random_state=0), gamma=loguniform(1e-4, 1e-1), n_components=randint(50, 301)),
    ]
    parts = itertools.product(scale, select, reduce, _classifiers())
    return [{key: value for part in combination for key, value in part.items()} for combination in parts]


def _classifiers() -> list[dict[str, Any]]:
    c = loguniform(1e-2, 1e3)
    trees, boosted = RandomForestClassifier(random_state=0), GradientBoostingClassifier(random_state=0)
    boosted.set_params(subsample=0.5, max_features="sqrt")
    shapes: dict[str, Any] = {"max_depth": randint(2, 5), "learning_rate": loguniform(0.03, 0.5)}
    grown: dict[str, Any] = {"max_features": ["sqrt", "log2"], "min_samples_leaf": randint(1, 6)}
    near: dict[str, Any] = {"n_neighbors": randint(1, 16), "weights": ["uniform", "distance"], "p": [1, 2]}
    return [
        _part("classify", SVC(kernel="linear"), C=c),
        _part("classify", SVC(kernel="poly"), C=c, degree=randint(2, 5)),
        _part("classify", SVC(kernel="rbf"), C=c, gamma=loguniform(1e-4, 1.0)),
        *3 * [_part("classify", LogisticRegression(max_iter=200), C=loguniform(1e-3, 1e2))],
        *3 * [_part("classify", trees, n_estimators=randint(20, 101), **grown)],
        *3 * [_part("classify", boosted, n_estimators=randint(10, 41), **shapes)],
        *3 * [_part("classify", KNeighborsClassifier(), **near)],
    ]


def _part(name: str, estimator: Any, **distributions: Any) -> dict[str, Any]:
    return {name: [estimator], **{f"{name}__{key}": value for key, value in distributions.items()}}


# --- the data --------------------------------------------------------------------------------------------------------


class Data(NamedTuple):
    """Pixels, (examples, 64) from 0 to 16, and the digits that they show, to learn from and to test on."""

    pixels: Any
    labels: Any
    test_pixels: Any
    test_labels: Any
    folds: StratifiedKFold


def load(seed: int) -> Data:
    """Return the examples, divided by a seed."""
    pixels, labels = load_digits(return_X_y=True)
    parts = train_test_split(pixels, labels, train_size=N_LEARNING, stratify=labels, random_state=seed)
    learning, test, learning_labels, test_labels = parts
    folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=seed)
    return Data(learning, learning_labels, test, test_labels, folds)


# --- the two searches ------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """What came of one search.

    Attributes:
        validation: the best accuracy in cross-validation.
        test: the accuracy of that pipeline on the test examples.
        duration_s: the processor's time for the search and the last fit.
        n_failed: how many pipelines could not be fitted.
    """

    validation: float
    test: float
    duration_s: float
    n_failed: int


def search_pipelines(n_trials: int, data: Data, seed: int) -> tuple[Search, Outcome]:
    """Search the space with deep_arch."""
    search = da.search(pipelines, RandomSearch(), trials=n_trials, seed=seed)
    start = time.process_time()
    for trial in search:
        with trial, quiet():  # a pipeline that cannot be fitted is a failed trial, and the search goes on
            pipeline = resolve(trial.architecture)
            scores = cross_val_score(pipeline, data.pixels, data.labels, cv=data.folds, error_score="raise")
            trial.tell(scores.mean())
    with quiet():
        best = resolve(search.best.architecture).fit(data.pixels, data.labels)
    duration_s = time.process_time() - start
    n_failed = sum(trial.state == "failed" for trial in search.trials)
    test = best.score(data.test_pixels, data.test_labels)
    return search, Outcome(search.best.scores[0], test, duration_s, n_failed)


def search_flat_space(n_trials: int, data: Data, seed: int) -> Outcome:
    """Search the same with scikit-learn, on the same folds."""
    parts = Pipeline([(name, "passthrough") for name in ("scale", "select", "reduce", "classify")])
    search = RandomizedSearchCV(
        parts, flat_space(), n_iter=n_trials, scoring="accuracy", cv=data.folds, random_state=seed
    )
    start = time.process_time()
    with quiet():
        search.fit(data.pixels, data.labels)  # which also fits the best one on all of the examples
    duration_s = time.process_time() - start
    n_failed = sum(map(math.isnan, search.cv_results_["mean_test_score"]))
    return Outcome(search.best_score_, search.score(data.test_pixels, data.test_labels), duration_s, n_failed)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what estimators warn of, such as constant pixels and optimizers that have not converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- the comparison --------------------------------------------------------------------------------------------------


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """Return a line of the table: means, for several outcomes with standard deviations, and the sum of failures."""
    validation = _spread([100 * outcome.validation for outcome in outcomes])
    test = _spread([100 * outcome.test for outcome in outcomes])
    duration = _spread([outcome.duration_s for outcome in outcomes])
    return f"{name:<18}{validation:>18}{test:>15}{duration:>15}{sum(outcome.n_failed for outcome in outcomes):>9}"


def _spread(numbers: Sequence[float]) -> str:
    several = f" ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else ""
    return f"{statistics.mean(numbers):.1f}{several}"


def compare(n_trials: int, seeds: Sequence[int], console: Console) -> Search:
    """Run both searches for each seed, print what came of them, and return the best search of deep_arch."""
    ours: list[tuple[Search, Outcome]] = []
    flat: list[Outcome] = []
    console.print(
        f"{'accuracy in %':<18}{'best validation':>18}{'test':>15}{'CPU seconds':>15}{'failed':>9}", style="bold"
    )
    for seed in seeds:
        data = load(seed)
        with console.status(f"seed {seed}: {n_trials} pipelines by deep_arch"):
            ours.append(search_pipelines(n_trials, data, seed))
        console.print(row(f"deep_arch, {seed}", [ours[-1][1]]), highlight=False)
        with console.status(f"seed {seed}: {n_trials} pipelines by scikit-learn"):
            flat.append(search_flat_space(n_trials, data, seed))
        console.print(row(f"scikit-learn, {seed}", [flat[-1]]), highlight=False)
    if len(seeds) > 1:
        console.print(row("deep_arch, all", [outcome for _, outcome in ours]), highlight=False)
        console.print(row("scikit-learn, all", flat), highlight=False)
    return max(ours, key=lambda pair: pair[1].validation)[0]


def draw(search: Search, folder: Path) -> None:
    """Draw the space, the best pipeline and, where matplotlib is installed, the accuracy over the trials."""
    pipelines.render(folder / "space.svg")
    search.best.architecture.render(folder / "best.svg")
    with contextlib.suppress(MissingDependency):
        plot_scores(search.trials, folder / "accuracy.svg")


def main() -> None:
    """Compare the searches, show the best pipeline, and draw it."""
    parser = argparse.ArgumentParser(description="Search scikit-learn pipelines for handwritten digits.")
    parser.add_argument("--trials", type=int, default=30, help="how many pipelines each search fits (30)")
    parser.add_argument("--repeats", type=int, default=3, help="how many times both search, with other examples (3)")
    parser.add_argument("--output", type=Path, default=Path("pipelines"), help="the folder for pictures (pipelines)")
    parser.add_argument("--seed", type=int, default=0, help="what all randomness comes from (0)")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    search = compare(arguments.trials, range(arguments.seed, arguments.seed + arguments.repeats), Console())
    draw(search, arguments.output)
    print(f"\nscikit-learn needs {len(flat_space())} dictionaries for what deep_arch says in one function.")
    print(f"The best pipeline of deep_arch, by validation:\n\n{resolve(search.best.architecture)}\n")
    print(f"Pictures are in {arguments.output}/: {', '.join(sorted(path.name for path in arguments.output.iterdir()))}")


if __name__ == "__main__":
    main()
