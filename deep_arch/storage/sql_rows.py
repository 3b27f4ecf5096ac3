"""Rows of the tables as `TrialRow` and `WorkerRow`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from sqlalchemy import Executable, bindparam, select

from deep_arch.storage.database import Transaction
from deep_arch.storage.faults import malformed
from deep_arch.storage.rows import End, TrialRow, WorkerRow
from deep_arch.storage.schema import trials, workers

_FIELDS: Final = [field.name for field in fields(TrialRow)]
_AS_JSON: Final = ("scores", "intermediate", "attributes", "budget")
_SCORES, _INTERMEDIATE, _ATTRIBUTES, _BUDGET = map(_FIELDS.index, _AS_JSON)
_RANKED: Final = _FIELDS.index("ranked")
_PLAIN: Final = [name for name in _FIELDS if name not in (*_AS_JSON, "started", "ranked")]

of_study: Final = trials.c.study == bindparam("of_study")

find_trials: Final = select(*[trials.c["score" if name == "ranked" else name] for name in _FIELDS]).where(of_study)
"""The trials of the study `of_study`, with columns in the order of `TrialRow`'s attributes."""

find_workers: Final = select(*[workers.c[field.name] for field in fields(WorkerRow)])


def trial_rows(transaction: Transaction, query: Executable, **values: Any) -> list[TrialRow]:
    """Return what a query finds that begins with `find_trials`."""
    found = transaction.all(query, **values)
    try:
        return [_trial_row(list(row)) for row in found]
    except (ValueError, TypeError, RecursionError) as error:
        raise malformed(transaction.url, "row of a trial", error) from error


def _trial_row(row: list[Any]) -> TrialRow:
    row[_SCORES] = tuple(json.loads(row[_SCORES]))
    row[_RANKED] = row[_RANKED] is not None or not row[_SCORES]
    row[_INTERMEDIATE] = dict(json.loads(row[_INTERMEDIATE]))
    row[_ATTRIBUTES] = json.loads(row[_ATTRIBUTES])
    if row[_BUDGET] is not None:
        row[_BUDGET] = json.loads(row[_BUDGET])  # epochs stay ints
    return TrialRow(*row)


def written(row: TrialRow) -> dict[str, Any]:
    """Return what the table holds of a trial when it is given out."""
    budget = None if row.budget is None else json.dumps(row.budget)
    return {name: getattr(row, name) for name in _PLAIN} | {"budget": budget} | written_result(row)


def written_result(row: TrialRow | End) -> dict[str, Any]:
    """Return what the table holds of a trial's, or an end's, scores and attributes."""
    score = row.scores[0] if row.scores and row.ranked else None
    return {"score": score, "scores": json.dumps(row.scores), **written_report(row.intermediate, row.attributes)}


def written_report(intermediate: Mapping[int, float], attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return what the table holds of what a trial reported."""
    steps = json.dumps(list(intermediate.items())) if intermediate else "[]"
    return {"intermediate": steps, "attributes": json.dumps(dict(attributes)) if attributes else "{}"}
