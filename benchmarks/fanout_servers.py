"""The servers of the fan-out benchmark that are written in Python, each run in a process of its own.

`python -m benchmarks.fanout_servers NAME PUBLISH_PORT SUBSCRIBE_PORT`: what a producer sends to the first port as
lines, every client of the second gets. The process runs until it is ended.
"""

import asyncio
import resource
import sys
from collections.abc import Callable
from typing import cast

from benchmarks.harness import hide_uvloop

__all__ = ["SERVERS", "main"]


def axonlike_server(publish_port: int, subscribe_port: int) -> None:
    """SimpleServer and Backplane as their users write it."""
    from axonlike import Pipeline
    from axonlike.backplane import Backplane, PublishTo, SubscribeTo
    from axonlike.components.net import SimpleServer, SingleServer

    Backplane("Events").activate()
    Pipeline(SingleServer(port=publish_port), PublishTo("Events")).activate()

    def subscriber_protocol() -> SubscribeTo:
        return SubscribeTo("Events")

    SimpleServer(subscriber_protocol, subscribe_port).run()


def axonlike_server_without_uvloop(publish_port: int, subscribe_port: int) -> None:
    """The same on asyncio's own loop."""
    hide_uvloop()
    axonlike_server(publish_port, subscribe_port)


class Subscriber(asyncio.Protocol):
    """One client; entered in the set of transports while it is connected."""

    def __init__(self, transports: set[asyncio.WriteTransport]) -> None:
        self.transports = transports
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass of it
        self.transports.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.transports.discard(self.transport)


class LineByLine(asyncio.Protocol):
    """The producer; each line is written to each client by itself."""

    def __init__(self, transports: set[asyncio.WriteTransport]) -> None:
        self.transports = transports
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            for transport in self.transports:
                transport.write(line + b"\n")


class Joined(LineByLine):
    """The producer; the lines of one read are joined and written once to each client: the limit in plain Python."""

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        if lines:
            block = b"".join([line + b"\n" for line in lines])
            for transport in self.transports:
                transport.write(block)


async def _serve(producer: type[LineByLine], publish_port: int, subscribe_port: int) -> None:
    loop = asyncio.get_running_loop()
    transports: set[asyncio.WriteTransport] = set()
    publishing = await loop.create_server(lambda: producer(transports), "127.0.0.1", publish_port)
    subscribing = await loop.create_server(lambda: Subscriber(transports), "127.0.0.1", subscribe_port, backlog=1024)
    async with publishing, subscribing:
        await asyncio.gather(publishing.serve_forever(), subscribing.serve_forever())


def asyncio_line_server(publish_port: int, subscribe_port: int) -> None:
    """asyncio protocols, a write per line and client."""
    asyncio.run(_serve(LineByLine, publish_port, subscribe_port))


def asyncio_joined_server(publish_port: int, subscribe_port: int) -> None:
    """asyncio protocols, a write per block and client."""
    asyncio.run(_serve(Joined, publish_port, subscribe_port))


def uvloop_joined_server(publish_port: int, subscribe_port: int) -> None:
    """The same on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Joined, publish_port, subscribe_port))


SERVERS: dict[str, Callable[[int, int], None]] = {
    "axonlike": axonlike_server,
    "axonlike-no-uvloop": axonlike_server_without_uvloop,
    "asyncio-line": asyncio_line_server,
    "asyncio-joined": asyncio_joined_server,
    "uvloop-joined": uvloop_joined_server,
}


def main(arguments: list[str]) -> int:
    """Serve until ended. Returns the exit code."""
    name, publish_port, subscribe_port = arguments
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    SERVERS[name](int(publish_port), int(subscribe_port))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
