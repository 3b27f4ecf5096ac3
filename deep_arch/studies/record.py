"""The record of a search: what it gave out, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deep_arch.errors import TrialError
from deep_arch.studies.directions import Direction, sign, upward
from deep_arch.studies.pareto import fronts
from deep_arch.studies.searcher import FinishedTrial, Slopes, Values
from deep_arch.studies.trial import Owner, Trial

if TYPE_CHECKING:
    from deep_arch.spaces.architecture import Architecture

Key = tuple[str, float | None]
"""What duplicates have in common: what an architecture computes, and the budget."""


class Record:
    """What a search gave out and what came of it, told by three events: `given`, `reported` and `ended`.

    The search changes it through these methods alone, never two at once, and a record that also writes adds to them::

        class Written(Record):
            def given(self, architecture, budget, owner, key=None):
                trial = super().given(architecture, budget, owner, key)
                self.write("given", trial.number, trial.values, trial.budget, trial.continues, key)
                return trial

            def reported(self, trial, step, score):
                super().reported(trial, step, score)
                self.write("reported", trial.number, step, score)

            def ended(self, trial):
                self.write("ended", trial.number, trial.state, trial.scores, trial.error)
                return super().ended(trial)

    Args:
        directions: "maximize" or "minimize", for each objective.

    Attributes:
        waiting: the duplicates that wait for trials that are still out, by number.
    """

    def __init__(self, directions: tuple[Direction, ...]) -> None:
        self.directions = directions
        self._trials: list[Trial] = []
        self._running: dict[int, Trial] = {}
        self._first: dict[Key, Trial] = {}
        self._latest: dict[str, Trial] = {}  # by values
        self.waiting: dict[int, list[Values]] = {}
        self._seen: set[str] = set()
        self._queue: deque[Values] = deque()

    # --- events --------------------------------------------------------------------------------------------------

    def given(self, architecture: Architecture, budget: float | None, owner: Owner, key: Key | None = None) -> Trial:
        """Take in what is given out, and return it as a trial: with a number, and the trial that it continues.

        Args:
            architecture, budget: what is given out.
            owner: what the trial reports to.
            key: for `first` to find it by; None where duplicates are given out like others.
        """
        # By values, since another architecture that computes the same may name its weights differently.
        values = "" if budget is None else architecture.to_json()
        latest = self._latest.get(values)
        trial = Trial(len(self._trials), architecture, budget, owner, latest if had_less(latest, budget) else None)
        self._latest[values] = trial
        self._trials.append(trial)
        self._running[trial.number] = trial
        if key is not None:
            self._first[key] = trial
        return trial

    def reported(self, trial: Trial, step: int, score: float) -> None:
        """Take in a score on the way, in place of an earlier one for that step."""
        trial.intermediate[step] = score

    def ended(self, trial: Trial) -> list[Values]:
        """Take in how a trial ended, and return the duplicates that waited for it."""
        del self._running[trial.number]
        return self.waiting.pop(trial.number, [])

    def marked(self, trial: Trial) -> None:
        """Take in what a user keeps with a trial."""

    # --- what is tried first -------------------------------------------------------------------------------------

    def queue(self, values: Values) -> None:
        """Add values to those that are tried before the searcher proposes any."""
        self._queue.append(values)

    def take(self) -> Values | None:
        """Take the first values out of the queue."""
        return self._queue.popleft() if self._queue else None

    # --- duplicates ----------------------------------------------------------------------------------------------

    def key(self, architecture: Architecture, budget: float | None) -> Key:
        """Note a proposal as seen, and return what is equal for those that compute the same with the same budget.

        Partial ones have the same key if they have equal values.
        """
        values = architecture.to_json()
        self._seen.add(digest(values))
        return computed(architecture, values), budget

    def first(self, key: Key) -> Trial | None:
        """Return the trial that was given out with a key."""
        return self._first.get(key)

    def wait(self, trial: Trial, values: Values) -> None:
        """Keep a duplicate of a trial that is still out, until that ends."""
        self.waiting.setdefault(trial.number, []).append(values)

    @property
    def n_seen(self) -> int:
        """How many architectures were proposed, by values."""
        return len(self._seen)

    # --- what came of it -----------------------------------------------------------------------------------------

    @property
    def n_given(self) -> int:
        """How many trials were given out."""
        return len(self._trials)

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials given out, in this order."""
        return tuple(self._trials)

    @property
    def running(self) -> tuple[Trial, ...]:
        """Those of them that have no result yet, and are to get one here."""
        return tuple(self._running.values())

    @property
    def n_out(self) -> int:
        """How many trials have no result yet, whoever runs them."""
        return len(self._running)

    def as_told(self, trial: Trial, values: Values) -> FinishedTrial:
        """Return what came of a trial, as a searcher is told of it and of its duplicates with other values."""
        assert trial.state != "running", "only results are told"
        gains, curve, taught = self._gains(trial), self.curve(trial), (self._slopes(trial), trial.mixtures)
        return FinishedTrial(
            trial.number, values, gains, curve, trial.state, trial.budget, *taught, attributes=dict(trial.attributes)
        )

    def curve(self, trial: Trial) -> dict[int, float]:
        """Return step to the score reported there, to be maximised."""
        return {step: score * sign(self.directions[0]) for step, score in trial.intermediate.items()}

    def _slopes(self, trial: Trial) -> Slopes:
        turn = sign(self.directions[0])
        return {address: tuple([turn * slope for slope in slopes]) for address, slopes in trial.slopes.items()}

    def _gains(self, trial: Trial) -> tuple[float, ...]:
        return upward(trial.scores, self.directions)

    @property
    def results(self) -> tuple[FinishedTrial, ...]:
        """What came of the trials that ended."""
        return tuple([self.as_told(trial, trial.values) for trial in self._trials if trial.state != "running"])

    @property
    def best(self) -> Trial:
        """The complete trial of a program with the best score, the first of several; see `Search.best`."""
        return max(self._complete(), key=self._gains)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The Pareto front of the complete trials; see `Search.front`."""
        complete = self._complete()
        return tuple([complete[i] for i in sorted(fronts(list(map(self._gains, complete)))[0])])

    def _complete(self) -> list[Trial]:
        complete = [t for t in self._trials if t.state == "complete" and not t.holes]
        if not complete:
            raise no_best(self._trials)
        return complete


def no_best(trials: Sequence[Trial]) -> TrialError:
    """Return the error for a search whose best trial is asked for while none is complete."""
    errors = [trial for trial in trials if trial.error]
    last = f"\n  Trial {errors[-1].number} failed with:\n{errors[-1].error}" if errors else ""
    scored = sum([trial.state == "complete" for trial in trials])
    holes = f", and {scored} that have holes" if scored else ""
    return TrialError(
        f"search: no trial is complete yet, so none is the best.\n  Got {len(trials) - scored} trials without "
        f"a score{holes}.\n  Iterate the search first, and end trials with trial.tell(score).{last}"
    )


def computed(architecture: Architecture, values: str) -> str:
    """Return what is equal for architectures that compute the same, whose values are given as JSON.

    A program is not the same as one with holes, which stands for more than it computes.
    """
    if not architecture.is_specified:
        return values
    return f"{architecture.fingerprint()}{' with holes' if architecture.holes else ''}"


def digest(text: str) -> str:
    """Return a short text that is equal for equal texts."""
    import hashlib  # which loads OpenSSL, and `import deep_arch` is to be quick

    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def had_less(trial: Trial | None, budget: float | None) -> bool:
    """Return whether a trial with this budget can go on where this one ended."""
    if trial is None or trial.state != "complete" or trial.budget is None or budget is None:
        return False
    return trial.budget < budget
