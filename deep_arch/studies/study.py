"""Studies: searches that are stored, go on after their process ends, and are shared by many workers."""

from __future__ import annotations

import json
import os
import random
import sys
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from deep_arch.errors import BadArgument, ScopeError, StudyError, is_kind, wrong_kind
from deep_arch.language.written import is_program
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.named_spaces import find_space
from deep_arch.spaces.space import space as space_of
from deep_arch.storage.addresses import file_of
from deep_arch.storage.opening import existing_storage, no_study, open_storage
from deep_arch.storage.rows import RowState
from deep_arch.storage.storage import Storage
from deep_arch.studies.about import about_study, check_same
from deep_arch.studies.checks import check_kinds, check_name, check_seconds
from deep_arch.studies.directions import Direction, listed_directions
from deep_arch.studies.directories import Directories
from deep_arch.studies.record import digest
from deep_arch.studies.search import left_alone
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.stored_search import StoredSearch
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from deep_arch.studies.running import Objective, Run

DEFAULT: Final = "sqlite:///runs.db"
"""Where studies are kept unless another place is named: a file in the working directory."""

_MOST_CHARACTERS: Final = 200
"""Of a folder's name, of which file systems take 255 bytes."""


class Study(StoredSearch):
    """A search that is kept in a database: started again under its name, it goes on where it stopped.

    It is iterated like a `Search`, or run with an objective, in this process or in others::

        study = da.Study(net, RegularizedEvolution(), name="digits", seed=0)
        study.run(train_and_score, trials=300, executor=4)
        study.best.architecture

    All that the searcher knows is rebuilt, so that the proposals are those of a search that was never stopped; trials
    that ran when it was stopped are given out again. Several processes, also on several machines, may hold one study
    at once: each trial is run by one of them, and where one dies, another takes its trial over.

    Args:
        space: what to search, as in `search`. It must be what the study was begun with.
        searcher: what proposes; it must be that with which the study was begun.
        storage: the path of an SQLite file, which several processes of one machine may share, the URL of a PostgreSQL
            server ("postgresql://user@host/database") for many machines, a `Storage`, or None for memory.
        name: of the study in its storage; the name of the space if left out.
        seed, directions, duplicates, first: as in `search`. `seed` and `first` only matter where the study begins.
        trials: how many trials to give out at most, over all runs; None for no bound.
        directory: where each trial has its `directory`; the trials of an interrupted run find there what they left,
            where the script says the same again. If left out, it lies beside an SQLite file and is temporary otherwise.
        heartbeat_s: seconds between the signs of life of this worker; six missing count as its death. The same for all.

    Attributes:
        name, storage: what it is called, and where it is kept.

    Raises:
        BadArgument: an argument of the wrong kind.
        StudyError: the storage cannot be read or written, or holds a study of this name with another space, searcher,
            directions or duplicates; the message shows what changed.
        MissingDependency: a driver for the storage is not installed.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import RandomSearch
        >>> net = da.space(lambda x: ops.Dense(units=da.integer(1, 100))(x))
        >>> study = da.Study(net, RandomSearch(), storage=None, seed=0)
        >>> study.run(lambda trial: -abs(trial.values["dense.units"] - 42), trials=30)
        >>> study.best.values
        {'dense.units': 43}
        >>> study
        <study '<lambda>' in memory: 30 trials, ended: all 30 trials were given out>
    """

    def __init__(
        self,
        space: Any,
        searcher: Searcher | None,
        storage: str | os.PathLike[str] | Storage | None = DEFAULT,
        name: str | None = None,
        seed: int | random.Random | None = None,
        *,
        trials: int | None = None,
        directions: Direction | Sequence[Direction] = "maximize",
        duplicates: Literal["record", "give"] = "record",
        directory: str | os.PathLike[str] | None = None,
        first: Iterable[Values | Architecture | Trial | FinishedTrial | str] = (),
        heartbeat_s: float = 10.0,
    ) -> None:
        space = space_of(space) if is_program(space) else space
        reads, searcher = searcher is None, _Unknown() if searcher is None else searcher
        most = sys.maxsize if trials is None else trials
        check_kinds(space, searcher, most, seed, duplicates)
        check_name(name)
        check_seconds("study", "heartbeat_s", heartbeat_s, "Leave it out for 10.")
        opened, name = open_storage(storage), str(space.name) if name is None else name
        wanted = listed_directions(directions)
        known = opened.about(name)
        folder = _folder(directory, opened, name)
        about = about_study(space, searcher, wanted, duplicates)
        if reads and known is not None:
            about["searcher"] = known["searcher"]
        elif reads:
            raise no_study(name, opened)
        if known is not None:  # before a searcher starts, which may not fit another space
            check_same(name, opened.shown, known, about)
        super().__init__(
            space,
            searcher,
            most,
            seed,
            storage=opened,
            name=name,
            directions=wanted,
            duplicates=duplicates,
            first=first if known is None else (),
            heartbeat_s=heartbeat_s,
        )
        if known is None:
            known = opened.begin(name, about, self.state(), self._record.early())
            check_same(name, opened.shown, known, about)
        self._directories = Directories(folder, again=True)
        self.in_runs: dict[int, Run] = {}  # those of the trials that are here that a `run` will end
        weakref.finalize(self, self._heart.let_go).atexit = False  # where the heart itself stops

    def run(
        self,
        objective: Objective,
        trials: int | None = None,
        timeout: float | None = None,
        *,
        trial_timeout: float | None = None,
        executor: Executor | int | None = None,
        max_parallel: int | None = None,
        callbacks: Iterable[Callable[[Study, Trial], object]] = (),
        progress: bool | None = None,
        max_failures: int = 20,
    ) -> None:
        """Run the study: give each trial to the objective, and take what it returns for the score.

        It returns once all trials have ended, those of other workers included, or `stop` was called. What an objective
        raises makes its trial a failed one; so do a result that is no number, a time limit, and a worker that dies
        twice. An interrupt (Ctrl-C) lets the trials that run be given out again the next time.

        Args:
            objective: a function of a trial that returns its score, or a tuple of scores, or ends it itself with
                `tell` or `skip`. In other processes it needs to be defined at the top level of a module.
            trials: how many trials the study is to have in all, over all runs and workers; None for the bound that it
                was made with, or until the searcher ends.
            timeout: seconds after which no further trial is begun; those that run are waited for.
            trial_timeout: seconds after which a trial has failed, and what runs it is stopped.
            executor: where objectives run: None for this process, one after the other; a number of processes; or
                anything with the `submit` of `concurrent.futures.Executor`, such as `deep_arch.executors.ProcessPool`
                or `RayExecutor`, Dask's `client.get_executor()` or mpi4py's `MPIPoolExecutor`.
            max_parallel: how many trials are out at once; as many as the executor runs if left out.
            callbacks: called with the study and each trial that ended here.
            progress: whether to show how far it is; if left out, as a bar in a terminal and as lines elsewhere.
            max_failures: so many failures in a row end the run.

        Raises:
            BadArgument: an argument of the wrong kind.
            ScopeError: workers in other processes cannot find the space by name.
            StudyError: too many trials failed in a row, or the storage cannot be read or written.
        """
        from deep_arch.studies.running import Run

        limits = (trials, timeout, trial_timeout, max_parallel, max_failures)
        Run(self, objective, limits, executor, callbacks, progress).finish()

    def folder(self, number: int) -> Path:
        """Return the folder that the trial of this number began; called by the trial."""
        return super().folder(self._record.began(number))

    @property
    def here(self) -> dict[int, Trial]:
        """The trials that are to end in this process, by number."""
        return self._record.here

    @property
    def best_scores(self) -> tuple[float, ...] | None:
        """The scores of the best trial so far; None before there is one, or with several objectives."""
        best = None if self.n_objectives > 1 else self.storage.best(self.name, self.directions[0] == "maximize")
        return None if best is None else best.scores

    def begin_run(self, trials: int | None) -> int:
        """Look anew for trials to give out, and return how many there are to be in all: so many, or the study's bound.

        Raises:
            TrialError: a trial was asked for by hand and left without a result, so that a run would wait for it.
        """
        left = [trial for number, trial in self.here.items() if number not in self.in_runs]
        if left:
            raise left_alone(left[0])
        with self._lock:
            self.ending, self.stopped, self._idle_since = None, False, None
            return self._n_trials if trials is None else trials

    @contextmanager
    def bounded(self, trials: int) -> Generator[None]:
        """Give out no more than so many trials in all while the block runs, for which other threads wait."""
        with self._lock:
            before, self._n_trials = self._n_trials, trials
            try:
                yield
            finally:
                self._n_trials = before

    def stop(self) -> None:
        """Begin no further trial in the run that goes on; for callbacks."""
        self.stopped = True

    stopped: bool = False

    @property
    def counts(self) -> dict[RowState, int]:
        """How many trials stand in which way: "complete", "failed", "skipped", "running" or "waiting"."""
        return self.storage.counts(self.name)

    @property
    def best_architectures(self) -> tuple[Architecture, ...]:
        """The architectures of the Pareto front; with one objective, those of the best score.

        Raises:
            TrialError: no trial is complete.
        """
        return tuple([trial.architecture for trial in self.front])

    @property
    def notes(self) -> dict[str, Any]:
        """What `note` keeps."""
        return dict((self.storage.about(self.name) or {}).get("notes", {}))

    def note(self, **notes: Any) -> None:
        """Keep something about the study, by name: what JSON can hold.

        Raises:
            BadArgument: JSON cannot hold it.
        """
        try:
            json.dumps(notes, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise wrong_kind(
                "study", f"notes that JSON can hold ({error})", notes, "Keep numbers and texts."
            ) from error
        about = dict(self.storage.about(self.name) or {})
        self.storage.change(self.name, {**about, "notes": {**about.get("notes", {}), **notes}})

    def to_dataframe(self) -> DataFrame:
        """Return the trials as a table: as `analysis.frame` does, with attributes, times, workers and errors.

        Raises:
            MissingDependency: pandas is not installed.
        """
        from deep_arch.analysis.exporting import full_frame

        return full_frame(self)

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write the trials into a file, one JSON object a line; the file is written whole or not at all.

        A line has the attributes of a trial, with `values` as `Architecture.to_json` writes them, and is read by
        `Architecture.from_json`. So a file gives the architectures that another search begins with::

            lines = Path("trials.jsonl").read_text().splitlines()
            da.Architecture.from_json(lines[0], net)
            da.search(net, RandomSearch(), trials=100, first=lines)

        Raises:
            BadArgument: what is no path of a file.
            OSError: the file cannot be written.
        """
        from deep_arch.analysis.exporting import write_jsonl

        write_jsonl(self.trials, path)

    def export_optuna(self, storage: Any, name: str | None = None) -> None:
        """Write the trials into a storage of Optuna, as a study that optuna-dashboard shows.

        Parameters are named as `searchers.suggest` names them, so `suggest(optuna_trial, space)` gives the architecture
        again. A trial keeps its number, scores, scores on the way, times and attributes. Further attributes hold what
        Optuna has no word for: `deep_arch:budget`, `deep_arch:continues`, `deep_arch:error`, `deep_arch:worker`, and
        `deep_arch:intermediate` for several objectives. What failed is FAIL there, what was skipped PRUNED, and what
        runs is RUNNING, and stays so.

        A database takes Optuna some 20 ms a trial; a `JournalStorage` is ten times as fast.

        Args:
            storage: its URL, such as "sqlite:///optuna.db", or a storage object of Optuna.
            name: of Optuna's study; the name of this one if left out.

        Raises:
            StudyError: the storage holds a study of this name already, or cannot be read or written.
            MissingDependency: optuna is not installed.
        """
        from deep_arch.searchers.optuna_export import export

        export(self, storage, name)

    def close(self) -> None:
        """Tell that this worker leaves, and give back files and connections; what is used again opens again."""
        self._heart.stop()
        self.storage.close()

    def __repr__(self) -> str:
        ending = f", ended: {self.ending}" if self.ending else ""
        n = sum(self.counts.values())
        return f"<study {self.name!r} in {self.storage.shown}: {n} trials{ending}>"


class _Unknown(Searcher):
    """In place of the searcher of a study that is only read."""

    def load_state_dict(self, state: Any) -> None:
        raise StudyError(
            f"study of {self.space.name}: was opened for reading, and gives out no trials.\n  Got no searcher.\n"
            "  Open it with the searcher that it was begun with: da.Study(space, searcher, storage=..., name=...)."
        )

    def tell(self, trial: FinishedTrial) -> None:
        """Learn nothing."""


def open_study(
    storage: str | os.PathLike[str] | Storage = DEFAULT, name: str | None = None, space: Any = None
) -> Study:
    """Return a study for reading: its trials, the best, tables; it gives out no trials.

    Args:
        storage: where it is kept.
        name: of the study; may be left out where the storage holds only one.
        space: what it searches; found by its recorded name if left out.

    Raises:
        StudyError: there is no such study, or the storage cannot be read.
        ScopeError: its space has no name by which it is found.
    """
    opened = existing_storage(storage)
    if name is None and len(names := opened.names()) == 1:
        (name,) = names
    known = opened.about(name or "")
    if name is None or known is None:
        raise no_study(name or "", opened)
    if space is None:
        if known["space"] is None:
            raise ScopeError(
                f"study {name!r}: expected a space that is found by its name.\n  Got {known['title']}, which was made "
                "inside a function.\n  Pass it: da.open_study(storage, name, space=net)."
            )
        space = find_space(known["space"])
    return Study(space, None, opened, name, directions=known["directions"], duplicates=known["duplicates"])


def study_names(storage: str | os.PathLike[str] | Storage | None = DEFAULT) -> list[str]:
    """Return the names of the studies in a storage, in the order in which they began.

    Raises:
        StudyError: there is no such storage, or it cannot be read.
    """
    return existing_storage(storage).names()


def _folder(given: Any, storage: Storage, name: str) -> Path | None:
    """Return where trials have their folders: as said, or beside the file of the storage.

    No path comes out of the storage, which others may have written.
    """
    if given is not None:
        if not is_kind(given, str | os.PathLike):
            raise BadArgument(
                f"study: directory is a path.\n  Got {given!r} ({type(given).__name__}).\n  Write directory='runs'."
            )
        return Path(os.path.abspath(given))
    file = file_of(storage.url)
    if file is None:
        return None
    # No name leads out of this folder: quoted, it holds no separator, and a prefix keeps it from being "..".
    quoted = quote(name, safe=" ")
    short = quoted if len(quoted) <= _MOST_CHARACTERS else f"{quoted[: _MOST_CHARACTERS - 33]}-{digest(name)}"
    return Path(f"{file}.trials") / f"study-{short}"
