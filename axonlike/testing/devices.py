"""Stand-ins for what blocks: handed to a component in place of a driver."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

__all__ = ["BlockingDevice", "DeviceClosed"]


class DeviceClosed(OSError):
    """A read on a BlockingDevice that has been closed."""


class BlockingDevice:
    """Something with a `read()` that blocks, as drivers have: returns what `supply` gave, in order.

    close() makes a blocked `read` raise DeviceClosed, as closing a port does; a deaf one (`deaf=True`) does not: its
    read returns only after `let_go`, which a test must call so that no thread is left. All methods may be called from
    any thread. `reads` counts finished reads, `entered` is set while somebody is inside.
    """

    def __init__(self, *items: Any, deaf: bool = False) -> None:
        self.reads = 0
        self.closed = False
        self.entered = threading.Event()
        self._deaf = deaf
        self._items: deque[Any] = deque(items)
        self._changed = threading.Condition()

    def read(self) -> Any:
        """The next item; blocks until there is one. An item that is an exception is raised."""
        with self._changed:
            self.entered.set()
            while not self._items and not (self.closed and not self._deaf):
                self._changed.wait()
            self.entered.clear()
            if not self._items:
                raise DeviceClosed("the device was closed while it was read")
            self.reads += 1
            item = self._items.popleft()
        if isinstance(item, BaseException):
            raise item
        return item

    def supply(self, *items: Any) -> None:
        """Give it something to return (or to raise)."""
        with self._changed:
            self._items.extend(items)
            self._changed.notify_all()

    def close(self) -> None:
        """Close it; harmless a second time."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def let_go(self) -> None:
        """Close it, deaf or not."""
        with self._changed:
            self._deaf = False
        self.close()
