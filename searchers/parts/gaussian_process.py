"""Gaussian processes on blocks of features, with the kernels of scikit-learn."""

# scikit-learn has no types, and what is guessed of them is often wrong.
# pyright: reportIncompatibleMethodOverride=false, reportArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.gaussian_process.kernels import ConstantKernel, Hyperparameter, Kernel, WhiteKernel
from threadpoolctl import ThreadpoolController

from deep_arch.searchers.parts.features import PATHS, SUBTREES

Array = Any
"""An array of NumPy."""

Blocks = Mapping[str, Array]
"""The name of each block of features, and the positions of its columns."""

_THREADS: Any = ThreadpoolController()
"""Holds linear algebra to one thread: matrices are small, and searches side by side would disturb each other."""

NOISE: Final = 0.05
"""The share of noise expected in scores of variance 1."""

GROWTH: Final = 1.3

_FLOOR: Final = 1e-4
"""Added to the diagonal, so that the covariance of equal architectures can be inverted."""

_ITERATIONS: Final = 15
_BOUNDS: Final = (1e-6, 1e6)


def ranks(scores: Array) -> Array:
    """Return the scores' ranks as quantiles of the normal distribution."""
    return standardised(ndtri((rankdata(scores) - 0.5) / len(scores)))


def numbers(scores: Array) -> Array:
    """Return the scores, without the long tail of those far below the middle."""
    low, middle = np.quantile(scores, [0.25, 0.5])
    return standardised(np.maximum(scores, middle - 3 * (middle - low)))


def standardised(scores: Array) -> Array:
    """Return the scores with mean 0 and variance 1; all 0 where they are equal."""
    scaled = scores / (np.abs(scores).max() or 1.0)  # first, so that no square overflows or vanishes
    return (scaled - scaled.mean()) / (scaled.std() + 1e-12)


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

    They are learned anew whenever there are `GROWTH` times as many results. It fits ranks and numbers in turn: ranks
    see past a few scores far from all others, and numbers past many that lie close together, where a model of either
    kind alone may be led astray.
    """

    def __init__(self, kernel: Callable[[Blocks, Array | None], Kernel] = block_kernel) -> None:
        self._kernel = kernel
        self._thetas: dict[str, list[float]] = {}
        self._known: list[str] = []
        self._n_learned = 0
        self._n_fits = 0

    @_THREADS.wrap(limits=1)  # type: ignore[untyped-decorator]
    def fit(self, X: Array, blocks: Blocks, scores: Array) -> Array:
        """Take in all results, (results, features) and (results,), and return the scores on the scale of `predict`."""
        if len(scores) >= GROWTH * self._n_learned:
            self._learn(X, blocks, scores)
        name = list(SCALES)[self._n_fits % len(SCALES)]
        self._n_fits += 1
        targets = SCALES[name](scores)
        kernel = self._kernel({block: blocks[block] for block in self._known}, None) + WhiteKernel(NOISE, _BOUNDS)
        kernel.theta = np.array(self._thetas[name])
        self._posterior = Posterior(kernel, X, targets)
        return targets

    def _learn(self, X: Array, blocks: Blocks, scores: Array) -> None:
        before = self._thetas if self._known == list(blocks) else {}
        for name, scale in SCALES.items():
            kernel = self._kernel(blocks, X) + WhiteKernel(NOISE, _BOUNDS)
            self._thetas[name] = most_likely(kernel, X, scale(scores), before.get(name)).tolist()
        self._known, self._n_learned = list(blocks), len(scores)

    @_THREADS.wrap(limits=1)  # type: ignore[untyped-decorator]
    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of scores, noise included: what counts is the best score told."""
        return self._posterior.predict(X)

    def state_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {
            "thetas": dict(self._thetas),
            "known": self._known,
            "n_learned": self._n_learned,
            "n_fits": self._n_fits,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what was learned."""
        self._thetas, self._known = dict(state["thetas"]), state["known"]
        self._n_learned, self._n_fits = state["n_learned"], state["n_fits"]


class Posterior:
    """A Gaussian process that has seen results.

    References:
        Rasmussen and Williams, Gaussian processes for machine learning (2006), algorithm 2.1.
    """

    def __init__(self, kernel: Any, X: Array, targets: Array) -> None:
        self.kernel, self.X, self.targets = kernel, X, targets
        self.L = cholesky(kernel(X) + _FLOOR * np.eye(len(X)), lower=True, check_finite=False)
        self.weights = cho_solve((self.L, True), targets, check_finite=False)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return the mean and the standard deviation of each row."""
        K = self.kernel(self.X, X)
        V = solve_triangular(self.L, K, lower=True, check_finite=False)
        return self.weights @ K, np.sqrt(np.maximum(self.kernel.diag(X) - (V * V).sum(0), 1e-12))


def most_likely(kernel: Any, X: Array, targets: Array, begin: Sequence[float] | None) -> Array:
    """Return the logarithms of the kernel's hyperparameters that have the highest posterior density.

    Their priors are unit normal around what they are; the likelihood and its gradient are equations 5.8 and 5.9 of
    Rasmussen and Williams.

    Args:
        begin: where to begin to climb; None for the center of the priors.
    """
    center, identity = kernel.theta, np.eye(len(X))

    def loss(theta: Array) -> tuple[float, Array]:
        kernel.theta, away = theta, theta - center
        K, slopes = kernel(X, eval_gradient=True)
        L = cholesky(K + _FLOOR * identity, lower=True, check_finite=False)
        weights, inverse = (cho_solve((L, True), given, check_finite=False) for given in (targets, identity))
        value = 0.5 * targets @ weights + np.log(np.diag(L)).sum() + 0.5 * away @ away
        return value, 0.5 * np.einsum("ij,ijk->k", inverse - np.outer(weights, weights), slopes) + away

    start = center if begin is None else np.array(begin)
    options = {"maxiter": _ITERATIONS}
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=kernel.bounds, options=options)
    return found.x
