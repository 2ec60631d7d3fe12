"""The simulated Recorder, heard by a plain socket."""

from __future__ import annotations

import socket
import struct

import numpy as np
import pytest

from axonlike.errors import DeviceError, UsageError
from axonlike.simulators.brainamp import SimulatedBrainAmp

pytestmark = pytest.mark.net

GUARD_S = 30.0


def messages(sock: socket.socket, count: int) -> list[tuple[int, bytes]]:
    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = sock.recv(size - len(data))
            assert more
            data += more
        return data

    found = []
    for _ in range(count):
        guid, size, kind = struct.unpack("<16sII", exactly(24))
        assert guid.hex() == "8e45584396c9864caf4a98bbf6c91450"
        found.append((kind, exactly(size - 24)))
    return found


@pytest.mark.parametrize("int16", [False, True])
def test_it_speaks_as_a_recorder_does(int16: bool) -> None:
    with SimulatedBrainAmp(channel_names=("Fp1", "Oz"), sample_rate_hz=1000.0, marker_every_s=0.05) as recorder:
        with socket.create_connection((recorder.host, recorder.port_for(51234 if int16 else 51244)), GUARD_S) as sock:
            (start, body), *blocks = messages(sock, 11)
        assert recorder.log.wait_for(lambda log: len(log) == 2) == ["connected", "disconnected"]
    assert (start, body) == (1, struct.pack("<Iddd", 2, 1000.0, 0.1, 0.1) + b"Fp1\0Oz\0")
    numbers = []
    markers = b""
    for kind, body in blocks:
        assert kind == (2 if int16 else 4)
        number, rows, count = struct.unpack_from("<III", body)
        size = rows * 2 * (2 if int16 else 4)
        assert rows == 20
        assert body[12 : 12 + size] == recorder.block(number, int16).tobytes()
        assert count == (body[12 + size :] != b"")
        numbers.append(number)
        markers += body[12 + size :]
    assert np.diff(numbers).tolist() == [1] * 9
    assert markers.count(b"Stimulus\0S") >= 3
    assert struct.unpack_from("<I", markers)[0] == 16 + len(b"Stimulus\0S  1\0")


def test_blocks_can_be_dropped_and_monitoring_stopped() -> None:
    with SimulatedBrainAmp(channel_names=("Cz",), sample_rate_hz=5000.0, marker_every_s=1e6) as recorder:
        with socket.create_connection((recorder.host, recorder.float32_port), GUARD_S) as sock:
            first = struct.unpack_from("<I", messages(sock, 2)[1][1])[0]
            recorder.drop_blocks(3)
            numbers = [first, *(struct.unpack_from("<I", body)[0] for _, body in messages(sock, 20))]
            assert sorted(np.diff(numbers).tolist())[-2:] == [1, 4]
            recorder.stop_monitoring()
            while messages(sock, 1)[0][0] != 3:
                pass
            recorder.start_monitoring()
            (kind, _), (_, body) = messages(sock, 2)
            assert (kind, struct.unpack_from("<I", body)[0]) == (1, 0)


def test_a_port_that_is_taken_is_told() -> None:
    with SimulatedBrainAmp() as recorder, pytest.raises(DeviceError, match="cannot listen"):
        SimulatedBrainAmp(float32_port=recorder.float32_port).start()


def test_it_is_started_once_and_closed_as_often_as_one_likes() -> None:
    with SimulatedBrainAmp() as recorder:
        with pytest.raises(UsageError, match="running already"):
            recorder.start()
        recorder.close()
    with pytest.raises(UsageError, match="1 resolutions for 32"):
        SimulatedBrainAmp(resolutions_uv=[1.0])
