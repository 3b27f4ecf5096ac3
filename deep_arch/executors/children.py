"""Children: a Python process of our own, and the pipe to it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import spawn
from multiprocessing.connection import Connection, Pipe
from typing import Any, Final

from deep_arch.errors import ExecutorError, WorkerDied
from deep_arch.executors.serving import END, serve

_WATCH_S: Final = 1.0
_GRACE_S: Final = 5.0
"""How long a process may take to end by itself: it closes files and joins threads of its tasks."""

# What a spawned process of multiprocessing does, which cannot be started with variables of its own: it imports the
# parent's main module under another name, so that functions of it are found, and then serves.
_START: Final = """\
import multiprocessing, multiprocessing.connection, multiprocessing.spawn
pipe = multiprocessing.connection.{kind}({handle})
me = multiprocessing.current_process()
me._inheriting = True
multiprocessing.spawn.prepare(pipe.recv())
serve = pipe.recv()
del me._inheriting
serve(pipe, {parent})
"""


class Child:
    """A process that answers one task after another.

    Args:
        variables: all variables of its environment.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        first = [pickle.dumps(what) for what in (_preparation(), serve)]
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                _command(theirs), env=variables, stdin=subprocess.DEVNULL, **_inheriting(theirs)
            )
        self._is_killed = False
        with suppress(OSError):  # one that has ended is seen when it is asked
            for what in first:
                self._pipe.send_bytes(what)

    def waits(self) -> bool:
        """Return whether it waits for a task: one that ended closed the pipe, unless it left it to another."""
        return not self._is_killed and not self._pipe.poll() and self._process.poll() is None

    def ask(self, task: bytes) -> bytes:
        """Return the answer to a task.

        Raises:
            WorkerDied: the process ended before it answered.
        """
        try:
            self._pipe.send_bytes(task)
            # A process that was forked from this child may hold the pipe open after the child's death.
            while not self._pipe.poll(_WATCH_S):
                if self._process.poll() is not None and not self._pipe.poll():
                    raise EOFError
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise _died(self._process.pid, self._reaped(), self._is_killed) from None

    def kill(self) -> None:
        """End it at once."""
        self._is_killed = True
        self._process.kill()

    def end(self) -> None:
        """Let it end once it is done."""
        with suppress(OSError):
            self._pipe.send_bytes(END)
        self._reaped()
        self._pipe.close()

    def _reaped(self) -> int:
        try:
            return self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def check_main() -> None:
    """Raise ExecutorError in a child that only imports its parent's script."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ExecutorError(
            "ProcessPool: expected a script that a worker can import to find the functions of tasks.\n"
            "  Got one that makes a pool whenever it is imported.\n"
            "  Write what starts the work under `if __name__ == '__main__':`."
        )


def packed(function: Any, args: Any, kwargs: Any) -> bytes:
    """Return a task as it is sent."""
    return pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL)


def _preparation() -> dict[str, Any]:
    """Return what `multiprocessing.spawn.prepare` takes: paths, arguments, and where the main module is."""
    data = spawn.get_preparation_data("deep_arch worker")
    # Its type refuses to be pickled, lest it is sent anywhere; here it goes to our own process, for managers' proxies.
    return {**data, "authkey": bytes(data["authkey"])}


def _command(pipe: Connection) -> list[str]:
    code = _START.format(kind=type(pipe).__name__, handle=pipe.fileno(), parent=os.getpid())
    return [*spawn.get_command_line()[:-2], code]  # the interpreter and its flags


def _inheriting(pipe: Connection) -> dict[str, Any]:
    if sys.platform == "win32":
        os.set_handle_inheritable(pipe.fileno(), True)
        return {"close_fds": False}
    return {"pass_fds": [pipe.fileno()]}


def _died(pid: int, code: int, is_killed: bool) -> WorkerDied:
    got, mend = f"exit code {code}", "Look for what ends a process, such as os._exit, and at what it wrote."
    if is_killed:
        got, mend = "a call of kill", "Submit the task once more where it is still needed."
    elif code < 0:
        names = {s.value: s.name for s in signal.Signals}
        got, mend = f"signal {-code} ({names.get(-code, 'unknown')})", "Look for a crash in a library that it uses."
        if code == -9:
            mend = "Was it killed for memory? Then take fewer workers, or smaller tasks."
    return WorkerDied(
        f"ProcessPool: expected process {pid} to live until its task was done.\n  Got {got}.\n"
        f"  {mend} Other tasks go on."
    )
