"""Viewers over the network: who is let in, what they are told, and that none of them costs another anything."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import logging
import pickle
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import trustme

from axonlike.components.net.listening import CannotListen
from axonlike.errors import UsageError
from axonlike.plotting import handshake
from axonlike.plotting.client import CannotWatch, RemoteConnection, WrongToken
from axonlike.plotting.messages import (
    Did,
    Ended,
    Frame,
    Ready,
    Set,
    Values,
    Welcome,
    encode,
)
from axonlike.plotting.server import PlotServer
from tests.plotting.served import TOKEN, Plot, a_plot, frame_of, looking, raw, shaken, until

pytestmark = pytest.mark.net


# ------------------------------------------------------------------------------------------------- where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "plot.example"])
def test_an_address_that_others_reach_is_refused_without_tls(host: str):
    with pytest.raises(UsageError, match=r"needs TLS: give tls=.*ssh -L"):
        PlotServer(None, host=host, token=TOKEN)  # type: ignore[arg-type]  # it does not come to that


@pytest.mark.parametrize(
    "settings", [{"port": -1}, {"port": 65536}, {"port": True}, {"most_viewers": 0}, {"token": "x"}]
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]):
    with pytest.raises(UsageError):
        PlotServer(None, **settings)  # type: ignore[arg-type]


def test_without_a_token_it_makes_one():
    first, second = (PlotServer(None) for _ in range(2))  # type: ignore[arg-type]
    assert first.token != second.token
    assert len(first.token) == 32


def test_its_url_has_the_token_behind_the_hash():
    async def main() -> None:
        async with a_plot() as plot:
            assert plot.server.url == f"http://127.0.0.1:{plot.port}/#{TOKEN}"
            assert plot.server.address == ("127.0.0.1", plot.port)
            assert plot.port > 0

    asyncio.run(main())


def test_a_url_says_a_name_where_it_listens_everywhere():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = PlotServer(None, host="0.0.0.0", port=8443, token=TOKEN, tls=context)  # type: ignore[arg-type]
    assert server.url == f"https://{socket.gethostname()}:8443/#{TOKEN}"
    server = PlotServer(None, host="::1", port=8443, token=TOKEN)  # type: ignore[arg-type]
    assert server.url == f"http://[::1]:8443/#{TOKEN}"


def test_without_aiohttp_it_says_what_to_install():
    code = """
import importlib, sys
sys.modules["aiohttp"] = None
for module in "server", "client":
    try:
        importlib.import_module(f"axonlike.plotting.{module}")
    except Exception as exc:
        print(type(exc).__name__, exc)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 2
    for line in said:
        assert line.startswith("MissingExtra watching a plot from elsewhere needs aiohttp")
        assert "axonlike[web]" in line


def test_a_port_in_use_is_told_in_a_sentence():
    async def main() -> None:
        async with a_plot() as plot:
            other = Plot(port=plot.port)
            with pytest.raises(
                CannotListen, match=rf"cannot be watched at 127.0.0.1, port {plot.port}: give another port"
            ):
                await other.server.start()

    asyncio.run(main())


# --------------------------------------------------------------------------------------------------------- the page


def test_the_page_and_its_files_are_served():
    async def main() -> None:
        async with a_plot() as plot, aiohttp.ClientSession() as session:
            async with session.get(plot.http) as answer:
                page = await answer.text()
                assert answer.content_type == "text/html"
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert TOKEN not in page
                tag = answer.headers["ETag"]
            async with session.get(plot.http, headers={"If-None-Match": tag}) as answer:
                assert answer.status == 304
            for path, kind in {
                "viewer.js": "text/javascript",
                "style.css": "text/css",
                "icon.svg": "image/svg+xml",
            }.items():
                async with session.get(f"{plot.http}/{path}") as answer:
                    assert (answer.status, answer.content_type) == (200, kind)

    asyncio.run(main())


