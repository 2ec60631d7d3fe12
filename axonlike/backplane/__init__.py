"""Publish and subscribe by name: ``from axonlike.backplane import Backplane, PublishTo, SubscribeTo``."""

if __name__ != "axonlike.backplane":
    raise ImportError(f"this package is axonlike.backplane, not {__name__}: write `from axonlike.backplane import ...`")

from axonlike.backplane.local import Backplane, PublishTo, SubscribeTo

__all__ = ["Backplane", "PublishTo", "SubscribeTo"]
