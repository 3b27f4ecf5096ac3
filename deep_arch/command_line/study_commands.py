"""Commands about studies: run one, go on with it, read it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deep_arch import searchers
from deep_arch.analysis.exporting import as_json as trial_json
from deep_arch.command_line.telling import NOTHING_FOUND, errors_told, print_json
from deep_arch.command_line.written_calls import classes, made
from deep_arch.errors import BadArgument, StudyError, TrialError
from deep_arch.spaces.named_spaces import find_object, find_space
from deep_arch.studies.searcher import Searcher
from deep_arch.studies.study import DEFAULT, Study, open_study, study_names
from deep_arch.studies.trial import Trial

Storage = Annotated[str, typer.Option(help="An SQLite file, or postgresql://user@host/database.")]
Name = Annotated[str | None, typer.Option("--name", help="Of the study; the only one if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Trials = Annotated[int | None, typer.Option("--trials", "-n", min=0, help="How many in all, over all runs.")]
Workers = Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Processes; this one if left out.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds after which no trial is begun.")]
TrialTimeout = Annotated[float | None, typer.Option(help="Seconds after which a trial has failed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


class NamedObjective:
    """An objective that each process finds by its name, `package.module:name` or `path/file.py:name`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, trial: Trial) -> Any:
        """Call it."""
        return find_object(self.name)(trial)


def search(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="`package.module:name` or `path/file.py:name`.")],
    objective: Annotated[str, typer.Option(help="A function of a trial that returns its score, named like the space.")],
    searcher: Annotated[
        str, typer.Option(help="Of deep_arch.searchers, with arguments; or one of yours, named like the space.")
    ] = "RegularizedEvolution",
    trials: Trials = 100,
    storage: Storage = DEFAULT,
    name: Annotated[str | None, typer.Option(help="Of the study; that of the space if left out.")] = None,
    seed: Annotated[int | None, typer.Option(help="For the same search each time.")] = None,
    directions: Annotated[
        str, typer.Option(help="maximize or minimize, for each objective, with commas.")
    ] = "maximize",
    workers: Workers = None,
    timeout: Timeout = None,
    trial_timeout: TrialTimeout = None,
    quiet: Quiet = False,
) -> None:
    """Search a space, and keep every trial; the same command again goes on where it stopped.

    Examples: deep-arch search net.py:net --objective net.py:score --trials 50 --seed 0
    deep-arch search net.py:net --objective net.py:score --searcher 'RegularizedEvolution(population=20)' --workers 2
    """
    with errors_told():
        wanted: Any = tuple(part.strip() for part in directions.split(","))
        study = Study(find_space(space), _searcher(searcher), storage, name, seed, directions=wanted)
        study.note(objective=objective, searcher=searcher)
        _run(study, objective, trials, workers, timeout, trial_timeout, quiet)


def resume(
    storage: Storage = DEFAULT,
    name: Name = None,
    trials: Trials = None,
    workers: Workers = None,
    timeout: Timeout = None,
    trial_timeout: TrialTimeout = None,
    quiet: Quiet = False,
) -> None:
    """Go on with a search that `search` began, with the space, objective and searcher that it was given.

    Example: deep-arch resume --storage runs.db --name net --trials 200
    """
    with errors_told():
        read = open_study(storage, name)
        notes = read.notes
        if "objective" not in notes or "searcher" not in notes:
            raise StudyError(
                f"study {read.name!r}: expected one that `deep-arch search` began.\n  Got one that a script began.\n"
                "  Run the script again, which goes on with it."
            )
        kept: Any = read.directions
        study = Study(read.space, _searcher(notes["searcher"]), read.storage, read.name, directions=kept)
        if trials is not None:
            study.note(trials=trials)
        _run(study, notes["objective"], trials or notes.get("trials"), workers, timeout, trial_timeout, quiet)


