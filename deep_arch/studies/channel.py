"""The channel between a study and the trials that run elsewhere: reports travel back while they run.

Messages are JSON, one for each call: {"call": name, "number": of the trial, ...}, and each is answered by one. A worker
connects with a key that came with its task; nothing that is read here is ever run.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from typing import Any, Final

from deep_arch.studies.machine import this_machine

Answer = Callable[[Mapping[str, Any]], Any]

_WAITING: Final = 128
"""Workers that may knock at once."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a study listens, and the key that it takes."""

    hosts: tuple[str, ...]
    port: int
    key: bytes

    def connect(self) -> Connection[Any, Any]:
        """Connect to the study by the first of its hosts that can be reached from here."""
        for host in self.hosts[:-1]:
            try:
                return _prompt(Client((host, self.port), authkey=self.key))
            except OSError:
                continue
        return _prompt(Client((self.hosts[-1], self.port), authkey=self.key))


def _prompt(connection: Connection[Any, Any]) -> Connection[Any, Any]:
    """Let a connection send each message at once, where it would keep it back until that before is acknowledged."""
    held = socket.socket(fileno=connection.fileno())
    held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    held.detach()
    return connection


class Channel:
    """Listens for workers, and answers each of their calls, in a thread a worker.

    Args:
        answer: takes a message and returns the answer, which JSON can hold.
        is_here: whether workers run on this machine, so that no other can connect.
    """

    def __init__(self, answer: Answer, is_here: bool) -> None:
        self._answer = answer
        key = secrets.token_bytes(32)
        # The key is asked for by the thread of a connection, so that who says nothing keeps nobody else waiting.
        self._listener = Listener(("127.0.0.1" if is_here else "0.0.0.0", 0), backlog=_WAITING)
        hosts = ("127.0.0.1",) if is_here else _hosts()
        self.address: Final = Address(hosts, int(self._listener.address[1]), key)
        self._key, self._closed = key, False
        threading.Thread(target=self._listen, name="deep_arch channel", daemon=True).start()

    def _listen(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except OSError:  # it hung up at once, or we are closed
                continue
            threading.Thread(target=self._serve, args=(connection,), name="deep_arch reports", daemon=True).start()
        self._listener.close()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        with connection, suppress(OSError, EOFError, AuthenticationError):  # it has ended, died, or is not one of ours
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            while True:
                answer = self._answer(json.loads(connection.recv_bytes()))
                connection.send_bytes(json.dumps(answer).encode())

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        with suppress(OSError):  # a knock, since closing wakes nobody who waits for one
            socket.create_connection(("127.0.0.1", self.address.port)).close()


class Line:
    """A worker's end of the channel, opened at the first call."""

    def __init__(self, address: Address, number: int) -> None:
        self._address, self._number = address, number
        self._connection: Connection[Any, Any] | None = None
        self._lock = threading.Lock()

    def call(self, name: str, **what: Any) -> Any:
        """Send a message and return the answer; None where the study is gone."""
        message = {"call": name, "number": self._number, **what}
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._address.connect()
                self._connection.send_bytes(json.dumps(message).encode())
                return json.loads(self._connection.recv_bytes())
            except (OSError, EOFError):
                return None

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()


def who() -> dict[str, Any]:
    """Return the process that calls, as a message holds it."""
    return {"machine": this_machine(), "process": os.getpid()}


def _hosts() -> tuple[str, ...]:
    """Return the names by which other machines may know this one, the likeliest first."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # which sends nothing, and tells the address towards other machines
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return tuple(dict.fromkeys([*found, socket.gethostname(), "127.0.0.1"]))
