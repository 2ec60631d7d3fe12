"""For tests of graphs and components: virtual time, feeders and probes, stand-ins for devices, a conformance suite."""

from axonlike.testing.conformance import NotConforming, check_component
from axonlike.testing.devices import BlockingDevice, DeviceClosed
from axonlike.testing.isolation import isolated
from axonlike.testing.leaks import LeakError, no_leaks
from axonlike.testing.parts import CRASH, END, PAUSE, Crashing, Feeder, Probe, Stalled
from axonlike.testing.virtual import VirtualLoop, outputs, run_virtual

__all__ = [
    "CRASH",
    "END",
    "PAUSE",
    "BlockingDevice",
    "Crashing",
    "DeviceClosed",
    "Feeder",
    "LeakError",
    "NotConforming",
    "Probe",
    "Stalled",
    "VirtualLoop",
    "check_component",
    "isolated",
    "no_leaks",
    "outputs",
    "run_virtual",
]
