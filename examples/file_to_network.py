"""A file to the network: each client gets the lines of a file, so many a second; the connection ends with the file.

    python examples/file_to_network.py FILE [PORT] [LINES-PER-SECOND]

Try it with `nc 127.0.0.1 1700`. A client that reads slowly is waited for.
"""

import sys

from axonlike.components.file import FileReader
from axonlike.components.net import SimpleServer

path = sys.argv[1]
port = int(sys.argv[2]) if sys.argv[2:] else 1700
lines_per_s = float(sys.argv[3]) if sys.argv[3:] else 10.0


def read_the_file():
    return FileReader(path, lines_per_s=lines_per_s)


SimpleServer(read_the_file, port).run()
