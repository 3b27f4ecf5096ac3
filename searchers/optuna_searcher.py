"""Optuna's samplers as searchers: tree-structured Parzen estimators by default, and any other by name."""

from __future__ import annotations

import base64
import contextlib
import copy
import inspect
import logging
import pickle
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, Final

from deep_arch.errors import BadArgument, TooDeep, wrong_kind
from deep_arch.extras import require
from deep_arch.searchers.optuna_objective import parameters, suggest
from deep_arch.searchers.parts.checks import check_count
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import MOST_ATTEMPTS
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

_STATES: Final = {"complete": "COMPLETE", "failed": "FAIL", "skipped": "PRUNED"}
"""How a trial ended, in Optuna's words: samplers forget what failed, and some learn from what was pruned."""


class OptunaSearcher(Searcher):
    """Let a sampler of Optuna propose, also in conditional and recursive spaces, and for several objectives.

    A failed trial is told as one with the worst scores so far, since samplers forget what failed in Optuna's sense, and
    would propose the like again.

    Args:
        sampler: of `optuna.samplers`, such as `NSGAIIISampler()`: each search begins with a copy of it, whose random
            state the search's seed decides; or a class or function that makes one when called with `seed=`. Left
            out, it is a multivariate `TPESampler` with groups, which models conditional hyperparameters jointly where
            they occur together.
        objectives: how many scores a trial is told.

    Raises:
        BadArgument: what is no sampler and makes none, or a number that is no int of at least 1.
        MissingDependency: Optuna is not installed.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import OptunaSearcher
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(ops.Dense(units=da.integer(1, 1000))(x)))
        >>> search = da.search(net, OptunaSearcher(), trials=60, seed=0)
        >>> for trial in search:
        ...     trial.tell(-abs(trial.values["dense.units"] - 420) - abs(trial.values["dense_1.units"] - 42))
        >>> search.best.score > -100
        True

    References:
        Akiba, Sano, Yanase, Ohta and Koyama, Optuna: a next-generation hyperparameter optimization framework
        (KDD 2019).
        Watanabe, Tree-structured Parzen estimator: understanding its algorithm components and their roles for better
        empirical performance (2023).
    """

    def __init__(self, sampler: Any = None, objectives: int = 1) -> None:
        require("optuna")
        check_count(self, objectives=objectives)
        if sampler is not None and not _is_sampler(sampler) and not _makes_samplers(sampler):
            raise wrong_kind(
                "OptunaSearcher", "a sampler of optuna.samplers", sampler, "Write OptunaSearcher(NSGAIIISampler())."
            )
        self.sampler: Final = sampler or _parzen
        self.objectives: Final = objectives
        self.n_objectives = objectives

    def start(self, space: Any, rng: Any) -> None:
        """Begin an empty study in memory, with a sampler seeded from `rng`."""
        super().start(space, rng)
        self._study = _new_study(self.sampler, rng.getrandbits(32), self.objectives)
        self._out: dict[str, list[Any]] = {}  # Optuna's trials by values; a sampler may propose the same again
        self._is_over = False
        self._worst: tuple[float, ...] | None = None

    def ask(self) -> Values | None:
        """Propose what the sampler suggests, or None once it has nothing left."""
        if self._is_over:
            return None
        for _ in range(MOST_ATTEMPTS - 1):
            with contextlib.suppress(TooDeep):  # a choice that several parts share let one of them end, and another not
                return self._propose().values
        return self._propose().values

    def _propose(self) -> Architecture:
        asked = self._study.ask()
        try:
            architecture = suggest(asked, self.space)
        except Exception:
            self._end(asked, "failed", None)
            raise
        self._out.setdefault(architecture.to_json(), []).append(asked)
        return architecture

    def tell(self, trial: FinishedTrial) -> None:
        """Tell the sampler, also about architectures that it did not propose.

        Raises:
            BadArgument: a trial with another number of scores than `objectives`.
        """
        if trial.gains and len(trial.gains) != self.objectives:
            raise BadArgument(
                f"OptunaSearcher: objectives is the number of scores of a trial, here {self.objectives}.\n"
                f"  Got {len(trial.gains)}: {trial.gains!r}.\n  Make OptunaSearcher(objectives={len(trial.gains)})."
            )
        asked = self._trial_of(trial.values)
        if self.objectives == 1:  # Optuna takes no scores on the way to several
            for step, score in trial.intermediate.items():
                asked.report(score, step)
        if trial.gains:
            self._worst = tuple(map(min, trial.gains, self._worst or trial.gains))
        known = trial.state != "failed" or self._worst is None
        self._end(asked, *((trial.state, trial.gains or None) if known else ("complete", self._worst)))

    def _trial_of(self, values: Values) -> Any:
        """Return the trial of Optuna's that proposed these values and is out, or a new one."""
        key = self.encode(values)
        if key in self._out:
            asked = self._out[key].pop(0)
            if not self._out[key]:
                del self._out[key]
            return asked
        self._study.enqueue_trial(parameters(self.space, values))
        asked = self._study.ask()
        suggest(asked, self.space)
        return asked

    def _end(self, asked: Any, state: str, gains: tuple[float, ...] | None) -> None:
        from optuna.trial import TrialState

        try:
            self._study.tell(asked, gains, TrialState[_STATES[state]])
        except RuntimeError as error:
            # A sampler that has nothing left calls Study.stop, which refuses outside of Study.optimize.
            if "Study.stop" not in str(error):
                raise
            self._is_over = True

    def state_dict(self) -> dict[str, Any]:
        """Return the study with its sampler, pickled as Optuna advises: load only states that you trust.

        Raises:
            BadArgument: the sampler holds what cannot be pickled.
        """
        try:
            pickled = zlib.compress(pickle.dumps((self._study, self._out)))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BadArgument(
                "OptunaSearcher: a sampler whose search is to be resumed must be possible to pickle.\n"
                f"  Got {type(error).__name__}: {error}\n  Give it functions that stand at the head of a module."
            ) from error
        own = {"study": base64.b64encode(pickled).decode(), "is_over": self._is_over, "worst": self._worst}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a study."""
        super().load_state_dict(state)
        self._study, self._out = pickle.loads(zlib.decompress(base64.b64decode(state["study"])))
        self._is_over, self._worst = state["is_over"], state["worst"] and tuple(state["worst"])


def _is_sampler(sampler: Any) -> bool:
    return hasattr(sampler, "sample_independent") and not isinstance(sampler, type)


def _makes_samplers(sampler: Any) -> bool:
    try:
        inspect.signature(sampler).bind(seed=0)
    except (TypeError, ValueError):
        return False
    return True


def _parzen(seed: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _reseeded(sampler: Any, seed: int) -> Any:
    """Return a copy of a sampler whose random states, and those of its parts, begin with a seed."""
    made = copy.deepcopy(sampler)
    todo, parts = [made], list[Any]()
    while todo:
        part = todo.pop()
        if any(part is known for known in parts) or not type(part).__module__.startswith("optuna"):
            continue
        parts.append(part)
        if hasattr(part, "rng"):
            part.rng.seed(seed)
        elif hasattr(part, "_seed"):  # QMCSampler has no random state
            part._seed = seed
        todo += getattr(part, "__dict__", {}).values()
    return made


def _new_study(sampler: Any, seed: int, objectives: int) -> Any:
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        made: Any = _reseeded(sampler, seed) if _is_sampler(sampler) else sampler(seed=seed)
    if not _is_sampler(made):
        raise wrong_kind(
            "OptunaSearcher", "a sampler from what is called with a seed", made, "Pass a class of optuna.samplers."
        )
    up, logger = optuna.study.StudyDirection.MAXIMIZE, logging.getLogger("optuna.storages._in_memory")
    logger.addFilter(_nothing)  # else each search, also those in loops, would print a line
    try:
        return optuna.create_study(sampler=made, study_name="deep_arch", directions=[up] * objectives)
    finally:
        logger.removeFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False
