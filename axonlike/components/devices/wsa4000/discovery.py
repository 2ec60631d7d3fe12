"""Which radios are on this network: a question to all by UDP, and what they answer.

A request is two words, a code and the version 2. A WSA4000 answers with the code, version 1 and its serial number,
ended by a zero byte; later devices with version 2, then model, serial number and firmware in fields of fixed lengths.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass

__all__ = ["DISCOVERY_PORT", "Discovered", "discover", "discovery_request", "parse_discovery_reply"]

DISCOVERY_PORT = 18331
_CODE = 0x93315555
_VERSION = 2
_LIMIT_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Discovered:
    """A radio that answered."""

    host: str
    model: str
    serial: str
    firmware: str = ""


def discovery_request() -> bytes:
    """What is sent to all."""
    return struct.pack(">II", _CODE, _VERSION)


def parse_discovery_reply(data: bytes, host: str) -> Discovered | None:
    """What an answer says; None for one that is no answer of such a radio (the port may be used by others too)."""
    if len(data) < 8:
        return None
    code, version = struct.unpack_from(">II", data)
    if code != _CODE or data == discovery_request():  # the latter: a broadcast that we hear ourselves
        return None
    if version == 1:
        return Discovered(host, "WSA4000", _text(data[8:]))
    if len(data) < 8 + 52:
        return None
    model, serial, firmware = struct.unpack_from(">16s16s20s", data, 8)
    return Discovered(host, _text(model), _text(serial), _text(firmware))


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace").strip()


def discover(
    timeout_s: float = 1.0, *, address: str = "255.255.255.255", port: int = DISCOVERY_PORT
) -> list[Discovered]:
    """All radios that answer within `timeout_s`, each once, in the order of their answers. Blocks for that time.

    address: whom to ask; the broadcast address of one network, if this machine has several. Raises OSError where
    broadcasting is not permitted.
    """
    found: dict[Discovered, None] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(discovery_request(), (address, port))
        until_s = time.monotonic() + timeout_s
        while (left_s := until_s - time.monotonic()) > 0:
            sock.settimeout(left_s)
            try:
                data, (host, *_) = sock.recvfrom(_LIMIT_BYTES)
            except TimeoutError:
                break
            radio = parse_discovery_reply(data, host)
            if radio is not None:
                found[radio] = None
    return list(found)
