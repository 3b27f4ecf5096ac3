"""Commands that read studies: which there are, their trials, the best, and files for other tools."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, TextIO

import typer

from deep_arch.command_line.kept_studies import KeptStudy, trial_json
from deep_arch.command_line.telling import as_text, errors_told, say, shown, table
from deep_arch.storage.opening import existing_storage
from deep_arch.storage.rows import ENDED, RowState
from deep_arch.studies.study import DEFAULT, open_study
from deep_arch.studies.trial import Trial

Storage = Annotated[
    str, typer.Option("--storage", "-s", metavar="URL", help="An SQLite file, or postgresql://user@host/database.")
]
Name = Annotated[str | None, typer.Option("--name", help="Of the study; the only one if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]


def studies(storage: Storage = DEFAULT, as_json: AsJson = False) -> None:
    """List the studies of a storage, and how far they are.

    \b
    deep-arch studies
    deep-arch studies --storage postgresql://me@server/searches --json
    """
    with errors_told() as out:
        opened = existing_storage(storage)
        found = [KeptStudy(opened, name).summary for name in opened.names()]
        if as_json:
            print(as_text(found), file=out)
        else:
            rows = [_study_row(study) for study in found]
            print(table(("study", "space", "searcher", "trials", "best"), rows), file=out)


def _study_row(study: dict[str, Any]) -> list[str]:
    counts: dict[RowState, int] = study["trials"]
    trials = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    best = study["best"]
    what = "" if not best else f"{len(best)} on the front" if len(study["directions"]) > 1 else _scores(best[0])
    searcher = study["searcher"].partition("(")[0]
    return [shown(study["name"]), shown(study["title"]), searcher, trials or "none yet", what]


def trials(
    storage: Storage = DEFAULT,
    name: Name = None,
    state: Annotated[
        Literal["waiting", "running", "complete", "failed", "skipped"] | None, typer.Option(help="Only those.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for other programs.")] = False,
) -> None:
    """List the trials of a study.

    \b
    deep-arch trials --limit 10
    deep-arch trials --storage runs.db --name net --state failed --json
    deep-arch trials --csv > trials.csv
    """
    with errors_told() as out:
        if as_json and as_csv:
            raise typer.BadParameter("give --json or --csv, and not both.")
        study = KeptStudy(existing_storage(storage), name)
        chosen = [trial_json(trial) for trial in _chosen(study, state, limit)]
        if as_json:
            print(as_text(chosen), file=out)
        elif as_csv:
            _write_csv(chosen, study.n_objectives, out)
        else:
            headings = ("trial", "state", "score", "seconds", "values or error")
            print(table(headings, [*map(_trial_row, chosen)]), file=out)


def _chosen(study: KeptStudy, state: RowState | None, limit: int | None) -> Iterable[Trial]:
    rows = study.storage.rows(study.name, state=state)
    return map(study.record.trial, rows if limit is None else deque(rows, limit))


def _trial_row(trial: dict[str, Any]) -> list[str]:
    took = "" if trial["finished"] is None else f"{trial['finished'] - trial['started']:.3g}"
    error = (trial["error"] or "").strip().rpartition("\n")[2]
    return [str(trial["number"]), trial["state"], _scores(trial), took, shown(error) if error else _values(trial)]


def _scores(trial: dict[str, Any]) -> str:
    return ", ".join(f"{score:.6g}" for score in trial["scores"])


def _values(trial: dict[str, Any]) -> str:
    return json.dumps(trial["values"], ensure_ascii=False)


def _write_csv(chosen: list[dict[str, Any]], n_objectives: int, out: TextIO) -> None:
    """Print the trials as a table: what is known of each, and a column for each address."""
    names = ("number", "state", "budget", "continues", "started", "finished", "worker", "error")
    scores = ["score"] if n_objectives == 1 else [f"score_{i}" for i in range(n_objectives)]
    addresses = list(dict.fromkeys([address for trial in chosen for address in trial["values"]]))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, *scores, *addresses])
    for trial in chosen:
        values = [trial["values"].get(address) for address in addresses]
        writer.writerow([*(trial[name] for name in names), *(trial["scores"] or [None] * n_objectives), *values])


def best(storage: Storage = DEFAULT, name: Name = None, as_json: AsJson = False) -> None:
    """Show the best trial of a study, or its Pareto front.

    The front is shown where there are several objectives; with --json it is a list, and else one trial.

    \b
    deep-arch best
    deep-arch best --storage runs.db --name net --json
    """
    with errors_told() as out:
        print_best(KeptStudy(existing_storage(storage), name), as_json, out)


def print_best(study: KeptStudy, as_json: bool, out: TextIO) -> None:
    """Print the best trial, or those of the Pareto front.

    Raises:
        TrialError: no trial is complete.
    """
    found = [trial_json(trial) for trial in study.found]
    if as_json:
        print(as_text(found if study.n_objectives > 1 else found[0]), file=out)
    else:
        print("\n\n".join(["\n".join(_lines(trial)) for trial in found]), file=out)


def _lines(trial: dict[str, Any]) -> Iterator[str]:
    yield f"trial {trial['number']}: {_scores(trial)}"
    for address, value in trial["values"].items():
        yield f"  {address}: {json.dumps(value, ensure_ascii=False)}"


def export(
    output: Annotated[
        str, typer.Option("--output", "-o", help="A file; for optuna the URL of a storage, or an SQLite file.")
    ],
    storage: Storage = DEFAULT,
    name: Name = None,
    form: Annotated[Literal["jsonl", "csv", "optuna"], typer.Option("--format", help="What to write.")] = "jsonl",
) -> None:
    """Write a study for other tools.

    That is as JSON lines, as the table of `study.to_dataframe()`, or as a study that optuna-dashboard shows.

    \b
    deep-arch export --format jsonl --output trials.jsonl
    deep-arch export --format csv --output trials.csv
    deep-arch export --format optuna --output sqlite:///optuna.db
    """
    with errors_told():
        opened = existing_storage(storage)
        if form == "jsonl":
            from deep_arch.analysis.exporting import write_jsonl

            write_jsonl(KeptStudy(opened, name).record.trials, output)
        elif form == "csv":
            found: Any = open_study(opened, name).to_dataframe()
            found.to_csv(output, index_label="number")
        else:
            open_study(opened, name).export_optuna(output if "://" in output else f"sqlite:///{output}")
        n = sum(opened.counts(KeptStudy(opened, name).name).get(state, 0) for state in ENDED)
        say(f"wrote {n} trials that ended to {output}")
