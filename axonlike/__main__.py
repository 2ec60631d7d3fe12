"""``python -m axonlike`` is the command ``axonlike``."""

from axonlike.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    raise SystemExit(main())
