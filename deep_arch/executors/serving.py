"""Serving: what a worker does in its own process, and the text in which it answers."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

from deep_arch.errors import ExecutorError

END: Final = b""
"""What is sent in the place of a task to a worker that may go."""

_WATCH_S: Final = 1.0


class RemoteTraceback(Exception):
    """Where an exception was raised in its own process; the cause of the exception that arrives here."""


def serve(pipe: Connection, parent: int) -> None:
    """Answer each task that comes through a pipe, until the end comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what Ctrl-C means is up to the parent
    if os.name != "nt":
        os.set_inheritable(pipe.fileno(), False)
    tasks: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_receive, args=(pipe, parent, tasks), daemon=True).start()
    with suppress(OSError):  # the parent has ended, and so will this process
        while task := tasks.get():
            pipe.send_bytes(_answered(task))


def outcome(answer: bytes) -> tuple[Any, Exception | None]:
    """Return what a task returned, and what it raised."""
    try:
        result, error, text = pickle.loads(answer)
    except Exception as unreadable:
        return None, unreadable
    if error is not None:
        error.__cause__ = RemoteTraceback(f'\n"""\n{text}"""')
    return result, error


def portable(error: BaseException, pickler: Any = pickle) -> Exception:
    """Return the exception of a task, or one that tells of it where it cannot be sent, or would end who gets it."""
    with suppress(Exception):
        # Classes with arguments of their own can often be written, and not read.
        if isinstance(error, Exception) and pickler.loads(pickler.dumps(error)) is not None:
            return error
    return ExecutorError(
        "executor: expected a task to return, or to raise an exception that can be pickled.\n"
        f"  Got {error!r} ({type(error).__name__}).\n"
        "  Raise a RuntimeError with a text; the traceback stands above, as the cause."
    )


def _receive(pipe: Connection, parent: int, tasks: SimpleQueue[bytes]) -> None:
    """Hand on what arrives; end this process with its parent, whatever it is doing."""
    try:
        while True:
            # A process that was forked from the parent may hold the pipe open after the parent's death.
            while not pipe.poll(_WATCH_S):
                if os.name != "nt" and os.getppid() != parent:
                    os._exit(1)
            tasks.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def _answered(task: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(task)
        return _packed(function(*args, **kwargs), None)
    except BaseException as error:
        return _packed(None, portable(error), "".join(traceback.format_exception(error)))
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # there may be none, or a closed one
                stream.flush()


def _packed(result: Any, error: Exception | None, text: str = "") -> bytes:
    return pickle.dumps((result, error, text), pickle.HIGHEST_PROTOCOL)
