"""Letters that the chosen font lacks, drawn with the system's other fonts.

Which those are is asked of fontconfig, by its own programs: `fc-query` says what the chosen font has, `fc-match -s`
lists the fonts in the order in which the system prefers them, with what each has. Each is asked once in the life of a
window, when the first text comes that is not plain ASCII, and takes some hundredths of a second. Where there is no
fontconfig (macOS, Windows), such a letter is the box that the chosen font has for it.
"""

from __future__ import annotations

import bisect
import logging
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from axonlike.components.ui.clusters import clusters, is_unseen

if TYPE_CHECKING:
    import pygame

__all__ = ["Charset", "SystemFonts", "Typeface", "ask_fontconfig"]

log = logging.getLogger("axonlike.ui")

_PATIENCE_S = 2.0  # fontconfig reads all fonts anew after some were installed
_KEPT = 4096  # letters of which a typeface remembers who draws them: somebody may send all of Unicode
_BITMAP = 1.6  # a font that is so much taller than was asked for has pictures of one size (emoji), which are scaled


class Charset:
    """The characters of a font, as fontconfig writes them: ``20-7e a0 1f600-1f64f``."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for piece in text.split():
            first, _, last = piece.partition("-")
            self._starts.append(int(first, 16))
            self._ends.append(int(last or first, 16))

    def has(self, character: str) -> bool:
        """Is it one of them?"""
        code = ord(character)
        place = bisect.bisect_right(self._starts, code) - 1
        return place >= 0 and code <= self._ends[place]

    def draws(self, cluster: str) -> bool:
        """Are all of the cluster's that can be seen?"""
        if len(cluster) == 1:
            return self.has(cluster)
        return all(self.has(character) or is_unseen(character) for character in cluster)


def ask_fontconfig(command: Sequence[str]) -> str:
    """What one of fontconfig's programs prints; nothing where it is not installed, or does not answer in time."""
    try:
        asked = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired) as exc:
        log.warning("letters that the font lacks are shown as boxes: %s", exc)
        return ""
    return asked.stdout.decode("utf-8", "replace")


class SystemFonts:
    """What fontconfig knows. Asked as late and as seldom as can be, and remembered."""

    def __init__(self, ask: Callable[[Sequence[str]], str] = ask_fontconfig) -> None:
        self._ask = ask
        self._of_file: dict[str, Charset | None] = {}
        self._lists: dict[str, list[tuple[str, Charset]]] = {}

    def draws(self, file: str, cluster: str) -> bool:
        """Does this font have it? Yes, if nobody can tell."""
        if file not in self._of_file:
            answer = self._ask(("fc-query", "--index=0", "--format=%{charset}\n", file))
            self._of_file[file] = _charset(answer)
        charset = self._of_file[file]
        return charset is None or charset.draws(cluster)

    def files_for(self, cluster: str, bold: bool) -> Iterator[str]:
        """The fonts that have it, the one that the system prefers first."""
        # Emoji in colours where there are some: in the list of a text font those in black and white come first.
        family = "emoji" if "\U0001f000" <= cluster[0] <= "\U0001ffff" else "sans-serif"
        for file, charset in self._list(f"{family}:bold" if bold else family):
            if charset.draws(cluster):
                yield file

    def _list(self, pattern: str) -> list[tuple[str, Charset]]:
        if pattern not in self._lists:
            found = []
            for line in self._ask(("fc-match", "-s", pattern, "--format=%{file}\t%{charset}\n")).splitlines():
                file, _, text = line.partition("\t")
                if (charset := _charset(text)) is not None:
                    found.append((file, charset))
            self._lists[pattern] = found
        return self._lists[pattern]


def _charset(text: str) -> Charset | None:
    """None for what is no charset: an empty answer, or another version's."""
    try:
        return Charset(text) if text.strip() else None
    except ValueError:
        return None


