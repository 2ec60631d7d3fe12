"""Machine A of a notification system: what comes in on a serial port goes to machine B, line by line.

    python examples/notify_machine_a.py [HOST] [PORT] [DEVICE]

HOST and PORT are machine B's (default 127.0.0.1 1500), DEVICE is a serial port such as /dev/ttyUSB0, "auto" for the
only one there is, or "demo" (default) for a simulated one. Either side may be started first. While machine B cannot be
reached, and while the device is unplugged, this program waits and tries again.
"""

import sys

from axonlike import Pipeline
from axonlike.components.devices import SerialLines
from axonlike.components.net import TCPClient

host = sys.argv[1] if sys.argv[1:] else "127.0.0.1"
port = int(sys.argv[2]) if sys.argv[2:] else 1500
device = sys.argv[3] if sys.argv[3:] else "demo"

Pipeline(
    SerialLines(device),
    TCPClient(host, port),
).run()
