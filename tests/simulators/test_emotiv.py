"""The simulated headset: a pipe that is read as a HID device is."""

from __future__ import annotations

import os
import threading

import pytest

from axonlike.errors import UsageError
from axonlike.simulators.emotiv import SimulatedEmotiv
from axonlike.simulators.happenings import Happenings


def test_a_reader_gets_whole_reports_one_after_the_other() -> None:
    with SimulatedEmotiv(encrypted=False) as headset:
        with open(headset.path, "rb") as pipe:
            data = pipe.read(32 * 40)
        assert headset.log.wait_for(lambda log: len(log) == 2) == ["opened", "closed"]
        first = next(n for n in range(headset.reports) if headset.report(n) == data[:32])
        assert data == b"".join(headset.report(first + n) for n in range(40))


def test_every_129th_report_tells_of_the_battery() -> None:
    headset = SimulatedEmotiv(encrypted=False, battery=240)
    assert [headset.report(n)[0] for n in (0, 1, 127, 128, 129, 257)] == [0, 1, 127, 240, 0, 240]


def test_unplugged_its_path_is_gone_and_readers_get_end_of_file() -> None:
    with SimulatedEmotiv() as headset:
        with open(headset.path, "rb") as pipe:
            assert len(pipe.read(32)) == 32
            headset.unplug()
            while pipe.read(32):
                pass
        assert not os.path.exists(headset.path)
        headset.plug()
        with open(headset.path, "rb") as pipe:
            assert len(pipe.read(32)) == 32
    with pytest.raises(UsageError, match="no path yet"):
        _ = headset.path


def test_what_happens_can_be_waited_for() -> None:
    happenings = Happenings()
    thread = threading.Thread(target=happenings.add, args=("opened",))
    thread.start()
    assert happenings.wait_for(lambda words: "opened" in words) == ["opened"]
    thread.join()
    with pytest.raises(TimeoutError, match="opened"):
        happenings.wait_for(lambda words: "closed" in words, timeout_s=0.0)
