"""Components: util."""

__all__: list[str] = []
