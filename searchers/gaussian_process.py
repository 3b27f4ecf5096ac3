"""Gaussian processes on blocks of features, by scikit-learn."""

# scikit-learn has no types, and what is guessed of them is often wrong.
# pyright: reportIncompatibleMethodOverride=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import minimize
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Hyperparameter, Kernel, WhiteKernel

from deep_arch.searchers.features import PATHS, SUBTREES

Array = Any
"""An array of NumPy."""

Blocks = Mapping[str, Array]
"""The name of each block of features, and the positions of its columns."""

NOISE: Final = 0.05
"""The share of noise expected in scores of variance 1."""

GROWTH: Final = 1.2

_FLOOR: Final = 1e-4
"""Added to the diagonal, so that the covariance of equal architectures can be inverted."""

_ITERATIONS: Final = 30
_BOUNDS: Final = (1e-6, 1e6)


def ranks(scores: Array) -> Array:
    """Return the scores' ranks as quantiles of the normal distribution."""
    return standardised(ndtri((rankdata(scores) - 0.5) / len(scores)))


def numbers(scores: Array) -> Array:
    """Return the scores, without the long tail of those far below the middle."""
    low, middle = np.quantile(scores, [0.25, 0.5])
    return standardised(np.maximum(scores, middle - 3 * (middle - low)))


def standardised(scores: Array) -> Array:
    """Return the scores with mean 0 and variance 1."""
    return (scores - scores.mean()) / (scores.std() + 1e-12)


SCALES: Final[Mapping[str, Callable[[Array], Array]]] = {"ranks": ranks, "numbers": numbers}


class BlockMatern(Kernel):  # type: ignore[misc]  # scikit-learn has no types
    """A Matern kernel of smoothness 5/2 in which each block of columns has one length.

    k(a, b) = (1 + r + r^2 / 3) exp(-r) with r^2 = 5 sum_B |a_B - b_B|^2 / length_B^2
    (Rasmussen and Williams 2006, equation 4.17; automatic relevance determination by block, section 5.1).
    """

    def __init__(self, lengths: Array, columns: Sequence[Array]) -> None:
        self.lengths = lengths
        self.columns = columns
        self._last: tuple[Any, list[Array]] | None = None

    @property
    def hyperparameter_lengths(self) -> Hyperparameter:
        """What is learned, as scikit-learn asks for it."""
        return Hyperparameter("lengths", "numeric", _BOUNDS, len(self.columns))

    def __call__(self, X: Array, Y: Array | None = None, eval_gradient: bool = False) -> Any:
        """Return the covariances, and if asked their derivatives by the logarithms of the lengths."""
        parts = [d / length**2 for d, length in zip(self._distances(X, Y), np.atleast_1d(self.lengths), strict=True)]
        r = np.sqrt(5 * sum(parts))
        decay = np.exp(-r)
        K = (1 + r + r * r / 3) * decay
        if not eval_gradient:
            return K
        common = 5 / 3 * (1 + r) * decay
        return K, np.stack([common * part for part in parts], axis=2)

    def _distances(self, X: Array, Y: Array | None) -> list[Array]:
        if Y is None and self._last is not None and self._last[0] is X:
            return self._last[1]  # fitting asks for the same again and again
        found = [squared_distances(X[:, c], X[:, c] if Y is None else Y[:, c]) for c in self.columns]
        if Y is None:
            self._last = X, found
        return found

    def diag(self, X: Array) -> Array:
        """Return the variances."""
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        """Return that only differences count."""
        return True


class WeisfeilerLehman(Kernel):  # type: ignore[misc]
    """The Weisfeiler-Lehman subtree kernel: the cosine between counts of subtrees, averaged over their depths.

    References:
        Shervashidze et al., Weisfeiler-Lehman graph kernels (JMLR 2011), definition 3.
        Ru, Wan, Dong and Osborne, Interpretable neural architecture search via Bayesian optimisation with
        Weisfeiler-Lehman kernels (ICLR 2021), equation 3.1.
    """

    def __init__(self, columns: Sequence[Array]) -> None:
        self.columns = columns

    def __call__(self, X: Array, Y: Array | None = None, eval_gradient: bool = False) -> Any:
        """Return the covariances; there is nothing to learn."""
        pairs = [(_normed(X[:, c]), _normed(X[:, c] if Y is None else Y[:, c])) for c in self.columns]
        K = np.mean([a @ b.T for a, b in pairs], axis=0)
        return (K, np.empty((*K.shape, 0))) if eval_gradient else K

    def diag(self, X: Array) -> Array:
        """Return the variances."""
        return np.mean([(_normed(X[:, c]) ** 2).sum(1) for c in self.columns], axis=0)

    def is_stationary(self) -> bool:
        """Return that more than differences counts."""
        return False