class Typeface:
    """A pygame Font of one size, with others of that size behind it for what it lacks. Has the methods of pygame's
    Font that widgets need.

    make: opens a font's file at the size; file: that of the chosen one.
    """

    def __init__(
        self, pygame: Any, make: Callable[[str], pygame.font.Font], file: str, system: SystemFonts, *, bold: bool
    ) -> None:
        self._pygame = pygame
        self._make = make
        self._file = file
        self._system = system
        self._bold = bold
        self._font = make(file)
        self._own: set[str] = set()  # characters that the chosen font is known to have
        self._lacks: set[str] = set()  # ... and not to have
        self._whose: dict[str, str] = {}  # the file of the font that draws a cluster
        self._others: dict[str, pygame.font.Font | None] = {}

    def get_linesize(self) -> int:
        """Pixels from one row to the next."""
        return self._font.get_linesize()

    def get_height(self) -> int:
        """Pixels from the highest letter's top to the lowest one's bottom."""
        return self._font.get_height()

    def get_ascent(self) -> int:
        """Pixels of that above the line that letters stand on."""
        return self._font.get_ascent()

    def get_descent(self) -> int:
        """Pixels of that below it, negative."""
        return self._font.get_descent()

    def size(self, text: str) -> tuple[int, int]:
        """Width and height in pixels that the text takes."""
        if self._draws(text):
            return self._font.size(text)
        return sum(self._width(file, run) for file, run in self._runs(text)), self._font.get_height()

    def render(self, text: str, antialias: bool, colour: Any) -> pygame.Surface:
        """A picture of the text, see-through around the letters."""
        if self._draws(text):
            return self._rendered(self._font, text, antialias, colour)
        pictures = [self._picture(file, run, antialias, colour) for file, run in self._runs(text)]
        width = sum(picture.get_width() for picture, _ in pictures)
        whole: pygame.Surface = self._pygame.Surface((width, self._font.get_height()), self._pygame.SRCALPHA)
        x = 0
        for picture, ascent in pictures:
            whole.blit(picture, (x, self._font.get_ascent() - ascent))  # all stand on one line
            x += picture.get_width()
        return whole

    def _picture(self, file: str, run: str, antialias: bool, colour: Any) -> tuple[pygame.Surface, int]:
        """The run, and how many pixels of it are above the line."""
        font, scale = self._scaled(file)
        picture = self._rendered(font, run, antialias, colour)
        if scale == 1:
            return picture, font.get_ascent()
        size = round(picture.get_width() * scale), round(picture.get_height() * scale)
        return self._pygame.transform.smoothscale(picture, size), round(font.get_ascent() * scale)

    def _rendered(self, font: pygame.font.Font, text: str, antialias: bool, colour: Any) -> pygame.Surface:
        try:
            return font.render(text, antialias, colour)
        except self._pygame.error:
            if font.size(text)[0]:
                raise
            # Blanks without width and the like, which SDL takes for a mistake; anybody may send them.
            nothing: pygame.Surface = self._pygame.Surface((0, font.get_height()), self._pygame.SRCALPHA)
            return nothing

    # -- who draws what

    def _draws(self, text: str) -> bool:
        """Does the chosen font have all of it? Decided in a moment for what has been seen before."""
        if text.isascii() or self._own.issuperset(text):
            return True
        if not self._lacks.isdisjoint(text):
            return False
        if len(self._own) + len(self._lacks) > _KEPT:
            self._own.clear()
            self._lacks.clear()
        for character in set(text) - self._own:
            has = self._system.draws(self._file, character) and not is_unseen(character)
            (self._own if has else self._lacks).add(character)
        return self._lacks.isdisjoint(text)

    def _runs(self, text: str) -> list[tuple[str, str]]:
        """The text in pieces, each with the file of the font that draws it."""
        runs: list[tuple[str, str]] = []
        for cluster in clusters(text):
            file = self._file_of(cluster)
            if runs and runs[-1][0] == file:
                runs[-1] = file, runs[-1][1] + cluster
            else:
                runs.append((file, cluster))
        return runs

    def _file_of(self, cluster: str) -> str:
        file = self._whose.get(cluster)
        if file is None:
            if len(self._whose) > _KEPT:
                self._whose.clear()
            file = self._whose[cluster] = self._search(cluster)
        return file

    def _search(self, cluster: str) -> str:
        if cluster.isascii() or self._system.draws(self._file, cluster):
            return self._file
        for file in self._system.files_for(cluster, self._bold):
            if self._other(file) is not None:
                return file
        return self._file if len(cluster) == 1 else self._search(cluster[0])

    def _other(self, file: str) -> pygame.font.Font | None:
        if file not in self._others:
            try:
                self._others[file] = self._make(file)
            except (OSError, self._pygame.error):  # fontconfig knows formats that SDL cannot read
                self._others[file] = None
        return self._others[file]

    def _scaled(self, file: str) -> tuple[pygame.font.Font, float]:
        """The font, and the scale of its pictures."""
        other = self._font if file == self._file else self._other(file)
        assert other is not None
        own, others = self._font.get_linesize(), other.get_linesize()
        return other, own / others if others > _BITMAP * own else 1

    def _width(self, file: str, run: str) -> int:
        font, scale = self._scaled(file)
        return round(font.size(run)[0] * scale)
