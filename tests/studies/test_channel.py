"""The channel: reports of workers arrive, and nothing but those who know the key is heard."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from typing import Any

import pytest

from deep_arch.studies.channel import Channel, Line
from deep_arch.testing.waiting import wait_until


class Heard:
    """A channel that keeps what it hears, and answers with how much that is."""

    def __init__(self, is_here: bool = True) -> None:
        self.messages: list[Mapping[str, Any]] = []
        self.channel = Channel(self.answer, is_here)

    def answer(self, message: Mapping[str, Any]) -> Any:
        self.messages.append(message)
        return len(self.messages)


@pytest.fixture
def heard() -> Iterator[Heard]:
    one = Heard()
    yield one
    one.channel.close()


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_calls_are_answered_in_order(heard: Heard) -> None:
    line = Line(heard.channel.address, 7)
    assert [line.call("report", step=i, score=0.1 * i) for i in range(3)] == [1, 2, 3]
    assert heard.messages[1] == {"call": "report", "number": 7, "step": 1, "score": 0.1}
    line.close()
    wait_until(lambda: not threads("deep_arch reports"), "the thread of the line to end")


def test_many_workers_are_heard_at_once(heard: Heard) -> None:
    def report(number: int) -> None:
        line = Line(heard.channel.address, number)
        for step in range(20):
            line.call("report", step=step)
        line.close()

    workers = [threading.Thread(target=report, args=(i,)) for i in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(heard.messages) == 16 * 20
    for i in range(16):
        assert [message["step"] for message in heard.messages if message["number"] == i] == list(range(20))


def test_an_address_travels(heard: Heard) -> None:
    line = Line(pickle.loads(pickle.dumps(heard.channel.address)), 0)
    assert line.call("begin") == 1
    line.close()


def test_other_machines_may_call_where_workers_are_there() -> None:
    heard = Heard(is_here=False)
    assert heard.channel.address.hosts[-1] == "127.0.0.1"
    line = Line(replace(heard.channel.address, hosts=("127.0.0.1",)), 0)
    assert line.call("begin") == 1
    line.close()
    heard.channel.close()


def test_workers_of_this_machine_are_heard_from_here_alone(heard: Heard) -> None:
    assert heard.channel.address.hosts == ("127.0.0.1",)


def test_who_has_another_key_is_not_heard(heard: Heard) -> None:
    address = heard.channel.address
    with pytest.raises(AuthenticationError):
        Client((address.hosts[0], address.port), authkey=b"guessed")
    line = Line(address, 0)
    assert line.call("begin") == 1 and len(heard.messages) == 1
    line.close()


def test_who_says_nothing_keeps_nobody_waiting(heard: Heard) -> None:
    address = heard.channel.address
    mute = [socket.create_connection((address.hosts[0], address.port)) for _ in range(3)]
    line = Line(address, 0)
    assert line.call("begin") == 1
    line.close()
    for each in mute:
        each.close()


@pytest.mark.parametrize("said", [b"\0\0\0\4what", b"\xff\xff\xff\xff" + b"x" * 64, b"GET / HTTP/1.1\r\n\r\n"])
def test_who_says_anything_else_is_hung_up_on(heard: Heard, said: bytes) -> None:
    address = heard.channel.address
    with socket.create_connection((address.hosts[0], address.port)) as stranger, suppress(ConnectionError):
        stranger.settimeout(60)
        stranger.sendall(said)
        while stranger.recv(1024):  # until it hangs up
            pass
    line = Line(address, 0)
    assert line.call("begin") == 1
    line.close()


def test_a_channel_that_is_gone_answers_nothing(heard: Heard) -> None:
    line = Line(heard.channel.address, 0)
    heard.channel.close()
    wait_until(lambda: not threads("deep_arch channel"), "the channel to end")
    assert line.call("stop") is None
    line.close()


def test_a_channel_leaves_no_thread() -> None:
    before = threads("deep_arch channel")
    channels = [Heard().channel for _ in range(5)]
    for channel in channels:
        channel.close()
    wait_until(lambda: threads("deep_arch channel") == before, "the threads to end")
    for channel in channels:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", channel.address.port))


def test_an_answer_may_be_anything_that_json_holds() -> None:
    channel = Channel(lambda message: {"again": message}, True)
    line = Line(channel.address, 1)
    assert line.call("mark", attributes={"a": [1.5, None, "é"]})["again"]["attributes"] == {"a": [1.5, None, "é"]}
    line.close()
    channel.close()