def trials_of(
    storage: Storage = DEFAULT,
    name: Name = None,
    state: Annotated[
        Literal["complete", "failed", "skipped", "running"] | None, typer.Option(help="Only those.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with commas.")] = False,
) -> None:
    """List the trials of a study.

    Example: deep-arch trials --storage runs.db --state failed
    """
    with errors_told():
        study = open_study(storage, name)
        chosen = [trial for trial in study.trials if state is None or trial.state == state]
        chosen = chosen if limit is None else chosen[-limit:]
        if as_json:
            print_json([trial_json(trial) for trial in chosen])
        elif as_csv:
            study_table = csv.writer(sys.stdout)
            study_table.writerow(["number", "state", "scores", "budget", "duration_s", "worker", "error"])
            study_table.writerows([_row(trial) for trial in chosen])
        else:
            for trial in chosen:
                print(_line(trial))


def best(storage: Storage = DEFAULT, name: Name = None, as_json: AsJson = False) -> None:
    """Show the best trial of a study, or those of its Pareto front.

    Example: deep-arch best --storage runs.db --name net --json
    """
    with errors_told():
        study = open_study(storage, name)
        found = _best(study)
        if as_json:
            print_json([trial_json(trial) for trial in found] if study.n_objectives > 1 else trial_json(found[0]))
            return
        for trial in found:
            print(_line(trial))
            print("\n".join(f"  {address}: {value!r}" for address, value in trial.values.items()))


def export(
    output: Annotated[str, typer.Option("--output", "-o", help="A file; for optuna the URL of its storage.")],
    storage: Storage = DEFAULT,
    name: Name = None,
    form: Annotated[Literal["jsonl", "csv", "optuna"], typer.Option("--format", help="What to write.")] = "jsonl",
) -> None:
    """Write a study for other tools.

    Example: deep-arch export --storage runs.db --format csv -o runs.csv
    """
    with errors_told():
        study = open_study(storage, name)
        if form == "optuna":
            study.export_optuna(output)
        elif form == "csv":
            study.to_dataframe().to_csv(output)
        else:
            study.to_jsonl(output)
        print(f"wrote {len(study.trials)} trials to {output}", file=sys.stderr)


def studies(storage: Storage = DEFAULT, as_json: AsJson = False) -> None:
    """List the studies of a storage."""
    with errors_told():
        names = study_names(_existing(storage))
        if as_json:
            print_json(names)
        else:
            print("\n".join(names))


def _run(study: Study, objective: str, trials: int | None, workers: Any, timeout: Any, limit: Any, quiet: bool) -> None:
    if not callable(find_object(objective)):
        raise BadArgument(
            f"{objective}: expected a function of a trial.\n  Got {find_object(objective)!r}.\n"
            "  Write one that builds trial.architecture and returns its score."
        )
    limits: Any = {"timeout": timeout, "trial_timeout": limit, "executor": workers}
    study.run(NamedObjective(objective), trials, progress=False if quiet else None, **limits)
    try:
        found = _best(study)
    except TrialError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(NOTHING_FOUND) from None
    for trial in found:
        print(_line(trial))


def _searcher(text: str) -> Searcher:
    if ":" not in text:
        known = classes(searchers, Searcher)
        searcher: Searcher = made(text, "searcher", known, "--searcher 'RegularizedEvolution(population=20)'")
        return searcher
    found: Any = find_object(text)
    own: Searcher = found() if isinstance(found, type) else found
    return own


def _best(study: Study) -> tuple[Trial, ...]:
    return study.front if study.n_objectives > 1 else (study.best,)


def _existing(storage: str) -> str:
    """Return a storage, which for reading is not made where it is not."""
    file = storage.partition("sqlite:///")[2] or (storage if "://" not in storage else "")
    if file and not Path(file).exists():
        raise StudyError(f"{storage}: expected a file with studies.\n  Got none there.\n  Begin one: deep-arch search.")
    return storage


def _line(trial: Trial) -> str:
    scores = ", ".join(f"{score:.6g}" for score in trial.scores)
    error = (trial.error or "").strip().rpartition("\n")[2]
    took = "" if trial.duration_s is None else f"{trial.duration_s:.3g} s"
    return "  ".join(filter(None, [f"trial {trial.number}", trial.state, scores, took, error]))


def _row(trial: Trial) -> list[Any]:
    scores = " ".join(map(repr, trial.scores))
    return [trial.number, trial.state, scores, trial.budget, trial.duration_s, trial.worker, trial.error]
