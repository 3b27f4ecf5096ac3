"""A PostgreSQL server of one's own keeps what was committed through each kind of end, and never outlives its tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deep_arch.errors import BadArgument, MissingDependency, StudyError
from deep_arch.testing import postgres_server as module
from deep_arch.testing.postgres_server import PostgresServer
from deep_arch.testing.waiting import has_ended, wait_until

psutil = pytest.importorskip("psutil")
sqlalchemy = pytest.importorskip("sqlalchemy")
pytest.importorskip("psycopg")


def ask(url: str, *statements: str) -> list[Any]:
    """Commit statements, and return the rows of the last."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        results = [connection.execute(sqlalchemy.text(statement)) for statement in statements]
        return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []


def socket_of(url: str) -> Path:
    return Path(sqlalchemy.make_url(url).query["host"])


ENDINGS: dict[str, Callable[[PostgresServer], None]] = {
    "killed": PostgresServer.kill,
    "fast": lambda server: server.stop("fast"),
    "smart": lambda server: server.stop("smart"),
    "immediate": lambda server: server.stop("immediate"),
}


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server of all tests, which runs again after each."""
    postgres.start()
    yield postgres
    postgres.start()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_committed_is_there_after_each_kind_of_end(ending: str, server: PostgresServer) -> None:
    url = server.database()
    ask(url, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (7)")
    ENDINGS[ending](server)
    assert not server.running
    with pytest.raises(sqlalchemy.exc.OperationalError, match=r"connection.*failed"):
        ask(url, "SELECT 1")
    server.start()
    assert server.running
    assert ask(url, "SELECT n FROM t") == [(7,)]


def test_a_restart_cuts_connections_off_and_rolls_back(server: PostgresServer) -> None:
    url = server.database()
    ask(url, "CREATE TABLE t (n int)")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES (7)"))
        server.restart()
        with pytest.raises(sqlalchemy.exc.OperationalError):
            connection.execute(sqlalchemy.text("SELECT 1"))
        connection.invalidate()
    assert ask(url, "SELECT count(*) FROM t") == [(0,)]


def test_a_kill_leaves_no_process_of_the_server(server: PostgresServer) -> None:
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        (pid,) = connection.execute(sqlalchemy.text("SELECT pg_backend_pid()")).one()
        backend = psutil.Process(pid)
        family = [*backend.parent().children(recursive=True), backend.parent()]
        assert backend in family and len(family) > 3
        server.kill()
        assert all(has_ended(process.pid) for process in family)
        connection.invalidate()


def test_ending_twice_and_starting_twice_change_nothing(server: PostgresServer) -> None:
    server.start()
    assert server.running
    server.kill()
    server.kill()
    server.stop()
    assert not server.running


def test_each_database_is_empty_and_its_own(server: PostgresServer) -> None:
    first, second = server.database(), server.database()
    ask(first, "CREATE TABLE t (n int)")
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'"
    assert ask(first, tables) == [(1,)] and ask(second, tables) == [(0,)]


def test_a_database_of_a_name_in_use_replaces_it_though_it_is_open(server: PostgresServer) -> None:
    name = 'odd "name" of/100%'
    url = server.database(name)
    ask(url, "CREATE TABLE t (n int)")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT current_database()")).one() == (name,)
        assert server.database(name) == url
        connection.invalidate()
    assert ask(url, "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'") == [(0,)]


def test_the_fixture_gives_each_test_an_empty_database(postgres_url: str, postgres: PostgresServer) -> None:
    assert ask(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert postgres_url != postgres.database()


def test_two_servers_run_side_by_side_and_leave_nothing(server: PostgresServer) -> None:
    with PostgresServer(durable=True) as other:
        assert (ask(server.url, "SHOW fsync"), ask(other.url, "SHOW fsync")) == ([("off",)], [("on",)])
        folder = socket_of(other.url)
        assert folder.is_dir() and len(str(folder / ".s.PGSQL.5432")) < 100
        ask(other.database("runs"), "CREATE TABLE t (n int)")
        other.kill()
        assert ask(server.url, "SELECT 1") == [(1,)]
    assert not other.running and not folder.exists()
    with other:  # begins anew
        assert "runs" not in [name for (name,) in ask(other.url, "SELECT datname FROM pg_database")]


DIE = """
import os, signal, sys
from deep_arch.testing.postgres_server import PostgresServer
with PostgresServer() as server:
    print(server._process.pid, server._folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_server_ends_when_its_process_is_killed(postgres: PostgresServer) -> None:
    died = subprocess.run([sys.executable, "-c", DIE], stdout=subprocess.PIPE, text=True)
    assert died.returncode == -signal.SIGKILL
    pid, folder = died.stdout.split()
    wait_until(lambda: has_ended(int(pid)), "the server to end")
    wait_until(lambda: not Path(folder).exists(), "its folder to go")
    assert postgres.running


def test_a_server_that_does_not_start_shows_its_log(server: PostgresServer) -> None:
    settings = socket_of(server.url) / "data" / "postgresql.conf"
    whole = settings.read_text()
    server.stop()
    settings.write_text(whole + "work_mem = nonsense\n")
    try:
        with pytest.raises(StudyError) as caught:
            server.start()
    finally:
        settings.write_text(whole)
    said = str(caught.value)
    assert said.startswith(
        f"postgres server: expected the server in {settings.parents[1]} to start.\n  Got one that ended"
    )
    assert 'invalid value for parameter "work_mem": "nonsense"' in said
    assert said.endswith("\n  Mend what the log names: memory, the disk, or the installation of PostgreSQL.")


def test_a_server_that_does_not_stop_says_so(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DEADLINE_S", 0.1)
    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    said = r"to stop\.\n  Got one that still tries\. Its log ends with:\n    .*\n"
    with engine.connect(), pytest.raises(StudyError, match=said):
        server.stop("smart")
    wait_until(lambda: not server.running, "the server to end")


def test_an_unknown_way_to_stop_is_refused(server: PostgresServer) -> None:
    with pytest.raises(BadArgument) as caught:
        server.stop("slow")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "PostgresServer.stop: expected mode to be one of ('smart', 'fast', 'immediate').\n  Got 'slow' (str).\n"
        "  Write server.stop('fast')."
    )
    assert server.running


def test_a_server_without_its_programs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deep_arch.testing.postgres_programs._FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="Install PostgreSQL"):
        PostgresServer()
