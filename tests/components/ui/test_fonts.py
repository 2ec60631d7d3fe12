"""Letters that the chosen font lacks: which font draws them, where they stand, and what that asks of the system."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike import Pipeline
from axonlike.components.ui import Button, Display, TextBox, Ticker
from axonlike.components.ui.clusters import clings, clusters
from axonlike.components.ui.editing import LineEditor, cursor_at
from axonlike.components.ui.fonts import Charset, SystemFonts, Typeface, ask_fontconfig
from axonlike.components.ui.theme import Theme
from axonlike.components.ui.wrapping import wrap
from axonlike.testing import Feeder, run_virtual

pygame = pytest.importorskip("pygame", reason="pygame is not installed")

WHITE = (255, 255, 255)
ASTRONAUT = "\U0001f9d1\U0001f3fd\u200d\U0001f680"  # a person, a skin, a joiner, a rocket
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
LISTS = {
    "sans-serif": "/plain.ttf\t20-17f\n/chinese.otf\t20-7e 4e00-9fff\n",
    "sans-serif:bold": "/chinese-bold.otf\t20-7e 4e00-9fff\n",
    "emoji": "/emoji.ttf\t20 200d 1f1e6-1f1ff 1f3fb-1f3ff 1f600-1f9ff\n/plain.ttf\t20-17f\n",
}


class Fontconfig:
    """Answers as fontconfig's programs do."""

    def __init__(self, own: str = "20-7e a0-17f", lists: dict[str, str] = LISTS) -> None:
        self.asked: list[Sequence[str]] = []
        self._own = own
        self._lists = lists

    def __call__(self, command: Sequence[str]) -> str:
        self.asked.append(command)
        return self._own if command[0] == "fc-query" else self._lists.get(command[2], "")


class Font:
    """Each letter is 10 x 20 pixels (in an emoji font 100 x 100) in the colour of its font, its lower edge a quarter
    of that below the line."""

    COLOURS = {"/plain.ttf": (200, 0, 0), "/chinese.otf": (0, 200, 0), "/emoji.ttf": (0, 0, 200)}

    def __init__(self, file: str) -> None:
        self.colour = self.COLOURS.get(file, (90, 90, 90))
        self.cell = (100, 100) if file == "/emoji.ttf" else (10, 20)

    def size(self, text: str) -> tuple[int, int]:
        return self.cell[0] * len(clusters(text)), self.cell[1]

    def render(self, text: str, antialias: bool, colour: Any) -> Any:
        picture = pygame.Surface(self.size(text), pygame.SRCALPHA)
        picture.fill(self.colour)
        return picture

    def get_linesize(self) -> int:
        return self.cell[1]

    get_height = get_linesize

    def get_ascent(self) -> int:
        return self.cell[1] * 3 // 4


def typeface(ask: Callable[[Sequence[str]], str], *, make: Callable[[str], Any] = Font, bold: bool = False) -> Typeface:
    return Typeface(pygame, make, "/plain.ttf", SystemFonts(ask), bold=bold)


def colours(picture: Any) -> list[tuple[int, ...]]:
    """One for each ten pixels of width, in the middle of the height; scaling may change one by a little."""
    middle = picture.get_height() // 2
    pixels = [picture.get_at((x, middle)) for x in range(5, picture.get_width(), 10)]
    return [tuple(round(part, -1) for part in (pixel.r, pixel.g, pixel.b)) for pixel in pixels]


# -- what looks like one character


@pytest.mark.parametrize("one", ["a", "e\u0301", ASTRONAUT, "\u2764\ufe0f", "1\ufe0f\u20e3", FLAGS[:2], "\u0915\u093e"])
def test_what_looks_like_one_character_is_one_cluster(one: str) -> None:
    assert clusters(f"x{one}y") == ["x", one, "y"]


def test_flags_are_pairs() -> None:
    assert clusters(FLAGS) == [FLAGS[:2], FLAGS[2:]]


@given(st.text())
def test_clusters_lose_nothing(text: str) -> None:
    assert "".join(clusters(text)) == text
    assert all(clusters(text))


@pytest.mark.parametrize("hostile", ["\u0301" * 5000, FLAGS * 2000, "\u200d" * 5000])
def test_clusters_have_a_limit(hostile: str) -> None:
    assert max(map(len, clusters(hostile))) <= 32
    assert not clings(hostile, 0)


