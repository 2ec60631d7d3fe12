"""The names of older packages on top of what axonlike has, so that programs written for them run."""

__all__: list[str] = []
