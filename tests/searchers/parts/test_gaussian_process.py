from __future__ import annotations

import numpy as np
import pytest

from deep_arch.searchers.parts.gaussian_process import (
    BlockMatern,
    GaussianProcess,
    Posterior,
    WeisfeilerLehman,
    block_kernel,
    graph_kernel,
    most_likely,
    numbers,
    ranks,
)

RNG = np.random.default_rng(0)
X = RNG.random((30, 5))
BLOCKS = {"numbers a": np.array([0]), "options": np.array([1, 2]), "subtrees 0": np.array([3, 4])}


def test_the_matern_kernel_is_that_of_the_book() -> None:
    from sklearn.gaussian_process.kernels import Matern

    lengths = np.array([0.5, 2.0, 0.7])
    ours = BlockMatern(lengths, list(BLOCKS.values()))
    theirs = Matern(np.array([0.5, 2.0, 2.0, 0.7, 0.7]), nu=2.5)
    assert np.allclose(ours(X), theirs(X)) and np.allclose(ours(X, X[:7]), theirs(X, X[:7]))
    assert np.allclose(ours.diag(X), np.diag(ours(X)))


def test_the_gradient_of_the_kernel() -> None:
    kernel = BlockMatern(np.array([0.5, 2.0, 0.7]), list(BLOCKS.values()))
    _, gradient = kernel(X, eval_gradient=True)
    for i in range(3):
        step = np.zeros(3)
        step[i] = 1e-5
        up, down = (kernel.clone_with_theta(kernel.theta + sign * step)(X) for sign in (1, -1))
        assert np.allclose(gradient[:, :, i], (up - down) / 2e-5, atol=1e-7)


def test_the_graph_kernel_is_the_mean_cosine_between_counts() -> None:
    counts = np.array([[1.0, 0, 2, 0], [0, 3, 1, 1], [1, 0, 4, 0]])
    kernel = WeisfeilerLehman([np.array([0, 1]), np.array([2, 3])])
    K = kernel(counts)
    assert np.allclose(K[0], [1, (0 + 1 / np.sqrt(2)) / 2, 1])
    assert np.allclose(np.diag(K), kernel.diag(counts))


@pytest.mark.parametrize("kernel", [block_kernel, graph_kernel])
def test_predicts_a_smooth_function(kernel: object) -> None:
    model = GaussianProcess(kernel)  # type: ignore[arg-type]
    truth = np.sin(3 * X[:, 0]) + X[:, 1] - X[:, 3]
    targets = model.fit(X[:25], BLOCKS, truth[:25])
    mean, deviation = model.predict(X[25:])
    assert np.corrcoef(mean, truth[25:])[0, 1] > 0.9
    assert (deviation > 0).all() and targets.mean() == pytest.approx(0)


def test_the_posterior_is_that_of_scikit_learn() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    scores = ranks(np.sin(5 * X[:, 0]) + X[:, 2])
    kernel = RBF(0.5) + WhiteKernel(0.1)
    theirs = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-4).fit(X[:20], scores[:20])
    ours = Posterior(kernel, X[:20], scores[:20])
    assert np.allclose(ours.predict(X[20:]), theirs.predict(X[20:], return_std=True))


def test_the_most_likely_hyperparameters_are_a_peak() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import WhiteKernel

    scores = ranks(np.sin(5 * X[:, 0]) + X[:, 2])
    kernel = block_kernel(BLOCKS, X) + WhiteKernel(0.05)
    center = kernel.theta
    found = most_likely(kernel, X, scores, None)
    theirs = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-4).fit(X, scores)

    def density(theta: np.ndarray) -> float:
        return float(theirs.log_marginal_likelihood(theta)) - 0.5 * float(((theta - center) ** 2).sum())

    steps = 0.05 * np.vstack([np.eye(len(found)), -np.eye(len(found))])
    assert all(density(found) > density(found + step) for step in steps)


def test_ranks_and_numbers_are_fitted_in_turn() -> None:
    model, truth = GaussianProcess(), X[:, 0]
    fitted = [model.fit(X, BLOCKS, truth) for _ in range(3)]
    assert np.allclose(fitted[0], ranks(truth)) and np.allclose(fitted[2], ranks(truth))
    assert np.allclose(fitted[1], numbers(truth)) and not np.allclose(fitted[0], fitted[1])


def test_one_bad_result_does_not_blur_the_others() -> None:
    scores = np.array([1.0, 2, 3, 4, 5, -1e9])
    assert numbers(scores)[:5].std() > 0.5


def test_what_was_learned_is_kept_until_there_are_enough_more_results() -> None:
    model, truth = GaussianProcess(), X[:, 0]

    def learned(n: int) -> object:
        model.fit(X[:n], BLOCKS, truth[:n])
        return model.state_dict()["thetas"]

    assert learned(20) == learned(25) != learned(26)


@pytest.mark.parametrize("scale", [1e-300, 1e-15, 1.0, 1e300])
def test_scores_of_any_size_are_standardised(scale: float) -> None:
    scores = np.array([1.0, 2.0, 4.0, 1.5, 3.0])
    for of in (ranks, numbers):
        assert of(scores * scale) == pytest.approx(of(scores), abs=1e-9)
        assert of(scores * scale).std() == pytest.approx(1)
    assert not numbers(np.full(5, scale)).any()
