"""The panels of the plot's window: plain objects that draw one value each, and the strip of parameters."""

__all__: list[str] = []
