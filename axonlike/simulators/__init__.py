"""Devices that speak the real protocol, for examples and tests: what `"demo"` connects to."""

from axonlike.simulators.serial_device import SimulatedSerialDevice, demo_events

__all__ = ["SimulatedSerialDevice", "demo_events"]
