"""Components: net."""

__all__: list[str] = []
