"""Searches that are killed, again and again, with whatever they stand on: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from searching import net, score, searcher  # type: ignore[import-not-found]

import deep_arch as da
from deep_arch.errors import MissingDependency, StudyError
from deep_arch.studies.trial import Trial
from deep_arch.testing.faulty_disks import SmallDisk, small_disk
from deep_arch.testing.killing import killed_until_done, run_and_kill
from deep_arch.testing.postgres_server import PostgresServer
from deep_arch.testing.waiting import wait_until

PROGRAM = str(Path(__file__).parent / "searching.py")


def command(tmp_path: Path, storage: str, trials: int, **more: Any) -> list[str]:
    given = {"storage": storage, "trials": trials, "journal": str(tmp_path / "journal"), **more}
    return [sys.executable, PROGRAM, json.dumps(given)]


def opened(storage: str) -> da.Study:
    return da.open_study(storage, "net", space=net)


def undisturbed(trials: int) -> list[tuple[Any, Any]]:
    search = da.search(net, searcher(), trials, seed=3)
    for trial in search:
        trial.tell(score(trial))
    return found(search.trials)


def found(trials: Sequence[Trial]) -> list[tuple[Any, Any]]:
    return [(dict(trial.values), trial.scores) for trial in trials]


def journal(tmp_path: Path) -> Counter[int]:
    return Counter(int(line.split()[0]) for line in (tmp_path / "journal").read_text().splitlines())


def run_together(commands: Sequence[list[str]]) -> list[str]:
    """Run programs side by side, and return what they printed; all must end well."""
    programs = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for line in commands
    ]
    outputs = [program.communicate()[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * len(programs), outputs
    return outputs


@pytest.mark.slow
def test_a_search_that_is_killed_fifty_times_is_the_search_that_is_never_killed(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'runs.db'}"
    hits = killed_until_done(command(tmp_path, storage, 200, takes_s=0.01), random.Random(0), 50, within_s=0.12)
    study = opened(storage)
    assert hits == 50
    assert study.counts == {"complete": 200}
    assert found(study.trials) == undisturbed(200)
    assert set(journal(tmp_path)) == set(range(200))


@pytest.mark.slow
def test_a_pool_whose_driver_is_killed_loses_nothing(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'runs.db'}"
    line = command(tmp_path, storage, 60, takes_s=0.05, executor="pool")
    assert killed_until_done(line, random.Random(1), 6, within_s=3.0) >= 1
    study = opened(storage)
    assert study.counts == {"complete": 60}
    assert all(trial.scores == (score(trial),) for trial in study.trials)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pool", "ray", "dask"])
def test_a_worker_that_dies_has_its_trial_run_once_more(tmp_path: Path, kind: str) -> None:
    if kind != "pool":
        pytest.importorskip("distributed" if kind == "dask" else "ray")
    storage = f"sqlite:///{tmp_path / 'runs.db'}"
    deadly = {"3": 1, "7": 2}
    line = command(tmp_path, storage, 12, executor=kind, deadly=deadly, directory=str(tmp_path / "folders"))
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    study = opened(storage)
    assert study.counts == {"complete": 11, "failed": 1}
    assert "died" in (study.trials[7].error or "")
    assert study.trials[3].state == "complete"
    assert all(n == 1 for n in journal(tmp_path).values())


@pytest.mark.slow
def test_eight_workers_share_a_study_in_postgres(tmp_path: Path, postgres_url: str) -> None:
    outputs = run_together([command(tmp_path, postgres_url, 2000)] * 8)
    study = opened(postgres_url)
    assert study.counts == {"complete": 2000}
    assert sorted(journal(tmp_path).elements()) == list(range(2000))  # each was run, and once
    assert len({trial.worker for trial in study.trials}) == 8
    assert all("all 2000 trials" in output for output in outputs)


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced_by_those_that_live(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'runs.db'}"
    line = command(tmp_path, storage, 80, takes_s=0.05)
    others = [subprocess.Popen(line, stdout=subprocess.DEVNULL) for _ in range(2)]
    rng = random.Random(2)
    ended = [run_and_kill(line, rng, within_s=1.0) for _ in range(2)]
    assert [program.wait() for program in others] == [0, 0]
    assert any(one.killed for one in ended)
    study = opened(storage)
    assert study.counts == {"complete": 80}
    assert set(journal(tmp_path)) == set(range(80))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_server_that_goes_down_and_comes_back_is_waited_for(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str, how: str
) -> None:
    line = command(tmp_path, postgres_url, 60, takes_s=0.05)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        wait_until(lambda: (tmp_path / "journal").exists() and len(journal(tmp_path)) > 10, "ten trials")
        if how == "restart":
            postgres.restart()
        else:
            postgres.kill()
            postgres.start()
        _, errors = program.communicate()
    assert program.returncode == 0, errors
    study = opened(postgres_url)
    assert study.counts == {"complete": 60}
    assert found(study.trials) == undisturbed(60)
    assert all(n == 1 for n in journal(tmp_path).values())


@pytest.fixture
def larger_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk with room for what a database writes before it is full."""
    try:
        with small_disk(tmp_path / "disk", 2**24) as disk:
            yield disk
    except MissingDependency as error:
        pytest.skip(str(error))


def test_a_full_disk_ends_the_search_and_loses_nothing_that_was_finished(larger_disk: SmallDisk) -> None:
    disk = larger_disk
    storage = f"sqlite:///{disk.folder / 'runs.db'}"
    study = da.Study(net, searcher(), storage, seed=3)

    def objective(trial: Trial) -> float:
        if trial.number == 20:
            disk.fill()
        return float(score(trial))

    with pytest.raises(StudyError, match="Make room on the disk"):
        study.run(objective, 200, progress=False)
    study.close()
    disk.free()
    again = da.Study(net, searcher(), storage, seed=3)
    assert len(again.trials) >= 20
    again.run(score, 60, progress=False)
    assert found(again.trials) == undisturbed(60)
    again.close()


def test_a_study_that_cannot_be_written_is_read(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    storage = f"sqlite:///{tmp_path / 'runs.db'}"
    study = da.Study(net, searcher(), storage, seed=3)
    study.run(score, 10, progress=False)
    study.close()
    protect(tmp_path)
    read = da.Study(net, searcher(), storage, seed=3)
    assert found(read.trials) == undisturbed(10)
    assert read.best.scores == max(trial.scores for trial in read.trials)
    with pytest.raises(StudyError, match="Make the file and its folder writable"):
        read.run(score, 20, progress=False)
    read.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    study = da.Study(net, searcher(), file, seed=3)
    study.run(score, 30, progress=False)
    study.close()
    whole = file.read_bytes()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(StudyError, match="Give another file, or restore this one"):
        da.Study(net, searcher(), file, seed=3)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudyError, match="Restore the file from a copy"):
        da.Study(net, searcher(), file, seed=3).run(score, 40, progress=False)
