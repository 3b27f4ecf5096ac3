"""Storages: where the trials of studies are kept, so that a search survives the process that runs it."""

from deep_arch.storage.memory_storage import MemoryStorage as MemoryStorage
from deep_arch.storage.opening import open_storage as open_storage
from deep_arch.storage.rows import End as End
from deep_arch.storage.rows import RowState as RowState
from deep_arch.storage.rows import TrialRow as TrialRow
from deep_arch.storage.rows import WorkerRow as WorkerRow
from deep_arch.storage.sql_storage import SqlStorage as SqlStorage
from deep_arch.storage.storage import Storage as Storage
from deep_arch.storage.storage import Turn as Turn
