"""Windows that nobody sees: SDL's dummy driver, unless a test asks for a virtual X screen."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _dummy_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.delenv("SDL_VIDEO_DRIVER", raising=False)
