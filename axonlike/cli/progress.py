"""One line that tells how far long work has come, on a terminal; nothing in a pipe."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

__all__ = ["ProgressLine", "size_text"]


class ProgressLine:
    """Rewrites one line of a terminal in place, at most five times a second."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown = stream.isatty()
        """Is there a terminal to show it on?"""
        self._next_s = 0.0
        self._width = 0

    @property
    def due(self) -> bool:
        """Is it time for the next text?"""
        return self.shown and time.monotonic() >= self._next_s

    def show(self, text: str) -> None:
        """Put this in place of what stands there."""
        if not self.shown:
            return
        self._next_s = time.monotonic() + 0.2
        text = text[: max(shutil.get_terminal_size().columns - 1, 10)]
        self.stream.write(f"\r{text:<{self._width}}")
        self.stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Leave an empty line, for what is printed next."""
        if self.shown and self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0


def size_text(size_bytes: float) -> str:
    """``4.2 MB``; powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
