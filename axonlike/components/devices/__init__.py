"""Components: devices."""

from axonlike.components.devices.serial import (
    SerialLines,
    SerialLost,
    SerialOpened,
    SerialPort,
    SerialStatistics,
    SerialUnavailable,
)

__all__ = ["SerialLines", "SerialLost", "SerialOpened", "SerialPort", "SerialStatistics", "SerialUnavailable"]
