"""Exporting: all that a search holds, for other tools."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from deep_arch.analysis.columns import Columns, results, tabulated, values
from deep_arch.analysis.tables import each
from deep_arch.errors import is_kind, wrong_kind
from deep_arch.extras import imported
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from deep_arch.studies.search import Search

_RUN: Final = ("started", "finished", "duration_s", "worker", "error")
_KEPT: Final = ("number", "state", "scores", "budget", "continues", "error", "worker", "started", "finished")


def full_frame(search: Search) -> DataFrame:
    """Return the table of `analysis.frame`, and after it all else that is known of a trial.

    That is a column for each attribute, named `attribute.seconds`, and `started` and `finished` (in UTC), `duration_s`,
    `worker` and `error`. An address that is named like one of these is written as `value.worker`.
    """
    attributes = Columns(lambda trial: {f"attribute.{name}": value for name, value in trial.attributes.items()})
    own, run = results(len(search.directions)), Columns(_run, _RUN)
    addresses = values([*own.names, *_RUN], prefixes=("attribute.",))
    table: Any = tabulated(each("to_dataframe", search), [own, addresses, attributes, run])
    for name in ("started", "finished"):
        moments = imported("pandas").to_datetime(table[name], unit="s", utc=True)
        table[name] = moments.astype("datetime64[ns, UTC]")  # also where there are none
    return table


def _run(trial: Trial) -> dict[str, Any]:
    cells = {name: getattr(trial, name) for name in _RUN}
    return {name: cell for name, cell in cells.items() if cell is not None}


def write_jsonl(trials: Iterable[Trial], path: str | os.PathLike[str]) -> None:
    """Write trials into a file, one JSON object a line, whole or not at all.

    Raises:
        BadArgument: what is no path of a file.
        OSError: the file cannot be written.
    """
    with _whole(path) as file:
        for trial in trials:
            file.write(f"{as_json(trial)}\n")


def as_json(trial: Trial) -> str:
    """Return all of a trial as JSON text, which is also that of its architecture."""
    kept = {name: getattr(trial, name) for name in _KEPT}
    more = {"intermediate": trial.intermediate, "attributes": trial.attributes}
    return json.dumps({**kept, **more, **json.loads(trial.written)})


@contextmanager
def _whole(path: str | os.PathLike[str]) -> Generator[IO[str]]:
    """Give a file that takes the place of what is at a path once it is whole."""
    if not is_kind(path, str | os.PathLike) or (os.path.exists(path) and not os.path.isfile(path)):
        raise wrong_kind("to_jsonl", "the path of a file", path, "Write study.to_jsonl('trials.jsonl').")
    target = os.path.realpath(path)  # what a link leads to, so that it stays a link
    part = f"{target}.{secrets.token_hex(4)}.part"
    try:
        with open(part, "x", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.remove(part)
        raise
