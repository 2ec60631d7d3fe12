"""The command line: ``axonlike`` or ``python -m axonlike``."""

from axonlike.cli.main import main

__all__ = ["main"]
