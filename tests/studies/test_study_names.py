"""Names of studies, which are no more than names, and the folders of their trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument
from deep_arch.searchers import Hyperband, RandomSearch
from deep_arch.studies.study import Study, study_names
from tests.studies.objectives import net, units

FILE = "runs.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE


def study(file: Any, **options: Any) -> Study:
    return da.Study(net, RandomSearch(), file, **{"name": "digits", "seed": 0, **options})


NAMES = [
    "../../x",
    "..",
    ".",
    "a/b",
    "a\\b",
    "/etc/passwd",
    "'; DROP TABLE deep_arch_trials; --",
    "%2e%2e/",
    "naïve 名前 \U0001f600",
    "new\nline",
    " ",
    "x" * 5000,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_text_is_a_name_and_no_more_than_that(tmp_path: Path, name: str) -> None:
    root = tmp_path / "inside"
    root.mkdir()
    one = study(root / FILE, name=name)
    for trial in one:
        (trial.directory / "weights").touch()
        trial.tell(1)
        break
    assert study_names(root / FILE) == [name] and study(root / FILE, name=name).counts == {"complete": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    (weights,) = root.rglob("weights")
    assert weights.relative_to(root).parts[0] == f"{FILE}.trials" and len(weights.relative_to(root).parts) == 4


def test_long_names_have_folders_of_their_own(file: Path) -> None:
    folders = {next(study(file, name=name)).directory for name in ("x" * 5000, "x" * 4999, "x" * 201 + "y", "x" * 200)}
    assert len(folders) == 4


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "half \ud800 a character", 3, b"digits", ["digits"]])
def test_what_is_no_name_is_refused(file: Path, name: Any) -> None:
    with pytest.raises(BadArgument, match=r"study: expected a name, a str of at least one character(.|\n)*Got "):
        study(file, name=name)


def test_folders_go_with_the_file(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    one = study(before / FILE)
    trial = next(one)
    (trial.directory / "weights").write_text("kept")
    one.close()
    before.rename(after)
    again = next(study(after / FILE))
    assert (again.directory / "weights").read_text() == "kept" and not before.exists()
    again.skip()


def test_a_directory_is_what_the_script_says_and_not_what_the_storage_does(file: Path, tmp_path: Path) -> None:
    one = study(file, directory=tmp_path / "kept")
    assert next(one).directory == tmp_path / "kept" / "trial-0"
    one.close()
    assert str(tmp_path / "kept") not in str(one.storage.about("net"))
    trial = next(study(file))
    assert trial.directory.is_relative_to(f"{file}.trials")
    trial.skip()


def test_a_study_in_memory_has_temporary_folders() -> None:
    trial = next(study(None))
    folder = trial.directory
    assert folder.is_dir() and folder.name == "trial-0"
    trial.skip()


def test_a_trial_with_more_budget_goes_on_in_the_folder_of_the_first(file: Path) -> None:
    for _ in range(2):  # begun, and gone on with
        one = da.Study(net, Hyperband(max_budget=9), file, "digits", seed=0)
        for trial in one:
            notes = trial.directory / "notes"
            begun = notes.read_text() if notes.exists() else ""
            assert bool(begun) == (trial.continues is not None)
            notes.write_text(f"{begun}{trial.number}({trial.continues}) ")
            trial.tell(units(trial))
            if trial.number in (7, 15):
                break
        one.close()
    longest = max((path.read_text() for path in file.parent.rglob("notes")), key=len).split()
    assert len(longest) == 3 and longest[0].endswith("(None)")


def test_budgets_stay_what_they_were(file: Path) -> None:
    """An int can be a number of epochs, a float cannot."""
    one = da.Study(net, Hyperband(max_budget=9), file, "digits", seed=0)
    trial = next(one)
    budget = trial.budget
    one.close()
    again = next(da.Study(net, Hyperband(max_budget=9), file, "digits"))
    assert (again.number, again.budget, type(again.budget)) == (0, budget, type(budget))
    again.skip()
