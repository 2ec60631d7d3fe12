"""StreamMonitor: one line a stream and interval, with rates and gaps."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from axonlike import Pipeline
from axonlike.components.dsp.monitor import StreamMonitor, StreamReport
from axonlike.demand import is_live
from axonlike.errors import ComponentError, UsageError
from axonlike.streams.chunk import Chunk, StreamInfo
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual

INFO = StreamInfo(kind="analog", dtype=np.dtype(np.float32), shape=(2,), sample_rate_hz=1000.0, name="EEG")


def chunk(rows: int = 100, index: int = 0, info: StreamInfo = INFO) -> Chunk:
    return Chunk(np.zeros((rows, *info.shape), info.dtype), info, index)


def stream(count: int, every_s: float = 0.1, rows: int = 100) -> Iterable[Any]:
    for number in range(count):
        yield chunk(rows, number * rows)
        yield PAUSE(every_s)


def reports(items: Iterable[Any], **options: Any) -> list[StreamReport]:
    probe = Probe()
    run_virtual(Pipeline(Feeder(items), StreamMonitor(quiet=True, **options), probe))
    return probe.messages


def test_it_reports_once_an_interval_and_at_the_end() -> None:
    found = reports(stream(25, every_s=0.0999))
    assert [each.chunks for each in found] == [11, 10, 4]
    assert [each.index for each in found] == [1100, 2100, 2500]
    assert sum(each.rows for each in found) == 2500
    assert found[0].rows_per_s == pytest.approx(1100)
    assert found[1].rows_per_s == pytest.approx(1000)
    assert (found[-1].gaps, found[-1].lost, found[-1].restarts) == (0, 0, 0)


def test_nothing_is_reported_while_nothing_comes() -> None:
    found = reports([chunk(), PAUSE(10), chunk(100, 100)])
    assert [each.chunks for each in found] == [1, 1]
    assert found[0].rows_per_s == pytest.approx(100)


def test_gaps_losses_and_restarts_are_told() -> None:
    (found,) = reports([chunk(), chunk(100, 150), chunk(100, 300), chunk(100, 0)])
    assert (found.gaps, found.lost, found.restarts) == (2, 100, 1)
    assert "2 gaps, 100 rows lost, 1 restart" in str(found)


def test_with_interval_zero_each_chunk_has_a_line() -> None:
    found = reports([chunk(100, 100 * number) for number in range(5)], interval_s=0)
    assert [(each.index, each.chunks, each.rows_per_s) for each in found] == [
        (100 * number, 1, None) for number in range(1, 6)
    ]


def test_streams_are_told_apart_by_name() -> None:
    other = INFO.replace(name="EMG", shape=(4,))
    found = reports([chunk(), chunk(10, 500, other), chunk(100, 100), chunk(10, 510, other)])
    assert {each.info.name: (each.rows, each.gaps) for each in found} == {"EEG": (200, 0), "EMG": (20, 0)}


def test_a_line_says_all_of_it() -> None:
    report = StreamReport(INFO, 2500, 10, 1000, 999.95, 0, 0, 0)
    assert str(report) == (
        "EEG: index 2500, 1000 rows of float32 (2,) in 10 chunks, 999.95 rows/s (nominal 1000), no gap"
    )
    unnamed = StreamReport(INFO.replace(name="", sample_rate_hz=0), 5, 1, 5, None, 0, 0, 0)
    assert str(unnamed) == "analog: index 5, 5 rows of float32 (2,) in 1 chunk, no gap"


@pytest.mark.parametrize("interval_s", [0, 1.0])
def test_it_prints_what_it_would_send(interval_s: float) -> None:
    printed = io.StringIO()
    monitor, probe = StreamMonitor(stream=printed, interval_s=interval_s), Probe()
    run_virtual(Pipeline(Feeder(stream(25, every_s=0.0999)), monitor, probe))
    assert printed.getvalue() == "".join(f"{each}\n" for each in probe.messages)
    assert len(probe.messages) == (3 if interval_s else 25)
    assert monitor.ended


def test_it_prints_without_a_receiver_and_nothing_goes_to_nobody() -> None:
    printed = io.StringIO()
    monitor = StreamMonitor(stream=printed)
    run_virtual(Pipeline(Feeder([chunk()]), monitor))
    assert printed.getvalue().startswith("EEG: index 100, 100 rows")
    assert monitor.lost_at_sending()["unlinked"] == {}


def test_it_is_a_sink() -> None:
    monitor, live = StreamMonitor(quiet=True), []

    class Look(Probe):
        def main(self) -> Any:
            live.append(is_live(monitor))
            yield

    run_virtual(monitor, Look(), until_s=1)
    assert live == [True]


def test_too_many_names_are_refused() -> None:
    with pytest.raises(ComponentError, match="over 100 streams"):
        reports(chunk(1, 0, INFO.replace(name=str(number))) for number in range(101))


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match="interval_s"):
        StreamMonitor(interval_s=-1)
    with pytest.raises(ComponentError, match="it takes chunks"):
        reports(["text"])


def test_it_conforms() -> None:
    messages = [chunk(100, 100 * number) for number in range(5)]
    check_component(lambda: StreamMonitor(quiet=True), messages=messages)
    check_component(lambda: StreamMonitor(interval_s=0, stream=io.StringIO()), messages=messages)
