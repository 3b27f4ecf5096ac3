"""The search loop: a searcher proposes, the user's loop evaluates, the searcher is told."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from deep_arch.errors import NotCountable, TrialError, is_kind, wrong_kind
from deep_arch.language.foreign import plain
from deep_arch.language.written import is_program
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.spaces.space import space as space_of
from deep_arch.studies.checks import check_batch, check_kinds, check_objectives
from deep_arch.studies.directions import Direction, listed_directions
from deep_arch.studies.directories import Directories
from deep_arch.studies.known import checked, known_values
from deep_arch.studies.record import Key, Record
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning as SearchWarning
from deep_arch.studies.trial import Trial as Trial

if TYPE_CHECKING:
    from pathlib import Path

    from deep_arch.spaces.choice_points import ChoicePoint
    from deep_arch.spaces.mixtures import Mixture

Result = TypeVar("Result")

Proposal = tuple[Architecture, float | None, Key | None]
"""What is given out next, its budget, and what duplicates of it have in common."""

MAX_DUPLICATES: Final = 1000
"""Duplicates in a row after which a search ends. Where one architecture of 100 is left, drawing each as often, that
ends a search too early once in 0.99**-1000 = 23,000 times."""

_COUNT_AFTER: Final = 10
"""Duplicates in a row after which the space is counted, to end at once if everything was seen."""


class Search(Iterator[Trial]):
    """A search as it runs: iterate it for the trials, then read what came of them; see `search`.

    Args:
        record: what keeps the trials, made for these directions; a new one if left out. The other arguments are those
            of `search`.

    Attributes:
        space, searcher: what is searched, and by what.
        directions: "maximize" or "minimize", for each objective.
        ending: why no trial is given out any more, in words; None before that.
    """

    def __init__(
        self,
        space: Any,
        searcher: Searcher,
        trials: int,
        seed: int | random.Random | None = None,
        *,
        directions: Direction | Sequence[Direction] = "maximize",
        duplicates: Literal["record", "give"] = "record",
        directory: str | PathLike[str] | None = None,
        first: Iterable[Values | Architecture | Trial | FinishedTrial | str] = (),
        record: Record | None = None,
    ) -> None:
        space = space_of(space) if is_program(space) else space
        check_kinds(space, searcher, trials, seed, duplicates)
        self.space: SearchSpace = space
        self.searcher = searcher
        self.directions = listed_directions(directions)
        self.ending: str | None = None
        self._n_trials = plain(trials)
        self._has_holes = False
        self._gives_duplicates = duplicates == "give" or searcher.relaxed  # which shows where it has got to each time
        if record is not None and not is_kind(record, Record):
            raise wrong_kind("search", "record to be a Record", record, "Leave it out, or write a subclass of Record.")
        self._record = Record(self.directions) if record is None else record
        self._directories = Directories(directory)
        self._rng = seed if isinstance(seed, random.Random) else random.Random(plain(seed))
        self._lock = threading.RLock()
        check_objectives(searcher, self.directions)
        searcher.start(space, self._rng)
        for values in known_values(space, first, self._rng):
            self._record.queue(values)

    # --- giving out ----------------------------------------------------------------------------------------------

    def __next__(self) -> Trial:
        if running := self._record.running:
            raise left_alone(running[0])
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
        return self._in_turn(self._next_trial)

    def batches(self, n: int) -> Iterator[list[Trial]]:
        """Yield lists of at most `n` trials, which are all out at once, until there are no more.

        Whoever takes a list ends all of its trials before the next. A searcher that waits for results gives fewer than
        `n`, and the last list may be shorter::

            for trials in da.search(net, RandomSearch(), trials=300, seed=0).batches(50):
                for trial, score in zip(trials, scores_of([trial.architecture for trial in trials])):
                    trial.tell(score)

        Raises:
            BadArgument: `n` is no int of at least 1.
            TrialError: by the next step, where a trial was left without a result.
        """
        return self._batches(check_batch(n))

    def _batches(self, n: int) -> Iterator[list[Trial]]:
        while batch := self._batch(n):
            yield batch

    def _batch(self, n: int) -> list[Trial]:
        if running := self._record.running:
            raise left_alone(running[0])
        batch: list[Trial] = []
        while len(batch) < n and (trial := self.ask()) is not None:
            batch.append(trial)
        return batch

    def _in_turn(self, act: Callable[[], Result]) -> Result:
        """Do what changes the search, while nothing else does."""
        with self._lock:
            self._check_searcher()
            return act()

    def _next_trial(self) -> Trial | None:
        if self.ending and not self._record.n_out:
            return None
        if self._record.n_given >= self._n_trials:
            self.ending = f"all {self._n_trials} trials were given out"
            return None
        proposal = self._proposal()
        return None if proposal is None else self._record.given(*proposal[:2], self, proposal[2])

    def _proposal(self) -> Proposal | None:
        """Return what to give out next, and answer the duplicates on the way; None sets `ending`."""
        for in_a_row in range(MAX_DUPLICATES):
            known = self._record.take()
            values = self.searcher.ask() if known is None else self.searcher.propose(known)
            if values is None:
                self.ending = None if self._record.n_out else "the searcher had nothing left to propose"
                return None
            architecture, budget = self.space.proposed(values), plain(self.searcher.budget(values))
            self._has_holes = self._has_holes or bool(architecture.holes)
            key = None if self._gives_duplicates else self._record.key(architecture, budget)
            if key is None or (first := self._record.first(key)) is None:
                return architecture, budget, key
            self._answer(first, architecture.values)
            if in_a_row == _COUNT_AFTER and budget is None and self._saw_everything():
                self.ending = "every architecture of the space was seen"
                return None
        if not self._record.n_out:
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

    def folder(self, number: int) -> Path:
        """Return the folder that the trial of this number began; called by the trial."""
        with self._lock:
            return self._directories.folder(number)

    def _answer(self, first: Trial, values: Values) -> None:
        """Tell the searcher about a duplicate what came of the first, as soon as that is known."""
        if first.state == "running":
            self._record.wait(first, values)
        else:
            self.searcher.tell(self._record.as_told(first, values))

    def _saw_everything(self) -> bool:
        if self._has_holes:  # what was seen are not programs alone
            return False
        try:
            return self._record.n_seen >= self.space.size()
        except NotCountable:
            return False

    def _warn_of_duplicates(self) -> None:
        warnings.warn(
            f"{self.space.name}: the search ends after {self._record.n_given} of {self._n_trials} trials, since "
            f"{MAX_DUPLICATES} proposals in a row were duplicates.\n"
            "  Ask for fewer trials, enlarge the space, or pass duplicates='give' to evaluate duplicates again.",
            SearchWarning,
            stacklevel=7,
        )

    # --- results -------------------------------------------------------------------------------------------------

    @property
    def n_objectives(self) -> int:
        """How many scores a trial is told."""
        return len(self.directions)

    @property
    def relaxes(self) -> bool:
        """Whether the searcher relaxes decisions."""
        return self.searcher.relaxed

    def weighed(self, trial: Trial, point: ChoicePoint) -> Mixture | None:
        """Return how the searcher relaxes a decision; called by the trial."""
        with self._lock:
            self._check_searcher()
            return self.searcher.weigh(point)

    def reported(self, trial: Trial, step: int, score: float) -> None:
        """Take a score on the way; called by the trial."""
        with self._lock:
            self._record.reported(trial, step, score)

    def ended(self, trial: Trial) -> None:
        """Take the result of a trial, and tell the searcher; called by the trial."""
        self._in_turn(partial(self._take_result, trial))

    def _take_result(self, trial: Trial) -> None:
        self._tell(trial, self._record.ended(trial))

    def _tell(self, trial: Trial, waiting: Iterable[Values]) -> None:
        for values in (trial.values, *waiting):
            self.searcher.tell(self._record.as_told(trial, values))

    def marked(self, trial: Trial) -> None:
        """Take what a user keeps with a trial; called by the trial."""
        with self._lock:
            self._record.marked(trial)

    def enqueue(self, values: Values | Architecture | Trial | FinishedTrial | str) -> None:
        """Try a configuration before the searcher proposes anything else, after those that wait already.

        Args:
            values: of an architecture, whole or in part, as in `first` of `search`.

        Raises:
            UnknownAddress, UnreachedAddress, ValueOutsideDomain, ...: it is not of the space.
        """
        known = checked(self.space, values, "enqueue", random.Random(0))
        self._in_turn(partial(self._record.queue, known))

    def advises_stop(self, trial: Trial) -> bool:
        """Return whether the searcher would stop the trial early; called by the trial."""
        with self._lock:
            return self.searcher.should_stop(trial.number, trial.values, self._record.curve(trial))

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials given out so far; duplicates that were answered from the record are none."""
        return self._record.trials

    @property
    def results(self) -> tuple[FinishedTrial, ...]:
        """What came of the trials that ended, as a searcher is told of it: scores are to be maximised."""
        return self._record.results

    @property
    def best(self) -> Trial:
        """The complete trial with the best score, the first of several; none with holes, which is no program.

        Raises:
            TrialError: no trial is complete, or there are several objectives.
        """
        if self.n_objectives > 1:
            raise TrialError(
                f"search: {self.n_objectives} objectives have no single best trial.\n  Got a use of `best`.\n"
                "  Read `front`, the trials that no other is better than in everything."
            )
        return self._record.best

    @property
    def front(self) -> tuple[Trial, ...]:
        """The complete trials that no other is at least as good as everywhere and better somewhere: the Pareto front.

        Those with holes are no programs, and do not count.

        Raises:
            TrialError: no trial is complete.
        """
        return self._record.front

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    def __repr__(self) -> str:
        ending = f", ended: {self.ending}" if self.ending else ""
        return f"<search of {self.space.name}: {self._record.n_given} of {self._n_trials} trials{ending}>"


