"""The benchmark of plots, tiny: that it has a viewer, counts its frames, and ends it. Never how long anything took."""

from __future__ import annotations

import pytest

from benchmarks import plotting
from benchmarks.harness import CountError, Options

pytest.importorskip("pygame", reason="pygame is not installed")
TINY = Options(quick=True, rounds=1, run_s=0.0, scale=0.001)


@pytest.mark.slow
def test_each_table_has_its_rows_and_frames_were_drawn() -> None:
    calls, due, speed, idle = plotting.run(TINY)
    assert [name for name, _ in calls.rows] == [
        "an empty function", "an object with an empty __call__", "asyncplot's update(), no viewer", "LivePlot",
        "LivePlot.update",
    ]  # fmt: skip
    assert len(due.rows) == 4
    assert len(speed.rows) == 3
    assert [name.partition(" (")[0] for name, _ in idle.rows] == ["no call", "100 calls a second with the same data"]
    frames = [cells[6] for _, cells in speed.rows]
    assert all(isinstance(rate, float) and rate > 0 for rate in frames)


def test_without_a_viewer_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", "off")
    with pytest.raises(CountError, match="viewer"):
        plotting.run(TINY)
