"""What is wrong with a database is told in our words, with what to do; passwords are not."""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text, update

from deep_arch.errors import BadArgument, DeepArchError, MissingDependency, StudyError, StudyUnreachable
from deep_arch.storage import Storage, open_storage, schema
from deep_arch.testing.faulty_disks import SmallDisk, limited_writes
from deep_arch.testing.postgres_server import PostgresServer
from deep_arch.testing.storage_elsewhere import is_whole, whole_turn

PASSWORD = "p4ss:w/rd"


def begun(place: Any, n: int = 1) -> Storage:
    storage = open_storage(place)
    storage.begin("net", {}, "0")
    for _ in range(n):
        whole_turn(storage, "net")
    return storage


def told(error: DeepArchError) -> str:
    """Return an error's text, once it is as all our errors are."""
    first, got, *mends = str(error).splitlines()
    assert first.startswith("storage: expected ") and got.startswith("  Got") and mends and mends[0].startswith("  ")
    shown = f"{error}{error.__cause__}"
    assert "sqlalche" not in shown.lower() and "[SQL" not in shown and "w/rd" not in shown
    return str(error)


def fault(kind: type[DeepArchError], act: Callable[[], object], got: str, mend: str) -> None:
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind
    assert re.search(rf"\n  Got:? .*{got}(.|\n)*\n  .*{mend}", told(caught.value)), str(caught.value)


def read_and_write(place: Any) -> None:
    storage = open_storage(place)
    try:
        storage.names()
        list(storage.rows("net"))
        storage.best("net", largest=True)
        storage.scores("net")
        storage.counts("net")
        whole_turn(storage, "net")
    finally:
        storage.close()


# --- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        *(3, b"runs.db", "", [], object, "mysql://me:p4ss:w/rd@host/runs", "postgresql+asyncpg://h/d", "foo://", "://"),
        *("sqlite://runs.db", "sqlite:///runs.db?mode=ro", "postgresql://me:p4ss:w/rd@host:port/runs"),
    ],
)
def test_what_names_no_storage(given: Any) -> None:
    fault(BadArgument, lambda: open_storage(given), "", "Write storage='runs.db' for a file, 'postgresql://")


@pytest.mark.parametrize("name", ["a?b.db", "100%.db", "a%20b.db", "a#b.db", "ünï \U0001f9ea.db", "a:b@c.db", "-wal"])
def test_any_path_is_that_file(name: str, tmp_path: Path) -> None:
    storage = begun(tmp_path / name)
    again = open_storage(storage.url)
    assert is_whole(again, "net", 1) and (tmp_path / name).is_file()
    storage.close()
    again.close()
    assert os.listdir(tmp_path) == [name]


def test_addresses_name_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = begun("runs.db")
    urls = (tmp_path / "runs.db", "sqlite:///runs.db", f"sqlite:///{tmp_path}/runs.db", "sqlite+pysqlite:///./runs.db")
    monkeypatch.chdir("/")
    assert is_whole(storage, "net", 1)  # also once all connections are new
    storage.close()
    assert is_whole(storage, "net", 1)
    monkeypatch.chdir(tmp_path)
    for url in urls:
        assert open_storage(url).names() == ["net"]
    storage.close()


def test_a_uri_of_sqlite_only_reads(tmp_path: Path) -> None:
    begun(tmp_path / "runs.db").close()
    storage = open_storage(f"sqlite:///file:{tmp_path}/runs.db?mode=ro&uri=true")
    assert storage.counts("net") == {"complete": 1}
    fault(StudyError, lambda: whole_turn(storage, "net"), "readonly", "Make the file and its folder writable")
    storage.close()


@pytest.mark.parametrize("url", ["postgresql://me:p4ss:w/rd@h/d", "postgres://me:p4ss:w/rd@h:1/d?x=1&password=w/rd"])
def test_passwords_are_not_shown(url: str) -> None:
    from deep_arch.storage.addresses import full_address, shown

    assert "w/rd" not in shown(full_address(url)) and "me:***@h" in shown(full_address(url))


# --- files ---------------------------------------------------------------------------------------------------------


def test_no_folder(tmp_path: Path) -> None:
    fault(
        StudyError, lambda: open_storage(tmp_path / "no" / "runs.db"), "unable to open", "Make the folder first: mkdir"
    )


def test_a_folder_instead(tmp_path: Path) -> None:
    fault(StudyError, lambda: open_storage(tmp_path), "unable to open", rf"Give a file in .*'{tmp_path}/runs.db'")


