"""Fixtures of real servers and real faults. Where a machine lacks what one needs, its tests are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from deep_arch.errors import MissingDependency
from deep_arch.testing.faulty_disks import SmallDisk, read_only, small_disk
from deep_arch.testing.postgres_server import PostgresServer

_T = TypeVar("_T")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the tests of this process, begun when the first asks for it."""
    with ExitStack() as stack:
        yield _entered(stack, PostgresServer)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of an empty PostgreSQL database that no other test uses."""
    postgres.start()  # a test may have killed it
    return postgres.database()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 1 MiB: `disk.folder` lies on it, and `disk.fill()` leaves no room."""
    with ExitStack() as stack:
        yield _entered(stack, lambda: small_disk(tmp_path / "disk"))


@pytest.fixture
def protect() -> Iterator[Callable[[Path], None]]:
    """What makes a folder one that nobody can write, until the test ends."""
    with ExitStack() as stack:
        yield lambda folder: _entered(stack, lambda: read_only(folder))


def _entered(stack: ExitStack, make: Callable[[], AbstractContextManager[_T]]) -> _T:
    try:
        return stack.enter_context(make())
    except MissingDependency as error:
        pytest.skip(str(error))
