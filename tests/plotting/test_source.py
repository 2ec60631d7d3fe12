"""A viewer's own graph: what the calculation says comes out, what the graph says goes back, connections come and go."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest

from axonlike import Component, Pipeline, run
from axonlike.errors import AxonlikeError, ComponentError, UsageError
from axonlike.plotting.client import CannotWatch, WrongToken
from axonlike.plotting.link import Connection, LocalConnection
from axonlike.plotting.liveplot import LivePlot
from axonlike.plotting.messages import BadMessage, Drawn, Ended, Frame, Message, Ready, Values, Welcome, encode
from axonlike.plotting.source import PlotSource
from axonlike.testing import run_virtual

TOKEN = "known-to-both-ends-of-it"


class Looker(Component):
    """Asks for a frame, and for another after each, as a display does; ends with what `until` says."""

    def __init__(self, until: Any = lambda message: isinstance(message, Ended)) -> None:
        self.until = until
        self.got: list[Message] = []

    def main(self) -> Generator[Any, Any, None]:
        while True:
            yield self.wait()
            for message in self.inbox():
                self.got.append(message)
                if isinstance(message, Welcome):
                    self.send(Ready("test"))
                elif isinstance(message, Frame):
                    self.send(Drawn(message.number))
                if self.until(message):
                    return


@pytest.fixture
def plot() -> Iterator[LivePlot]:
    with LivePlot(window=False, listen=("127.0.0.1", 0), token=TOKEN, title="relax", params={"dt": 0.5}) as plot:
        yield plot


def address(plot: LivePlot) -> str:
    assert plot.address is not None
    return f"{plot.address[0]}:{plot.address[1]}"


def test_frames_come_from_another_process_as_from_here(plot: LivePlot) -> None:
    plot(field=np.arange(6.0).reshape(2, 3), text="first")
    looker = Looker(lambda message: isinstance(message, Frame))
    run(Pipeline(PlotSource(address(plot), token=TOKEN), looker, circular=True))
    welcome, frame = looker.got
    assert isinstance(welcome, Welcome)
    assert (welcome.title, welcome.values, welcome.plotter) == ("relax", {"dt": 0.5}, None)
    assert isinstance(frame, Frame)
    assert np.array_equal(frame.kwargs["field"], np.arange(6.0).reshape(2, 3))
    assert frame.kwargs["text"] == "first"


def test_the_end_of_the_calculation_is_the_end_of_the_source(plot: LivePlot) -> None:
    plot(n=1)
    closes = threading.Thread(target=plot.close, name="closes")

    def over(message: Message) -> bool:
        if isinstance(message, Frame):
            closes.start()
        return False

    looker = Looker(over)
    run(Pipeline(PlotSource(address(plot), token=TOKEN), looker, circular=True))
    closes.join()  # it tells us before it has let go of all
    assert looker.got[-1] == Ended("has ended", hold=False)


def test_a_wrong_token_is_its_failure_in_one_sentence(plot: LivePlot) -> None:
    with pytest.raises(ComponentError) as caught:
        run(Pipeline(PlotSource(address(plot), token="known-to-one-end-of-it-only"), Looker(), circular=True))
    assert isinstance(caught.value.cause, WrongToken)


def test_nobody_there_is_its_failure() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(ComponentError) as caught:
            run(Pipeline(PlotSource(f"127.0.0.1:{port}", token=TOKEN), Looker(), circular=True))
    assert isinstance(caught.value.cause, CannotWatch)


@pytest.mark.parametrize(
    "options", [{"address": "nowhere"}, {"address": "a:1"}, {"address": "a:1", "connect": object()}]
)
def test_what_cannot_be_an_address_is_refused_when_it_is_made(options: Any) -> None:
    with pytest.raises(UsageError):
        PlotSource(**options)


class Fake:
    """A connection to a calculation that says what it was told to."""

    def __init__(self, *messages: Message | AxonlikeError) -> None:
        self.messages = list(messages)
        self.sent: list[Message] = []
        self.closed = 0

    async def receive(self) -> Message | None:
        await asyncio.sleep(0.01)
        message = self.messages.pop(0) if self.messages else None
        if isinstance(message, AxonlikeError):
            raise message
        return message

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        self.closed += 1


def source_of(*connections: Fake | AxonlikeError, **options: Any) -> PlotSource:
    left = list(connections)

    async def connect() -> Connection:
        connection = left.pop(0)
        if isinstance(connection, AxonlikeError):
            raise connection
        return connection

    return PlotSource(connect=connect, **options)


def test_a_connection_that_is_lost_is_made_again_and_asked_for_frames_again() -> None:
    first = Fake(Welcome(), Frame(1), Frame(2))
    second = Fake(Welcome(), Frame(1), Values({"dt": 1.0}))
    looker = Looker(lambda message: isinstance(message, Values))
    took_s = run_virtual(
        Pipeline(
            source_of(first, CannotWatch("nobody"), CannotWatch("nobody"), second, reconnect=True),
            looker,
            circular=True,
        )
    )
    kinds = [type(message).__name__ for message in looker.got]
    assert kinds == ["Welcome", "Frame", "Frame", "Ended", "Ended", "Ended", "Welcome", "Frame", "Values"]
    assert all(message.hold for message in looker.got if isinstance(message, Ended))
    assert isinstance(second.sent[0], Ready)
    assert (first.closed, second.closed) == (1, 1)
    assert 1.2 < took_s < 4.0  # 0.5 s, then 0.5 and 1 s, each by a quarter more or less


def test_without_reconnecting_a_lost_connection_is_an_end_that_is_told() -> None:
    connection = Fake(Welcome(), Frame(1))
    looker = Looker(lambda message: False)
    run_virtual(Pipeline(source_of(connection), looker, circular=True))
    assert looker.got[-1] == Ended("the calculation has gone", hold=False)
    assert connection.closed == 1


def test_what_cannot_be_read_is_a_failure() -> None:
    connection = Fake(Welcome(), BadMessage("garbage"))
    with pytest.raises(ComponentError, match="garbage"):
        run_virtual(Pipeline(source_of(connection), Looker(), circular=True))
    assert connection.closed == 1


def test_the_local_connection_ends_when_the_other_end_does() -> None:
    ours, theirs = socket.socketpair()

    async def talk() -> list[Message | None]:
        connection = LocalConnection(theirs)
        blob = encode(Frame(1, args=(np.arange(3),)))
        ours.sendall(len(blob).to_bytes(4, "big") + blob + (100).to_bytes(4, "big") + b"cut off")
        got = [await connection.receive()]
        ours.close()
        got.append(await connection.receive())
        await connection.send(Drawn(1))  # harmless
        await connection.close()
        return got

    frame, end = asyncio.run(talk())
    assert isinstance(frame, Frame)
    assert end is None
