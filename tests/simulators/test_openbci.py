"""The simulated Cyton: judged by BrainFlow's driver, which takes it for a board."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.simulators.openbci import SimulatedOpenBCI
from tests.components.devices.brainflow_judge import read_board


@pytest.mark.parametrize("daisy", [False, True])
def test_brainflow_takes_it_for_a_board(daisy: bool) -> None:
    with SimulatedOpenBCI(daisy=daisy) as simulator:
        numbers, microvolts = read_board(simulator.path, daisy=daisy, rows=60)
        assert simulator.commands.words[:3] == ["v", "d", "b"]
        assert simulator.commands.wait_for(lambda commands: commands[-1] == "s")
    assert np.diff(numbers[:60]).tolist() == [2.0 if daisy else 1.0] * 59
    measured = simulator._eeg.rows(0, 60)
    step_uv = 4.5e6 / 24 / (2**23 - 1)
    assert np.abs(microvolts[:60] - measured).max() <= step_uv / 2 * (1 + 1e-9)


def test_commands_are_answered_as_the_firmware_does() -> None:
    simulator = SimulatedOpenBCI()
    assert b"".join(map(simulator._heard, "x1060110X")) == b"Success: Channel set for 1$$$"
    assert b"".join(map(simulator._heard, "x9060110X")) == b"Failure: too few chars$$$"
    assert b"".join(map(simulator._heard, "z201Z")) == b"Success: Lead off set for 2$$$"
    assert b"".join(map(simulator._heard, "/2")) == b"Success: analog$$$"
    assert b"".join(map(simulator._heard, "~~")) == b"Success: Sample rate is 250Hz$$$"
    assert b"".join(map(simulator._heard, "C")) == b"no daisy to attach!8$$$"
    assert b"".join(map(simulator._heard, "!1")) == b""
    assert b"".join(map(simulator._heard, "x" + 20 * "0" + "v")).endswith(b"Firmware: v3.1.2\n$$$")


def test_channels_that_are_off_measure_nothing_and_gains_count() -> None:
    simulator = SimulatedOpenBCI()
    before = simulator.frame(7)
    for char in "2x3000110X":
        simulator._heard(char)
    after = simulator.frame(7)
    assert after[5:8] == bytes(3)
    assert int.from_bytes(after[8:11], "big", signed=True) == pytest.approx(
        int.from_bytes(before[8:11], "big", signed=True) / 24, abs=1
    )
