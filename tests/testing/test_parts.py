"""Feeders, probes and things that break: what they do is what tests rely on."""

from __future__ import annotations

import pytest

from axonlike import Pipeline
from axonlike.errors import ComponentError
from axonlike.testing import CRASH, END, PAUSE, Crashing, Feeder, Probe, Stalled, run_virtual


def test_a_feeder_obeys_its_markers_and_counts() -> None:
    feeder, probe = Feeder(["a", PAUSE(2), "b", END, "never"]), Probe()
    assert run_virtual(Pipeline(feeder, probe)) == 2.0
    assert (probe.timed, feeder.sent) == ([(0.0, "a"), (2.0, "b")], 2)
    assert repr(END) == "END"


def test_a_feeder_takes_any_iterable_and_reads_it_as_it_goes() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(number * number for number in range(5)), probe))
    assert probe.messages == [0, 1, 4, 9, 16]


def test_a_feeder_sends_one_message_a_step() -> None:
    feeder, stalled = Feeder(range(100)), Stalled(limit=3)
    feeder.link((feeder, "outbox"), (stalled, "inbox"))
    run_virtual(feeder, stalled, until_s=1)
    assert feeder.sent == stalled.statistics()[0].offered == 3


def test_a_crash_comes_when_it_is_its_turn() -> None:
    probe = Probe()
    with pytest.raises(ComponentError, match="KeyError: 'x'"):
        run_virtual(Pipeline(Feeder(["a", PAUSE(1), CRASH(KeyError("x")), "b"]), probe))
    assert probe.messages == ["a"]
    assert probe.ended_by == "stopped"


def test_a_slow_probe_takes_its_time_over_each() -> None:
    probe = Probe(seconds_each=2.0)
    assert run_virtual(Pipeline(Feeder("abc"), probe)) == 6.0
    assert probe.times_s == [0.0, 2.0, 4.0]


def test_a_forwarding_probe_sends_on() -> None:
    first, second = Probe(forward=True), Probe()
    run_virtual(Pipeline(Feeder("abc"), first, second, limit=1))
    assert first.messages == second.messages == ["a", "b", "c"]


def test_how_a_probe_ended() -> None:
    probe = Probe()
    assert probe.ended_by == ""
    run_virtual(Pipeline(Feeder([]), probe))
    assert probe.ended_by == "finished"


@pytest.mark.parametrize(("at", "arrived"), [(0, []), (1, []), (3, [1, 2]), (9, [1, 2, 3, 4, 5])])
def test_crashing_at_a_message(at: int, arrived: list[int]) -> None:
    probe, part = Probe(), Crashing(at, ValueError("scripted"))
    pipeline = Pipeline(Feeder([1, 2, 3, 4, 5]), part, probe)
    if at <= 5:
        with pytest.raises(ComponentError, match="scripted"):
            run_virtual(pipeline)
    else:
        run_virtual(pipeline)
    unread = sum(box.unread_at_end for box in probe.statistics())
    assert probe.messages == arrived[: len(arrived) - unread]
    assert part.crashes == (at <= 5)
