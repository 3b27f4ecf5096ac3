"""PostgreSQL's programs are found where packages put them, or asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deep_arch.errors import MissingDependency
from deep_arch.testing import postgres_programs as module
from deep_arch.testing.postgres_programs import postgres_programs, unprivileged


def install(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


def test_programs_on_the_path_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = install(tmp_path / "half", "postgres")
    whole = install(tmp_path / "whole", "initdb", "postgres")
    monkeypatch.setenv("PATH", f"{half}{os.pathsep}{os.pathsep}{whole}")
    assert postgres_programs() == whole


def test_the_newest_of_several_versions_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "17", "16"):
        install(tmp_path / version / "bin", "initdb", "postgres")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_FOLDERS", (f"{tmp_path}/*/bin",))
    assert postgres_programs() == tmp_path / "17" / "bin"


def test_an_error_tells_how_to_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_FOLDERS", ())
    with pytest.raises(MissingDependency) as caught:
        postgres_programs()
    assert str(caught.value) == (
        "postgres server: expected PostgreSQL's programs initdb and postgres, on PATH or where packages put them.\n"
        "  Got none in 1 folders.\n"
        "  Install PostgreSQL: `make postgres`, `apt-get install postgresql` or `brew install postgresql`."
    )


def test_programs_run_as_a_user_other_than_root() -> None:
    done = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True, cwd="/", **unprivileged())
    assert int(done.stdout) != 0
    groups = subprocess.run(["id", "-G"], capture_output=True, text=True, check=True, cwd="/", **unprivileged())
    assert os.geteuid() != 0 or "0" not in groups.stdout.split()
