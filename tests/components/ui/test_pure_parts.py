"""Wrapping, scrolling, editing, placing and key names: no window, no scheduler."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonlike.components.ui.editing import LineEditor
from axonlike.components.ui.keynames import Chord
from axonlike.components.ui.library import NoScreen, choose_driver, plain_pictures
from axonlike.components.ui.placing import Wish, natural_size, place
from axonlike.components.ui.theme import find_font
from axonlike.components.ui.wrapping import Row, Rows, Scroll, printable, wrap
from axonlike.errors import UsageError

WORDS = st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=40)


def texts(rows: list[Row]) -> list[str]:
    return [row.text for row in rows]


# -- wrapping


def test_rows_break_at_blanks() -> None:
    assert texts(wrap("one two three", 7, len)) == ["one two", "three"]


def test_a_word_that_is_wider_than_a_row_is_broken() -> None:
    rows = wrap("a abcdefghij k", 4, len)
    assert texts(rows) == ["a", "abcd", "efgh", "ij k"]
    assert [row.glued for row in rows] == [False, False, True, True]
    assert [row.begins for row in rows] == [True, False, False, False]


def test_blanks_at_the_beginning_stay() -> None:
    assert texts(wrap("    indented", 20, len)) == ["    indented"]


def test_an_empty_text_is_an_empty_row() -> None:
    assert texts(wrap("", 10, len)) == [""]


@given(WORDS, st.integers(1, 30))
def test_no_row_is_too_wide_and_nothing_is_lost(words: list[str], width: int) -> None:
    rows = Rows(width, len)
    rows.add(" ".join(words))
    assert all(len(row.text) <= width for row in rows)
    assert rows.paragraphs() == [" ".join(words)]


@given(WORDS, st.integers(1, 30))
def test_word_by_word_gives_the_same_rows_as_all_at_once(words: list[str], width: int) -> None:
    at_once, one_by_one = Rows(width, len), Rows(width, len)
    at_once.add(" ".join(words))
    for word in words:
        one_by_one.go_on(word)
    assert list(one_by_one) == list(at_once)


@given(WORDS, st.integers(1, 30), st.integers(1, 30))
def test_another_width_and_back_changes_nothing(words: list[str], width: int, other: int) -> None:
    rows = Rows(width, len)
    rows.add(" ".join(words))
    rows.add("the end")
    before = list(rows)
    rows.rewrap(other)
    rows.rewrap(width)
    assert list(rows) == before


def test_a_line_end_ends_a_paragraph() -> None:
    rows = Rows(20, len)
    rows.add("one\ntwo")
    rows.go_on("and more\nthree")
    assert rows.paragraphs() == ["one", "two and more", "three"]


def test_rows_keep_their_numbers_when_old_ones_are_forgotten() -> None:
    rows = Rows(20, len)
    rows.add("one\ntwo\nthree")
    rows.forget(2)
    assert (rows.first, rows.end, rows[2].text) == (2, 3, "three")


def test_what_a_font_cannot_draw_is_replaced() -> None:
    assert printable("a\tb\x00c\x1b[1m") == "a    b\ufffdc\ufffd[1m"


# -- scrolling


def test_it_gets_there_and_never_faster_than_allowed() -> None:
    scroll = Scroll(fastest_px_s=600)
    places = [0.0]
    while scroll.advance(1000, 1 / 60):
        places.append(scroll.position_px)
        assert len(places) < 1000
    assert scroll.position_px == 1000
    steps = [b - a for a, b in zip(places, places[1:])]
    assert max(steps) <= 600 / 60 + 1e-9
    assert min(steps) > 0


# -- editing


def test_typing_in_the_middle() -> None:
    editor = LineEditor()
    editor.insert("helo")
    editor.left()
    editor.insert("l")
    assert (editor.text, editor.cursor) == ("hello", 4)


def test_home_end_delete_and_backspace() -> None:
    editor = LineEditor()
    editor.insert("abc")
    editor.home()
    editor.delete()
    editor.end()
    editor.backspace()
    editor.backspace()
    editor.backspace()
    assert (editor.text, editor.cursor) == ("", 0)


def test_words() -> None:
    editor = LineEditor()
    editor.insert("one, two three")
    editor.left(word=True)
    assert editor.cursor == 9
    editor.backspace(word=True)
    assert editor.text == "one, three"
    editor.left(word=True)
    editor.right(word=True)
    assert editor.cursor == 3
    editor.delete(word=True)
    assert editor.text == "one"


def test_what_is_selected_is_replaced_by_what_is_typed() -> None:
    editor = LineEditor()
    editor.insert("one two")
    editor.left(word=True, select=True)
    assert editor.selected == "two"
    editor.insert("three")
    assert (editor.text, editor.selected) == ("one three", "")
    editor.select_all()
    editor.left()
    assert (editor.cursor, editor.selected) == (0, "")


def test_lines_that_are_pasted_become_one() -> None:
    editor = LineEditor()
    editor.insert("one\r\ntwo\tthree\x07")
    assert editor.text == "one two three"


def test_what_is_too_long_is_cut_and_counted() -> None:
    editor = LineEditor(5)
    editor.insert("abcdefg")
    assert (editor.text, editor.refused) == ("abcde", 2)


def test_history_goes_back_and_forth_and_keeps_what_had_been_begun() -> None:
    editor = LineEditor()
    for line in "one", "two", "two":
        editor.insert(line)
        assert editor.submit() == line
    editor.insert("thr")
    editor.older()
    assert editor.text == "two"
    editor.older()
    editor.older()
    assert editor.text == "one"
    editor.newer()
    editor.newer()
    assert editor.text == "thr"


def test_an_accent_stays_with_its_letter() -> None:
    editor = LineEditor()
    editor.insert("e\u0301")
    editor.left()
    assert editor.cursor == 0
    editor.end()
    editor.backspace()
    assert editor.text == ""


@given(
    st.lists(
        st.sampled_from(
            ["left", "right", "home", "end", "backspace", "delete", "select", "word", "x", "older", "enter"]
        )
    )
)
def test_the_cursor_never_leaves_the_text(acts: list[str]) -> None:
    editor = LineEditor(20)
    for act in acts:
        if act == "x":
            editor.insert("x y")
        elif act == "select":
            editor.left(select=True)
        elif act == "word":
            editor.backspace(word=True)
        elif act == "enter":
            editor.submit()
        else:
            getattr(editor, act)()
        assert 0 <= editor.cursor <= len(editor.text) <= 20
        start, end = editor.selection
        assert 0 <= start <= end <= len(editor.text)


# -- placing


def test_zones_from_top_to_bottom() -> None:
    wishes = [Wish("bottom", None, 40), Wish("middle"), Wish("top", 50, 30), Wish("top", 60, 30)]
    assert place(wishes, (400, 300), 10) == [
        (10, 250, 380, 40), (10, 50, 380, 190), (10, 10, 50, 30), (70, 10, 60, 30),
    ]  # fmt: skip


def test_buttons_that_have_no_room_begin_another_row() -> None:
    assert [rect[:2] for rect in place([Wish("top", 60, 20)] * 3, (160, 200), 10)] == [(10, 10), (80, 10), (10, 40)]


def test_the_middle_is_shared() -> None:
    first, second = place([Wish("middle"), Wish("middle")], (100, 111), 10)
    assert (first, second) == ((10, 10, 80, 40), (10, 60, 80, 41))


def test_what_says_where_it_stands_stands_there() -> None:
    assert place([Wish((1, 2, 30, 40)), Wish("top", 0, 0)], (100, 100), 10) == [(1, 2, 30, 40), (0, 0, 0, 0)]


@given(
    st.lists(
        st.builds(
            Wish,
            st.sampled_from(["top", "middle", "bottom"]),
            st.none() | st.integers(1, 300),
            st.none() | st.integers(0, 100),
        )
    ),
    st.integers(0, 500),
    st.integers(0, 500),
)
def test_no_place_has_a_negative_size(wishes: list[Wish], width: int, height: int) -> None:
    assert all(w >= 0 and h >= 0 for _x, _y, w, h in place(wishes, (width, height), 12))


def test_a_window_of_buttons_only_is_as_small_as_they_are() -> None:
    assert natural_size([Wish("top", 60, 20), Wish("top", 60, 20)], 10, roomy=(700, 400), narrow=400) == (150, 40)
    assert natural_size([Wish("middle")], 10, roomy=(700, 400), narrow=400) == (700, 400)


# -- keys

PYGAME = SimpleNamespace(
    K_a=97, K_s=115, K_UP=1, K_F5=2, K_RETURN=13, KMOD_CTRL=0xC0, KMOD_SHIFT=3, KMOD_LALT=0x100, KMOD_ALT=0x300
)


def key(code: int, unicode: str = "", mod: int = 0) -> SimpleNamespace:
    return SimpleNamespace(key=code, unicode=unicode, mod=mod)


@pytest.mark.parametrize(
    ("name", "event", "matches"),
    [
        ("a", key(97, "a"), True),
        ("a", key(97, "A", 1), False),
        ("A", key(97, "A", 1), True),
        ("?", key(45, "?", 1), True),
        ("up", key(1), True),
        ("up", key(1, mod=1), False),
        ("shift+up", key(1, mod=1), True),
        ("ctrl+s", key(115, "\x13", 0x40), True),
        ("ctrl+s", key(115, "s"), False),
        ("enter", key(13, "\r"), True),
        ("F5", key(2), True),
    ],
)
def test_chords(name: str, event: SimpleNamespace, matches: bool) -> None:
    assert Chord.parse(name, PYGAME, "Keys").matches(event, PYGAME) is matches


def test_a_key_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no key is called 'retrun'; did you mean 'return'"):
        Chord.parse("retrun", PYGAME, "Keys")
    with pytest.raises(UsageError, match=r"'strg' in 'strg.a' is no modifier"):
        Chord.parse("strg+a", PYGAME, "Keys")


# -- screens and fonts


def test_no_screen_is_said_in_one_sentence_with_the_remedy() -> None:
    with pytest.raises(NoScreen, match=r"no display: neither DISPLAY .* set DISPLAY .* SDL_VIDEODRIVER=dummy"):
        choose_driver({}, "linux")


@pytest.mark.parametrize(
    ("environment", "platform", "driver"),
    [
        ({"SDL_VIDEODRIVER": "dummy"}, "linux", "dummy"),
        ({"DISPLAY": ":0"}, "linux", "x11"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "linux", "wayland,x11"),
        ({}, "darwin", None),
    ],
)
def test_which_driver(environment: dict[str, str], platform: str, driver: str | None) -> None:
    assert choose_driver(environment, platform) == driver


@pytest.mark.parametrize(
    ("driver", "asked", "within"),
    [("x11", None, "0"), ("x11", "opengl", "opengl"), ("wayland", None, None), ("dummy", None, None)],
)
def test_windows_on_an_x_server_are_opened_without_a_way_through_opengl(
    driver: str, asked: str | None, within: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "SDL_FRAMEBUFFER_ACCELERATION"
    monkeypatch.delenv(name, raising=False)
    if asked is not None:
        monkeypatch.setenv(name, asked)
    with plain_pictures(SimpleNamespace(display=SimpleNamespace(get_driver=lambda: driver))):
        assert os.environ.get(name) == within
    assert os.environ.get(name) == asked


def test_a_readable_font_is_taken_before_any_is_searched_for() -> None:
    asked: list[str] = []

    def search(name: str, bold: bool) -> str | None:
        asked.append(name)
        return None

    assert find_font("", False, search, lambda path: path == "b.ttf", ["a.ttf", "b.ttf"]) == "b.ttf"
    assert not asked
    assert find_font("", False, search, lambda path: False, ["a.ttf"]) is None
    assert asked[0].startswith("notosans")
