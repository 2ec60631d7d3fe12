"""A relay between two servers: each gets, line by line, what the other one says.

    python examples/relay.py HOST PORT HOST PORT

The pipeline is circular: the second client's outbox feeds the first one's inbox. If one server goes away, the relay
keeps trying, and holds the other one's lines back meanwhile.
"""

import sys

from axonlike import Pipeline
from axonlike.components.net import TCPClient

host_a, port_a, host_b, port_b = sys.argv[1:]

Pipeline(
    TCPClient(host_a, int(port_a)),
    TCPClient(host_b, int(port_b)),
    circular=True,
).run()
