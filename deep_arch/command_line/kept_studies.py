"""Studies as their storage holds them: read without their spaces, which may be elsewhere or take long to import."""

from __future__ import annotations

import json
from typing import Any, cast

from deep_arch.analysis.exporting import as_json
from deep_arch.spaces.space import SearchSpace
from deep_arch.storage.opening import no_study
from deep_arch.storage.storage import Storage
from deep_arch.studies.machine import new_worker
from deep_arch.studies.stored_record import StoredRecord
from deep_arch.studies.trial import Owner, Trial


class KeptStudy:
    """A study that is only read.

    Args:
        storage: where it is kept.
        name: of the study; None for the only one.

    Attributes:
        name, storage: what it is called, and where it is kept.
        about: what is known about it.
        record: its trials; of these `written` has the values, and `architecture` is missing.

    Raises:
        StudyError: there is no such study.
    """

    relaxes = False

    def __init__(self, storage: Storage, name: str | None) -> None:
        if name is None and len(names := storage.names()) == 1:
            (name,) = names
        about = storage.about(name or "")
        if name is None or about is None:
            raise no_study(name or "", storage)
        self.name, self.storage, self.about = name, storage, about
        no_space = cast(SearchSpace, None)
        self.record = StoredRecord(tuple(about["directions"]), storage, name, no_space, new_worker())
        self.record.owner = cast(Owner, self)

    @property
    def n_objectives(self) -> int:
        """How many scores a trial has."""
        return len(self.about["directions"])

    @property
    def found(self) -> tuple[Trial, ...]:
        """The best trial, or with several objectives the Pareto front.

        Raises:
            TrialError: no trial is complete.
        """
        return self.record.front if self.n_objectives > 1 else (self.record.best,)

    @property
    def summary(self) -> dict[str, Any]:
        """What it is and how far it is, as JSON can hold it."""
        known = ("title", "space", "searcher", "directions")
        counts = self.storage.counts(self.name)
        best = [trial_json(trial) for trial in self.found] if self.storage.scores(self.name) else []
        return {"name": self.name, **{key: self.about[key] for key in known}, "trials": counts, "best": best}


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return all of a trial as JSON can hold it."""
    return cast("dict[str, Any]", json.loads(as_json(trial)))
