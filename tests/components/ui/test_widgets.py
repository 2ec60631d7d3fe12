"""Widgets in a window of SDL's dummy driver, in virtual time: what they show, send and refuse, and how they end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.ui import Button, Display, Image, Keys, TextBox, Ticker
from axonlike.components.ui.library import NoScreen
from axonlike.components.ui.theme import ACCENT, BACKGROUND, PANEL, Theme
from axonlike.errors import ComponentError, MissingExtra, UsageError, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, Stalled, check_component, run_virtual

pygame = pytest.importorskip("pygame", reason="pygame is not installed")

ROOT = Path(__file__).resolve().parents[3]


class User(Component):
    """Does what a person would: each act is called in turn, with a moment in between. Then closes the window."""

    def __init__(self, *acts: Callable[[], object], each_s: float = 0.3, closes: bool = True) -> None:
        self._acts = acts
        self._each_s = each_s
        self._closes = closes

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self._each_s)
        for act in self._acts:
            act()
            yield self.sleep(self._each_s)
        if self._closes:
            pygame.event.post(pygame.event.Event(pygame.QUIT))


def post(kind: int, **fields: Any) -> bool:
    return bool(pygame.event.post(pygame.event.Event(kind, **fields)))


def press(key: str, mod: int = 0, text: str = "") -> bool:
    code = getattr(pygame, f"K_{key}")
    return post(pygame.KEYDOWN, key=code, mod=mod, unicode=text) and post(pygame.KEYUP, key=code, mod=mod)


def type_text(text: str) -> bool:
    return all(
        post(pygame.KEYDOWN, key=ord(character.lower()), mod=0, unicode=character)
        and post(pygame.TEXTINPUT, text=character)
        for character in text
    )


def mouse(kind: int, x: int, y: int) -> bool:
    return post(kind, pos=(x, y), button=1)


def click(x: int, y: int) -> bool:
    moved = post(pygame.MOUSEMOTION, pos=(x, y), rel=(0, 0), buttons=(0, 0, 0))
    return moved and mouse(pygame.MOUSEBUTTONDOWN, x, y) and mouse(pygame.MOUSEBUTTONUP, x, y)


# -- all of them


@pytest.mark.parametrize(
    ("factory", "messages", "ends"),
    [
        (lambda: Ticker(linger_s=0), ["one", b"two", 3], True),
        (lambda: Ticker(), ["one"], False),
        (lambda: Image(linger_s=0), [pygame.Surface((4, 4))], True),
        (lambda: TextBox(), ["a text"], False),
        (lambda: Button("Go", key="g"), ["Stop"], False),
        (lambda: Keys({"a": 1}), [], False),
        (lambda: Display(), [], False),
    ],
)
def test_each_keeps_the_promises_of_all_components(factory: Any, messages: list[Any], ends: bool) -> None:
    check_component(factory, messages=messages, ends=ends)


def test_a_widget_makes_the_window_and_the_window_is_gone_afterwards() -> None:
    run_virtual(Pipeline(Feeder(["hello"]), Ticker(linger_s=1)))
    assert not pygame.display.get_init()


@pytest.mark.parametrize("first", [True, False])
def test_the_display_may_come_before_or_after_its_widgets(first: bool) -> None:
    display = Display((300, 200), "Here")
    pipeline = Pipeline(Feeder(["hello"]), Ticker(linger_s=0.5))
    run_virtual(*((display, pipeline) if first else (pipeline, display)))
    assert display.frames > 0


def test_two_displays_are_refused() -> None:
    with pytest.raises(WiringError, match="there is a Display already, Display: all widgets of a run share one window"):
        run_virtual(Display(), Display(), Ticker())


def test_closing_the_window_ends_the_program_and_what_was_typed_is_still_sent() -> None:
    box, probe = TextBox(), Probe(seconds_each=0.01)
    passed_s = run_virtual(
        Pipeline(box, probe),
        User(*[lambda: (type_text("hi"), press("RETURN"))] * 5),
        Pipeline(Feeder([PAUSE(1e6)]), Probe()),  # something that would go on for ever
    )
    assert probe.messages == ["hi"] * 5
    assert probe.ended_by == "finished"
    assert passed_s < 10


def test_when_nothing_changes_nothing_is_drawn() -> None:
    display, ticker = Display(), Ticker()
    frames: list[int] = []
    look = lambda: frames.append(display.frames)  # noqa: E731
    run_virtual(
        display,
        Graphline(
            f=Feeder(["some text"]), t=ticker, box=TextBox(hint="type"), button=Button("Go"), image=Image(),
            links="f -> t",
        ),
        User(look, look, each_s=60),
    )  # fmt: skip
    assert frames[0] == frames[1] > 0


def test_nothing_is_drawn_faster_than_sixty_times_a_second() -> None:
    display = Display()
    passed_s = run_virtual(display, Pipeline(Feeder([f"line {n}" for n in range(200)]), Ticker(linger_s=0)))
    assert display.frames <= 60 * passed_s + 2


# -- no screen, no pygame


def test_without_a_screen_the_run_ends_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY":
        monkeypatch.delenv(name, raising=False)
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has screens by environment variable")
    ticker = Ticker()
    with pytest.raises(ComponentError) as caught:
        run_virtual(ticker)
    assert isinstance(caught.value.cause, NoScreen)
    assert caught.value.made_at == ticker.made_at  # nobody wrote a Display
    assert "no display: neither DISPLAY nor WAYLAND_DISPLAY is set; " in str(caught.value)
    assert str(caught.value).endswith("axonlike explain AX630")


def test_without_pygame_the_component_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    for make in Ticker, TextBox, Display, Keys, Image, lambda: Button("x"):
        with pytest.raises(MissingExtra, match=r'needs pygame: .*pip install "axonlike\[ui\]"'):
            make()


def test_pygame_is_imported_when_a_component_is_made() -> None:
    code = (
        "import sys, axonlike.components.ui as ui; before = 'pygame' in sys.modules; ui.Ticker(); "
        "print(before, 'pygame' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=dict(os.environ)
    )
    assert done.stdout == "False True\n"


# -- looks


@pytest.mark.parametrize("border", [None, ACCENT])
@pytest.mark.parametrize("size", [(1, 1), (18, 19), (19, 60), (60, 20), (131, 64), (400, 300)])
def test_a_box_that_is_pulled_apart_is_the_same_as_one_that_is_drawn_as_large(
    size: tuple[int, int], border: tuple[int, int, int] | None
) -> None:
    theme = Theme(pygame)
    drawn = theme._small_box(size, PANEL, border, 2, 9)
    box = theme.box(size, PANEL, border, width=2)
    assert pygame.image.tobytes(box, "RGBA") == pygame.image.tobytes(drawn, "RGBA")


# -- Ticker


def test_ten_thousand_words_and_none_is_dropped() -> None:
    words = [f"word{number}" for number in range(10_000)]
    ticker = Ticker(flow=True, linger_s=0, rows_per_s=300)
    run_virtual(Pipeline(Feeder(words), ticker))
    assert " ".join(ticker.paragraphs).split() == words
    assert ticker.taken == 10_000
    assert ticker.all_is_shown
    assert ticker.visible_rows[-1].endswith("word9999")


def test_every_row_is_seen_as_it_scrolls_by() -> None:
    seen: dict[str, None] = {}

    class Watched(Ticker):
        def draw(self, surface: Any, now_s: float) -> None:
            super().draw(surface, now_s)
            seen.update(dict.fromkeys(self.visible_rows))

    lines = [f"line {number}" for number in range(1000)]
    run_virtual(Pipeline(Feeder(lines), Watched(linger_s=0, rows_per_s=100)))
    assert [line for line in seen if line] == lines


def test_while_a_windowful_waits_to_be_shown_the_sender_waits() -> None:
    feeder, ticker = Feeder([f"line {number}" for number in range(5000)]), Ticker(rows_per_s=10)
    run_virtual(Pipeline(feeder, ticker), until_s=5)
    assert feeder.sent < 5 * 10 + 1000 + 100
    assert ticker.taken < 5 * 10 + 100


def test_three_points_of_its_picture() -> None:
    class Seen(Ticker):
        pixels: list[Any]

        def draw(self, surface: Any, now_s: float) -> None:
            super().draw(surface, now_s)
            # In the first letter, whichever font there is: a point of its stem.
            stem = max((tuple(surface.get_at((x, y))[:3]) for x in range(16, 40) for y in (30, 35)), key=min)
            self.pixels = [
                *(tuple(surface.get_at(point))[:3] for point in ((0, 0), (surface.get_width() // 2, 8))), stem
            ]  # fmt: skip

    ticker = Seen(linger_s=1, font_size=40)
    run_virtual(Pipeline(Feeder(["HHHHHH"]), ticker))
    corner, margin, text = ticker.pixels
    assert corner == BACKGROUND
    assert margin == PANEL
    assert min(text) > 150


def test_bytes_and_other_things_are_shown_as_text() -> None:
    ticker = Ticker(linger_s=0)
    run_virtual(Pipeline(Feeder([b"caf\xc3\xa9", 42, "two\nlines", b"\xff"]), ticker))
    assert ticker.paragraphs == ["caf\u00e9", "42", "two", "lines", "\ufffd"]


def test_looking_back_stays_where_it_is_while_new_text_comes() -> None:
    ticker = Ticker(rows_per_s=1000)
    rows: list[list[str]] = []

    def turn_the_wheel() -> None:
        pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(100, 100), rel=(0, 0), buttons=(0, 0, 0)))
        pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=5))

    def look() -> None:
        rows.append(ticker.visible_rows)

    lines = [item for n in range(100) for item in (f"line {n}", PAUSE(0.05))]
    run_virtual(
        Pipeline(Feeder(lines), ticker),
        User(turn_the_wheel, look, look, lambda: press("PAGEDOWN"), lambda: press("PAGEDOWN"), look, each_s=3.0),
    )
    assert rows[0] == rows[1]
    assert rows[2][-1] == "line 99"


def test_only_so_much_is_kept() -> None:
    ticker = Ticker(linger_s=0, history_rows=200, rows_per_s=1000)  # more than a window shows, in whichever font
    run_virtual(Pipeline(Feeder([str(n) for n in range(500)]), ticker))
    assert ticker.paragraphs == [str(n) for n in range(300, 500)]


def test_another_size_of_the_window_wraps_anew() -> None:
    display, ticker = Display((900, 300)), Ticker()
    text = "a text that is long enough to be wrapped in a narrow window, and only there"
    before: list[list[str]] = []

    def make_narrow() -> None:
        before.append(ticker.visible_rows)
        pygame.display.set_mode((250, 300), pygame.RESIZABLE)
        pygame.event.post(pygame.event.Event(pygame.VIDEORESIZE, size=(250, 300), w=250, h=300))

    run_virtual(
        display, Pipeline(Feeder([text]), ticker), User(make_narrow, lambda: before.append(ticker.visible_rows))
    )
    assert before[0] == [text]
    assert len(before[1]) > 2
    assert " ".join(before[1]) == text


@pytest.mark.parametrize(
    "wrong",
    [
        {"font_size": 0},
        {"rows_per_s": 0},
        {"highlight": "("},
        {"linger_s": -1},
        {"colours": {"a": "no such"}},
        {"at": "left"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Ticker(**wrong)


# -- TextBox


def test_a_line_is_sent_on_enter_and_history_brings_it_back() -> None:
    probe = Probe()
    run_virtual(
        Pipeline(TextBox(), probe),
        User(
            lambda: (type_text("helo"), press("LEFT"), type_text("l"), press("RETURN")),
            lambda: press("RETURN"),  # nothing is typed: nothing is sent
            lambda: (press("UP"), press("END"), type_text("!"), press("RETURN")),
            lambda: (type_text("gone"), press("u", pygame.KMOD_LCTRL), type_text("kept"), press("KP_ENTER")),
        ),
    )
    assert probe.messages == ["hello", "hello!", "kept"]


def test_lines_wait_while_the_receiver_is_full() -> None:
    box = TextBox()
    run_virtual(
        Pipeline(box, Stalled(limit=1)), User(*[lambda: (type_text("a"), press("RETURN"))] * 5, closes=False), until_s=9
    )
    done = next(inbox for inbox in box.statistics() if inbox.name == "done")
    assert done.taken < 5
    assert done.offered == 5


def test_what_comes_to_its_inbox_can_be_edited() -> None:
    probe = Probe()
    run_virtual(Pipeline(Feeder(["given"]), TextBox(), probe), User(lambda: (type_text("!"), press("RETURN"))))
    assert probe.messages == ["given!"]


def test_the_mouse_places_the_cursor_and_selects() -> None:
    probe, box = Probe(), TextBox()
    run_virtual(
        Display((400, 100)),
        Pipeline(box, probe),
        User(
            lambda: type_text("abc"),
            lambda: (mouse(pygame.MOUSEBUTTONDOWN, 5000, 80), click(27, 70), type_text("x")),
            lambda: (
                mouse(pygame.MOUSEBUTTONDOWN, 20, 70),
                pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(390, 70), rel=(0, 0), buttons=(1, 0, 0))),
                mouse(pygame.MOUSEBUTTONUP, 390, 70),
            ),
            lambda: (type_text("y"), press("RETURN")),
        ),
    )
    assert probe.messages == ["y"]


# -- Button and Keys


def test_a_button_is_pressed_by_mouse_and_key() -> None:
    probe, go, stop = Probe(), Button("Go", key="g"), Button("Stop", message=0)
    run_virtual(
        Display((400, 300)),
        Graphline(go=go, stop=stop, probe=probe, links="go -> probe; stop -> probe"),
        User(
            lambda: press("g", text="g"),
            lambda: click(30, 30),
            lambda: (mouse(pygame.MOUSEBUTTONDOWN, 30, 30), mouse(pygame.MOUSEBUTTONUP, 300, 200)),  # let go elsewhere
            lambda: (press("TAB"), press("SPACE", text=" ")),
        ),
    )
    assert probe.messages == ["Go", "Go", 0]


def test_what_is_typed_into_a_text_box_presses_no_button() -> None:
    buttons, lines = Probe(), Probe()
    run_virtual(
        Graphline(
            go=Button("Go", key="g"), all=Keys({"f1": "help"}), box=TextBox(), buttons=buttons, lines=lines,
            links="go -> buttons; all -> buttons; box -> lines",
        ),
        User(lambda: (type_text("go"), press("F1"), press("RETURN"))),
    )  # fmt: skip
    assert (lines.messages, buttons.messages) == (["go"], ["help"])


def test_keys_by_table_and_by_name() -> None:
    probe = Probe()
    run_virtual(
        Pipeline(Keys({"up": 1, "ctrl+s": "save"}, released={"up": -1}), probe),
        User(lambda: press("UP"), lambda: press("s", pygame.KMOD_LCTRL, "\x13"), lambda: press("s", text="s")),
    )
    assert probe.messages == [1, -1, "save"]
    names = Probe()
    run_virtual(Pipeline(Keys(), names), User(lambda: press("UP"), lambda: press("s", pygame.KMOD_LCTRL, "\x13")))
    assert names.messages == ["up", "ctrl+s"]


def test_a_key_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no key is called 'spcae'; did you mean 'space'"):
        Keys({"spcae": 1})


# -- Image


def one_colour(colour: tuple[int, int, int], size: tuple[int, int] = (40, 40)) -> Any:
    surface = pygame.Surface(size)
    surface.fill(colour)
    return surface


class Array:
    """As much of a numpy array as is looked at; numpy itself is not among the extras."""

    def __init__(self, shape: tuple[int, ...], data: bytes, dtype: str = "uint8") -> None:
        self.shape, self.dtype, self._data = shape, dtype, data

    def tobytes(self) -> bytes:
        return self._data


def shown_by(*pictures: Any) -> tuple[int, int, int]:
    class Seen(Image):
        pixel: tuple[int, int, int]

        def draw(self, surface: Any, now_s: float) -> None:
            super().draw(surface, now_s)
            self.pixel = tuple(surface.get_at((surface.get_width() // 2, surface.get_height() // 2)))[:3]

    image = Seen(linger_s=0.5)
    run_virtual(Pipeline(Feeder(pictures), image))
    return image.pixel


def test_pictures_of_every_kind(tmp_path: Path) -> None:
    red = one_colour((200, 0, 0))
    pygame.image.save(red, tmp_path / "red.png")
    file = io.BytesIO()
    pygame.image.save(red, file, "x.png")
    for picture in red, tmp_path / "red.png", str(tmp_path / "red.png"), file.getvalue():
        assert shown_by(picture) == (200, 0, 0)
    assert shown_by(Array((2, 3, 3), bytes([0, 90, 0]) * 6)) == (0, 90, 0)
    assert shown_by(Array((2, 3), bytes([70]) * 6)) == (70, 70, 70)


def test_the_newest_picture_is_shown() -> None:
    assert shown_by(one_colour((1, 2, 3)), one_colour((200, 100, 0))) == (200, 100, 0)


@pytest.mark.parametrize("wrong", ["/nowhere.png", b"no picture", 5, Array((2, 2), bytes(16), "float32")])
def test_what_is_no_picture_is_refused(wrong: Any) -> None:
    with pytest.raises(ComponentError, match="picture"):
        run_virtual(Pipeline(Feeder([wrong]), Image()))
