"""loadgen.c in Python, with the same arguments, checks and output, for machines without a C compiler.

It reads large blocks and looks at the first whole line of each, but costs more than the server at full rate: its
figures compare servers only up to what it can take itself, and the table says which of the two was used.
"""

import json
import resource
import select
import socket
import sys
import time
from dataclasses import dataclass

from benchmarks.harness import percentile

__all__ = ["LoadError", "main"]

BODY_BYTES = 63
BLOCK_LINES = 1024
READ_BYTES = 1 << 18
PATIENCE_S = 20.0

PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n$6\r\nEvents\r\n$63\r\n"
MESSAGE = b"*3\r\n$7\r\nmessage\r\n$6\r\nEvents\r\n$63\r\n"
SUBSCRIBE = b"*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\nEvents\r\n"
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$6\r\nEvents\r\n:1\r\n"


class LoadError(Exception):
    """The server did not do its part, so that nothing can be measured."""


@dataclass
class Client:
    """One receiving connection: bytes so far, and the last sequence number seen (-1: none)."""

    socket: socket.socket
    count_bytes: int = 0
    last: int = -1


def dial(port: int, receive_buffer_bytes: int = 0) -> socket.socket:
    """Connect to loopback; retries until the server listens."""
    until = time.monotonic() + PATIENCE_S
    while True:
        connection = socket.socket()
        if receive_buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.connect(("127.0.0.1", port))
        except ConnectionRefusedError as error:
            connection.close()
            if time.monotonic() > until:
                raise LoadError(f"the server does not answer on port {port}") from error
            time.sleep(0.02)
        else:
            return connection


