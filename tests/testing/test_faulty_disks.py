"""Disks that fail do so as real ones do, for files and for SQLite, and work again afterwards."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deep_arch.errors import MissingDependency
from deep_arch.testing import faulty_disks
from deep_arch.testing.faulty_disks import SmallDisk, full_disk, limited_writes, read_only, small_disk


def grow(file: Path, journal: str = "delete") -> None:
    """Add 4 MiB to a database, 64 KiB at a time."""
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE IF NOT EXISTS t (x)")
        for _ in range(64):
            with database:
                database.execute("INSERT INTO t VALUES (zeroblob(65536))")


def rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        (n,) = database.execute("SELECT count(*) FROM t").fetchone()
    return int(n)


def test_a_full_disk_has_no_room_until_it_is_freed(tmp_path: Path, disk: SmallDisk) -> None:
    with full_disk(tmp_path / "full") as full:
        with pytest.raises(OSError) as caught:
            (full.folder / "file").write_bytes(bytes(10))
        assert caught.value.errno == errno.ENOSPC
        full.free()
        (full.folder / "file").write_bytes(bytes(10))
        (disk.folder / "file").write_bytes(bytes(10))  # the other disk has room
    assert not os.path.ismount(full.folder) and list(full.folder.iterdir()) == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_sqlite_meets_the_end_of_a_disk_and_keeps_what_it_had(journal: str, disk: SmallDisk) -> None:
    file = disk.folder / "runs.db"
    with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
        grow(file, journal)
    assert 0 < rows(file) < 64


def test_a_disk_fills_while_a_database_is_open(disk: SmallDisk) -> None:
    with closing(sqlite3.connect(disk.folder / "runs.db")) as database, database:
        database.execute("CREATE TABLE t (x)")
        disk.fill()
        with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
            database.executemany("INSERT INTO t VALUES (zeroblob(?))", [(4096,)] * 100)
            database.commit()
        disk.free()
        database.execute("INSERT INTO t VALUES (zeroblob(4096))")


def test_a_disk_has_the_size_that_was_asked_for(tmp_path: Path, disk: SmallDisk) -> None:
    with small_disk(tmp_path / "other", 2**16) as small:
        sizes = [os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize for folder in (small.folder, disk.folder)]
    assert sizes == [2**16, 2**20]


def test_a_disk_is_unmounted_though_a_file_is_open(tmp_path: Path, disk: SmallDisk) -> None:
    with small_disk(tmp_path / "other") as small:
        file = (small.folder / "file").open("wb")
    assert not os.path.ismount(small.folder)
    file.close()
    assert os.path.ismount(disk.folder)


def test_where_mounting_is_refused_an_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency) as caught, full_disk(tmp_path / "disk"):
        pass
    said = str(caught.value).splitlines()
    assert said[0] == f"faulty disk: expected to mount a file system on {tmp_path / 'disk'}."
    assert said[1].startswith("  Got: ") and "mount" in said[1]
    assert said[2].endswith(
        "Run as root on Linux, where mounting is allowed (docker run --privileged), or use limited_writes."
    )


def test_a_limit_on_writes_stops_files_and_the_programs_begun_there(tmp_path: Path) -> None:
    with limited_writes(1000):
        (tmp_path / "short").write_bytes(bytes(1000))
        with pytest.raises(OSError) as caught:
            (tmp_path / "long").write_bytes(bytes(1001))
        code = f"import pathlib; pathlib.Path({str(tmp_path / 'longer')!r}).write_bytes(bytes(1001))"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert caught.value.errno == errno.EFBIG
    assert child.returncode == 1 and "File too large" in child.stderr
    (tmp_path / "long").write_bytes(bytes(1001))


def test_sqlite_meets_a_limit_on_writes_and_keeps_what_it_had(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    with limited_writes(2**20), pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        grow(file)
    before = rows(file)
    assert 0 < before < 16
    grow(file)
    assert rows(file) == before + 64


def test_a_protected_folder_is_read_and_not_written(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    folder = tmp_path / "runs"
    (folder / "inner").mkdir(parents=True)
    grow(folder / "runs.db")
    protect(folder)
    assert rows(folder / "runs.db") == 64
    with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
        grow(folder / "runs.db")
    for file in (folder / "new", folder / "inner" / "new", folder / "runs.db"):
        with pytest.raises(OSError) as caught:
            file.open("ab").close()
        assert caught.value.errno in (errno.EROFS, errno.EACCES)


def test_a_folder_can_be_written_again_afterwards(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    protect(tmp_path)  # or skip
    folder = tmp_path.parent / f"{tmp_path.name}_runs"
    folder.mkdir()
    with read_only(folder), pytest.raises(OSError):
        (folder / "new").touch()
    (folder / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_where_permissions_bind_they_protect(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch(mode=0o640)
    paths = [folder, folder / "inner", folder / "inner" / "file"]
    before = [path.stat().st_mode for path in paths]
    with faulty_disks._without_permission(folder):
        assert [path.stat().st_mode & 0o222 for path in paths] == [0, 0, 0]
    assert [path.stat().st_mode for path in paths] == before
