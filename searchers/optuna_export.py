"""Studies of ours as studies of Optuna: for its dashboard, its plots, and its samplers to go on from."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import StudyError, is_kind, wrong_kind
from deep_arch.extras import require
from deep_arch.searchers.optuna_objective import parameters, suggest
from deep_arch.spaces.space import SearchSpace
from deep_arch.storage.addresses import shown
from deep_arch.studies.searcher import Values
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from deep_arch.studies.search import Search
    from deep_arch.studies.study import Study

STATES: Final = {"complete": "COMPLETE", "failed": "FAIL", "skipped": "PRUNED", "running": "RUNNING"}
"""How a trial stands, in Optuna's words. One that runs is exported too, so that all keep their numbers."""

PREFIX: Final = "deep_arch:"
"""What sets our attributes apart from the user's."""


def export(study: Study, storage: Any, name: str | None = None) -> None:
    """Write the trials of a study into a storage of Optuna; see `Study.export_optuna`."""
    require("optuna")
    import optuna

    name = study.name if name is None else name
    if not is_kind(name, str) or not name:
        raise wrong_kind("export_optuna", "a name, a str of at least one character", name, "Leave it out for ours.")
    opened = _opened(storage)
    with _told(opened):
        names = optuna.get_all_study_names(opened)
        if name in names:
            raise _taken(name, names, opened)
        made = optuna.create_study(storage=opened, study_name=name, directions=list(study.directions))
        try:
            made.add_trials(frozen_trials(study))
        except BaseException:  # half of a study would stand in the way of the whole one
            optuna.delete_study(study_name=name, storage=opened)
            raise


def frozen_trials(search: Search) -> Iterator[Any]:
    """Yield the trials of a search as finished ones of Optuna."""
    from optuna.trial import FrozenTrial, TrialState

    known: dict[str, Any] = {}
    for trial in search.trials:
        decided = _decided(search.space, trial.values, known)
        yield FrozenTrial(
            number=trial.number,
            trial_id=trial.number,
            state=TrialState[STATES[trial.state]],
            value=None,
            values=list(trial.scores) or None,
            datetime_start=datetime.fromtimestamp(trial.started),  # without a time zone, as Optuna's own
            datetime_complete=None if trial.finished is None else datetime.fromtimestamp(trial.finished),
            params=decided.params,
            distributions=decided.distributions,
            user_attrs=_attributes(trial, len(search.directions)),
            system_attrs={},
            intermediate_values=_on_the_way(trial, len(search.directions)),
        )


def _decided(space: SearchSpace, values: Values, known: dict[str, Any]) -> Any:
    """Return a trial to which these values were suggested in a study that met the known distributions before."""
    from optuna.trial import FixedTrial

    given = parameters(space, values)
    decided = FixedTrial(given)
    suggest(decided, space)
    refused = [name for name, met in decided.distributions.items() if name in known and not _fits(known[name], met)]
    if refused:  # `suggest` then takes the name that a study would not refuse
        decided = FixedTrial({name: value for name, value in given.items() if name not in refused})
        suggest(decided, space)
    known.update(decided.distributions)
    return decided


def _fits(known: Any, met: Any) -> bool:
    from optuna.distributions import check_distribution_compatibility

    try:
        check_distribution_compatibility(known, met)
    except ValueError:
        return False
    return True


def _on_the_way(trial: Trial, n_objectives: int) -> dict[int, float]:
    """Return the scores on the way, which Optuna's samplers cannot read beside several objectives."""
    return dict(trial.intermediate) if n_objectives == 1 else {}


def _attributes(trial: Trial, n_objectives: int) -> dict[str, Any]:
    more = {name: getattr(trial, name) for name in ("budget", "continues", "error", "worker")}
    if n_objectives > 1 and trial.intermediate:
        more["intermediate"] = {str(step): score for step, score in trial.intermediate.items()}
    ours = {f"{PREFIX}{name}": value for name, value in more.items() if value is not None}
    return {**trial.attributes, **ours}


def _opened(storage: Any) -> Any:
    from optuna.storages import BaseStorage, RDBStorage

    if not is_kind(storage, str | BaseStorage):
        mend = "Write study.export_optuna('sqlite:///optuna.db')."
        raise wrong_kind("export_optuna", "the URL of a storage of Optuna, or a storage object", storage, mend)
    try:
        return RDBStorage(storage) if isinstance(storage, str) else storage
    except Exception as error:  # of Optuna, SQLAlchemy, or a driver that is not installed
        raise _unusable(storage, error) from error


@contextmanager
def _told(storage: Any) -> Generator[None]:
    """Tell what Optuna's storage raises as a StudyError."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, OSError) as error:
        raise _unusable(storage, error) from error


def _unusable(storage: Any, error: Exception) -> StudyError:
    return StudyError(
        f"export_optuna: expected a storage that Optuna can read and write.\n  Got {_shown(storage)}: "
        f"{type(error).__name__}: {error}\n  Write the URL of a database, such as 'sqlite:///optuna.db'."
    )


def _taken(name: str, names: list[str], storage: Any) -> StudyError:
    free = next(other for i in range(2, len(names) + 3) if (other := f"{name}-{i}") not in names)
    return StudyError(
        f"export_optuna: expected a name that no study in {_shown(storage)} has.\n  Got {name!r}, which is one of its "
        f"{len(names)}.\n  Write name={free!r}, or remove what is there: optuna.delete_study(study_name={name!r}, "
        "storage=...)."
    )


def _shown(storage: Any) -> str:
    """Return what names a storage in a message, without its password."""
    from sqlalchemy.exc import ArgumentError

    url = getattr(storage, "url", storage)
    try:
        return shown(url) if is_kind(url, str) else type(storage).__name__
    except ArgumentError:  # no URL
        return repr(url)
