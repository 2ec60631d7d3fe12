"""`axonlike top` on the notification server while events come in and clients are connected: top.svg."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from text_windows import ROOT, picture, terminal

HERE = Path(__file__).resolve().parent
COLUMNS = 122
EVENTS = (
    b"NORMAL door 2 open\n" * 6 + b"IMPORTANT temperature 29.7\n" * 2 + b"CRITICAL smoke in 12\n" + b"what is this?\n"
)


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [server.getsockname()[1] for server in servers]


def connected(port: int) -> socket.socket:
    until_s = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)


def feed(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.02):
        connection.sendall(EVENTS)


def read(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


ports = free_ports(4)
environment = {**os.environ, "AXONLIKE_OBSERVE": "1", "PYTHONPATH": str(ROOT)}
server = subprocess.Popen(
    [sys.executable, "examples/notify_by_priority.py", *map(str, ports)], cwd=ROOT, env=environment,
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)  # fmt: skip
over = threading.Event()
try:
    clients = [connected(port) for port in ports[1:]]
    source = connected(ports[0])
    threads = [threading.Thread(target=read, args=(client,)) for client in clients]
    threads.append(threading.Thread(target=feed, args=(source, over)))
    for thread in threads:
        thread.start()
    time.sleep(2)
    shown = subprocess.run(
        [sys.executable, "-m", "axonlike", "top", str(server.pid), "--once"], cwd=ROOT, check=True,
        capture_output=True, text=True, env={**environment, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "LINES": "60"},
    ).stdout  # fmt: skip
finally:
    over.set()
    server.terminate()
    server.wait()
for thread in threads:
    thread.join()
for connection in (*clients, source):
    connection.close()
drawn = picture(
    [terminal(f"\x1b[32m$\x1b[0m axonlike top\n{shown}", "terminal", COLUMNS)],
    "axonlike top: for each component its state, what lies in its box, messages in and out, drops, and time used.",
)
(HERE / "top.svg").write_text(drawn, encoding="utf-8")
print((HERE / "top.svg").relative_to(ROOT))
