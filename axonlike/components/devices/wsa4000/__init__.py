"""The WSA4000 radio: a component, a blocking face for short scripts, and one for asyncio."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.devices.wsa4000.aio import AsyncWSA4000
    from axonlike.components.devices.wsa4000.blocking import BlockingWSA4000, connect
    from axonlike.components.devices.wsa4000.component import WSA4000, RadioConnected, RadioDisconnected
    from axonlike.components.devices.wsa4000.context import Indicated, Missing, VrtStatistics
    from axonlike.components.devices.wsa4000.discovery import Discovered, discover
    from axonlike.components.devices.wsa4000.errors import (
        BadReply,
        CannotReach,
        CommandRefused,
        ConnectionLost,
        Desynchronised,
        DeviceInUse,
        NoData,
        NoReply,
        WSA4000Error,
    )
    from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry, Trigger

__getattr__ = loaded_late(
    __name__,
    {
        "aio": "AsyncWSA4000",
        "blocking": "BlockingWSA4000 connect",
        "component": "RadioConnected RadioDisconnected WSA4000",
        "context": "Indicated Missing VrtStatistics",
        "discovery": "Discovered discover",
        "errors": (
            "BadReply CannotReach CommandRefused ConnectionLost Desynchronised DeviceInUse NoData NoReply WSA4000Error"
        ),
        "settings": "Settings SweepEntry Trigger",
    },
)

__all__ = [
    "AsyncWSA4000",
    "BadReply",
    "BlockingWSA4000",
    "CannotReach",
    "CommandRefused",
    "ConnectionLost",
    "Desynchronised",
    "DeviceInUse",
    "Discovered",
    "Indicated",
    "Missing",
    "NoData",
    "NoReply",
    "RadioConnected",
    "RadioDisconnected",
    "Settings",
    "SweepEntry",
    "Trigger",
    "VrtStatistics",
    "WSA4000",
    "WSA4000Error",
    "connect",
    "discover",
]
