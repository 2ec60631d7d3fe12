"""isolated() keeps default schedulers apart."""

from __future__ import annotations

import pytest

from axonlike import Scheduler, default_scheduler, run
from axonlike.testing import Feeder, Probe, isolated


def test_inside_is_another_default_and_outside_is_as_before() -> None:
    with isolated() as outer:
        Feeder([1]).activate()
        with isolated() as inner:
            assert default_scheduler() is inner is not outer
            Feeder([2]).activate()
        assert default_scheduler() is outer
        probe = Probe()
        run(probe)
        assert len(outer.never_ran) == 0


def test_a_scheduler_can_be_passed() -> None:
    mine = Scheduler(watchdog_s=None)
    with isolated(mine) as scheduler:
        assert default_scheduler() is scheduler is mine


def test_it_is_put_back_after_an_error() -> None:
    with isolated() as outer:
        with pytest.raises(KeyError), isolated():
            raise KeyError
        assert default_scheduler() is outer