def test_exactly_the_files_of_the_page_are_served():
    folder = importlib.resources.files("axonlike.plotting") / "web"
    there_are = {entry.name for entry in folder.iterdir() if entry.is_file()}

    async def main() -> None:
        async with a_plot() as plot, aiohttp.ClientSession() as session:
            for name in there_are:
                async with session.get(f"{plot.http}/{name}") as answer:
                    assert answer.status == 200, name
                    assert await answer.read() == (folder / name).read_bytes()

    asyncio.run(main())
    assert there_are


@pytest.mark.parametrize(
    "path", ["/server.py", "/web/viewer.js", "/../server.py", "/%2e%2e/server.py", "//viewer.js", "/plot/", "/index"]
)
def test_nothing_else_is_served(path: str):
    async def main() -> None:
        async with a_plot() as plot:
            assert await answered(plot, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n") == 404

    asyncio.run(main())


async def answered(plot: Plot, request: str) -> int:
    """The status of a request, byte by byte as we want it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", plot.port)
    writer.write(request.encode())
    line = await reader.readline()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return int(line.split()[1])


def test_only_get_is_answered():
    async def main() -> None:
        async with a_plot() as plot:
            body = "Content-Length: 1000000000\r\n"
            assert await answered(plot, f"POST / HTTP/1.1\r\nHost: localhost\r\n{body}\r\n") == 405
            assert await answered(plot, "DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n") == 405
            assert await answered(plot, f"GET /{'x' * 10000} HTTP/1.1\r\nHost: localhost\r\n\r\n") == 400
            assert await answered(plot, "\x16\x03\x01\r\n\r\n") == 400

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:8888", 200), ("127.0.0.1:1", 200), ("[::1]:80", 200), ("proxy.example", 200),
        ("evil.example", 421), ("evil.example:80", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("[", 421),
    ],
)  # fmt: skip
def test_a_page_of_another_site_that_points_its_name_here_is_refused(host: str, status: int):
    async def main() -> None:
        async with a_plot(names=["proxy.example"]) as plot:
            assert await answered(plot, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n") == status
            assert plot.server.counts.refused == (status == 421)

    asyncio.run(main())


def test_a_page_of_another_site_cannot_open_the_socket():
    async def main() -> None:
        async with a_plot() as plot:
            for origin in ("https://evil.example", "null", f"http://localhost:{plot.port}", "http://127.0.0.1:1"):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    async with raw(plot, origin=origin):
                        pass
            assert plot.server.counts.refused == 4
            async with raw(plot, origin=plot.http) as socket_:
                await shaken(socket_)

    asyncio.run(main())


def test_the_socket_is_no_page():
    async def main() -> None:
        async with a_plot() as plot:
            assert await answered(plot, "GET /plot HTTP/1.1\r\nHost: localhost\r\n\r\n") == 426

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------------- viewers


def test_a_viewer_with_the_token_sees_the_plot():
    async def main() -> None:
        async with a_plot(params={"dt": 0.1}) as plot, looking(plot) as viewer:
            data = np.arange(6.0).reshape(2, 3).T
            plot.show(energy=1.5, field=data)
            frame = await frame_of(viewer)
            assert frame.kwargs["energy"] == 1.5
            assert frame.kwargs["field"].tolist() == data.tolist()
            await until(lambda: plot.sender.counters.drawn == 1)
            await viewer.send(Set("dt", 0.5))
            await viewer.send(Did("click", panel="field", x=1.0, y=2.0, button=1))
            await until(lambda: plot.events)
            assert plot.sender.params["dt"] == 0.5
            assert plot.events[-1].panel == "field"
            assert [each.kind for each in plot.sender.viewers] == ["remote"]
            assert plot.server.counts.viewers == 1

    asyncio.run(main())


def test_nothing_is_told_to_one_without_the_token():
    async def main() -> None:
        async with a_plot() as plot:
            plot.show(secret=1.0)
            async with raw(plot) as socket_:
                assert len(await socket_.receive_bytes()) == 32
                await socket_.send_bytes(b"x" * 64)
                message = await socket_.receive()
                assert message.type is aiohttp.WSMsgType.CLOSE
                assert (message.data, message.extra) == (handshake.WRONG_TOKEN, "wrong token")
            with pytest.raises(WrongToken):
                async with looking(plot, "another-token-altogether"):
                    pass
            assert plot.server.counts.wrong_token == 2
            assert plot.server.counts.viewers == 0
            assert not plot.sender.viewers

    asyncio.run(main())


def test_one_who_says_nothing_is_let_go_in_time():
    async def main() -> None:
        async with a_plot() as plot, aiohttp.ClientSession() as session:
            # A connection that has asked for something already: a new one might be let go of for having asked for
            # nothing yet, where the machine is busy.
            async with session.get(plot.http) as answer:
                await answer.read()
            plot.server._handshake_s = 0.05
            async with session.ws_connect(f"{plot.http}/plot", protocols=(handshake.PROTOCOL,)) as socket_:
                await socket_.receive_bytes()
                assert (await socket_.receive()).data == handshake.WRONG_TOKEN
            assert plot.server.counts.came == 1
            reader, writer = await asyncio.open_connection("127.0.0.1", plot.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: loc")  # and never the rest
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert plot.server.counts.wrong_token == 1
            assert plot.server.counts.refused == 1

    asyncio.run(main())


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_never_loaded(tmp_path: Path):
    bomb = pickle.dumps(Bomb(tmp_path / "gone-off"))
    ready = encode(Ready("web"))
    header = b'{"is":"ready","kind":{"object":"x","at":0},"buffers":[%d]}' % len(bomb)
    head = b"AXPL\1\0\0\0" + len(header).to_bytes(4, "big") + header
    inside = head + bytes(-len(head) % 8) + bomb

    async def main() -> None:
        async with a_plot() as plot, looking(plot) as other:
            async with raw(plot) as socket_:
                await socket_.receive_bytes()
                await socket_.send_bytes(bomb)
                assert (await socket_.receive()).data == handshake.WRONG_TOKEN
            for payload in (bomb, inside, encode(Frame(1)), b"", ready[:-1], ready + b"x"):
                async with raw(plot) as socket_:
                    await shaken(socket_)
                    await socket_.send_bytes(payload)
                    assert (await socket_.receive()).data == handshake.BAD_MESSAGE, payload
            assert plot.server.counts.garbage == 6
            plot.show(still="here")
            assert (await frame_of(other)).kwargs == {"still": "here"}

    asyncio.run(main())
    assert not any(tmp_path.iterdir())


def test_too_much_and_texts_end_that_connection_only():
    async def main() -> None:
        async with a_plot() as plot, looking(plot) as other:
            async with raw(plot) as socket_:
                await shaken(socket_)
                await socket_.send_str("hello")
                assert (await socket_.receive()).data == handshake.BAD_MESSAGE
            async with raw(plot) as socket_:
                await shaken(socket_)
                await socket_.send_bytes(bytes(1 << 20))
                message = await socket_.receive()
                assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            await until(lambda: plot.server.counts.garbage == 2)
            plot.show(still="here")
            assert (await frame_of(other)).kwargs == {"still": "here"}

    asyncio.run(main())


def test_one_who_may_only_look_changes_nothing():
    async def main() -> None:
        async with a_plot(params={"dt": 0.1}, view_only=True) as plot:
            viewer = RemoteConnection("127.0.0.1", plot.port, TOKEN)
            await viewer.send(Ready("remote"))
            welcome = await viewer.receive()
            assert isinstance(welcome, Welcome)
            assert not welcome.controls
            await viewer.send(Set("dt", 0.5))
            await viewer.send(Did("key", key="q"))
            await viewer.send(Did("paused"))
            await until(lambda: any(each.paused for each in plot.sender.viewers))
            assert plot.sender.params["dt"] == 0.1
            assert plot.server.counts.denied == 2
            assert [did.what for did in plot.events if did.what == "key"] == []
            await viewer.close()

    asyncio.run(main())


def test_a_hundred_viewers_come_and_go():
    async def main() -> None:
        async with a_plot() as plot:
            plot.show(number=7)

            async def visit(all_there: asyncio.Barrier) -> int:
                async with looking(plot) as viewer:
                    seen: int = (await frame_of(viewer)).kwargs["number"]
                    await all_there.wait()
                    return seen

            for _ in range(2):
                all_there = asyncio.Barrier(101)
                visits = [asyncio.create_task(visit(all_there)) for _ in range(100)]
                await until(lambda: len(plot.sender.viewers) == 100)
                with pytest.raises(CannotWatch, match="as many viewers as it lets in"):
                    await RemoteConnection("127.0.0.1", plot.port, TOKEN).connect()
                await all_there.wait()
                assert await asyncio.gather(*visits) == [7] * 100
                await until(lambda: not plot.sender.viewers)
            assert plot.server.counts.viewers == 200
            assert plot.server.counts.refused == 2
            assert plot.server.counts.wrong_token == plot.server.counts.garbage == plot.server.counts.cut == 0

    asyncio.run(main())


def deaf(stuck: aiohttp.ClientWebSocketResponse[Any]) -> None:
    """From here on it takes no byte more."""
    connection = stuck._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()


def test_one_who_does_not_read_costs_the_others_nothing():
    async def main() -> None:
        async with a_plot(params={"dt": 0.0}) as plot, looking(plot) as other, raw(plot) as stuck:
            await shaken(stuck)
            await stuck.send_bytes(encode(Ready("web")))
            deaf(stuck)
            await until(lambda: len(plot.sender.viewers) == 2)
            plot.show(field=np.zeros(4_000_000))  # more than all buffers on the way hold
            await frame_of(other)
            for number in range(1, 300):
                plot.sender.params["dt"] = number
                plot.sender.tell_value("dt")
                assert await other.receive() == Values({"dt": float(number)})
            await until(lambda: plot.server.counts.cut == 1)
            await until(lambda: len(plot.sender.viewers) == 1)
            plot.show(field=np.ones(3))
            assert (await frame_of(other)).kwargs["field"].tolist() == [1, 1, 1]

    asyncio.run(main())


def test_one_who_takes_no_byte_for_a_minute_is_cut():
    async def main() -> None:
        async with a_plot(look_s=0.1) as plot, raw(plot) as stuck:
            await shaken(stuck)
            await stuck.send_bytes(encode(Ready("web")))
            deaf(stuck)
            await until(lambda: plot.sender.viewers)
            plot.show(field=np.zeros(4_000_000))
            await until(lambda: plot.server.counts.cut == 1)
            await until(lambda: not plot.sender.viewers)

    asyncio.run(main())


def test_one_who_does_not_answer_is_cut_and_one_who_does_is_not():
    async def main() -> None:
        async with a_plot(look_s=0.1) as plot, looking(plot) as alive:
            # It answers pings meanwhile: from before the other comes, which may take longer than the looks.
            reading = asyncio.create_task(alive.receive())
            async with raw(plot, autoping=False) as dead:
                await shaken(dead)
                await dead.send_bytes(encode(Ready("web")))
                await until(lambda: plot.server.counts.cut == 1)
                assert len(plot.sender.viewers) == 1
            plot.show(still="here")
            assert isinstance(await reading, Frame)

    asyncio.run(main())


def test_nothing_is_looked_after_while_nobody_is_there():
    async def main() -> None:
        async with a_plot(look_s=0.05) as plot:
            async with looking(plot):
                pass
            await until(lambda: not plot.sender.viewers)
            await until(lambda: plot.server._looking is None)

    asyncio.run(main())


def test_another_version_is_told_so():
    async def main() -> None:
        async with a_plot() as plot:
            for protocols in ((), ("axonlike-plot-2",)):
                async with raw(plot, protocols=protocols) as socket_:
                    message = await socket_.receive()
                    assert message.data == handshake.OTHER_VERSION
                    assert "update the older end" in (message.extra or "")
            assert plot.server.counts.refused == 2

    asyncio.run(main())


def test_a_thousand_knocks_are_one_line_of_the_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING, "axonlike.plot")

    async def main() -> None:
        async with a_plot() as plot:
            for _ in range(20):
                async with raw(plot) as socket_:
                    await socket_.receive_bytes()
                    await socket_.send_bytes(b"")
                    await socket_.receive()
            assert plot.server.counts.wrong_token == 20

    asyncio.run(main())
    assert len(caplog.records) == 1
    assert "does not know the token" in caplog.text
    assert TOKEN not in caplog.text


def test_at_the_end_all_have_what_was_sent(monkeypatch: pytest.MonkeyPatch):
    # They are cut off after this, and where the machine is busy that comes before they have read.
    monkeypatch.setattr("axonlike.plotting.server._GOODBYE_S", 30.0)

    async def main() -> None:
        async with a_plot() as plot, looking(plot) as viewer:
            await until(lambda: plot.sender.viewers)
            plot.show(last=np.zeros(500_000))
            plot.sender.end("is done", False)
            stopping = asyncio.create_task(plot.server.stop())
            assert isinstance(await viewer.receive(), Frame)
            assert await viewer.receive() == Ended("is done")
            assert await viewer.receive() is None
            await stopping
            with pytest.raises(CannotWatch, match="cannot be reached"):
                await RemoteConnection("127.0.0.1", plot.port, TOKEN, connect_s=5.0).connect()

    asyncio.run(main())


def test_one_who_talks_nonsense_and_does_not_read_leaves_nothing_behind():
    async def main() -> None:
        async with a_plot() as plot, raw(plot) as stuck:
            await shaken(stuck)
            await stuck.send_bytes(encode(Ready("web")))
            deaf(stuck)
            await until(lambda: plot.sender.viewers)
            plot.show(field=np.zeros(4_000_000))
            (viewer,) = plot.server._viewers
            await until(viewer._transport.get_write_buffer_size)
            await stuck.send_bytes(b"nonsense")
            await until(lambda: plot.server.counts.garbage == 1)
            server = plot.server._http
            assert server is not None
            await until(lambda: not server.connections)  # though its buffer was full

    asyncio.run(main())


def test_it_ends_though_one_does_not_read():
    async def main() -> None:
        async with a_plot() as plot, raw(plot) as stuck:
            await shaken(stuck)
            await stuck.send_bytes(encode(Ready("web")))
            deaf(stuck)
            await until(lambda: plot.sender.viewers)
            plot.show(field=np.zeros(4_000_000))
            plot.sender.end("", False)
            async with asyncio.timeout(20):
                await plot.server.stop()

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificates(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)
    return ours, theirs


def test_with_tls_it_serves_every_address(certificates: tuple[ssl.SSLContext, ssl.SSLContext]):
    ours, theirs = certificates

    async def main() -> None:
        async with a_plot(host="0.0.0.0", tls=ours) as plot:
            viewer = RemoteConnection("127.0.0.1", plot.port, TOKEN, theirs)
            await viewer.send(Ready("remote"))
            assert isinstance(await viewer.receive(), Welcome)
            plot.show(field=np.zeros(100_000))
            assert len((await frame_of(viewer)).kwargs["field"]) == 100_000
            await viewer.close()
            with pytest.raises(CannotWatch, match="cannot be trusted"):
                await RemoteConnection("127.0.0.1", plot.port, TOKEN, True).connect()
            with pytest.raises(CannotWatch, match="speaks something else"):
                await RemoteConnection("127.0.0.1", plot.port, TOKEN).connect()

    asyncio.run(main())


def test_what_a_viewer_is_told_first_is_readable_by_its_description():
    async def main() -> None:
        async with a_plot() as plot, raw(plot) as socket_:
            welcome = await shaken(socket_)
            assert isinstance(welcome, Welcome)
            assert welcome.title == "Test"
            assert welcome.plotter is None

    asyncio.run(main())
