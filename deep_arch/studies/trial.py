"""Trials: one architecture given out by a searcher, and what came of it."""

from __future__ import annotations

import json
import time
import traceback
import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, SupportsIndex

from deep_arch.errors import TrialError, is_kind
from deep_arch.language.foreign import PLAIN, as_int
from deep_arch.language.holes import may_have_hole
from deep_arch.spaces.architecture import Architecture
from deep_arch.studies.told import checked_slopes, finite, listed

if TYPE_CHECKING:
    from pathlib import Path

    from deep_arch.spaces.choice_points import ChoicePoint
    from deep_arch.spaces.mixtures import Mixture
    from deep_arch.spaces.space import SearchSpace

FinalState = Literal["complete", "failed", "skipped"]
TrialState = Literal["running", "complete", "failed", "skipped"]


class SearchWarning(UserWarning):
    """Something in a search that is probably not meant, though the search can go on."""


class Owner(Protocol):
    """What a trial reports to: whatever gave it out."""

    @property
    def n_objectives(self) -> int:
        """How many scores a trial is told."""
        ...

    def reported(self, trial: Trial, step: int, score: float) -> None:
        """Take a score on the way, and keep it in `trial.intermediate`."""
        ...

    def ended(self, trial: Trial) -> None:
        """Take the result of a trial that just got one."""
        ...

    def advises_stop(self, trial: Trial) -> bool:
        """Return whether the trial may stop early."""
        ...

    def marked(self, trial: Trial) -> None:
        """Take what a user wants to keep, which stands in `trial.attributes`."""
        ...

    def folder(self, number: int) -> Path:
        """Return the folder that the trial of this number began."""
        ...

    @property
    def relaxes(self) -> bool:
        """Whether trials are relaxed."""
        ...

    def weighed(self, trial: Trial, point: ChoicePoint) -> Mixture | None:
        """Return how a decision is relaxed that the trial meets."""
        ...


