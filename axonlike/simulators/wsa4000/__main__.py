"""``python -m axonlike.simulators.wsa4000``: a simulated WSA4000 until Ctrl-C."""

from __future__ import annotations

import argparse
import signal as signals
import sys
import threading
from collections.abc import Sequence

from axonlike.errors import DeviceError
from axonlike.simulators.wsa4000.device import SimulatedWSA4000

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m axonlike.simulators.wsa4000``: run one until Ctrl-C. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m axonlike.simulators.wsa4000", description="A simulated WSA4000.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=int, default=37001, help="the control port; 0 for any free one (37001)")
    parser.add_argument("--vrt-port", type=int, default=37000, help="the data port; 0 for any free one (37000)")
    parser.add_argument("--discovery-port", type=int, help="answer to discovery there (18331 is usual)")
    parser.add_argument("--as-fast-as-possible", action="store_true", help="do not keep to the rate of the settings")
    options = parser.parse_args(arguments)
    for number in (signals.SIGTERM, signals.SIGINT):
        signals.signal(number, signals.default_int_handler)
    radio = SimulatedWSA4000(
        host=options.host,
        scpi_port=options.port,
        vrt_port=options.vrt_port,
        discovery_port=options.discovery_port,
        paced=not options.as_fast_as_possible,
    )
    try:
        radio.start()
    except DeviceError as exc:
        print(exc, file=sys.stderr)
        return 1
    try:
        print(f"simulated WSA4000: SCPI on {radio.scpi_port}, VRT on {radio.vrt_port} of {radio.host}", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    finally:
        radio.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