def test_the_cursor_passes_a_cluster_at_once() -> None:
    editor = LineEditor()
    editor.insert(f"a{ASTRONAUT}b{FLAGS}")
    editor.left()
    assert editor.text[editor.cursor :] == FLAGS[2:]
    editor.left()
    editor.left()
    editor.backspace()
    assert editor.text == f"ab{FLAGS}"
    editor.right()
    editor.right()
    assert editor.text[editor.cursor :] == FLAGS[2:]


def test_a_long_word_is_not_broken_within_a_cluster() -> None:
    rows = wrap(ASTRONAUT * 3, 6, len)
    assert [row.text for row in rows] == [ASTRONAUT] * 3
    assert [row.text for row in wrap(ASTRONAUT * 2, 1, len)] == [ASTRONAUT] * 2  # not even where no room is for one


# -- what fontconfig says


def test_a_charset_is_read() -> None:
    charset = Charset("20-7e a0 4e00-9fff")
    assert [charset.has(c) for c in " ~\x7f\xa0\xa1\u4e00\u9fff\U0010ffff\x1f"] == [
        True, True, False, True, False, True, True, False, False,
    ]  # fmt: skip


def test_a_font_needs_to_have_only_what_can_be_seen() -> None:
    charset = Charset("1f3fb-1f3ff 1f680 1f9d1")
    assert charset.draws(ASTRONAUT + "\ufe0f")
    assert not charset.draws(ASTRONAUT + "\u0301")


def test_ascii_asks_nothing_and_each_question_is_asked_once() -> None:
    fontconfig = Fontconfig()
    face = typeface(fontconfig)
    face.render("plain text", True, WHITE)
    assert fontconfig.asked == []
    for _ in range(3):
        face.render("gr\xfc\xdfe", True, WHITE)
    assert [command[0] for command in fontconfig.asked] == ["fc-query"]
    for text in "\u4e2d", "\u6587", "\u4e2d\u6587 again", ASTRONAUT, "\U0001f600", "\U0001fabc has none":
        face.render(text, True, WHITE)
    assert [command[2] for command in fontconfig.asked[1:]] == ["sans-serif", "emoji"]


def test_without_fontconfig_the_chosen_font_draws_everything(caplog: pytest.LogCaptureFixture) -> None:
    face = typeface(lambda command: ask_fontconfig(["/nowhere/fc-query"]))
    assert colours(face.render("a\u4e2d\U0001f600", True, WHITE)) == [(200, 0, 0)] * 3
    assert not caplog.records


def test_what_is_no_answer_of_fontconfig_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    face = typeface(lambda command: "usage: something else")
    assert colours(face.render("\u4e2d", True, WHITE)) == [(200, 0, 0)]
    assert ask_fontconfig([str(tmp_path)]) == ""  # a folder cannot be run
    assert "letters that the font lacks are shown as boxes" in caplog.text