class Load:
    """One publisher, `clients` receivers and `stalled` connections that never read."""

    def __init__(self, subscribe_port: int, publish_port: int, clients: int, stalled: int, resp: bool) -> None:
        self.in_prefix, self.out_prefix, self.suffix = (MESSAGE, PUBLISH, b"\r\n") if resp else (b"", b"", b"\n")
        self.in_bytes = len(self.in_prefix) + BODY_BYTES + len(self.suffix)
        self.resp = resp
        self.received_bytes = 0
        self.lines_sent = 0
        self.out = memoryview(b"")
        self.samples: list[float] = []
        self.poller = select.epoll()
        self.stalled = [self._subscribed(dial(subscribe_port, 4096)) for _ in range(stalled)]
        self.clients = [Client(self._subscribed(dial(subscribe_port))) for _ in range(clients)]
        self.by_fd = {client.socket.fileno(): client for client in self.clients}
        for client in self.clients:
            client.socket.setblocking(False)
            self.poller.register(client.socket, select.EPOLLIN)
        self.publisher = dial(publish_port)
        self.publisher.setblocking(False)
        self.poller.register(self.publisher, select.EPOLLIN)

    def close(self) -> None:
        """Close every connection."""
        self.poller.close()
        for connection in [self.publisher, *self.stalled, *(client.socket for client in self.clients)]:
            connection.close()

    def _subscribed(self, connection: socket.socket) -> socket.socket:
        if self.resp:
            connection.sendall(SUBSCRIBE)
            reply = b""
            while len(reply) < len(SUBSCRIBED):
                block = connection.recv(len(SUBSCRIBED) - len(reply))
                if not block:
                    raise LoadError("no answer to SUBSCRIBE")
                reply += block
            if reply != SUBSCRIBED:
                raise LoadError(f"unexpected answer to SUBSCRIBE: {reply!r}")
        return connection

    def _publish(self, kind: str, first: int, count: int) -> None:
        now_ns = time.monotonic_ns()
        prefix, suffix = self.out_prefix, self.suffix
        kind_byte, padding = kind.encode(), b"." * (BODY_BYTES - 35)
        lines = (b"%b %012d %019d %b" % (kind_byte, number, now_ns, padding) for number in range(first, first + count))
        self.out = memoryview(b"".join([prefix + line + suffix for line in lines]))
        self._flush()

    def _flush(self) -> None:
        try:
            while self.out:
                self.out = self.out[self.publisher.send(self.out) :]
        except BlockingIOError:
            self.poller.modify(self.publisher, select.EPOLLIN | select.EPOLLOUT)
        except OSError as error:
            raise LoadError("the server closed the publisher's connection") from error
        else:
            self.poller.modify(self.publisher, select.EPOLLIN)

    def _receive(self, client: Client, kind: int, every: bool) -> None:
        block = client.socket.recv(READ_BYTES)
        if not block:
            raise LoadError("a healthy client was cut by the server")
        now_ns = time.monotonic_ns()
        head = len(self.in_prefix)
        at = -client.count_bytes % self.in_bytes
        while at + head + 34 <= len(block):
            body = at + head
            if block[body] != kind or block[at:body] != self.in_prefix:
                raise LoadError(f"a line arrived garbled: {block[at : at + self.in_bytes]!r}")
            client.last = int(block[body + 2 : body + 14])
            if kind == ord("D") and client.last != (client.count_bytes + at) // self.in_bytes:
                raise LoadError(f"line {client.last} arrived out of order")
            if not every:
                break
            if kind == ord("D"):
                self.samples.append((now_ns - int(block[body + 15 : body + 34])) / 1e3)
            at += self.in_bytes
        client.count_bytes += len(block)
        self.received_bytes += len(block)

    def _poll(self, timeout_s: float, kind: str, every: bool) -> None:
        for fd, events in self.poller.poll(timeout_s, 1024):
            client = self.by_fd.get(fd)
            if client is not None:
                self._receive(client, ord(kind), every)
                continue
            if events & ~select.EPOLLOUT and not self.publisher.recv(READ_BYTES):
                raise LoadError("the server closed the publisher's connection")
            if self.out:
                self._flush()

    def synchronise(self) -> None:
        """Connected is not yet subscribed: publish until every client has got the newest line; count from there."""
        until = time.monotonic() + PATIENCE_S
        number = 0
        while time.monotonic() < until:
            self._publish("S", number, 1)
            again = time.monotonic() + (0.05 if number < 5 else 0.2)
            while time.monotonic() < again:
                self._poll(0.005, "S", True)
                if all(client.last == number and client.count_bytes % self.in_bytes == 0 for client in self.clients):
                    for client in self.clients:
                        client.count_bytes = 0
                    self.received_bytes = 0
                    return
            number += 1
        raise LoadError("not every client was subscribed in time")

    def _drain(self, every: bool) -> None:
        wanted = self.lines_sent * len(self.clients) * self.in_bytes
        until = time.monotonic() + PATIENCE_S
        while self.received_bytes < wanted:
            before = self.received_bytes
            self._poll(0.1, "D", every)
            if self.received_bytes != before:
                until = time.monotonic() + PATIENCE_S
            if time.monotonic() > until:
                raise LoadError(f"{(wanted - self.received_bytes) // self.in_bytes} lines are missing")
        if self.received_bytes > wanted:
            raise LoadError("more lines arrived than were sent")

    def fill(self, lines: int, seconds: float, window: int) -> float:
        """As fast as `window` lets lines out, until `lines` are sent or `seconds` passed. Returns the time it took."""
        started = moved = time.monotonic()
        while (not lines or self.lines_sent < lines) and (not seconds or time.monotonic() - started < seconds):
            before = self.received_bytes
            arrived = self.received_bytes // self.in_bytes // len(self.clients)
            room = window - (self.lines_sent - arrived)
            # A quarter at least: else each block read would let one line out, and nothing be joined.
            room = min(room, BLOCK_LINES) if room >= window // 4 else 0
            if lines:
                room = min(room, lines - self.lines_sent)
            if room > 0 and not self.out:
                self._publish("D", self.lines_sent, room)
                self.lines_sent += room
            self._poll(0 if room > 0 and not self.out else 0.1, "D", False)
            if self.received_bytes != before:
                moved = time.monotonic()
            if time.monotonic() - moved > PATIENCE_S:
                raise LoadError("no line arrives any more")
        while self.out:
            self._poll(0.1, "D", False)
        self._drain(False)
        return time.monotonic() - started

    def at_rate(self, lines_per_second: float, seconds: float) -> None:
        """Lines at a steady rate, each with its time of sending; what they took is added to `samples`."""
        started = time.monotonic()
        for number in range(int(lines_per_second * seconds)):
            due = started + number / lines_per_second
            sent_bytes = self.lines_sent * len(self.clients) * self.in_bytes
            while (left := due - time.monotonic()) > 0:
                # Never asleep while a line is on its way: see loadgen.c.
                self._poll(left if self.received_bytes == sent_bytes else 0, "D", True)
            self._publish("D", self.lines_sent, 1)
            self.lines_sent += 1
        self._drain(True)


def main(arguments: list[str]) -> int:
    """Run one load as the head of loadgen.c describes it. Returns the exit code."""
    subscribe_port, publish_port, clients, stalled = map(int, arguments[:4])
    window, fill_lines = map(int, arguments[5:7])
    fill_s, rate, rate_s = map(float, arguments[7:])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(subscribe_port, publish_port, clients, stalled, arguments[4] == "resp")
    try:
        load.synchronise()
        took = load.fill(fill_lines, fill_s, window) if fill_lines or fill_s else 0.0
        filled = load.received_bytes // load.in_bytes
        if rate:
            load.at_rate(rate, rate_s)
    except LoadError as error:
        print(f"loadgen: {error}", file=sys.stderr)
        return 3
    finally:
        load.close()
    figures = {
        "lines": load.lines_sent,
        "deliveries": load.received_bytes // load.in_bytes,
        "filled": filled,
        "fill_s": took,
        "samples": len(load.samples),
        "p50_us": percentile(load.samples, 50) if load.samples else 0.0,
        "p99_us": percentile(load.samples, 99) if load.samples else 0.0,
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
