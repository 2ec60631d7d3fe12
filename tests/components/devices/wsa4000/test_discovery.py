"""Finding radios: exact bytes, and a question over a real socket."""

from __future__ import annotations

import struct

import pytest

from axonlike.components.devices.wsa4000.discovery import (
    DISCOVERY_PORT,
    Discovered,
    discover,
    discovery_request,
    parse_discovery_reply,
)
from axonlike.simulators.wsa4000 import SimulatedWSA4000


def test_the_question_byte_for_byte() -> None:
    assert discovery_request() == bytes.fromhex("9331555500000002")
    assert DISCOVERY_PORT == 18331


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (bytes.fromhex("9331555500000001") + b"110324-0001\0junk", Discovered("h", "WSA4000", "110324-0001")),
        (
            struct.pack(">II16s16s20s", 0x93315555, 2, b"WSA5000", b"000000-000", b"3.1.0"),
            Discovered("h", "WSA5000", "000000-000", "3.1.0"),
        ),
        (bytes.fromhex("9331555500000002"), None),  # our own question
        (bytes.fromhex("9331555500000002") + b"short", None),
        (b"", None),
        (b"M-SEARCH * HTTP/1.1", None),
    ],
)
def test_answers_old_and_new_and_what_is_none(reply: bytes, found: Discovered | None) -> None:
    assert parse_discovery_reply(reply, "h") == found


def test_a_radio_answers() -> None:
    with SimulatedWSA4000(discovery_port=0, serial="110324-0042") as sim:
        assert sim.discovery_port is not None
        found: list[Discovered] = []
        while not found:  # on a busy machine the answer may be late
            found = discover(0.5, address="127.0.0.1", port=sim.discovery_port)
        assert found == [Discovered("127.0.0.1", "WSA4000", "110324-0042")]
        assert sim.count("scpi_open") == 0
