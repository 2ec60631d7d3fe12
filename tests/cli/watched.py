"""For the tests of `axonlike top` and `axonlike tap`: a server in a second process, and the command in a third."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import prepared

__all__ = ["Server", "axonlike", "observed_server", "spawn"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class Server:
    """The notification server of observed_server.py: `feed` it lines, and `expect` them at its subscriber."""

    def __init__(self, process: prepared.Running, environment: dict[str, str]) -> None:
        self.process = process
        self.environment = environment
        assert process.stdout is not None
        ports: list[int] = []
        while len(ports) < 2:
            match = re.search(rb"listens on 127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert match, "the server did not start"
            ports.append(int(match[1]))
        self.subscriber = socket.create_connection(("127.0.0.1", ports[1]), timeout=30)
        self.publisher = socket.create_connection(("127.0.0.1", ports[0]), timeout=30)
        self._lines = self.subscriber.makefile()

    def feed(self, first: int, count: int) -> None:
        """Publish "line <first>" and so on."""
        self.publisher.sendall(b"".join(b"line %d\n" % n for n in range(first, first + count)))

    def expect(self, first: int, count: int) -> None:
        """Wait until the subscriber has got these lines, in order."""
        for number in range(first, first + count):
            assert self._lines.readline() == f"line {number}\n"

    def close(self) -> None:
        self._lines.close()
        self.subscriber.close()
        self.publisher.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.close()


@contextmanager
def observed_server() -> Iterator[Server]:
    """A server that runs while the block does, with a runtime directory of its own."""
    folder = tempfile.mkdtemp(prefix="axl", dir="/tmp")
    environment = {**os.environ, "AXONLIKE_RUNTIME_DIR": f"{folder}/axonlike", "PYTHONPATH": str(ROOT), "NO_COLOR": ""}
    environment.pop("FORCE_COLOR", None)
    process = prepared.start(HERE / "observed_server.py", stdout=prepared.PIPE, stderr=2, env=environment)
    server = Server(process, environment)
    try:
        yield server
    finally:
        server.close()
        assert os.listdir(Path(folder, "axonlike")) == []  # it left nothing behind
        shutil.rmtree(folder)


def axonlike(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return prepared.run("-m", "axonlike", *arguments, env=server.environment, timeout=60)


def spawn(server: Server, *arguments: str) -> subprocess.Popen[str]:
    """The command, beside the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "axonlike", *arguments],
        env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
