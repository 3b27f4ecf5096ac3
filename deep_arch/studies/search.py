"""The search loop: a searcher proposes, the user's loop evaluates, the searcher is told."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

from deep_arch.errors import BadArgument, NotCountable, TrialError
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.directories import Directories
from deep_arch.studies.pareto import fronts
from deep_arch.studies.searcher import SEVERAL_SCORES, FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning as SearchWarning
from deep_arch.studies.trial import Trial as Trial

if TYPE_CHECKING:
    from pathlib import Path

Direction = Literal["maximize", "minimize"]

MAX_DUPLICATES: Final = 1000
"""Duplicates in a row after which a search ends. Where one architecture of 100 is left, drawing each as often, that
ends a search too early once in 0.99**-1000 = 23,000 times."""

_COUNT_AFTER: Final = 10
"""Duplicates in a row after which the space is counted, to end at once if everything was seen."""


class Search(Iterator[Trial]):
    """A search as it runs: iterate it for the trials, then read what came of them; see `search`.

    Attributes:
        space, searcher: what is searched, and by what.
        directions: "maximize" or "minimize", for each objective.
        ending: why no trial is given out any more, in words; None before that.
    """

    def __init__(
        self,
        space: SearchSpace,
        searcher: Searcher,
        trials: int,
        seed: int | random.Random | None = None,
        *,
        directions: Direction | Sequence[Direction] = "maximize",
        duplicates: Literal["record", "give"] = "record",
        directory: str | PathLike[str] | None = None,
    ) -> None:
        _check_kinds(space, searcher, trials, seed, duplicates)
        self.space, self.searcher = space, searcher
        self.directions = listed_directions(directions)
        self.ending: str | None = None
        self._n_trials = trials
        self._gives_duplicates = duplicates == "give"
        self._trials: list[Trial] = []
        self._running: dict[int, Trial] = {}
        self._record: dict[tuple[str, float | None], Trial] = {}
        self._latest: dict[str, Trial] = {}  # by values
        self._directories = Directories(directory)
        self._waiting: dict[int, list[Values]] = {}  # duplicates of trials that are still out
        self._seen: set[bytes] = set()
        self._rng = seed if isinstance(seed, random.Random) else random.Random(seed)
        self._lock = threading.RLock()
        _check_objectives(searcher, self.directions)
        searcher.start(space, self._rng)

    # --- giving out ----------------------------------------------------------------------------------------------

    def __next__(self) -> Trial:
        if self._running:
            raise TrialError(
                f"trial {next(iter(self._running))}: was left without a result.\n"
                "  Got neither tell, skip nor fail before the next trial.\n"
                "  End each trial with trial.tell(score), trial.skip() or trial.fail(error); "
                "write `with trial:` around what may raise."
            )
        trial = self.ask()
        if trial is None:
            raise StopIteration
        return trial

    def ask(self) -> Trial | None:
        """Return the next trial, also while others are out, or None where there is none: `ending` says why.

        None is for good if no trial is out; otherwise more may follow once results are told. Several threads may ask
        and end trials at once.

        Raises:
            DeepArchError: the searcher proposed what is no architecture of the space.
            TrialError: another search has started the same searcher since.
        """
        with self._lock:
            self._check_searcher()
            return self._next_trial()

    def _next_trial(self) -> Trial | None:
        if self.ending and not self._running:
            return None
        if len(self._trials) >= self._n_trials:
            self.ending = f"all {self._n_trials} trials were given out"
            return None
        for in_a_row in range(MAX_DUPLICATES):
            values = self.searcher.ask()
            if values is None:
                self.ending = None if self._running else "the searcher had nothing left to propose"
                return None
            architecture, budget = self.space.at(values), self.searcher.budget(values)
            if self._gives_duplicates:
                return self._give(architecture, budget)
            key = self._key(architecture), budget
            if (first := self._record.get(key)) is None:
                self._record[key] = trial = self._give(architecture, budget)
                return trial
            self._answer(first, architecture.values)
            if in_a_row == _COUNT_AFTER and budget is None and self._saw_everything():
                self.ending = "every architecture of the space was seen"
                return None
        if not self._running:
            self._warn_of_duplicates()
            self.ending = f"{MAX_DUPLICATES} proposals in a row were duplicates"
        return None

    def _check_searcher(self) -> None:
        if getattr(self.searcher, "rng", self._rng) is not self._rng:
            name = type(self.searcher).__name__
            raise TrialError(
                f"search of {self.space.name}: another search has started its searcher since, which forgot this one.\n"
                f"  Got one {name} in both.\n  Give each search a searcher of its own: {name}()."
            )

    def _give(self, architecture: Architecture, budget: float | None) -> Trial:
        # By values, since another architecture that computes the same may name its weights differently.
        values = "" if budget is None else architecture.to_json()
        latest = self._latest.get(values)
        trial = Trial(len(self._trials), architecture, budget, self, latest if _had_less(latest, budget) else None)
        self._latest[values] = trial
        self._trials.append(trial)
        self._running[trial.number] = trial
        return trial

    def folder(self, number: int) -> Path:
        """Return the folder that the trial of this number began; called by the trial."""
        with self._lock:
            return self._directories.folder(number)

    # --- duplicates ----------------------------------------------------------------------------------------------

    def _key(self, architecture: Architecture) -> str:
        """Return a text that is equal for architectures that compute the same, or have equal values if partial."""
        import hashlib  # which loads OpenSSL, and `import deep_arch` is to be quick

        values = architecture.to_json()
        self._seen.add(hashlib.blake2b(values.encode(), digest_size=16).digest())
        return architecture.fingerprint() if architecture.is_specified else values

    def _answer(self, first: Trial, values: Values) -> None:
        """Tell the searcher about a duplicate what came of the first, as soon as that is known."""
        if first.state == "running":
            self._waiting.setdefault(first.number, []).append(values)
        else:
            self.searcher.tell(self._as_told(first, values))

    def _saw_everything(self) -> bool:
        try:
            return len(self._seen) >= self.space.size()
        except NotCountable:
            return False

    def _warn_of_duplicates(self) -> None:
        warnings.warn(
            f"{self.space.name}: the search ends after {len(self._trials)} of {self._n_trials} trials, since "
            f"{MAX_DUPLICATES} proposals in a row were duplicates.\n"
            "  Ask for fewer trials, enlarge the space, or pass duplicates='give' to evaluate duplicates again.",
            SearchWarning,
            stacklevel=5,
        )

    # --- results -------------------------------------------------------------------------------------------------

    @property
    def n_objectives(self) -> int:
        """How many scores a trial is told."""
        return len(self.directions)

    def finished(self, trial: Trial) -> None:
        """Take the result of a trial, and tell the searcher; called by the trial."""
        with self._lock:
            self._check_searcher()
            del self._running[trial.number]
            for values in (trial.values, *self._waiting.pop(trial.number, ())):
                self.searcher.tell(self._as_told(trial, values))

    def advises_stop(self, trial: Trial) -> bool:
        """Return whether the searcher would stop the trial early; called by the trial."""
        with self._lock:
            return self.searcher.should_stop(trial.number, trial.values, self._upward(trial.intermediate))

    def _as_told(self, trial: Trial, values: Values) -> FinishedTrial:
        assert trial.state != "running", "only results are told"
        intermediate = self._upward(trial.intermediate)
        return FinishedTrial(trial.number, values, self._gains(trial), intermediate, trial.state, trial.budget)

    def _gains(self, trial: Trial) -> tuple[float, ...]:
        return upward(trial.scores, self.directions)

    def _upward(self, intermediate: dict[int, float]) -> dict[int, float]:
        return {step: score * _sign(self.directions[0]) for step, score in intermediate.items()}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials given out so far; duplicates that were answered from the record are none."""
        return tuple(self._trials)

    @property
    def results(self) -> tuple[FinishedTrial, ...]:
        """What came of the trials that ended, as a searcher is told of it: scores are to be maximised."""
        return tuple([self._as_told(trial, trial.values) for trial in self._trials if trial.state != "running"])

    @property
    def best(self) -> Trial:
        """The complete trial with the best score, the first of several.

        Raises:
            TrialError: no trial is complete, or there are several objectives.
        """
        if self.n_objectives > 1:
            raise TrialError(
                f"search: {self.n_objectives} objectives have no single best trial.\n  Got a use of `best`.\n"
                "  Read `front`, the trials that no other is better than in everything."
            )
        return max(self._complete(), key=self._gains)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The complete trials that no other is at least as good as everywhere and better somewhere: the Pareto front.

        Raises:
            TrialError: no trial is complete.
        """
        complete = self._complete()
        return tuple([complete[i] for i in sorted(fronts(list(map(self._gains, complete)))[0])])

    def _complete(self) -> list[Trial]:
        complete = [trial for trial in self._trials if trial.state == "complete"]
        if not complete:
            errors = [trial for trial in self._trials if trial.error]
            last = f"\n  Trial {errors[-1].number} failed with:\n{errors[-1].error}" if errors else ""
            raise TrialError(
                f"search: no trial is complete yet, so none is the best.\n  Got {len(self._trials)} trials without "
                f"a score.\n  Iterate the search first, and end trials with trial.tell(score).{last}"
            )
        return complete

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def __repr__(self) -> str:
        ending = f", ended: {self.ending}" if self.ending else ""
        return f"<search of {self.space.name}: {len(self._trials)} of {self._n_trials} trials{ending}>"


def upward(scores: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """Return scores, of which there are none unless a trial is complete, turned so that more is better."""
    return tuple([score * _sign(d) for score, d in zip(scores, directions, strict=False)])


def _had_less(trial: Trial | None, budget: float | None) -> bool:
    """Return whether a trial with this budget can go on where this one ended."""
    if trial is None or trial.state != "complete" or trial.budget is None or budget is None:
        return False
    return trial.budget < budget


def _sign(direction: Direction) -> int:
    return -1 if direction == "minimize" else 1


def listed_directions(given: Any) -> tuple[Direction, ...]:
    """Return a direction for each objective, where one may stand alone.

    Raises:
        BadArgument: what is neither a direction nor a sequence of some.
    """
    directions: tuple[Any, ...] = (given,) if isinstance(given, str) or not hasattr(given, "__iter__") else tuple(given)
    if not directions or any(d not in ("maximize", "minimize") for d in directions):
        raise BadArgument(
            "search: directions is 'maximize', 'minimize', or a sequence of these for several objectives.\n"
            f"  Got {given!r}.\n  Write directions='minimize' for a loss."
        )
    return directions


def _check_objectives(searcher: Searcher, directions: tuple[Direction, ...]) -> None:
    n = searcher.n_objectives
    if n is not None and n != len(directions):
        name = type(searcher).__name__
        raise BadArgument(
            f"search: {name} learns from {n} score{'s' if n > 1 else ''} of a trial.\n"
            f"  Got directions={directions!r}.\n{SEVERAL_SCORES}"
        )


def _check_kinds(space: Any, searcher: Any, trials: Any, seed: Any, duplicates: Any) -> None:
    if not isinstance(space, SearchSpace):
        raise _bad("the first argument is a search space", space, "Write `@da.space` above the space's function.")
    if not isinstance(searcher, Searcher):
        made = f"{searcher.__name__}()" if isinstance(searcher, type) else "RandomSearch() of deep_arch.searchers"
        raise _bad("the second argument is a searcher", searcher, f"Pass an instance: {made}.")
    if type(trials) is not int or trials < 0:
        raise _bad(
            "trials is an int of at least 0", trials, "Write trials=100; to stop earlier, break out of the loop."
        )
    if seed is not None and not isinstance(seed, random.Random) and type(seed) is not int:
        raise _bad("seed is an int, a random.Random or None", seed, "Write seed=0 for the same search each time.")
    if duplicates not in ("record", "give"):
        raise _bad("duplicates is 'record' or 'give'", duplicates, "Leave it out to evaluate each architecture once.")


def _bad(expected: str, got: Any, mend: str) -> BadArgument:
    return BadArgument(f"search: {expected}.\n  Got {got!r} ({type(got).__name__}).\n  {mend}")


def search(
    space: SearchSpace,
    searcher: Searcher,
    trials: int,
    seed: int | random.Random | None = None,
    *,
    directions: Direction | Sequence[Direction] = "maximize",
    duplicates: Literal["record", "give"] = "record",
    directory: str | PathLike[str] | None = None,
) -> Search:
    """Search a space: iterate the result for trials, and end each with `tell`, `skip` or `fail`.

    An architecture that computes the same as an earlier one, by fingerprint (by values where it is partial), is not
    given out again, unless the searcher gives it another budget: the searcher is told the earlier result, and the
    duplicate does not count as one of `trials`. So a search may end with fewer trials, once everything in the space
    was seen or `MAX_DUPLICATES` proposals in a row were duplicates; `ending` says so.

    Args:
        space: what to search; it may be a sub-space of `fix`, `where` or `limit`. Loops over such nest.
        searcher: what proposes. It always sees scores to be maximised.
        trials: how many trials to give out at most.
        seed: where all of the searcher's randomness comes from; None for another search each time. No global random
            state is read or moved.
        directions: "maximize" or "minimize", or a sequence of these, one for each objective.
        duplicates: "record" tells them from the record, "give" gives them out like others.
        directory: where each trial has its `directory`, as `trial-0`, `trial-1`, ..., named by the trial that began
            it; a trial with the values of the latest complete one and a larger budget continues in its folder. It
            must not hold such folders yet. None for a temporary one, removed with the search.

    A search can be pickled between its trials, with all that they and the searcher know, and goes on from there in
    another process as if nothing had happened, in the same directory. A trial that was running then is still to be
    ended: `trial.fail("interrupted")`.

    Raises:
        BadArgument: an argument of the wrong kind, a directory that holds the trials of another search, or several
            directions with a searcher that learns from one score.
        TrialError: by the next step, where a trial was left without a result.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RandomSearch
        >>> @da.space
        ... def net(x):
        ...     return da.repeat(lambda: ops.Dense(units=da.choice([8, 16])), da.choice([1, 2, 3]))(x)
        >>> search = da.search(net, RandomSearch(), trials=20, seed=0, directions="minimize")
        >>> for trial in search:
        ...     trial.tell(trial.architecture.cost(da.vector(8)).parameters)
        >>> search.best.score
        72.0
        >>> search
        <search of net: 14 of 20 trials, ended: every architecture of the space was seen>
    """
    return Search(space, searcher, trials, seed, directions=directions, duplicates=duplicates, directory=directory)
