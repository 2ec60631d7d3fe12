"""Components: file."""

__all__: list[str] = []
