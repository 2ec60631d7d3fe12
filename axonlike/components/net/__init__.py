"""TCP and UDP: servers, clients, and the smallest handler. Framing by name: "lines", "bytes", "length"."""

from axonlike.components.net.echo import Echo
from axonlike.components.net.listening import CannotListen, ListenerStatistics
from axonlike.components.net.simple_server import SimpleServer
from axonlike.components.net.single_server import SingleServer
from axonlike.components.net.tcp_client import CannotConnect, Connected, Disconnected, Gap, TCPClient
from axonlike.components.net.tcp_server import TCPConnection, TCPServer
from axonlike.components.net.udp import Datagram, UDPReceiver, UDPReceiverStatistics, UDPSender

__all__ = [
    "CannotConnect",
    "CannotListen",
    "Connected",
    "Datagram",
    "Disconnected",
    "Echo",
    "Gap",
    "ListenerStatistics",
    "SimpleServer",
    "SingleServer",
    "TCPClient",
    "TCPConnection",
    "TCPServer",
    "UDPReceiver",
    "UDPReceiverStatistics",
    "UDPSender",
]
