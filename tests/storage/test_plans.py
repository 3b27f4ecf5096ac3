"""What a turn asks of a database is found by an index, so that it takes no longer in a study of many trials."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

import deep_arch as da
from deep_arch.searchers import Hyperband
from deep_arch.testing.readme_space import net

Statements = dict[str, Any]


@pytest.fixture
def statements() -> Iterator[Statements]:
    """Statements that are executed, and the parameters of each."""
    found: Statements = {}

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        found[statement] = parameters

    event.listen(Engine, "before_cursor_execute", keep)
    yield found
    event.remove(Engine, "before_cursor_execute", keep)


def plan(path: Path, statement: str, parameters: Any) -> str:
    connection = sqlite3.connect(path)
    try:
        return "; ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))
    finally:
        connection.close()


def goes_through_all(plan: str) -> bool:
    """Return whether a plan reads all trials of a study, or of all studies."""
    return re.search(r"SEARCH deep_arch_trials USING .*\(study=\?\)|SCAN deep_arch_trials", plan) is not None


def test_a_turn_goes_through_no_table(tmp_path: Path, statements: Statements) -> None:
    path = tmp_path / "runs.db"
    study = da.Study(net, Hyperband(max_budget=9), storage=path, name="plans", seed=0, trials=20)
    other = da.Study(net, Hyperband(max_budget=9), storage=path, name="plans", seed=0, trials=20)
    statements.clear()
    for one in (study, other, study):
        trial = one.ask()
        assert trial is not None
        trial.report(0.5, step=1)
        trial.tell(0.5)
    queries = {text: plan(path, text, found) for text, found in statements.items() if "FROM deep_arch_trials" in text}
    assert len(queries) > 5
    assert not [text for text, found in queries.items() if goes_through_all(found)]


def test_what_goes_through_a_table_is_found(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    da.Study(net, Hyperband(max_budget=9), storage=path, name="plans", seed=0).close()
    ordered = "SELECT * FROM deep_arch_trials WHERE study = 1 AND state = 'waiting' ORDER BY number LIMIT 1"
    assert goes_through_all(plan(path, ordered, ()))
    assert goes_through_all(plan(path, "SELECT * FROM deep_arch_trials WHERE error = ''", ()))
