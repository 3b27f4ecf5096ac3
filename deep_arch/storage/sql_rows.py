"""Rows of the tables as `TrialRow` and `WorkerRow`, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from deep_arch.storage.rows import TrialRow, WorkerRow

if TYPE_CHECKING:
    from sqlalchemy import Row

_PLAIN: Final = (
    *("number", "values", "digest", "given", "key", "budget", "continues", "proposed"),
    *("state", "ended", "error", "worker", "lost", "started", "finished"),
)


def trial_row(row: Row[Any]) -> TrialRow:
    """Return a row of the table of trials."""
    found = row._mapping  # pyright: ignore[reportPrivateUsage]  # the name that SQLAlchemy gives it, since columns are attributes
    plain = {name: found[name] for name in _PLAIN}
    if plain["budget"] is not None and plain["budget"].is_integer():  # the column holds floats, and epochs are ints
        plain["budget"] = int(plain["budget"])
    scores, intermediate = tuple(json.loads(found["scores"])), dict(json.loads(found["intermediate"]))
    return TrialRow(**plain, scores=scores, intermediate=intermediate, attributes=json.loads(found["attributes"]))


def written(study: int, row: TrialRow) -> dict[str, Any]:
    """Return what the table holds of a trial."""
    plain = {name: getattr(row, name) for name in _PLAIN}
    return {"study": study, **plain, **written_result(row)}


def written_result(row: Any) -> dict[str, Any]:
    """Return what the table holds of a trial's, or an end's, scores and attributes."""
    return {
        "score": row.scores[0] if row.scores else None,
        "scores": json.dumps(row.scores),
        "intermediate": json.dumps(list(row.intermediate.items())),
        "attributes": json.dumps(dict(row.attributes)),
    }


def worker_row(row: Row[Any]) -> WorkerRow:
    """Return a row of the table of workers."""
    return WorkerRow(row.id, row.machine, row.process, row.born, row.beat)
