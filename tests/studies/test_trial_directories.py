"""Directories of trials: one for each architecture, kept while its budget grows, never shared by two searches."""

from __future__ import annotations

import gc
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import Hyperband, RandomSearch
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values

UNITS = "dense.units"


@da.space
def net(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 1000))(x)


class Budgeted(Searcher):
    """Propose numbers of units, each with a budget."""

    def __init__(self, *proposals: tuple[int, float | None]) -> None:
        self.left = list(proposals)
        self.now: float | None = None

    def ask(self) -> Values | None:
        if not self.left:
            return None
        units, self.now = self.left.pop(0)
        return {UNITS: units}

    def budget(self, values: Values) -> float | None:
        return self.now

    def tell(self, trial: FinishedTrial) -> None: ...


def chain(proposals: Iterable[tuple[int, float | None]], **options: Any) -> tuple[list[int | None], list[str]]:
    """Return what each trial continues, and the names of the directories."""
    search = da.search(net, Budgeted(*proposals), 10, **options)
    for trial in search:
        assert trial.directory.is_dir()
        trial.tell(0)
    return [trial.continues for trial in search.trials], [trial.directory.name for trial in search.trials]


def test_a_larger_budget_continues_in_the_same_directory() -> None:
    continues, names = chain([(5, 1), (6, 1), (5, 3), (5, 9.5)])
    assert continues == [None, None, 0, 2]
    assert names == ["trial-0", "trial-1", "trial-0", "trial-0"]


def test_a_budget_that_does_not_grow_begins_anew() -> None:
    continues, names = chain([(5, 3), (5, 1), (5, 2)])
    assert (continues, names) == ([None, None, 1], ["trial-0", "trial-1", "trial-1"])
    assert chain([(5, 3), (5, 3)], duplicates="give") == ([None, None], ["trial-0", "trial-1"])


def test_trials_without_a_budget_are_each_new() -> None:
    assert chain([(5, None), (6, None), (5, 2)]) == ([None] * 3, ["trial-0", "trial-1", "trial-2"])
    assert chain([(5, 2), (5, None)], duplicates="give")[0] == [None, None]


def test_only_what_is_complete_is_continued() -> None:
    search = da.search(net, Budgeted((5, 1), (5, 2), (5, 3), (6, 1), (6, 2)), 5)
    next(search).fail("diverged")
    next(search).skip()
    next(search).tell(0)
    out, while_out = search.ask(), search.ask()
    assert out is not None and while_out is not None
    assert [trial.continues for trial in search.trials] == [None] * 5
    assert out.directory != while_out.directory, "two trials that are out at once never share a directory"


def test_another_architecture_that_computes_the_same_begins_anew() -> None:
    @da.space
    def twins(x: Any) -> Any:
        return da.or_([ops.ReLU, ops.ReLU])(x)

    class Both(Budgeted):
        def ask(self) -> Values | None:
            return None if (values := super().ask()) is None else {"or.which": values[UNITS]}

    search = da.search(twins, Both((0, 1), (1, 2)), 5)
    for trial in search:
        trial.tell(0)
    assert [trial.continues for trial in search.trials] == [None, None]


# --- where they lie --------------------------------------------------------------------------------------------------


def test_directories_lie_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trial = next(da.search(net, RandomSearch(), 1, seed=0, directory=os.path.join("runs", "first")))
    assert not (tmp_path / "runs").exists(), "made on first use"
    monkeypatch.chdir("/")
    assert trial.directory == tmp_path / "runs" / "first" / "trial-0"
    assert trial.directory.is_dir()
    trial.skip()
    assert trial.directory.is_dir(), "also of a trial that has ended"


def test_temporary_directories_go_with_the_search() -> None:
    search = da.search(net, RandomSearch(), 2, seed=0)
    trial = next(search)
    (trial.directory / "weights").write_text("1 2 3")
    kept = trial.directory
    del search
    gc.collect()
    assert kept.is_dir(), "a trial keeps its search"
    del trial
    gc.collect()
    assert not kept.parent.exists()


