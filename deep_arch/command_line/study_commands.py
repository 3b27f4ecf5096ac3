"""Commands that run studies: begin one, and go on with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, TextIO

import typer

from deep_arch import searchers
from deep_arch.command_line.kept_studies import KeptStudy
from deep_arch.command_line.reading_commands import Name, Storage, print_best
from deep_arch.command_line.telling import NOTHING_FOUND, errors_told, say
from deep_arch.command_line.written_calls import classes, made
from deep_arch.errors import StudyError, TrialError, is_kind, wrong_kind
from deep_arch.spaces.named_spaces import find_object, find_space
from deep_arch.storage.opening import existing_storage
from deep_arch.studies.searcher import Searcher
from deep_arch.studies.study import DEFAULT, Study
from deep_arch.studies.trial import Trial

Workers = Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Processes; this one if left out.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="After so long no further trial is begun.")]
TrialTimeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="After so long a trial has failed.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the best as one JSON document, for scripts.")]


class NamedObjective:
    """An objective that each process finds by its name, `package.module:name` or `path/file.py:name`.

    Args:
        name: of a function of a trial.

    Raises:
        BadArgument: the name is that of something else.
    """

    def __init__(self, name: str) -> None:
        self.name = lasting(name)
        found = find_object(name)
        if not callable(found):
            mend = "Write one that builds trial.architecture, and returns its score."
            raise wrong_kind(name, "an objective, a function of a trial", found, mend)

    def __call__(self, trial: Trial) -> Any:
        """Evaluate a trial."""
        return find_object(self.name)(trial)


def lasting(name: str) -> str:
    """Return a name that means the same in every folder, where it is that of a file."""
    place, colon, path = name.rpartition(":")
    is_file = place.endswith(".py") or "/" in place or os.sep in place
    return f"{os.path.abspath(os.path.expanduser(place))}{colon}{path}" if is_file else name


def search(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="package.module:name, or path/file.py:name.")],
    objective: Annotated[str, typer.Option(help="A function of a trial that returns its score, named like the space.")],
    searcher: Annotated[
        str | None,
        typer.Option(
            help="One of deep_arch.searchers, with arguments or without, or one of yours, named like the space. If left"
            " out, RegularizedEvolution, and for several objectives NSGA2."
        ),
    ] = None,
    trials: Annotated[int, typer.Option("--trials", "-n", min=0, help="How many in all, over all runs.")] = 100,
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
    as_json: AsJson = False,
) -> None:
    """Search a space, and keep every trial in a study.

    The same command again goes on where it stopped.

    \b
    deep-arch search net.py:net --objective net.py:score --trials 40 --seed 0
    deep-arch search net.py:net --objective net.py:score --name tuned \\
        --searcher 'RegularizedEvolution(population=20, sample=5)' --workers 2 --trial-timeout 600
    """
    with errors_told() as out:
        wanted: Any = tuple(part.strip() for part in directions.split(","))
        made_by = searcher or ("NSGA2" if len(wanted) > 1 else "RegularizedEvolution")
        kept = {"space": lasting(space), "searcher": lasting_searcher(made_by), "trials": trials}
        kept |= {"workers": workers, "trial_timeout": trial_timeout}
        run = NamedObjective(objective)
        study = Study(find_space(space), find_searcher(made_by), storage, name, seed, directions=wanted)
        study.note(**kept, objective=run.name)
        _run(study, run, kept, timeout, quiet, as_json, out)


def resume(
    storage: Storage = DEFAULT,
    name: Name = None,
    trials: Annotated[
        int | None, typer.Option("--trials", "-n", min=0, help="How many in all; as before if left out.")
    ] = None,
    workers: Workers = None,
    timeout: Timeout = None,
    trial_timeout: TrialTimeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a study that `search` began.

    Its space, searcher and objective are found by their names; it is run as it was run last.

    \b
    deep-arch resume
    deep-arch resume --storage runs.db --name net --trials 200
    """
    with errors_told() as out:
        known = KeptStudy(existing_storage(storage), name)
        notes: dict[str, Any] = dict(known.about.get("notes", {}))
        if not {"space", "searcher", "objective"} <= notes.keys():
            raise StudyError(
                f"study {known.name!r}: expected one that `deep-arch search` began.\n  Got one of a script.\n"
                "  Run the script again, which goes on with it."
            )
        given = {"trials": trials, "workers": workers, "trial_timeout": trial_timeout}
        notes |= {key: value for key, value in given.items() if value is not None}
        run, directions = NamedObjective(notes["objective"]), known.about["directions"]
        found, made_by = find_space(notes["space"]), find_searcher(notes["searcher"])
        study = Study(found, made_by, known.storage, known.name, directions=directions)
        study.note(**notes)
        _run(study, run, notes, timeout, quiet, as_json, out)


def _run(
    study: Study,
    objective: NamedObjective,
    kept: Mapping[str, Any],
    timeout: float | None,
    quiet: bool,
    as_json: bool,
    out: TextIO,
) -> None:
    limits: Any = {"trial_timeout": kept["trial_timeout"], "executor": kept["workers"]}
    try:
        study.run(objective, kept["trials"], timeout, progress=False if quiet else None, **limits)
    except KeyboardInterrupt:
        if study.storage.shared:
            where = shlex.join(["--storage", study.storage.shown, "--name", study.name])
            say(f"What was finished is kept; to go on: deep-arch resume {where}")
        raise
    finally:
        study.close()
    try:
        print_best(KeptStudy(study.storage, study.name), as_json, out)
    except TrialError as error:
        say(f"error: {error}")
        raise typer.Exit(NOTHING_FOUND) from None


def find_searcher(text: str) -> Searcher:
    """Return a searcher: one of `deep_arch.searchers` with its arguments, or what a name with a colon leads to.

    Raises:
        BadArgument: the text is neither.
    """
    if ":" not in text or "(" in text:
        found: Any = made(
            text, "searcher", classes(searchers, Searcher), "--searcher 'RegularizedEvolution(population=20)'"
        )
    else:
        found = find_object(text)
        found = found() if callable(found) else found
    if not is_kind(found, Searcher):
        raise wrong_kind(
            text, "a searcher, or what makes one without arguments", found, "Name a subclass of da.Searcher."
        )
    own: Searcher = found
    return own


def lasting_searcher(text: str) -> str:
    """Return what leads to the same searcher in every folder."""
    return text if "(" in text else lasting(text)
