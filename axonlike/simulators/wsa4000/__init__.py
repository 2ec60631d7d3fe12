"""A simulated WSA4000: the radio's protocol on real sockets, and all that can be wrong with it. Needs numpy."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.simulators.wsa4000.device import SimulatedWSA4000
    from axonlike.simulators.wsa4000.state import Event, Quirks

__getattr__ = loaded_late(__name__, {"device": "SimulatedWSA4000", "state": "Event Quirks"})

__all__ = ["Event", "Quirks", "SimulatedWSA4000"]
