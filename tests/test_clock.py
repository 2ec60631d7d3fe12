"""The clocks: forward only."""

from __future__ import annotations

import pytest

from axonlike.clock import Monotonic, Virtual


def test_the_virtual_clock_moves_only_when_told() -> None:
    clock = Virtual(5.0)
    assert clock.time() == clock.time() == 5.0
    clock.advance(1.5)
    clock.advance(0.0)
    clock.advance_to(7.25)
    assert clock.time() == 7.25


def test_the_virtual_clock_never_goes_back() -> None:
    clock = Virtual(5.0)
    with pytest.raises(ValueError, match=r"only goes forward: advance\(-1\)"):
        clock.advance(-1)
    with pytest.raises(ValueError, match=r"advance_to\(4.0\) at 5.0"):
        clock.advance_to(4.0)
    assert clock.time() == 5.0


def test_advance_to_hits_the_time_exactly() -> None:
    clock = Virtual(0.1)
    clock.advance_to(0.1 + 0.2)
    assert clock.time() == 0.1 + 0.2


def test_the_monotonic_clock_does_not_go_back() -> None:
    clock = Monotonic()
    times_s = [clock.time() for _ in range(100)]
    assert times_s == sorted(times_s)
