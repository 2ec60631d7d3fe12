"""Devices that speak the real protocol, for examples and tests: what `"demo"` connects to."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late
from axonlike.simulators.serial_device import SimulatedSerialDevice, demo_events

if TYPE_CHECKING:
    from axonlike.simulators.brainamp import SimulatedBrainAmp
    from axonlike.simulators.emotiv import SimulatedEmotiv
    from axonlike.simulators.openbci import SimulatedOpenBCI
    from axonlike.simulators.wsa4000.device import SimulatedWSA4000

__getattr__ = loaded_late(
    __name__,
    {
        "brainamp": "SimulatedBrainAmp",
        "emotiv": "SimulatedEmotiv",
        "openbci": "SimulatedOpenBCI",
        "wsa4000.device": "SimulatedWSA4000",
    },
)

__all__ = [
    "SimulatedBrainAmp",
    "SimulatedEmotiv",
    "SimulatedOpenBCI",
    "SimulatedSerialDevice",
    "SimulatedWSA4000",
    "demo_events",
]
