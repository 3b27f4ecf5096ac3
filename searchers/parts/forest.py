"""An ensemble of trees on features, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from deep_arch.searchers.parts.gaussian_process import Array, Blocks, ranks

N_TREES: Final = 50


class Forest:
    """A surrogate: the mean of extremely randomised trees, and how far they disagree.

    References:
        Hutter, Hoos and Leyton-Brown, Sequential model-based optimization for general algorithm configuration
        (LION 2011), section 4.1: the spread of the trees as the uncertainty.
        Geurts, Ernst and Wehenkel, Extremely randomized trees (2006).
    """

    def __init__(self) -> None:
        self._model: Any = None

    def fit(self, X: Array, blocks: Blocks, scores: Array) -> Array:
        """Grow the trees on the ranks of all results, and return these."""
        targets = ranks(scores)
        self._model = ExtraTreesRegressor(N_TREES, bootstrap=True, random_state=0).fit(X, targets)
        return targets

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return the trees' mean and standard deviation."""
        found = np.array([tree.predict(X) for tree in self._model.estimators_])
        return found.mean(0), found.std(0) + 1e-6

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the trees grow anew from the results each time."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take nothing."""
