"""TCP and UDP: servers, clients, and the smallest handler. Framing by name: "lines", "bytes", "length"."""

from axonlike.components.net.echo import Echo
from axonlike.components.net.simple_server import SimpleServer

__all__ = ["Echo", "SimpleServer"]
