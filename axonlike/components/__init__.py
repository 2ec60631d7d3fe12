"""Ready-made components: net, devices, file, util."""

if __name__ != "axonlike.components":
    raise ImportError(f"this is axonlike.components, not {__name__}: write `from axonlike.components.net import ...`")

__all__: list[str] = []