def test_fontconfig_itself_is_understood() -> None:
    try:
        subprocess.run(["fc-match", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("fontconfig is not installed")
    fonts = SystemFonts()
    files = list(fonts.files_for("a", False))
    if not files:
        pytest.skip("no font is installed")
    assert fonts.draws(files[0], "a")
    assert not fonts.draws(files[0], "\U0010fffe")
    assert list(fonts.files_for("\U0010fffe", False)) == []


# -- what is drawn


def test_each_letter_is_drawn_by_the_font_that_has_it() -> None:
    picture = typeface(Fontconfig()).render("ab\u4e2d\u6587c", True, WHITE)
    assert colours(picture) == [(200, 0, 0)] * 2 + [(0, 200, 0)] * 2 + [(200, 0, 0)]


def test_a_letter_that_no_font_has_is_the_chosen_fonts_box() -> None:
    assert colours(typeface(Fontconfig()).render("a\u0915", True, WHITE)) == [(200, 0, 0)] * 2


def test_a_cluster_is_drawn_by_one_font() -> None:
    face = typeface(Fontconfig(own="20-7e a0-17f 1f9d1"))  # it has the person, and not the rocket
    assert face.size(ASTRONAUT) == (20, 20)
    assert set(colours(face.render(ASTRONAUT, True, WHITE))) == {(0, 0, 200)}


@pytest.mark.parametrize("cluster", ["\u4e2d\ufe0f", "\u4e2d\u0301"])
def test_what_nobody_has_of_a_cluster_does_not_cost_the_rest(cluster: str) -> None:
    face = typeface(Fontconfig(own="20-7e"))  # no font has these two: a selector of a form, and an accent
    assert colours(face.render(cluster, True, WHITE)) == [(0, 200, 0)]


def test_all_letters_stand_on_one_line() -> None:
    class High(Font):
        """Its letters reach five pixels less far up."""

        def get_ascent(self) -> int:
            return super().get_ascent() - 5

    picture = typeface(Fontconfig(), make=lambda file: (Font if file == "/plain.ttf" else High)(file)).render(
        "a\u4e2d", True, WHITE
    )
    assert [picture.get_at((x, 4)).a for x in (5, 15)] == [255, 0]
    assert [picture.get_at((x, 6)).a for x in (5, 15)] == [255, 255]


def test_pictures_of_one_size_are_scaled_to_the_text() -> None:
    face = typeface(Fontconfig())
    picture = face.render("a\U0001f600b", True, WHITE)
    assert picture.get_size() == face.size("a\U0001f600b") == (40, 20)
    assert colours(picture) == [(200, 0, 0), (0, 0, 200), (0, 0, 200), (200, 0, 0)]


def test_bold_text_takes_bold_letters() -> None:
    opened: list[str] = []

    def make(file: str) -> Font:
        opened.append(file)
        return Font(file)

    typeface(Fontconfig(), make=make, bold=True).render("\u4e2d", True, WHITE)
    assert opened == ["/plain.ttf", "/chinese-bold.otf"]


def test_a_font_that_cannot_be_read_is_passed_over() -> None:
    def make(file: str) -> Font:
        if file == "/broken.pfb":
            raise pygame.error("Couldn't load font file")
        return Font(file)

    lists = {"sans-serif": "/broken.pfb\t4e00-9fff\n" + LISTS["sans-serif"]}
    face = typeface(Fontconfig(lists=lists), make=make)
    assert colours(face.render("\u4e2d", True, WHITE)) == [(0, 200, 0)]


@given(st.text(st.sampled_from("ab \xe9\u4e2d\u6587\U0001f600\U0001f3fd\u200d\ufe0f\u0301\u0915"), max_size=30))
def test_a_picture_is_as_wide_as_its_text_is_said_to_be(text: str) -> None:
    face = typeface(Fontconfig())
    assert face.render(text, True, WHITE).get_width() == face.size(text)[0]


def test_all_of_unicode_does_not_stay_in_memory() -> None:
    face = typeface(Fontconfig())
    for code in range(0x3400, 0xD000):
        face.size(chr(code))
    assert len(face._own) + len(face._lacks) <= 4097
    assert len(face._whose) <= 4097


def test_widgets_show_such_text() -> None:
    fontconfig = Fontconfig(own="20-7e")
    display = Display((400, 200))
    display.theme = Theme(pygame, system=SystemFonts(fontconfig))
    text = f"\u4e2d\u6587 and {ASTRONAUT} {FLAGS}"
    ticker, box = Ticker(linger_s=0.5), TextBox()
    box.editor.insert(text)
    run_virtual(display, Pipeline(Feeder([text]), ticker), box, until_s=5)
    assert ticker.paragraphs == [text]
    assert {command[2] for command in fontconfig.asked if command[0] == "fc-match"} == {"sans-serif", "emoji"}


@pytest.mark.parametrize(
    "text", ["\u200b", "\u200d\ufe0f", "\u2028", "\U000e0061", "\ufeff", "\u4e2d\u200b", "\U0010ffff"]
)
def test_whatever_a_peer_sends_can_be_drawn(text: str) -> None:
    ticker, box, button = Ticker(linger_s=0.2), TextBox(), Button("Go")
    run_virtual(
        Pipeline(Feeder([text, "and on"]), ticker),
        Pipeline(Feeder([text]), box),
        Pipeline(Feeder([text, f"\x00{text}\ud800"]), button),
        until_s=2,
    )
    assert ticker.paragraphs[-1] == "and on"


# -- where a click places the cursor


@given(st.text(st.sampled_from("ab\u4e2d\U0001f9d1\u200d\u0301"), max_size=20), st.integers(-10, 250))
def test_a_click_places_the_cursor_nearest_to_it_and_never_within_a_cluster(text: str, x_px: int) -> None:
    def measure(some: str) -> int:
        return 10 * len(clusters(some))

    place = cursor_at(text, x_px, measure)
    assert not clings(text, place)
    ends = [0, *(len("".join(clusters(text)[:n])) for n in range(1, len(clusters(text)) + 1))]
    assert abs(measure(text[:place]) - x_px) == min(abs(measure(text[:end]) - x_px) for end in ends)


def test_a_click_into_a_long_text_measures_little() -> None:
    measured = []

    def measure(some: str) -> int:
        measured.append(some)
        return 10 * len(some)

    assert cursor_at("x" * 4096, 31_234, measure) == 3123
    assert len(measured) < 20