def left_alone(trial: Trial) -> TrialError:
    """Return the error for a trial that was asked for, and not ended before the next."""
    return TrialError(
        f"trial {trial.number}: was left without a result.\n"
        "  Got neither tell, skip nor fail before the next trial.\n"
        "  End each trial with trial.tell(score), trial.skip() or trial.fail(error); "
        "write `with trial:` around what may raise."
    )


def search(
    space: Any,
    searcher: Searcher,
    trials: int,
    seed: int | random.Random | None = None,
    *,
    directions: Direction | Sequence[Direction] = "maximize",
    duplicates: Literal["record", "give"] = "record",
    directory: str | PathLike[str] | None = None,
    first: Iterable[Values | Architecture | Trial | FinishedTrial | str] = (),
) -> Search:
    """Search a space: iterate the result for trials, and end each with `tell`, `skip` or `fail`.

    An architecture that computes the same as an earlier one, by fingerprint (by values where it is partial), is not
    given out again, unless the searcher gives it another budget: the searcher is told the earlier result, and the
    duplicate does not count as one of `trials`. So a search may end with fewer trials, once everything in the space
    was seen or `MAX_DUPLICATES` proposals in a row were duplicates; `ending` says so.

    Args:
        space: what to search; it may be a sub-space of `fix`, `where` or `limit`. Loops over such nest. A program of
            recorded calls stands for its space (see `symbolize`).
        searcher: what proposes. It always sees scores to be maximised.
        trials: how many trials to give out at most.
        seed: where all of the searcher's randomness comes from; None for another search each time. No global random
            state is read or moved.
        directions: "maximize" or "minimize", or a sequence of these, one for each objective.
        duplicates: "record" tells them from the record, "give" gives them out like others, at next to no cost, as
            weight sharing needs; those of relaxed searchers always are.
        directory: where each trial has its `directory`, as `trial-0`, `trial-1`, ..., named by the trial that began
            it; a trial with the values of the latest complete one and a larger budget continues in its folder. It
            must not hold such folders yet. None for a temporary one, removed with the search.
        first: known configurations, such as a published network or the best of another search, that are tried before
            the searcher proposes anything, in this order: values by address, architectures or their JSON, trials. What
            they leave open is drawn. They count among `trials`, begin with the budget that the searcher gives to what
            is new, and the searcher is told of them like any other.

    A search can be pickled between its trials, with all that they and the searcher know, and goes on from there in
    another process as if nothing had happened, in the same directory. A trial that was running then is still to be
    ended: `trial.fail("interrupted")`.

    Raises:
        BadArgument: an argument of the wrong kind, a directory that holds the trials of another search, or several
            directions with a searcher that learns from one score.
        UnknownAddress, UnreachedAddress, ValueOutsideDomain, ...: by a configuration in `first` that is not of the
            space; the message says which.
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
        >>> again = da.search(net, RandomSearch(), trials=2, seed=0, first=[{"repeat.times": 3}, search.best])
        >>> for trial in again:
        ...     trial.tell(trial.architecture.cost(da.vector(8)).parameters)
        >>> [trial.values["repeat.times"] for trial in again.trials]
        [3, 1]
    """
    return Search(
        space, searcher, trials, seed, directions=directions, duplicates=duplicates, directory=directory, first=first
    )
