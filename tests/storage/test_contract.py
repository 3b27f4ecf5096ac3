"""Every storage of ours keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from deep_arch.storage import MemoryStorage, Storage, open_storage
from deep_arch.testing.storage_contract import StorageContract


class TestMemory(StorageContract):
    def make(self, tmp_path: Path) -> Storage:
        return MemoryStorage()


class TestSqlite(StorageContract):
    def make(self, tmp_path: Path) -> Storage:
        return open_storage(tmp_path / "runs.db")


class TestPostgres(StorageContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.url = postgres_url

    def make(self, tmp_path: Path) -> Storage:
        return open_storage(self.url)
