"""The way to a plot elsewhere: what it says when there is none, and that a false plot learns nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from axonlike.errors import UsageError
from axonlike.plotting.client import CannotWatch, RemoteConnection, WrongToken
from axonlike.plotting.handshake import PROTOCOL, PlotSide
from axonlike.plotting.messages import BadMessage, Ended, Frame, MessageTooLong, Ready, Welcome, encode
from tests.plotting.served import TOKEN, a_plot, frame_of, looking, until

pytestmark = pytest.mark.net

Conversation = Callable[[web.WebSocketResponse], Awaitable[None]]


@contextlib.asynccontextmanager
async def a_false_plot(talk: Conversation, protocols: tuple[str, ...] = (PROTOCOL,)) -> AsyncIterator[int]:
    """A WebSocket server that says what the test wants. Yields its port."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=protocols, timeout=0.1)
        await ws.prepare(request)
        with contextlib.suppress(ConnectionError):
            await talk(ws)
        await ws.close()
        return ws

    server = web.Server(handle, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await server.shutdown(0.1)
        await listening.wait_closed()


async def trusted(ws: web.WebSocketResponse) -> None:
    """The plot's part of the handshake."""
    side = PlotSide(TOKEN)
    await ws.send_bytes(side.challenge)
    answer = side.answer(await ws.receive_bytes())
    assert answer is not None
    await ws.send_bytes(answer)


async def refusal(port: int, token: str = TOKEN, **settings: Any) -> str:
    """What a viewer is told that does not get in."""
    connection = RemoteConnection("127.0.0.1", port, token, **settings)
    with pytest.raises(CannotWatch) as caught:
        await connection.connect()
    await connection.close()
    assert str(caught.value).startswith(f"127.0.0.1:{port} ")
    assert len(str(caught.value)) < 250
    return f"{type(caught.value).__name__}: {caught.value}"


def test_without_a_token_or_a_port_it_is_not_tried():
    with pytest.raises(UsageError, match="the token is missing: it stands behind the #"):
        RemoteConnection("localhost", 1234, "")
    for port in (0, 65536, True):
        with pytest.raises(UsageError, match="a port is a number from 1 to 65535"):
            RemoteConnection("localhost", port, TOKEN)


def test_nobody_there():
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # kept, and not listened at: else a test beside this one may get the port
            port = taken.getsockname()[1]
            assert "cannot be reached: " in await refusal(port)
            assert "does the calculation run" in await refusal(port)

    asyncio.run(main())


def test_a_web_server_that_is_no_plot():
    async def page(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hello")

    async def main() -> None:
        server = web.Server(page, access_log=None)
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        assert "is no plot that can be watched (HTTP status 200)" in await refusal(
            listening.sockets[0].getsockname()[1]
        )
        listening.close()
        await server.shutdown(0)
        await listening.wait_closed()

    asyncio.run(main())


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x16"])
def test_a_server_of_something_else(said: bytes):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(talk, "127.0.0.1", 0)
        assert "answers, but" in await refusal(listening.sockets[0].getsockname()[1])
        listening.close()
        await listening.wait_closed()

    asyncio.run(main())


def test_a_server_that_says_nothing():
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            assert "cannot be reached" in await refusal(silent.getsockname()[1], connect_s=0.05)

    asyncio.run(main())


def test_the_wrong_token():
    async def main() -> None:
        async with a_plot() as plot:
            text = await refusal(plot.port, TOKEN + "x")
            assert text.startswith("WrongToken: ")
            assert "has another token: take the one behind the #" in text

    asyncio.run(main())


def test_a_false_plot_learns_nothing():
    heard: list[bytes] = []

    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.send_bytes(bytes(32))
        heard.append(await ws.receive_bytes())
        await ws.send_bytes(bytes(32))
        async for message in ws:
            heard.append(message.data)

    async def main() -> None:
        async with a_false_plot(talk) as port:
            text = await refusal(port)
            assert text.startswith("WrongToken: ")
            assert "does not know the token" in text

    asyncio.run(main())
    assert len(heard) == 1
    assert len(heard[0]) == 64
    assert TOKEN.encode() not in heard[0]


@pytest.mark.parametrize("protocols", [(), ("axonlike-plot-2",)])
def test_another_version(protocols: tuple[str, ...]):
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.receive()

    async def main() -> None:
        async with a_false_plot(talk, protocols) as port:
            assert "does not speak axonlike-plot-1: update the older of the two ends" in await refusal(port)

    asyncio.run(main())


def test_a_plot_that_begins_with_something_else():
    async def short(ws: web.WebSocketResponse) -> None:
        await ws.send_bytes(b"hello")
        await ws.receive()

    async def words(ws: web.WebSocketResponse) -> None:
        await ws.send_str("hello")
        await ws.receive()

    async def silent(ws: web.WebSocketResponse) -> None:
        await ws.receive()

    async def main() -> None:
        async with a_false_plot(short) as port:
            assert "is no plot: it begins with something else" in await refusal(port)
        async with a_false_plot(words) as port:
            assert "has closed the connection" in await refusal(port)
        async with a_false_plot(silent) as port:
            assert "says nothing for 0.05 s" in await refusal(port, handshake_s=0.05)

    asyncio.run(main())


def test_what_is_no_message_ends_it():
    async def main() -> None:
        for payload, kind in ((b"x" * 100, BadMessage), (encode(Ready("web")), BadMessage), ("a text", BadMessage)):

            async def talk(ws: web.WebSocketResponse, payload: bytes | str = payload) -> None:
                await trusted(ws)
                await (ws.send_str(payload) if isinstance(payload, str) else ws.send_bytes(payload))
                await ws.receive()

            async with a_false_plot(talk) as port:
                connection = RemoteConnection("127.0.0.1", port, TOKEN)
                with pytest.raises(kind):
                    await connection.receive()
                assert await connection.receive() is None

    asyncio.run(main())


def test_a_message_over_the_limit_ends_it():
    async def main() -> None:
        async with a_plot() as plot:
            connection = RemoteConnection("127.0.0.1", plot.port, TOKEN, limit_bytes=10_000)
            await connection.send(Ready("remote"))
            assert isinstance(await connection.receive(), Welcome)
            plot.show(data=np.zeros(100_000))
            with pytest.raises(MessageTooLong):
                await connection.receive()
            assert await connection.receive() is None
            await until(lambda: not plot.sender.viewers)

    asyncio.run(main())


def test_what_comes_is_read_only_and_as_it_was():
    async def main() -> None:
        async with a_plot() as plot, looking(plot) as viewer:
            plot.show(np.arange(3, dtype=">i2"), z=np.ones((2, 3), complex).T, text="a\nb", nothing=None)
            frame = await frame_of(viewer)
            assert frame.args[0].tolist() == [0, 1, 2]
            assert frame.kwargs["z"].shape == (3, 2)
            assert not frame.kwargs["z"].flags.writeable
            assert frame.kwargs["text"] == "a\nb"

    asyncio.run(main())


def test_at_the_end_there_comes_no_more_and_sending_is_harmless():
    async def main() -> None:
        async with a_plot() as plot, looking(plot) as viewer:
            plot.sender.end("done", False)
            assert await viewer.receive() == Ended("done")
            assert await viewer.receive() is None
            await viewer.send(Ready("remote"))
            await viewer.close()
            await viewer.send(Ready("remote"))
            assert await viewer.receive() is None

    asyncio.run(main())


def test_closing_ends_a_receive_that_waits():
    async def main() -> None:
        async with a_plot() as plot, looking(plot) as viewer:
            waiting = asyncio.create_task(viewer.receive())
            await asyncio.sleep(0)
            await viewer.close()
            assert await waiting is None
            await until(lambda: not plot.sender.viewers)

    asyncio.run(main())


def test_several_at_once_connect_once():
    async def main() -> None:
        async with a_plot() as plot:
            viewer = RemoteConnection("127.0.0.1", plot.port, TOKEN)
            got, _ = await asyncio.gather(viewer.receive(), viewer.send(Ready("remote")))
            assert isinstance(got, Welcome)
            assert plot.server.counts.came == 1
            plot.show(1.0)
            assert isinstance(await viewer.receive(), Frame)
            await viewer.close()

    asyncio.run(main())


def test_a_wrong_token_is_a_way_of_not_watching():
    assert issubclass(WrongToken, CannotWatch)
    assert (CannotWatch.code, WrongToken.code) == ("AX660", "AX661")
