"""Every, Ticks, RateLimit, Latest: in virtual time, to the second."""

from __future__ import annotations

from typing import Any

import pytest

from axonlike import Component, Pipeline
from axonlike.clock import Virtual
from axonlike.components.util import DataSource, Every, Latest, RateLimit, Tick, Ticks
from axonlike.errors import UsageError
from axonlike.testing import PAUSE, Feeder, Probe, run_virtual


def timed(*stages: Component, until_s: float | None = None, probe: Probe | None = None) -> list[tuple[float, Any]]:
    probe = probe or Probe()
    run_virtual(Pipeline(*stages, probe), until_s=until_s)
    return [(round(time_s, 9), message) for time_s, message in probe.timed]


def test_every_sends_at_multiples_of_its_interval() -> None:
    assert timed(Every(0.5, "x", count=3)) == [(0.5, "x"), (1.0, "x"), (1.5, "x")]


def test_every_at_once_begins_at_the_start() -> None:
    assert timed(Every(0.5, "x", at_once=True, count=2)) == [(0.0, "x"), (0.5, "x")]


def test_every_calls_a_function_and_leaves_out_none() -> None:
    values = iter([1, None, 3])
    assert timed(Every(1, lambda: next(values), count=3)) == [(1, 1), (3, 3)]


def test_a_clock_does_not_drift() -> None:
    times = [time_s for time_s, _ in timed(Ticks(0.1, count=1000))]
    assert times[-1] == pytest.approx(100.0, abs=1e-9)


def test_after_a_standstill_one_tick_comes_and_not_a_burst() -> None:
    """As after a suspend: the clock jumps by 3.5 intervals between two steps."""
    clock = Virtual()
    ticks, probe = Ticks(1.0, count=4), Probe()

    class Suspends(Component):
        def main(self) -> Any:
            yield self.sleep(1.5)
            clock.advance(3.5)

    run_virtual(Pipeline(ticks, probe), Suspends(), clock=clock)
    assert probe.messages == [Tick(0, 1.0, 0), Tick(1, 5.0, 3), Tick(2, 6.0, 0), Tick(3, 7.0, 0)]
    assert probe.times_s == [1.0, 5.0, 6.0, 7.0]
    assert ticks.missed == 3


def test_a_clock_whose_receiver_is_slow_leaves_out_ticks() -> None:
    probe = Probe(seconds_each=2.5)
    run_virtual(Pipeline(Ticks(1.0, count=5), probe, limit=1))
    assert [tick.time_s for tick in probe.messages] == sorted({tick.time_s for tick in probe.messages})
    assert sum(tick.missed for tick in probe.messages) > 0


def test_the_end_of_what_feeds_a_clock_ends_it() -> None:
    assert timed(Feeder([PAUSE(2.5)]), Every(1, "x")) == [(1, "x"), (2, "x")]


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_an_interval_is_a_time(wrong: float) -> None:
    with pytest.raises(UsageError, match="interval_s"):
        Every(wrong)


def test_a_count_is_at_least_one() -> None:
    with pytest.raises(UsageError, match="count"):
        Ticks(1, count=0)


def test_a_rate_limit_spaces_messages_evenly_and_loses_none() -> None:
    assert timed(DataSource(range(4)), RateLimit(2)) == [(0, 0), (0.5, 1), (1.0, 2), (1.5, 3)]


def test_a_rate_limit_holds_back_what_feeds_it() -> None:
    feeder, limit, probe = Feeder(range(100)), RateLimit(1), Probe()
    run_virtual(Pipeline(feeder, limit, probe, limit=2), until_s=3.5)
    assert probe.messages == [0, 1, 2, 3]
    assert feeder.sent <= 7


def test_a_burst_is_allowed_after_a_pause_only() -> None:
    items = [PAUSE(10), *range(5)]
    assert [t for t, _ in timed(Feeder(items), RateLimit(1, burst=3))] == [10, 10, 10, 11, 12]


def test_latest_sends_the_newest_and_always_the_last() -> None:
    items = [item for n in range(10) for item in (n, PAUSE(0.1))]
    sent = timed(Feeder(items), Latest(2))
    assert sent[0] == (0.0, 0)
    assert sent[-1][1] == 9
    gaps = [b - a for (a, _), (b, _) in zip(sent, sent[1:])]
    assert min(gaps) >= 0.5


def test_latest_counts_what_it_leaves_out() -> None:
    latest, probe = Latest(1), Probe()
    run_virtual(Pipeline(Feeder([0, *range(1, 6)]), latest, probe))
    inbox = latest.inbox().statistics()
    assert inbox.offered == 6
    assert inbox.dropped == 6 - len(probe.messages)


def test_latest_before_a_slow_receiver_gives_it_the_newest() -> None:
    items = [item for n in range(100) for item in (n, PAUSE(0.01))]
    slow = Probe(seconds_each=0.25)
    slow.configure_inbox("inbox", limit=1)
    run_virtual(Pipeline(Feeder(items), Latest(), slow))
    assert slow.messages[-1] == 99
    assert len(slow.messages) < 10


@pytest.mark.parametrize("kind", [RateLimit, Latest])
@pytest.mark.parametrize("wrong", [0, -2, float("nan")])
def test_a_rate_is_above_zero(kind: Any, wrong: float) -> None:
    with pytest.raises(UsageError, match="messages_per_s"):
        kind(wrong)


def test_a_burst_is_at_least_one_message() -> None:
    with pytest.raises(UsageError, match="burst"):
        RateLimit(1, burst=0)
