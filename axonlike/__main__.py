"""``python -m axonlike`` is the command ``axonlike``."""

from axonlike.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