class Trial:
    """One architecture given out by a searcher, and what came of it.

    It ends with exactly one of `tell`, `skip` and `fail`. In `with trial:` what is raised counts as its failure, and
    the search goes on::

        for trial in da.search(net, searcher, trials=300):
            with trial:
                trial.tell(accuracy(build(trial.architecture)))

    Attributes:
        number: from 0, in the order in which the trials were given out.
        budget: how much the searcher wants to spend on it, in the user's unit such as epochs; None for no limit.
        continues: the number of the earlier trial of these values that this one goes on with, with a larger budget
            and in the same directory; None for a new one.
        state: "running", and then "complete", "failed" or "skipped".
        scores: one number for each objective, as they were told; empty unless complete.
        intermediate: step to the score reported there.
        error: the traceback or text of a failure.
        attributes: name to what `set_attribute` keeps.
        started, finished: when it was given out and ended, in seconds since 1970; `finished` is None before that.
        worker: who runs a trial of a study, or did, as "machine:process"; None in a search that is not stored.
        relaxed: whether the searcher relaxes decisions: then `supernet.at(trial)` runs the mixtures that it weighs, and
            the trial is told with slopes.
    """

    def __init__(
        self,
        number: int,
        architecture: Architecture,
        budget: float | None,
        owner: Owner,
        continued: Trial | None = None,
    ) -> None:
        self._begin(number, architecture.space, budget, owner)
        self._values, self._config, self._architecture = architecture.values, architecture.config, architecture
        if continued is not None:
            self.continues = continued.number
            self._folder: int = continued._folder

    def _begin(self, number: int, space: SearchSpace, budget: float | None, owner: Owner) -> None:
        self.number = number
        self.budget = budget
        self.state: TrialState = "running"
        self.scores: tuple[float, ...] = ()
        self.intermediate: dict[int, float] = {}
        self.error: str | None = None
        self.attributes: dict[str, Any] = {}
        self.started: float = time.time()
        self.finished: float | None = None
        self.worker: str | None = None
        self.relaxed = owner.relaxes
        self._mixtures: dict[str, Mixture] | None = None
        self._slopes: Mapping[str, tuple[float, ...]] | None = None
        self._space = space
        self._owner = owner
        self._folder = number

    continues: int | None = None
    _values: Mapping[str, Any] | None = None
    _config: Mapping[str, Any] | None = None
    _architecture: Architecture | None = None
    _text: str = ""

    @classmethod
    def restored(cls, text: str, number: int, space: SearchSpace, budget: float | None, owner: Owner) -> Trial:
        """Return a trial whose values are written as JSON text, which is read when they are asked for."""
        trial = cls.__new__(cls)
        trial._begin(number, space, budget, owner)
        trial._text = text
        return trial

    @property
    def values(self) -> Mapping[str, Any]:
        """Address to value."""
        if self._values is None:
            self._values = _plain(self._text) or Architecture.from_json(self._text, self._space).values
        return self._values

    @property
    def written(self) -> str:
        """The values as `Architecture.to_json` writes them."""
        return self._text or self.architecture.to_json()

    @property
    def config(self) -> Mapping[str, Any]:
        """The values that `da.config` attached, by name."""
        if self._config is None:
            self._config = self.architecture.config
        return self._config

    @property
    def duration_s(self) -> float | None:
        """How long the trial took, in seconds; None before it ended."""
        return None if self.finished is None else self.finished - self.started

    @property
    def architecture(self) -> Architecture:
        """The architecture; partial in a space of `where`, and with holes where those were proposed."""
        # A finished trial keeps only its values, so that a long search does not hold every graph in memory.
        return self._architecture or self._space.proposed(self.values)

    @property
    def holes(self) -> tuple[str, ...]:
        """The addresses of choices that are at their holes; none in a program. See `Architecture.holes`."""
        return self.architecture.holes if may_have_hole(self.values.values()) else ()

    @property
    def score(self) -> float | None:
        """The score of a search with one objective; None unless complete.

        Raises:
            TrialError: the search has several objectives.
        """
        if self._owner.n_objectives > 1:
            raise TrialError(
                f"trial {self.number}: has {self._owner.n_objectives} objectives, and no single score.\n"
                "  Got a use of trial.score.\n  Read trial.scores."
            )
        return self.scores[0] if self.scores else None

    @property
    def directory(self) -> Path:
        """The folder of this architecture, made on first use, where its training may keep what it likes.

        A trial that continues an earlier one finds there what that one left::

            for trial in da.search(net, Hyperband(max_budget=81), trials=200, directory="runs"):
                checkpoint = trial.directory / "checkpoint.pt"
                model, epoch = load(checkpoint) if checkpoint.exists() else (build(trial.architecture), 0)
                train(model, epochs=range(epoch, trial.budget))
                save(checkpoint, model, trial.budget)
                trial.tell(accuracy(model))

        It lies in the `directory` of `da.search`. Without one it is temporary: it goes with the search.
        """
        return self._owner.folder(self._folder)

    def weigh(self, point: ChoicePoint) -> Mixture | None:
        """Return the searcher's relaxed decision at a point that is met; asked by `supernet.at(trial)`.

        Raises:
            TrialError: the trial has ended.
        """
        self._check_running("weigh")
        if not self.relaxed:
            return None
        known = self._mixtures = {} if self._mixtures is None else self._mixtures
        if point.address not in known and (mixture := self._owner.weighed(self, point)) is not None:
            known[point.address] = mixture
        return known.get(point.address)

    @property
    def mixtures(self) -> Mapping[str, Mixture]:
        """Address to mixture, for the relaxed decisions that were met; kept to show how a search sharpened."""
        return self._mixtures or {}

    @property
    def slopes(self) -> Mapping[str, tuple[float, ...]]:
        """Address to the slopes that were told, while the searcher learns of them."""
        return self._slopes or {}

    def tell(self, score: Any, slopes: Mapping[str, Any] | None = None) -> None:
        """End the trial with its score, or with a tuple of scores for several objectives.

        Args:
            score: a number, or one for each objective.
            slopes: of a relaxed trial, the slope of the score for each weight of its mixtures, by address, as
                `model.slopes(score)` gives them.

        Numbers of NumPy and of tensor libraries count as numbers. A score or slope that is no finite number makes
        the trial a failed one, with a warning, so that one diverged training does not end a search.

        Raises:
            TrialError: the trial has ended before, the search has another number of objectives, or a relaxed trial is
                told without slopes, or with others than those of its mixtures.
        """
        self._check_running("tell")
        scores = listed(score)
        if len(scores) != (n := self._owner.n_objectives):
            raise TrialError(
                f"trial {self.number}: expected {n} score{'s' if n > 1 else ''}, one for each objective.\n"
                f"  Got {len(scores)}: {score!r} ({type(score).__name__}).\n"
                "  Tell a tuple with a score for each of the search's directions="
                + ("." if n > 1 else ", or give da.search a sequence of directions.")
            )
        numbers = [number for number in map(finite, scores) if number is not None]
        # A score that is no number has no slopes either.
        taught = len(numbers) == n and (slopes or self.relaxed)
        found: Mapping[str, tuple[float, ...]] | None = {}
        if taught:
            found = checked_slopes(self.number, slopes, self.mixtures)
        if len(numbers) < n or found is None:
            wrong, kind = (score, "score") if len(numbers) < n else (slopes, "slope")
            self.error = self._warn(wrong, kind, "The trial counts as failed; the search goes on.")
            self._finish("failed")
        else:
            self.scores, self._slopes = tuple(numbers), found
            self._finish("complete")

    def report(self, score: Any, step: SupportsIndex) -> None:
        """Record a score on the way, for the record and for searchers that stop trials early.

        With several objectives it is a score of the first. A later report for the same step replaces the earlier
        one; a score that is no finite number is left out, with a warning.

        Raises:
            TrialError: the trial has ended, or `step` is no int of at least 0.
        """
        self._check_running("report")
        at = as_int(step)
        if at is None or at < 0:
            raise TrialError(
                f"trial {self.number}: a step is an int of at least 0, such as an epoch.\n"
                f"  Got {step!r} ({type(step).__name__}).\n  Write trial.report(score, step=epoch)."
            )
        scores = listed(score)
        number = finite(scores[0]) if len(scores) == 1 else None
        if number is None:
            self._warn(score, "score", f"The report for step {step} is left out.")
        else:
            self._owner.reported(self, at, number)

    def set_attribute(self, name: str, value: Any) -> None:
        """Keep something with the trial, such as a training time or where its weights lie; also after it ended.

        Args:
            name: what it is called; a later value of the name replaces an earlier one.
            value: what JSON can hold.

        Raises:
            TrialError: the name is no text, or JSON cannot hold the value.
        """
        try:
            if not is_kind(name, str):
                raise TypeError(f"the name {name!r} is no str")
            kept = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise TrialError(
                f"trial {self.number}: an attribute has a name, and a value that JSON can hold.\n"
                f"  Got {value!r} ({type(value).__name__}) for {name!r}: {error}.\n"
                "  Keep numbers, texts, lists and dicts of them; write what is larger into trial.directory."
            ) from error
        self.attributes[name] = kept
        self._owner.marked(self)

    def should_stop(self) -> bool:
        """Return whether the searcher would stop here; the trial then still needs `tell`, `skip` or `fail`.

        Raises:
            TrialError: the trial has ended.
        """
        self._check_running("should_stop")
        return self._owner.advises_stop(self)

    def skip(self) -> None:
        """End the trial without a score, as one that was not worth evaluating.

        Raises:
            TrialError: the trial has ended before.
        """
        self._check_running("skip")
        self._finish("skipped")

    def fail(self, error: BaseException | str = "") -> None:
        """End the trial as one that went wrong; `trial.error` keeps the traceback.

        Raises:
            TrialError: the trial has ended before.
        """
        self._check_running("fail")
        self.error = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else str(error)
        self._finish("failed")

    def end(self, state: FinalState, scores: tuple[float, ...] = (), error: str | None = None) -> None:
        """End the trial as it ended where it was run; called by what brings the result."""
        self._check_running("end")
        self.scores, self.error = scores, error
        self._finish(state)

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        # A misused trial is a mistake in the loop, not a failure of this architecture.
        if not isinstance(error, Exception) or isinstance(error, TrialError) or self.state != "running":
            return False
        self.fail(error)
        return True

    def _finish(self, state: TrialState) -> None:
        self.state, self.finished = state, time.time()
        self._architecture = None
        self._owner.ended(self)
        self._slopes = None  # a long search does not hold those of all its trials

    def _check_running(self, called: str) -> None:
        if self.state != "running":
            _raise_ended(self, called)

    def _warn(self, score: Any, kind: str, consequence: str) -> str:
        shown = f"{score!r} ({type(score).__name__})"
        text = f"trial {self.number}: a {kind} must be a finite number.\n  Got {shown}.\n  {consequence}"
        warnings.warn(text, SearchWarning, stacklevel=3)
        return text

    def __repr__(self) -> str:
        scores = f", {', '.join(f'{s:g}' for s in self.scores)}" if self.scores else ""
        return f"<trial {self.number}: {self.state}{scores}>"


def _plain(text: str) -> Mapping[str, Any] | None:
    """Return written values where all are what they are written as, as most are; the others take an unfolding."""
    values = json.loads(text)["values"]
    return values if all(value.__class__ in PLAIN for value in values.values()) else None


def _raise_ended(trial: Trial, called: str) -> NoReturn:
    scores = f" with {', '.join(map(repr, trial.scores))}" if trial.scores else ""
    raise TrialError(
        f"trial {trial.number}: has ended as {trial.state}{scores}.\n  Got a later call of {called}.\n"
        "  End each trial once, with trial.tell(score), trial.skip() or trial.fail(error)."
    )