def test_temporary_directories_go_with_the_process() -> None:
    code = (
        "import deep_arch as da; from deep_arch import ops; from deep_arch.searchers import RandomSearch\n"
        "net = da.space(lambda x: ops.Dense(units=da.integer(1, 9))(x))\n"
        "print(next(da.search(net, RandomSearch(), 1)).directory)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stderr == "" and not Path(done.stdout.strip()).parent.exists()


def test_the_directory_of_another_search_is_refused(tmp_path: Path) -> None:
    next(da.search(net, RandomSearch(), 1, seed=0, directory=tmp_path)).directory.rmdir()
    trial = next(da.search(net, RandomSearch(), 1, seed=0, directory=tmp_path))
    assert trial.directory.is_dir()
    with pytest.raises(
        BadArgument, match=r"must not hold the trials of another search(.|\n)*which holds trial-0(.|\n)*of its own"
    ):
        da.search(net, RandomSearch(), 1, seed=0, directory=tmp_path)
    nested = next(da.search(net, RandomSearch(), 1, seed=0, directory=trial.directory / "inner"))
    assert nested.directory.parent.parent == trial.directory


def test_a_directory_is_a_path() -> None:
    with pytest.raises(
        BadArgument, match=r"search: directory is a path\.\n  Got 3 \(int\)\.\n  Write directory='runs'"
    ):
        da.search(net, RandomSearch(), 1, directory=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# --- training that goes on -------------------------------------------------------------------------------------------


def train(trial: da.Trial) -> int:
    """Fit the number of units by gradient steps, from the checkpoint on; return how many steps were made now."""
    checkpoint = trial.directory / "checkpoint.json"
    weight, epoch = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0.0, 0)
    assert (epoch > 0) == (trial.continues is not None)
    steps = range(epoch, int(trial.budget or 0))
    for _ in steps:
        weight += 0.1 * (trial.values[UNITS] - weight)
    checkpoint.write_text(json.dumps([weight, steps.stop]))
    trial.tell(weight)
    return len(steps)


def test_training_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    spent: dict[int, int] = {}
    search = da.search(net, Hyperband(max_budget=9), 30, seed=0, directory=tmp_path)
    for trial in search:
        spent[trial.number] = train(trial)
    for trial in search.trials:
        before = 0 if trial.continues is None else search.trials[trial.continues].budget
        assert before is not None and spent[trial.number] == (trial.budget or 0) - before
        # 0.9 ** epochs of the way is left, whether trained at once or in parts.
        assert trial.score == pytest.approx(trial.values[UNITS] * (1 - 0.9 ** (trial.budget or 0)))
    assert any(trial.continues is not None for trial in search.trials)
    assert search.best.budget == 9


def test_a_pickled_search_goes_on_in_its_directory(tmp_path: Path) -> None:
    search = da.search(net, Budgeted((5, 1), (5, 3)), 10, directory=tmp_path / "runs")
    first = next(search)
    (first.directory / "checkpoint").write_text("one epoch")
    first.tell(0)
    resumed = pickle.loads(pickle.dumps(search))
    second = next(resumed)
    assert second.continues == 0 and (second.directory / "checkpoint").read_text() == "one epoch"
    second.skip()


def test_a_pickled_search_warns_of_temporary_directories() -> None:
    search = da.search(net, Budgeted((5, 1), (5, 3)), 10)
    pickle.dumps(search)  # none was made yet
    first = next(search)
    kept = first.directory
    first.tell(0)
    with pytest.warns(da.SearchWarning, match=r"temporary folders(.|\n)*directory='runs'"):
        resumed = pickle.loads(pickle.dumps(search))
    second = next(resumed)
    assert second.directory != kept and second.directory.is_dir()
    second.skip()