@pytest.mark.parametrize("content", [b"hello, world", bytes(range(256)) * 40, b"SQLite format 3\0" + b"\1" * 4080])
def test_garbage(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(content)
    fault(StudyError, lambda: read_and_write(file), "file is not a database", "Give another file, or restore")
    assert file.read_bytes() == content


def test_half_a_file(tmp_path: Path) -> None:
    begun(tmp_path / "runs.db", 100).close()
    content = (tmp_path / "runs.db").read_bytes()
    (tmp_path / "half.db").write_bytes(content[: len(content) // 2])
    fault(StudyError, lambda: read_and_write(tmp_path / "half.db"), "malformed", "Restore the file from a copy")


def test_damaged_pages(tmp_path: Path) -> None:
    begun(tmp_path / "runs.db", 100).close()
    content, rng, n_told = (tmp_path / "runs.db").read_bytes(), random.Random(0), 0
    for _ in range(60):
        damaged, page = bytearray(content), rng.randrange(len(content) // 4096) * 4096
        for i in range(page, page + 4096):
            if rng.random() < 0.1:
                damaged[i] = rng.randrange(256)
        (tmp_path / "damaged.db").write_bytes(damaged)
        try:
            read_and_write(tmp_path / "damaged.db")
        except StudyError as error:
            n_told += "expected the name of a study" in str(error) or bool(told(error))
    assert n_told > 30


def test_rows_that_are_not_what_was_written(tmp_path: Path) -> None:
    storage = begun(tmp_path / "runs.db")
    connection = sqlite3.connect(tmp_path / "runs.db")
    for column, wrong in {"attributes": "{", "intermediate": "[1]", "scores": "x"}.items():
        connection.execute(f"UPDATE deep_arch_trials SET {column} = ?", [wrong])
        connection.commit()
        fault(StudyError, lambda: storage.row("net", 0), "malformed row of a trial", "Restore the file from a copy")
    fault(StudyError, lambda: storage.scores("net"), "malformed row of a trial", "Restore the file from a copy")
    connection.execute("UPDATE deep_arch_studies SET about = ?", ["{"])
    connection.commit()
    fault(StudyError, lambda: storage.about("net"), "malformed row of study 'net'", "Restore the file from a copy")
    connection.execute("DROP TABLE deep_arch_trials")
    connection.close()
    fault(StudyError, lambda: storage.counts("net"), "no such table", "Restore the file from a copy")
    storage.close()


def test_a_full_disk(disk: SmallDisk) -> None:
    storage = begun(disk.folder / "runs.db")
    disk.fill()
    n = 1
    with pytest.raises(StudyError, match="Make room on the disk and run the script again") as caught:
        for _ in range(10_000):
            n = whole_turn(storage, "net")
    told(caught.value)
    fault(StudyError, lambda: open_storage(disk.folder / "other.db"), "disk is full", "Make room on the disk")
    disk.free()
    assert is_whole(storage, "net", n), "a turn that met a full disk left something, or took something along"
    assert whole_turn(storage, "net") == n + 1
    storage.close()


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    storage, n = begun(tmp_path / "runs.db"), 1
    with limited_writes(200_000), pytest.raises(StudyError, match="See to the disk") as caught:
        for _ in range(10_000):
            n = whole_turn(storage, "net")
    told(caught.value)
    assert is_whole(storage, "net", n)
    storage.close()


def test_a_database_of_a_later_version(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    file = tmp_path / "runs.db"
    begun(file).close()
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(update(schema.versions).values(version=schema.VERSION + 1))
    engine.dispose()
    for _ in range(2):
        fault(StudyError, lambda: open_storage(file), "tables of version 2", "Upgrade this one: pip install --upgrade")
        protect(tmp_path)


# --- files that can only be read -----------------------------------------------------------------------------------


def check_only_reads(file: Path, n: int) -> None:
    storage = open_storage(file)
    assert storage.names() == ["net"] and storage.counts("net") == {"complete": n}
    assert len(list(storage.rows("net"))) == n and storage.about("net") == {}
    fault(StudyError, lambda: whole_turn(storage, "net"), "readonly", "Make the file and its folder writable")
    storage.close()


def test_a_file_that_cannot_be_written_is_read(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    begun(tmp_path / "runs.db", 3).close()
    assert os.listdir(tmp_path) == ["runs.db"]
    protect(tmp_path)
    check_only_reads(tmp_path / "runs.db", 3)


def test_a_file_is_read_that_others_write(tmp_path: Path, protect: Callable[[Path], None]) -> None:
    storage = begun(tmp_path / "runs.db", 3)
    protect(tmp_path)  # what is open for writing already stays so
    reading = open_storage(tmp_path / "runs.db")
    for n in range(3, 6):
        assert reading.counts("net") == {"complete": n}
        whole_turn(storage, "net")
    reading.close()
    check_only_reads(tmp_path / "runs.db", 6)


def test_a_file_is_read_that_another_user_owns(tmp_path: Path) -> None:
    if not hasattr(os, "fork") or os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    begun(tmp_path / "runs.db", 3).close()
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if str(folder) not in ("/", "/tmp"):
            folder.chmod(0o755)
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setuid(65534)
            check_only_reads(tmp_path / "runs.db", 3)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0 and os.listdir(tmp_path) == ["runs.db"]


def test_turns_of_a_killed_process_in_a_folder_that_cannot_be_written(
    tmp_path: Path, protect: Callable[[Path], None]
) -> None:
    storage, copy = begun(tmp_path / "runs.db", 3), tmp_path / "copy"
    copy.mkdir()
    for name in ("runs.db", "runs.db-wal"):
        shutil.copy(tmp_path / name, copy / name)
    storage.close()
    protect(copy)
    fault(
        StudyError, lambda: open_storage(copy / "runs.db"), "unable to open", r"Copy runs\.db and runs\.db-wal, which"
    )


# --- servers -------------------------------------------------------------------------------------------------------


def test_nobody_answers() -> None:
    for place in ("127.0.0.1:1", "no.such.host.invalid"):
        url = f"postgresql://me:{PASSWORD.replace('/', '%2F')}@{place}/runs"
        fault(StudyUnreachable, partial(open_storage, url), "", "See that the database runs and can be reached")


def test_no_such_database(postgres: PostgresServer) -> None:
    url = postgres.url.replace("/postgres?", "/nowhere?")
    fault(StudyError, lambda: open_storage(url), "does not exist", "Make the database first: createdb")


def test_no_such_user(postgres: PostgresServer) -> None:
    url = postgres.url.replace("postgres@", "nobody@")
    fault(StudyError, lambda: open_storage(url), 'role "nobody" does not exist', "Make the user first, createuser")


def test_an_unknown_option(postgres_url: str) -> None:
    fault(StudyError, lambda: open_storage(f"{postgres_url}&foo=1"), 'option "foo"', "without this option")


def test_a_wrong_password(postgres: PostgresServer, postgres_url: str) -> None:
    as_root = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with as_root.connect() as connection:
        hba = Path(connection.execute(text("SHOW hba_file")).scalar_one())
        before = hba.read_text()
        connection.execute(text("CREATE USER guarded PASSWORD 'right'"))
        try:
            hba.write_text(f"local all guarded scram-sha-256\n{before}")
            connection.execute(text("SELECT pg_reload_conf()"))
            right, wrong, none = [
                postgres_url.replace("postgres@", f"guarded{password}@") for password in (":right", ":p4ss:w%2Frd", "")
            ]
            mend = "Give the right user and password"
            fault(StudyError, lambda: open_storage(wrong), "password authentication failed", mend)
            fault(StudyError, lambda: open_storage(none), "no password supplied", mend)
            fault(
                StudyError, lambda: open_storage(right), "permission denied for schema", "Let this user make and write"
            )
            connection.execute(text("GRANT CREATE ON SCHEMA public TO guarded"))
            storage = open_storage(right)
            assert "right" not in repr(storage) and "guarded:***@" in storage.shown
            assert open_storage(storage.url).names() == []
            storage.close()
        finally:
            hba.write_text(before)
            connection.execute(text("SELECT pg_reload_conf()"))
    as_root.dispose()


def test_a_server_that_only_reads(postgres_url: str) -> None:
    storage = begun(postgres_url)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    engine.dispose()
    storage.close()
    assert storage.counts("net") == {"complete": 1}
    fault(
        StudyError, lambda: whole_turn(storage, "net"), "read-only transaction", "Give the address of a server that can"
    )
    storage.close()


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_a_server_that_restarts(postgres: PostgresServer, postgres_url: str, mode: Any) -> None:
    storage = begun(postgres_url)
    stop = postgres.kill if mode == "kill" else lambda: postgres.stop(mode)

    def cut_off() -> None:
        with storage.turn("net") as turn:
            turn.save("lost", counts=True)
            stop()
            turn.n_seen()

    mend = "See that the database runs and can be reached"
    fault(StudyUnreachable, cut_off, "", mend)
    fault(StudyUnreachable, lambda: storage.counts("net"), "", mend)
    postgres.start()
    assert is_whole(storage, "net", 1), "a turn that was cut off left something"
    postgres.restart()
    assert whole_turn(storage, "net") == 2, "connections that the server cut off are used again"
    storage.close()


def test_an_error_in_a_turn_is_not_hidden_by_a_server_that_is_gone(postgres: PostgresServer, postgres_url: str) -> None:
    storage = begun(postgres_url)
    with pytest.raises(ZeroDivisionError), storage.turn("net") as turn:
        turn.saw("this")
        postgres.stop()
        raise ZeroDivisionError
    postgres.start()
    assert is_whole(storage, "net", 1)
    storage.close()


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match=r'psycopg(.|\n)*pip install "deep_arch\[postgres\]"'):
        open_storage("postgresql://me@host/runs")


# --- what is not a fault of the database ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ModuleNotFoundError("no", name="sklearn"), TypeError("mine"), UnicodeError("mine")])
def test_errors_inside_a_turn_stay_what_they_are(error: Exception, tmp_path: Path) -> None:
    storage = begun(tmp_path / "runs.db")
    with pytest.raises(type(error)) as caught, storage.turn("net"):
        raise error
    assert caught.value is error
    storage.close()
