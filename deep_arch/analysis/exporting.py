"""Exporting: what a study holds, for other tools."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from deep_arch.analysis.tables import frame
from deep_arch.extras import imported
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]


def full_frame(trials: Sequence[Trial]) -> DataFrame:
    """Return the table of `frame`, and after it a column for each attribute, named `attribute.<name>`, and the columns
    `started` and `finished` (in UTC), `duration_s`, `worker` and `error`.
    """
    listed = list(trials)
    pandas = imported("pandas")
    table: Any = frame(listed)
    more: dict[str, list[Any]] = {}
    for name in dict.fromkeys([name for trial in listed for name in trial.attributes]):
        more[f"attribute.{name}"] = [trial.attributes.get(name) for trial in listed]
    for name in ("started", "finished"):
        more[name] = list(pandas.to_datetime([getattr(trial, name) for trial in listed], unit="s", utc=True))
    for name in ("duration_s", "worker", "error"):
        more[name] = [getattr(trial, name) for trial in listed]
    added = pandas.DataFrame(more, index=table.index)
    return cast("DataFrame", pandas.concat([table, added], axis=1))


def write_jsonl(trials: Sequence[Trial], path: str | os.PathLike[str]) -> None:
    """Write trials into a file, one JSON object a line; a value that JSON cannot hold is the position of its option."""
    with open(path, "w", encoding="utf-8") as file:
        for trial in trials:
            file.write(json.dumps(as_json(trial)) + "\n")


def as_json(trial: Trial) -> dict[str, Any]:
    """Return all of a trial as JSON can hold it."""
    names = ("number", "state", "scores", "budget", "continues", "error", "attributes", "worker", "started", "finished")
    values = json.loads(trial.architecture.to_json())["values"]
    return {**{name: getattr(trial, name) for name in names}, "values": values, "intermediate": trial.intermediate}
