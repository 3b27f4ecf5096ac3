"""Commands that run and read studies: what they print, and every error."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.searchers import NSGA2, RandomSearch, RegularizedEvolution

Fine = Callable[..., str]
Wrong = Callable[..., str]
SEARCH = ("search", "net.py:net", "--objective", "net.py:score", "--quiet")


@pytest.fixture
def searched(fine: Fine) -> Fine:
    """The command line after a search of twelve trials."""
    fine(*SEARCH, "--trials", "12", "--seed", "0")
    return fine


def study(folder: Path, searcher: da.Searcher | None = None, name: str = "net", **options: Any) -> da.Study:
    space = da.open_study(folder / "runs.db", name).space
    return da.Study(space, searcher or RegularizedEvolution(), folder / "runs.db", name, **options)


# --- search and resume ----------------------------------------------------------------------------------------------


def test_a_search_is_that_of_the_library(fine: Fine, folder: Path) -> None:
    printed = fine(
        *SEARCH, "--trials", "12", "--seed", "0", "--searcher", "RegularizedEvolution(population=4, sample=2)"
    )
    net = da.open_study(folder / "runs.db").space
    same = da.Study(net, RegularizedEvolution(population=4, sample=2), None, seed=0)
    same.run(lambda trial: -abs(sum(trial.values.values()) - 100), 12, progress=False)
    assert [trial.values for trial in study(folder, RegularizedEvolution(4, 2)).trials] == [
        t.values for t in same.trials
    ]
    lines = [f"  {address}: {value}" for address, value in same.best.values.items()]
    assert printed.splitlines() == [f"trial {same.best.number}: {same.best.scores[0]:.6g}", *lines]


def test_the_same_command_goes_on(searched: Fine, folder: Path) -> None:
    before = [trial.finished for trial in study(folder).trials]
    searched(*SEARCH, "--trials", "15")
    assert [trial.finished for trial in study(folder).trials][:12] == before and len(study(folder).trials) == 15


def test_resume_finds_what_the_search_was_given(fine: Fine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--searcher", "NoRepeats(RandomSearch())", "--name", "a b", "--storage", "sqlite:///other.db")
    fine(*SEARCH, "--trials", "3", *arguments)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    fine("resume", "--storage", "../other.db", "--name", "a b", "--trials", "5", "--quiet")
    assert da.open_study(folder / "other.db", "a b").counts == {"complete": 5}
    fine("resume", "--storage", "../other.db", "--quiet")
    assert da.open_study(folder / "other.db", "a b").counts == {"complete": 5}, "as many as were asked for last"
    assert not (elsewhere / "other.db").exists()


@pytest.mark.parametrize("name", ["net.py:Mine", "net.py:mine"])
def test_a_searcher_of_ones_own(name: str, fine: Fine) -> None:
    fine(*SEARCH, "--searcher", name, "--trials", "2")
    kind = "Mine" if name.endswith("Mine") else "RandomSearch"
    assert json.loads(fine("studies", "--json"))[0]["searcher"].startswith(kind)
    fine("resume", "--trials", "3", "--quiet")


def test_a_space_that_a_function_returns_is_searched_and_resumed(fine: Fine) -> None:
    fine("search", "net.py:made", "--objective", "net.py:chatty", "--trials", "2", "--quiet", "--name", "made")
    fine("resume", "--trials", "3", "--quiet")
    assert len(json.loads(fine("trials", "--json"))) == 3


def test_several_objectives_have_a_front(fine: Fine, folder: Path) -> None:
    arguments = ("--objective", "net.py:pair", "--directions", "maximize, minimize", "--trials", "20", "--seed", "1")
    found = json.loads(fine("search", "net.py:net", *arguments, "--quiet", "--json"))
    front = study(folder, NSGA2(), directions=["maximize", "minimize"]).front
    assert [trial["number"] for trial in found] == [trial.number for trial in front]
    assert json.loads(fine("best", "--json")) == found
    assert fine("best").count("trial ") == len(found)
    assert f"{len(found)} on the front" in fine("studies")


def test_what_an_objective_prints_is_no_result(run: Callable[..., Any]) -> None:
    result = run("search", "net.py:net", "--objective", "net.py:chatty", "--trials", "2", "--json")
    assert json.loads(result.stdout)["state"] == "complete" and "this objective prints" in result.stderr
    assert "2/2 trials, best " in result.stderr


@pytest.mark.parametrize("objective", ["fails", "skips"])
def test_a_search_without_a_complete_trial_has_a_code_of_its_own(objective: str, wrong: Wrong) -> None:
    arguments = ("search", "net.py:net", "--objective", f"net.py:{objective}", "--trials", "3", "--quiet")
    told = wrong(*arguments, code=3)
    assert told.startswith("error: search: no trial is complete yet")
    assert ("RuntimeError: out of luck" in told) == (objective == "fails")


def test_a_search_that_only_fails_stops(wrong: Wrong) -> None:
    told = wrong("search", "net.py:net", "--objective", "net.py:fails", "--quiet")
    assert told.startswith("error: study 'net': stops after 20 failures in a row")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("--objective", "net.py:scroe"), "Did you mean 'score'"),
        (
            ("--objective", "net.py:number"),
            "net.py:number: expected an objective, a function of a trial.\n  Got 7 (int).",
        ),
        (("--searcher", "RandomSaerch"), "Did you mean 'RandomSearch'"),
        (("--searcher", "RandomSearch(__import__('os').system('true'))"), "with arguments that are literals"),
        (("--searcher", "RegularizedEvolution(popluation=3)"), "Did you mean 'population'"),
        (("--searcher", "RandomSearch("), "searcher: expected one of"),
        (("--searcher", "net.py:number"), "expected a searcher, or what makes one without arguments.\n  Got 7 (int)."),
        (("--directions", "maximise"), "directions is 'maximize', 'minimize'"),
        (("--storage", "mysql://host/db"), "an SQLite file or a PostgreSQL server"),
        (("--storage", "nowhere/runs.db"), "unable to open database file"),
        (("--timeout", "-1"), "timeout to be a number of seconds"),
        (("--name", ""), "a name, a str of at least one character"),
    ],
)
def test_errors_of_a_search(arguments: tuple[str, ...], text: str, wrong: Wrong) -> None:
    told = wrong(*SEARCH, *arguments)
    assert told.startswith("error: ") and text in told and "Traceback" not in told


def test_a_mistaken_search_leaves_no_study(wrong: Wrong, folder: Path) -> None:
    wrong(*SEARCH, "--objective", "net.py:scroe")
    wrong(*SEARCH, "--searcher", "RandomSaerch")
    assert not (folder / "runs.db").exists()


def test_another_searcher_is_told(searched: Fine, wrong: Wrong) -> None:
    told = wrong(*SEARCH, "--searcher", "RandomSearch")
    assert "expected the searcher that it was begun with, RegularizedEvolution(" in told


def test_a_study_of_a_script_is_not_resumed(wrong: Wrong, folder: Path) -> None:
    script = da.Study(da.space(lambda x: x), RandomSearch(), folder / "runs.db", "script")
    script.run(lambda trial: 1.0, 1, progress=False)
    script.close()
    assert wrong("resume").splitlines() == [
        "error: study 'script': expected one that `deep-arch search` began.",
        "  Got one of a script.",
        "  Run the script again, which goes on with it.",
    ]


@pytest.mark.parametrize("name", ["../up", "a'; DROP TABLE studies; --", "..", 'x"y', "/etc/passwd", "--", "*"])
def test_a_name_is_only_a_name(name: str, fine: Fine, folder: Path) -> None:
    fine(*SEARCH, "--trials", "1", f"--name={name}")
    fine(*SEARCH, "--trials", "2", "--name", "other")
    assert [found["name"] for found in json.loads(fine("studies", "--json"))] == [name, "other"]
    assert len(json.loads(fine("trials", f"--name={name}", "--json"))) == 1
    directory = da.open_study(folder / "runs.db", name).trials[0].directory
    assert (folder / "runs.db.trials").resolve() in directory.resolve().parents
    left = {path.name for path in folder.iterdir()} - {"net.py", "__pycache__", "runs.db-wal", "runs.db-shm"}
    assert left == {"runs.db", "runs.db.trials"}


# --- reading --------------------------------------------------------------------------------------------------------


def test_studies_are_listed(searched: Fine) -> None:
    searched("search", "net.py:made", "--objective", "net.py:chatty", "--name", "two\nlines", "--trials", "1", "-q")
    lines = searched("studies").splitlines()
    assert re.split("  +", lines[0]) == ["study", "space", "searcher", "trials", "best"]
    assert re.split("  +", lines[1])[:4] == ["net", "net", "RegularizedEvolution", "12 complete"]
    assert lines[2].startswith(r"'two\nlines'") and len(lines) == 3
    first, second = json.loads(searched("studies", "--json"))
    assert first["trials"] == {"complete": 12} and second["name"] == "two\nlines"
    assert first["best"] == [json.loads(searched("best", "--name", "net", "--json"))]


def test_trials_are_those_of_the_study(searched: Fine, folder: Path) -> None:
    study(folder).to_jsonl("trials.jsonl")
    written = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    assert json.loads(searched("trials", "--json")) == written
    assert json.loads(searched("trials", "--json", "--limit", "2")) == written[-2:]
    lines = searched("trials").splitlines()
    assert len(lines) == 13 and lines[0].split() == ["trial", "state", "score", "seconds", "values", "or", "error"]
    assert lines[1].split()[:3] == ["0", "complete", f"{written[0]['scores'][0]:.6g}"]
    assert json.loads(lines[1].partition("{")[2].join(["{", ""])) == written[0]["values"]


def test_trials_as_a_table_for_programs(searched: Fine) -> None:
    rows = list(csv.DictReader(io.StringIO(searched("trials", "--csv"))))
    trials = json.loads(searched("trials", "--json"))
    assert [float(row["score"]) for row in rows] == [trial["scores"][0] for trial in trials]
    for row, trial in zip(rows, trials, strict=True):
        addresses = [name for name in row if name.endswith(("units", "times"))]
        assert {name: int(row[name]) for name in addresses if row[name]} == trial["values"]


def test_trials_of_one_state(fine: Fine, run: Callable[..., Any]) -> None:
    run("search", "net.py:net", "--objective", "net.py:fails", "--trials", "2", "--quiet")
    assert json.loads(fine("trials", "--state", "complete", "--json")) == []
    failed = json.loads(fine("trials", "--state", "failed", "--json"))
    assert [trial["number"] for trial in failed] == [0, 1] and "RuntimeError: out of luck" in failed[0]["error"]
    assert fine("trials").splitlines()[1].endswith("  RuntimeError: out of luck")
    rows = list(csv.DictReader(io.StringIO(fine("trials", "--csv"))))
    assert rows[0]["score"] == "" and rows[0]["error"].strip().endswith("RuntimeError: out of luck")


def test_studies_are_read_where_their_space_is_gone(searched: Fine, folder: Path) -> None:
    before = searched("trials"), searched("best"), searched("studies")
    (folder / "net.py").unlink()
    assert (searched("trials"), searched("best"), searched("studies")) == before
    searched("export", "--output", "trials.jsonl")
    assert len((folder / "trials.jsonl").read_text().splitlines()) == 12


def test_the_best_is_shown_as_values_that_show_takes(searched: Fine, folder: Path) -> None:
    best = searched("best", "--json")
    assert json.loads(best)["number"] == study(folder).best.number
    table = searched("show", "net.py:net", "--values", "@-", input=best)
    assert table == study(folder).best.architecture.summary() + "\n"


def test_exports_are_those_of_the_study(searched: Fine, folder: Path) -> None:
    pytest.importorskip("pandas")
    optuna: Any = pytest.importorskip("optuna")
    searched("export", "--output", "trials.jsonl")
    study(folder).to_jsonl("same.jsonl")
    assert (folder / "trials.jsonl").read_text() == (folder / "same.jsonl").read_text()
    searched("export", "--format", "csv", "--output", "trials.csv")
    rows = list(csv.DictReader(io.StringIO((folder / "trials.csv").read_text())))
    assert len(rows) == 12 and [int(row["number"]) for row in rows] == list(range(12))
    searched("export", "--format", "optuna", "--output", "optuna.db")
    assert len(optuna.load_study(study_name="net", storage="sqlite:///optuna.db").trials) == 12


@pytest.mark.parametrize("command", [("studies",), ("trials",), ("best",), ("resume",), ("export", "-o", "x.jsonl")])
@pytest.mark.parametrize("storage", ["gone.db", "sqlite:///gone.db"])
def test_what_reads_makes_no_file(command: tuple[str, ...], storage: str, wrong: Wrong, folder: Path) -> None:
    told = wrong(*command, "--storage", storage)
    assert told.splitlines() == [
        "error: storage: expected a file with studies.",
        f"  Got {storage!r}, and there is no {folder / 'gone.db'}.",
        "  Begin a study there, with da.Study or `deep-arch search`, or name its file.",
    ]
    assert not (folder / "gone.db").exists()


def test_a_file_that_is_no_database_is_told(wrong: Wrong) -> None:
    assert "file is not a database" in wrong("trials", "--storage", "net.py")


def test_a_study_that_is_not_there_is_told(searched: Fine, wrong: Wrong) -> None:
    told = wrong("best", "--name", "nte")
    assert "Got 'nte', which is none of its 1" in told and "Did you mean 'net'" in told
    searched(*SEARCH, "--name", "second", "--trials", "1")
    assert "which is none of its 2" in wrong("best")


def test_no_complete_trial_is_an_error_of_best(wrong: Wrong, run: Callable[..., Any]) -> None:
    run("search", "net.py:net", "--objective", "net.py:skips", "--trials", "2", "--quiet")
    assert wrong("best").startswith("error: search: no trial is complete yet")


def test_two_forms_at_once_are_a_usage_error(searched: Fine, wrong: Wrong) -> None:
    assert "give --json or --csv, and not both" in wrong("trials", "--json", "--csv", code=2)
