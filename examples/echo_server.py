"""An echo server: the smallest server there is.

    python examples/echo_server.py [PORT]

Try it with `nc 127.0.0.1 1700`. Each client gets an Echo of its own; what that gets, and sends, are lines.
"""

import sys

from axonlike.components.net import Echo, SimpleServer

port = int(sys.argv[1]) if sys.argv[1:] else 1700

SimpleServer(Echo, port).run()
