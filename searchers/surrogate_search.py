"""Surrogate search: a model of the scores picks the most promising of many candidates."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from deep_arch.extras import require
from deep_arch.searchers.parts.checks import check_count, check_function, check_option
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.features import features
from deep_arch.searchers.parts.mutation import Mutation, applied, mutate_one
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

MOST_RESULTS: Final = 500
"""Results that the model learns from, half of them the best and half the latest: a Gaussian process takes time in
proportion to the cube of their number."""

_PARENTS: Final = 10
"""The best results, which candidates are mutated from."""

_MUTANTS: Final = 0.8
"""The share of candidates that are mutated; the others are drawn at random."""

_FURTHER: Final = 0.3
"""The share of mutants that are mutated twice."""


_DEPTHS: Final = {"gaussian_process": 1, "weisfeiler_lehman": 2, "forest": 1}
"""Of the subtrees among the features."""


class Result(NamedTuple):
    """A proposal, the row of its features, and its gains: none of a failure, None while it is out."""

    values: Values
    row: int
    gains: tuple[float, ...] | None = None


class SurrogateSearch(Searcher):
    """Fit a model to the results so far, and propose the candidate with the highest expected improvement.

    Candidates are drawn at random and by mutation of the best results; the most promising ones stay for the next
    time. The model sees hyperparameters at their addresses, and paths and subtrees of the graph. It learns the
    scores and their ranks in turn, so that a few bad results do not blur the difference between good ones. Of two
    scores the expected hypervolume improvement counts, of more the improvement of a random weighting of them
    (ParEGO). What was proposed is not proposed again before everything near was; failures count as the worst score.

    Args:
        surrogate: "gaussian_process" with a Matern kernel on blocks of features; "weisfeiler_lehman", one with the
            graph kernel of that name; or "forest", an ensemble of trees.
        initial: proposals drawn at random before the model is asked.
        candidates: how many new candidates are considered for each proposal.
        pool: how many candidates stay.
        mutation: makes a candidate's values out of those of one of the best results.

    Raises:
        BadArgument: an unknown surrogate, or a number that is no int of at least 1.
        MissingDependency: when started without scikit-learn.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import SurrogateSearch
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, SurrogateSearch(), trials=60, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -20
        True

    References:
        Jones, Schonlau and Welch, Efficient global optimization of expensive black-box functions (1998).
        White, Neiswanger and Savani, BANANAS (AAAI 2021): paths as features, mutation of the best as candidates.
        Ru, Wan, Dong and Osborne, Interpretable neural architecture search via Bayesian optimisation with
        Weisfeiler-Lehman kernels (ICLR 2021).
        Knowles, ParEGO (2006), equation 2.
    """

    def __init__(
        self,
        surrogate: Literal["gaussian_process", "weisfeiler_lehman", "forest"] = "gaussian_process",
        initial: int = 10,
        candidates: int = 50,
        pool: int = 200,
        mutation: Mutation = mutate_one,
    ) -> None:
        check_option(self, "surrogate", surrogate, tuple(_DEPTHS))
        check_count(self, initial=initial, candidates=candidates, pool=pool)
        check_function(self, mutation=mutation)
        self.surrogate: Final = surrogate
        self.initial: Final = initial
        self.candidates: Final = candidates
        self.pool: Final = pool
        self.mutation: Final = mutation

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin without results."""
        require("sklearn")
        from deep_arch.searchers.parts.feature_table import FeatureTable

        super().start(space, rng)
        self._table = FeatureTable()
        make_surrogate(self.surrogate)  # which loads its library now, and not while a trial waits
        self._models: list[Any] = []
        self._results: list[Result] = []  # what the model learns from
        self._out: dict[Any, Result] = {}
        self._pool: dict[Any, Result] = {}
        self._seen: set[Any] = set()
        self._forgotten: list[Values] = []
        self._n_drawn = 0

    # --- proposing -----------------------------------------------------------------------------------------------

    def ask(self) -> Values:
        """Propose the most promising candidate; at first, and where nothing new is found, what is drawn at random."""
        if self._n_drawn < self.initial > len(self._results) or not any(result.gains for result in self._results):
            self._n_drawn += 1
            chosen = self._new(lambda: self.space.sample(self.rng).values)
        else:
            chosen = self._most_promising()
        if chosen is None:
            return self.space.sample(self.rng).values
        key = identity(chosen.values)
        self._out[key] = chosen
        self._seen.add(key)
        return chosen.values

    def _new(self, draw: Callable[[], Values], attempts: int = 100) -> Result | None:
        """Return a candidate that was not proposed and is not in the pool, or None after some attempts."""
        for _ in range(attempts):
            values = draw()
            key = identity(values)
            if key not in self._seen and key not in self._pool:
                return self._described(values)
        return None

    def _most_promising(self) -> Result | None:
        from deep_arch.searchers.parts import acquisition

        scores = self._scores()
        self._add_candidates([self._results[i].values for i in acquisition.best(scores, _PARENTS)])
        if not self._pool:
            return None
        promises = self._promises(scores if scores.shape[1] < 3 else acquisition.scalarised(scores, self.rng))
        order = sorted(range(len(promises)), key=lambda i: -promises[i])
        pool = list(self._pool.items())
        for i in order[self.pool + 1 :]:
            self._table.free(pool[i][1].row)
        self._pool = dict([pool[i] for i in order[1 : self.pool + 1]])
        return pool[order[0]][1]

    def _add_candidates(self, parents: list[Values]) -> None:
        def draw() -> Values:
            if self.rng.random() >= _MUTANTS:
                return self.space.sample(self.rng).values
            values = applied(self.mutation, self.space, self.rng.choice(parents), self.rng)
            return applied(self.mutation, self.space, values, self.rng) if self.rng.random() < _FURTHER else values

        for _ in range(self.candidates):
            if (found := self._new(draw, 1)) is not None:
                self._pool[identity(found.values)] = found

    def _scores(self) -> Any:
        """Return (results, objectives): the ranks of the scores as quantiles of the normal distribution."""
        from deep_arch.searchers.parts.acquisition import score_array

        return score_array([result.gains or () for result in self._results])

    def _promises(self, scores: Any) -> Any:
        """Return how much each candidate of the pool promises."""
        from deep_arch.searchers.parts import acquisition

        known = self._table.rows([result.row for result in (*self._results, *self._out.values())])
        pool = self._table.rows([candidate.row for candidate in self._pool.values()])
        while len(self._models) < scores.shape[1]:
            self._models.append(make_surrogate(self.surrogate))
        predicted: list[Any] = []
        targets: list[Any] = []
        for model, column in zip(self._models, scores.T, strict=True):
            fitted = model.fit(known, self._table.blocks(), acquisition.with_pending(column, len(self._out)))
            targets.append(fitted[: len(scores)])
            predicted.append(model.predict(pool))
        return acquisition.promises(predicted, targets)

    # --- learning ------------------------------------------------------------------------------------------------

    def tell(self, trial: FinishedTrial) -> None:
        """Take in a result; of a repeat nothing is learned."""
        key = identity(trial.values)
        result = self._out.pop(key, None) or self._pool.pop(key, None)
        if result is None:
            if key in self._seen:
                return
            result = self._described(trial.values)
        self._seen.add(key)
        self._results.append(result._replace(gains=trial.gains if trial.state == "complete" else ()))
        if trial.state == "skipped":
            self._forget(len(self._results) - 1)
        elif len(self._results) > MOST_RESULTS:
            self._forget(self._least_telling())

    def _least_telling(self) -> int:
        """Return the place of the oldest result that is not among the best."""
        from deep_arch.searchers.parts.acquisition import best

        if not any(result.gains for result in self._results):
            return 0
        kept = set(best(self._scores(), MOST_RESULTS // 2)[: MOST_RESULTS // 2])
        return next(i for i in range(len(self._results)) if i not in kept)

    def _forget(self, place: int) -> None:
        result = self._results.pop(place)
        self._table.free(result.row)
        self._forgotten.append(result.values)

    def _described(self, values: Values, gains: tuple[float, ...] | None = None) -> Result:
        return Result(values, self._table.add(features(self.space.at(values), _DEPTHS[self.surrogate])), gains)

    # --- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return results, what is out, the candidates that stay, and what the models learned."""
        return {
            **super().state_dict(),
            "columns": self._table.state(),
            "results": [[self.encode(result.values), result.gains] for result in self._results],
            "out": [self.encode(result.values) for result in self._out.values()],
            "pool": [self.encode(result.values) for result in self._pool.values()],
            "forgotten": [self.encode(values) for values in self._forgotten],
            "models": [model.state_dict() for model in self._models],
            "n_drawn": self._n_drawn,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with results, candidates and models."""
        super().load_state_dict(state)
        self._table.load(state["columns"])
        self._results = [self._described(self.decode(text), tuple(gains)) for text, gains in state["results"]]
        self._out, self._pool = (
            {identity(values): self._described(values) for values in map(self.decode, state[name])}
            for name in ("out", "pool")
        )
        self._forgotten = [self.decode(text) for text in state["forgotten"]]
        told = [*self._forgotten, *[result.values for result in self._results]]
        self._seen = {*map(identity, told), *self._out}
        self._models = [make_surrogate(self.surrogate) for _ in state["models"]]
        for model, learned in zip(self._models, state["models"], strict=True):
            model.load_state_dict(learned)
        self._n_drawn = state["n_drawn"]


def make_surrogate(name: str) -> Any:
    """Return a model that has learned nothing yet: `fit`, `predict`, `state_dict`, `load_state_dict`."""
    from deep_arch.searchers.parts.forest import Forest
    from deep_arch.searchers.parts.gaussian_process import GaussianProcess, block_kernel, graph_kernel

    if name == "forest":
        return Forest()
    return GaussianProcess(graph_kernel if name == "weisfeiler_lehman" else block_kernel)
