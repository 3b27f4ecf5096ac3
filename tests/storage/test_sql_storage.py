"""What storages in databases do beyond the contract: forks, threads, pickles, versions, speed."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, inspect, select, text

from deep_arch.storage import SqlStorage, Storage, open_storage, schema
from deep_arch.storage.rows import End, TrialRow, WorkerRow
from deep_arch.testing.storage_elsewhere import is_whole, whole_turn


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def storage(url: str) -> Iterator[Storage]:
    """A storage with a study of the name "net"."""
    storage = open_storage(url)
    storage.begin("net", {}, "0")
    yield storage
    storage.close()


# --- processes and threads -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
@pytest.mark.parametrize("case", ["connects_anew", "closes_nothing"])
def test_a_forked_process(url: str, case: str) -> None:
    program = [sys.executable, str(Path(__file__).parent / "forking.py"), case, url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert done.stdout == "done\n", done.stderr


def test_a_pickle_opens_the_same(storage: Storage) -> None:
    whole_turn(storage, "net")
    other: Storage = pickle.loads(pickle.dumps(storage))
    assert is_whole(other, "net", 1) and other.url == storage.url
    other.close()


def test_what_is_closed_opens_again(storage: Storage) -> None:
    for n in range(3):
        assert whole_turn(storage, "net") == n + 1
        storage.close()
        storage.close()


def test_what_is_dropped_is_closed(url: str) -> None:
    whole_turn_of_its_own(url)
    gc.collect()  # a connection that is still open warns, which fails the test
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        assert os.listdir(file.parent) == [file.name], "a connection is still open"


def whole_turn_of_its_own(url: str) -> None:
    """Take a turn in a storage that nobody closes."""
    storage = open_storage(url)
    storage.begin("net", {}, "0")
    whole_turn(storage, "net")


def test_more_threads_wait_for_a_turn_than_any_pool_holds(storage: Storage) -> None:
    inside, over = threading.Barrier(41, timeout=60), threading.Event()

    def act() -> None:
        inside.wait()
        storage.counts("net")
        whole_turn(storage, "net")

    threads = [threading.Thread(target=act, daemon=True) for _ in range(40)]
    with storage.turn("net"):
        for thread in threads:
            thread.start()
        inside.wait()
    for thread in threads:
        thread.join(60)
    over.set()
    assert is_whole(storage, "net", 40)


def test_turns_do_not_nest(storage: Storage) -> None:
    nested = pytest.raises(AssertionError, match="turns of one thread do not nest")
    with nested, storage.turn("net"), storage.turn("net"):
        pass
    assert whole_turn(storage, "net") == 1


def test_a_turn_that_is_over_is_over(storage: Storage) -> None:
    with storage.turn("net") as turn:
        pass
    with pytest.raises(Exception, match="closed"):
        turn.queue("late")
    assert whole_turn(storage, "net") == 1


def test_a_study_is_removed_in_a_turn_of_it(storage: Storage) -> None:
    thread = threading.Thread(target=open_storage(storage.url).remove, args=("net",))
    with storage.turn("net") as turn:
        thread.start()
        turn.give(TrialRow(0, "{}", "", 1))
    thread.join(60)
    engine = create_engine(storage.url)
    with engine.connect() as connection:
        for table in (schema.studies, schema.trials):
            assert connection.execute(select(table)).all() == [], "a turn left rows of a study that was removed"
    engine.dispose()


# --- versions ------------------------------------------------------------------------------------------------------


def test_many_make_the_tables_at_once(url: str) -> None:
    for place in [f"{url}{i}" for i in range(25)] if url.startswith("sqlite") else [url]:
        found: list[Storage] = []
        together = threading.Barrier(8, timeout=60)

        def open_it(place: str = place, found: list[Storage] = found, together: threading.Barrier = together) -> None:
            together.wait()
            found.append(open_storage(place))

        threads = [threading.Thread(target=open_it, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 8
        for storage in found:
            assert storage.names() == []
            storage.close()


def make_version_0(url: str) -> None:
    """Make a database as an earlier version might have left it: without attributes, and with short texts of errors."""
    engine = create_engine(url)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        connection.execute(text("ALTER TABLE deep_arch_trials DROP COLUMN attributes"))
        connection.execute(text("INSERT INTO deep_arch_version VALUES (0)"))
        row = {"name": "old", "digest": "0" * 64, "about": "{}", "saved": "0", "position": 1, "n_given": 1}
        connection.execute(schema.studies.insert().values(**row))
        values = "(1, 0, 1, 'running', '', 0, '{}', '[]', '[]')"
        columns = 'study, number, given, state, digest, lost, "values", scores, intermediate'
        connection.execute(text(f"INSERT INTO deep_arch_trials ({columns}) VALUES {values}"))
    engine.dispose()


def from_0_to_1(connection: Connection) -> None:
    """Add what version 0 lacks."""
    connection.execute(text("ALTER TABLE deep_arch_trials ADD COLUMN attributes TEXT DEFAULT '{}' NOT NULL"))


def test_tables_of_an_earlier_version_are_migrated_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def migrate(connection: Connection) -> None:
        calls.append("")
        from_0_to_1(connection)

    monkeypatch.setitem(schema.MIGRATIONS, 0, migrate)
    make_version_0(url)
    threads = [threading.Thread(target=lambda: open_storage(url).close(), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(calls) == 1
    storage = open_storage(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(select(schema.versions.c.version)).all() == [(1,)]
        study = connection.execute(select(schema.studies.c.id)).scalar_one()
        assert connection.execute(select(schema.trials.c.study, schema.trials.c.attributes)).all() == [(study, "{}")]
    engine.dispose()
    assert storage.names() == ["old"]
    storage.close()


def test_a_migration_that_fails_leaves_what_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def migrate(connection: Connection) -> None:
        from_0_to_1(connection)
        raise ZeroDivisionError

    monkeypatch.setitem(schema.MIGRATIONS, 0, migrate)
    make_version_0(url)
    with pytest.raises(ZeroDivisionError):
        open_storage(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(select(schema.versions.c.version)).scalar() == 0
    assert "attributes" not in [column["name"] for column in inspect(engine).get_columns("deep_arch_trials")]
    engine.dispose()


# --- statements ----------------------------------------------------------------------------------------------------


class Statements:
    """Counts the statements of a storage, and explains each."""

    def __init__(self, storage: Storage) -> None:
        assert isinstance(storage, SqlStorage)
        storage.counts("net")
        self._engine = storage._database._here().engine
        self.done: list[tuple[str, Any]] = []

    def __enter__(self) -> Statements:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *error: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: Any) -> None:
        self.done.append((statement, values))

    @property
    def n(self) -> int:
        """How many there were that are not of the transaction."""
        return sum(not statement.startswith("BEGIN") for statement, _ in self.done)

    def plans(self) -> list[str]:
        """Return how the database finds the rows."""
        found: list[str] = []
        with self._engine.connect() as connection:
            for statement, values in self.done:
                if statement.startswith("SELECT"):
                    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN ANALYZE "
                    plan = connection.exec_driver_sql(explain + statement, values).all()
                    found.append("\n".join([str(line[-1]) for line in plan]))
        return found


def test_a_turn_takes_few_statements(storage: Storage) -> None:
    with Statements(storage) as statements:
        with storage.turn("net") as turn:
            turn.give(TrialRow(0, "{}", "", 1, worker="me"))
        assert statements.n == 3
        with storage.turn("net") as turn:
            turn.end(0, End("complete", (1.0,)))
        assert statements.n == 6
        with storage.turn("net"):
            pass
        assert statements.n == 7
        assert storage.keep("net", 0, "me", {}, {}) is False
        storage.beat(WorkerRow("me", "here", 1, 0.5))
        assert statements.n == 9


def test_nothing_is_looked_for_in_all_rows(storage: Storage) -> None:
    with storage.turn("net") as turn:
        for number in range(3000):
            turn.give(TrialRow(number, "{}", f"digest {number}", turn.position + 1, key=f"key {number}"))
        for number in range(2999):
            turn.end(number, End("complete", (float(number % 100),)))
    engine = create_engine(storage.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":  # as it does by itself after a while
            connection.execute(text("ANALYZE"))
    engine.dispose()
    with Statements(storage) as statements, storage.turn("net") as turn:
        assert len(turn.events(5990)) == 9
        first, latest, best = turn.first("key 9", 9999), turn.latest("digest 9", 9999), storage.best("net", True)
        assert first is not None and latest is not None and best is not None
        assert (first.number, latest.number, best.number) == (9, 9, 99)
        assert [row.number for row, _ in turn.running()] == [2999]
        assert (turn.waiting(), turn.take(), turn.owner(2999), storage.row("net", 7) is None) == (
            None,
            None,
            None,
            False,
        )
        next(storage.rows("net", 2990))
    for plan in statements.plans():
        assert not [
            line for line in plan.splitlines() if "deep_arch_trials" in line and ("Seq Scan" in line or "SCAN" in line)
        ]
