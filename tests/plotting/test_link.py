"""The window's end of its connection: which way a frame comes, and which way its answer goes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from axonlike.plotting.link import LocalConnection
from axonlike.plotting.memory import FrameRoom
from axonlike.plotting.messages import Drawn, Ended, Frame, Laid, Message, Ready, Welcome, decode, encode

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has such memory")

PATIENCE_S = 30.0


class Calculation:
    """Its end: a socket that is written and read by hand, and memory."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.setblocking(False)
        self.room = FrameRoom()
        self.window = LocalConnection(theirs)
        self.calls = 0

    async def say(self, message: Message) -> None:
        blob = encode(message)
        await asyncio.get_running_loop().sock_sendall(self.sock, len(blob).to_bytes(4, "big") + blob)

    async def hear(self) -> Message:
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            data += await loop.sock_recv(
                self.sock, 1 if len(data) < 4 else 4 + int.from_bytes(data[:4], "big") - len(data)
            )
        return decode(data[4:], from_viewer=True)

    async def lay(self, **kwargs: Any) -> None:
        """When the window waits for it."""
        while not self.room.is_drawn:
            await asyncio.sleep(0.001)
        self.calls += 1
        self.room.lay(self.calls, 0.0, (), kwargs, 0.0)

    async def greet(self, memory: int | None = None) -> None:
        """Until the window is ready."""
        await self.say(Welcome(fps=200.0, memory=os.dup(self.room.fd) if memory is None else memory))
        assert isinstance(await self.window.receive(), Welcome)
        await self.window.send(Ready("window"))
        assert await self.hear() == Ready("window", looks=memory is None)

    async def close(self) -> None:
        await self.window.close()
        self.sock.close()
        self.room.close()


def on(test: Callable[[Calculation], Awaitable[None]]) -> None:
    async def run() -> None:
        calculation = Calculation()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(calculation)
        finally:
            await calculation.close()

    asyncio.run(run())


async def frame_of(window: LocalConnection) -> Frame:
    message = await window.receive()
    assert isinstance(message, Frame)
    return message


def test_frames_come_from_memory_and_from_the_socket_in_one_row() -> None:
    async def test(calculation: Calculation) -> None:
        window = calculation.window
        await calculation.greet()
        for number in (1, 2, 3):
            looking = asyncio.ensure_future(frame_of(window))
            await calculation.lay(n=number)
            frame = await looking
            assert (frame.number, frame.kwargs) == (number, {"n": number})
            await window.send(Drawn(number))
        await calculation.say(Frame(77, call=3, kwargs={"n": "flushed"}))  # of the call that lay there, as it is now
        frame = await frame_of(window)
        assert (frame.number, frame.kwargs) == (4, {"n": "flushed"})
        await window.send(Drawn(3))  # what it drew before that came
        await window.send(Drawn(4))
        assert await calculation.hear() == Drawn(77)  # by its own number; what lay in memory is not answered here

    on(test)


def test_an_older_frame_is_answered_and_not_shown() -> None:
    async def test(calculation: Calculation) -> None:
        await calculation.greet()
        calculation.calls = 9
        looking = asyncio.ensure_future(frame_of(calculation.window))
        await calculation.lay(n="new")
        await looking
        await calculation.say(Frame(5, call=9, kwargs={"n": "old"}))
        await calculation.say(Ended("has ended"))
        assert await calculation.window.receive() == Ended("has ended")
        assert await calculation.hear() == Drawn(5)

    on(test)


def test_a_window_that_sleeps_is_woken_by_a_message() -> None:
    async def test(calculation: Calculation) -> None:
        await calculation.greet()
        looking = asyncio.ensure_future(frame_of(calculation.window))
        while not calculation.room.window_sleeps:
            await asyncio.sleep(0.01)
        while calculation.window._memory.next_look_s is not None:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        await calculation.lay(n=1)
        await calculation.say(Laid())
        assert (await looking).kwargs == {"n": 1}

    on(test)


def test_what_lay_there_when_the_calculation_went_is_the_last() -> None:
    async def test(calculation: Calculation) -> None:
        await calculation.greet()
        looking = asyncio.ensure_future(calculation.window.receive())
        await calculation.lay(n=1)
        calculation.sock.close()
        last = await looking
        assert isinstance(last, Frame)
        assert last.kwargs == {"n": 1}
        assert await calculation.window.receive() is None

    on(test)


def test_without_memory_that_is_a_plots_frames_come_by_the_socket(caplog: pytest.LogCaptureFixture) -> None:
    async def test(calculation: Calculation) -> None:
        await calculation.greet(memory=os.memfd_create("other"))
        assert "by the socket only" in caplog.text
        await calculation.say(Frame(1, call=1, kwargs={"n": 1}))
        assert (await frame_of(calculation.window)).kwargs == {"n": 1}
        await calculation.window.send(Drawn(1))
        assert await calculation.hear() == Drawn(1)

    on(test)


def test_a_frame_seen_in_memory_while_last_words_are_waited_for_is_not_lost() -> None:
    """The calculation is killed, and another process holds its end of the socket, which therefore does not end."""

    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours:
            window, loop = LocalConnection(theirs), asyncio.get_running_loop()
            window._gone = loop.create_future()
            window._gone.set_result(None)
            receiving = asyncio.create_task(window.receive())
            for _ in range(5):  # turns, after which it waits
                await asyncio.sleep(0)
            assert window._laid is not None
            window._laid.set_result(Frame(7))
            frame = await receiving
            assert isinstance(frame, Frame)
            assert await window.receive() is None
            await window.close()

    asyncio.run(main())