def squared_distances(X: Array, Y: Array) -> Array:
    """Return the squared Euclidean distance of each row of X from each row of Y."""
    return np.maximum((X * X).sum(1)[:, None] + (Y * Y).sum(1)[None] - 2 * X @ Y.T, 0)


def _normed(X: Array) -> Array:
    return X / np.maximum(np.sqrt((X * X).sum(1, keepdims=True)), 1e-12)


def block_kernel(blocks: Blocks, X: Array | None = None) -> Kernel:
    """Return the kernel that compares all blocks by distance.

    Each length begins at the mean distance between the rows of `X`, so that no block counts more than another.
    """
    columns = list(blocks.values())
    spread = [1.0 if X is None else squared_distances(X[:, c], X[:, c]).mean() + 1e-9 for c in columns]
    return ConstantKernel(1.0, _BOUNDS) * BlockMatern(np.sqrt(len(columns) * np.array(spread)), columns)


def graph_kernel(blocks: Blocks, X: Array | None = None) -> Kernel:
    """Return the kernel that compares graphs by their subtrees, and adds what hyperparameters say beyond them."""
    trees = [columns for name, columns in blocks.items() if name.startswith(SUBTREES)]
    others = {name: columns for name, columns in blocks.items() if not name.startswith((SUBTREES, PATHS))}
    parts = [ConstantKernel(1.0, _BOUNDS) * WeisfeilerLehman(trees)] if trees else []
    parts += [block_kernel(others, X)] if others else []
    return parts[0] + parts[1] if len(parts) == 2 else parts[0]


class GaussianProcess:
    """A surrogate: a Gaussian process whose hyperparameters have log-normal priors around where they begin.

    They are learned anew whenever there are `GROWTH` times as many results, for ranks and for numbers: what predicts
    results better that were left out is used until then.
    """

    def __init__(self, kernel: Callable[[Blocks, Array | None], Kernel] = block_kernel) -> None:
        self._kernel = kernel
        self._model: Any = None
        self._theta: list[float] = []
        self._known: list[str] = []
        self._scale = "ranks"
        self._n_learned = 0

    def fit(self, X: Array, blocks: Blocks, scores: Array) -> Array:
        """Take in all results, (results, features) and (results,), and return the scores on the scale of `predict`."""
        if len(scores) >= GROWTH * self._n_learned:
            self._learn(X, blocks, scores)
        targets = SCALES[self._scale](scores)
        kernel = self._kernel({name: blocks[name] for name in self._known}, None) + WhiteKernel(NOISE, _BOUNDS)
        kernel.theta = np.array(self._theta)
        self._model = GaussianProcessRegressor(kernel, alpha=_FLOOR, optimizer=None).fit(X, targets)
        return targets

    def _learn(self, X: Array, blocks: Blocks, scores: Array) -> None:
        kernel = self._kernel(blocks, X) + WhiteKernel(NOISE, _BOUNDS)
        learned: dict[str, Any] = {}
        for name, scale in SCALES.items():
            model = GaussianProcessRegressor(kernel, alpha=_FLOOR, optimizer=_most_likely).fit(X, scale(scores))
            learned[name] = model
        self._scale = max(learned, key=lambda name: left_out_correlation(learned[name], scores))
        self._theta, self._known = list(learned[self._scale].kernel_.theta), list(blocks)
        self._n_learned = len(scores)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of scores, noise included: what counts is the best score told."""
        mean, deviation = self._model.predict(X, return_std=True)
        return mean, deviation

    def state_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {"theta": self._theta, "known": self._known, "scale": self._scale, "n_learned": self._n_learned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what was learned."""
        self._theta, self._known, self._scale = state["theta"], state["known"], state["scale"]
        self._n_learned = state["n_learned"]


def left_out_correlation(model: Any, scores: Array) -> float:
    """Return how well each score's rank is predicted from all the others: Spearman's correlation.

    References:
        Rasmussen and Williams, Gaussian processes for machine learning (2006), equation 5.12.
    """
    inverse = cho_solve((model.L_, True), np.eye(len(scores)), check_finite=False)
    predicted = model.y_train_ - model.alpha_ / np.diag(inverse)
    a, b = (standardised(rankdata(given)) for given in (predicted, scores))
    return float(a @ b) / len(scores)  # 0 where all are equal


def _most_likely(loss: Callable[..., Any], start: Array, bounds: Array) -> tuple[Array, float]:
    """Return the hyperparameters of the highest posterior density, under unit normal priors of their logarithms."""

    def penalised(theta: Array) -> tuple[float, Array]:
        value, gradient = loss(theta)
        away = theta - start
        return value + 0.5 * away @ away, gradient + away

    found = minimize(penalised, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS})
    return found.x, found.fun
