"""What can go wrong with a WSA4000 on the network: DeviceErrors, each with a code of its own for `axonlike explain`."""

from __future__ import annotations

from axonlike.errors import DeviceError

__all__ = [
    "BadReply",
    "CannotReach",
    "CommandRefused",
    "ConnectionLost",
    "Desynchronised",
    "DeviceInUse",
    "NoData",
    "NoReply",
    "WSA4000Error",
]


class WSA4000Error(DeviceError):
    """Base of them."""

    code = "AX640"


class CannotReach(WSA4000Error):
    """No connection to one of the two ports."""

    code = "AX641"


class ConnectionLost(WSA4000Error):
    """The device closed or reset a connection that stood."""

    code = "AX642"


class NoReply(WSA4000Error):
    """A query was not answered, or not to its end, in time. What comes later belongs to no query: connect anew."""

    code = "AX643"


class BadReply(WSA4000Error):
    """A reply that is not what this query asks for."""

    code = "AX644"


class CommandRefused(WSA4000Error):
    """The device put an error into its queue. scpi_code: -222 and the like; command: what it refused."""

    code = "AX645"

    def __init__(self, text: str, *, scpi_code: int = 0, command: str = "") -> None:
        self.scpi_code, self.command = scpi_code, command
        super().__init__(text)


class DeviceInUse(WSA4000Error):
    """Another client holds the lock on acquisition."""

    code = "AX646"


class Desynchronised(WSA4000Error):
    """What stands where a packet should begin is no packet: there is no way to find the next one in the stream."""

    code = "AX647"


class NoData(WSA4000Error):
    """The connection stands and no packets come."""

    code = "AX648"
