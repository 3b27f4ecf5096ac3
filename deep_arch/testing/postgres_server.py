"""A real PostgreSQL server for tests: its own, in a temporary folder, to be stopped and killed at will."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from deep_arch.errors import BadArgument, StudyError
from deep_arch.extras import imported, require
from deep_arch.testing.last_will import last_will
from deep_arch.testing.postgres_programs import postgres_programs, unprivileged
from deep_arch.testing.waiting import has_ended, wait_until

_USER: Final = "postgres"
_DEADLINE_S: Final = 60.0
"""After so long a server that neither started nor stopped has failed; it takes about a second."""

_STOPS: Final = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""What tells a server to end: once its clients left, at once, or without writing what can be recovered."""

_WILL: Final = """
pid=$(head -n 1 "$0/data/postmaster.pid") && kill -CONT "$pid" && kill -QUIT "$pid" && {
    for _ in $(seq 100); do kill -0 "$pid" || break; sleep 0.1; done
    kill -KILL "$pid"
}
for _ in $(seq 100); do rm -rf "$0" && break; sleep 0.1; done
"""
"""What ends a server whose process did not, and removes its folder; `initdb` may be at work in there."""


class PostgresServer:
    """A PostgreSQL server of its own, for a `with` block.

    It listens on a socket in its folder alone, so any number run side by side. It ends with the process that began it,
    also where that is killed, and leaves nothing behind.

    Args:
        durable: whether each commit waits for the disk. Without, it is quicker, and what was committed survives
            everything but a machine that loses its power.

    Raises:
        MissingDependency: PostgreSQL or psycopg is not installed.
        StudyError: the server did not start or stop; the end of its log stands in the message.

    Example:
        >>> with PostgresServer() as server:  # doctest: +SKIP
        ...     storage = server.database("runs")
        ...     server.kill()
        ...     server.start()
    """

    def __init__(self, *, durable: bool = False) -> None:
        require("psycopg")
        self._programs = postgres_programs()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._folder = Path()
        self._cleanup = ExitStack()

    def __enter__(self) -> PostgresServer:
        with ExitStack() as cleanup:
            self._folder = cleanup.enter_context(_own_folder())
            cleanup.enter_context(last_will(["sh", "-c", _WILL, str(self._folder)]))
            cleanup.callback(self._end)
            self._create()
            self.start()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._cleanup.close()

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, which each server has."""
        return self._url_of("postgres")

    @property
    def running(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.poll() is None

    def database(self, name: str | None = None) -> str:
        """Make an empty database, in place of one of this name, and return its URL.

        Args:
            name: any text; None for a name that no other has.
        """
        psycopg: Any = imported("psycopg")
        name = name or f"test_{next(self._numbers)}"
        quoted = psycopg.sql.Identifier(name)
        with psycopg.connect(self.url.replace("+psycopg", "", 1), autocommit=True) as connection:
            for command in ("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {}"):
                connection.execute(psycopg.sql.SQL(command).format(quoted))
        return self._url_of(name)

    def start(self) -> None:
        """Start the server where it does not run, and return once it takes connections."""
        if self.running:
            return
        settings = {"fsync": "on" if self._durable else "off", "listen_addresses": "", "max_connections": "100"}
        settings |= {"shared_buffers": "16MB", "dynamic_shared_memory_type": "mmap"}  # the latter lies in the folder
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._popen("postgres", "-p", "5432", "-k", str(self._folder), *options)
        self._await(self._process)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server where it runs.

        Args:
            mode: "smart" waits for clients to leave, "fast" cuts them off, "immediate" leaves the rest to the recovery
                at the next start.
        """
        if mode not in _STOPS:
            raise BadArgument(
                f"PostgresServer.stop: expected mode to be one of {tuple(_STOPS)}.\n  Got {mode!r} "
                f"({type(mode).__name__}).\n  Write server.stop('fast')."
            )
        if self._process is None or not self.running:
            return
        self._process.send_signal(_STOPS[mode])
        try:
            self._process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise self._failed("to stop") from None

    def kill(self) -> None:
        """Kill the server where it runs, with all its processes, by SIGKILL."""
        if self._process is None or not self.running:
            return
        psutil = imported("psutil")
        postmaster = psutil.Process(self._process.pid)
        postmaster.suspend()  # it begins no other while these are counted
        children = postmaster.children(recursive=True)
        for process in (postmaster, *children):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        # The next server would refuse to share memory with them.
        wait_until(lambda: all(has_ended(child.pid) for child in children), "the killed server's processes to end")

    def restart(self) -> None:
        """Stop the server and start it again: connections are cut off, data stays."""
        self.stop()
        self.start()

    def _url_of(self, name: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{quote(name, safe='')}?host={self._folder}&port=5432"

    def _create(self) -> None:
        options = [f"--username={_USER}", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        if self._popen("initdb", *options).wait():
            raise self._failed("to make its files")

    def _popen(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, "-D", self._folder / "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",  # its user may be shut out of the folder of this process
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,  # an interrupt from the terminal is for the tests
                **unprivileged(),
            )

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not self._ready(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._failed("to start")
            time.sleep(0.01)

    def _ready(self, pid: int) -> bool:
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[-1] == "ready"  # it may be the file of one that was killed

    def _end(self) -> None:
        if self._process is not None and self._process.poll() == -signal.SIGKILL:
            self.start()  # what was killed left shared memory behind, which the next server finds and frees
        self.stop("immediate")

    def _failed(self, what: str) -> StudyError:
        code = self._process and self._process.poll()
        state = "one that still tries" if code is None else f"one that ended with code {code}"
        log = (self._folder / "log").read_text(errors="replace").splitlines()[-10:]
        said = "\n    ".join(log)
        return StudyError(
            f"postgres server: expected the server in {self._folder} {what}.\n  Got {state}. Its log ends with:\n"
            f"    {said}\n  Mend what the log names: memory, the disk, or the installation of PostgreSQL."
        )


@contextmanager
def _own_folder() -> Generator[Path, None, None]:
    """Make a folder of the server's user. In /tmp: a socket's path is short, and any user can get there."""
    folder = tempfile.mkdtemp(prefix="deep_arch-", dir="/tmp")
    try:
        user = unprivileged()
        if "user" in user and "group" in user:
            os.chown(folder, user["user"], user["group"])
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
