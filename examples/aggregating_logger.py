"""An aggregating logger: what several sources have to tell goes into one file, each line with its time and source.

    python examples/aggregating_logger.py FILE DEVICE [HOST:PORT ...]

DEVICE is a serial port ("demo" for a simulated one); each HOST:PORT is a server that sends lines, such as those of
notify_by_priority.py. Sources that cannot be reached are tried again. The file may be rotated while this runs.
"""

import sys
import time

from axonlike import Par, Pipeline
from axonlike.components.devices import SerialLines
from axonlike.components.file import FileAppender
from axonlike.components.net import TCPClient
from axonlike.components.util import Every, Transform

path, device, *servers = sys.argv[1:]


def said_by(source):
    return Transform(lambda line: f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {source:15}  {line}")


def network_source(server):
    host, _, port = server.rpartition(":")
    return Pipeline(TCPClient(host, int(port)), said_by(server))


Pipeline(
    Par(
        Pipeline(SerialLines(device), said_by(device)),
        Pipeline(Every(60, "one minute has passed", at_once=True), said_by("clock")),
        *map(network_source, servers),
    ),
    FileAppender(path),
).run()
