"""The strip of parameters: a slider, a field, a switch or a choice for each, and what the user does to them.

It knows no events and sends nothing: its methods take places and keys, and return what is to be set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from axonlike.components.ui.editing import LineEditor, cursor_at
from axonlike.components.ui.theme import ACCENT, BACKGROUND, DIM, LINE, PANEL, RAISED, TEXT, WARNING
from axonlike.errors import UsageError
from axonlike.plotting.panels.pen import Colour, Pen
from axonlike.plotting.panels.ranges import short_number
from axonlike.plotting.params import Param, ParamValue

if TYPE_CHECKING:
    import pygame

__all__ = ["ParamStrip", "control_of", "read_value", "slider_part", "slider_value", "stepped"]

Change = tuple[str, ParamValue]
Control = Literal["slider", "field", "switch", "choice"]

_ROW_PX: Final = 58
_HEADER_PX: Final = 38
_EDGE_PX: Final = 16
_NOTCHES: Final = 100
"""From one end of a slider to the other, by the wheel or the keys."""
_FAINT: Final[Colour] = (84, 92, 106)
_SELECTION: Final[Colour] = (52, 84, 128)


# ----------------------------------------------------------------------------------------------------- arithmetic


def control_of(param: Param) -> Control:
    """What sets a parameter like this."""
    if isinstance(param.value, bool):
        return "switch"
    if isinstance(param.value, str):
        return "choice" if param.choices else "field"
    if param.low is None or param.high is None or not math.isfinite(param.high - param.low):
        return "field"
    return "slider"


def _ends(param: Param) -> tuple[float, float]:
    assert param.low is not None
    assert param.high is not None
    return float(param.low), float(param.high)


def slider_part(param: Param, value: float) -> float:
    """Where the slider stands, 0 to 1."""
    low, high = _ends(param)
    if param.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((value - low) / (high - low), 0.0), 1.0)


def slider_value(param: Param, part: float) -> ParamValue:
    """The value at a place of the slider, 0 to 1: a round number, as fine as anybody can point at."""
    low, high = _ends(param)
    part = min(max(part, 0.0), 1.0)
    fine = 10.0 ** math.floor(math.log10((high - low) / 400))
    if param.log:
        value = math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
        fine = min(fine, 10.0 ** (math.floor(math.log10(value)) - 2))
    else:
        value = low + part * (high - low)
    if isinstance(param.value, int):
        return int(min(max(round(value), math.ceil(low)), math.floor(high)))
    if 0 < part < 1 and fine > 0:
        digits = max(0, min(300, -math.floor(math.log10(fine) + 1e-9)))
        value = round(round(value / fine) * fine, digits)
    return min(max(value, low), high)


def stepped(param: Param, value: ParamValue, steps: int) -> ParamValue:
    """The value so many notches of the wheel further."""
    if isinstance(value, bool):
        return value if steps % 2 == 0 else not value
    if isinstance(value, str):
        if not param.choices:
            return value
        place = param.choices.index(value) + steps if value in param.choices else 0
        return param.choices[min(max(place, 0), len(param.choices) - 1)]
    if control_of(param) != "slider":
        return value
    new = slider_value(param, slider_part(param, value) + steps / _NOTCHES)
    if new == value and isinstance(param.value, int):
        low, high = _ends(param)
        new = int(min(max(value + steps, math.ceil(low)), math.floor(high)))
    return new


def read_value(param: Param, text: str, name: str) -> ParamValue:
    """What was typed, as the parameter takes it. Raises UsageError."""
    if isinstance(param.value, str):
        return param.checked(text, name)
    plain = text.strip().replace("\N{MINUS SIGN}", "-").replace(",", ".")
    try:
        number: float = int(plain) if isinstance(param.value, int) else float(plain)
    except ValueError:
        try:
            number = float(plain)
        except ValueError:
            raise UsageError(f"{name} is a number, not {text!r}") from None
    return param.checked(number, name)


def _written(value: ParamValue) -> str:
    """A value as it is edited."""
    return value if isinstance(value, str) else f"{value:.10g}" if isinstance(value, float) else str(value)


# ----------------------------------------------------------------------------------------------------- the strip


@dataclass(slots=True)
class _Row:
    name: str
    param: Param
    value: ParamValue
    rect: pygame.Rect
    """All of it."""
    control: pygame.Rect
    parts: tuple[pygame.Rect, ...] = ()
    """Of a choice: a button for each, if they have room side by side."""
    problem: str = ""


class ParamStrip:
    """The strip. Methods that the user's doing calls return (name, value) for what is to be set, or None.

    enabled: may anything be set?
    """

    def __init__(
        self, pen: Pen, params: Mapping[str, Param], values: Mapping[str, ParamValue], *, enabled: bool
    ) -> None:
        self.pen = pen
        self.enabled = enabled
        nowhere = pen.pygame.Rect(0, 0, 0, 0)
        self._rows = [
            _Row(name, param, values.get(name, param.value), nowhere.copy(), nowhere.copy())
            for name, param in params.items()
        ]
        self.rect: pygame.Rect = nowhere
        self._scroll_px = 0
        self._dragged: _Row | None = None
        self._edited: _Row | None = None
        self._editor = LineEditor(limit_chars=1000)

    @property
    def values(self) -> dict[str, ParamValue]:
        """As they are shown."""
        return {row.name: row.value for row in self._rows}

    @property
    def is_editing(self) -> bool:
        """Do keys belong to a field?"""
        return self._edited is not None

    def take(self, values: Mapping[str, ParamValue]) -> None:
        """They were set elsewhere. What the user has in hand stays."""
        for row in self._rows:
            if row.name in values and row is not self._dragged:
                row.value = values[row.name]
                if row is not self._edited:
                    row.problem = ""

    # -- where things are

    def place(self, rect: pygame.Rect) -> None:
        """Stand here."""
        self.rect = rect.copy()
        self._arrange()

    def _arrange(self) -> None:
        pygame = self.pen.pygame
        room = self.rect.height - _HEADER_PX - 8
        self._scroll_px = min(max(self._scroll_px, 0), max(0, len(self._rows) * _ROW_PX - room))
        width = self.rect.width - 2 * _EDGE_PX
        for number, row in enumerate(self._rows):
            y = self.rect.top + _HEADER_PX + number * _ROW_PX - self._scroll_px
            row.rect = pygame.Rect(self.rect.left + _EDGE_PX, y, width, _ROW_PX)
            row.control = pygame.Rect(row.rect.left, y + 22, width, 26)
            row.parts = ()
            if control_of(row.param) == "switch":
                row.control = pygame.Rect(row.rect.right - 44, y + 16, 44, 24)
            elif control_of(row.param) == "choice":
                row.parts = self._buttons(row)

    def _buttons(self, row: _Row) -> tuple[pygame.Rect, ...]:
        needs = [self.pen.width(choice) + 18 for choice in row.param.choices]
        spare = row.control.width - sum(needs)
        if spare < 0:
            return ()
        parts = []
        x = row.control.left
        for number, need in enumerate(needs):
            width = need + spare * (number + 1) // len(needs) - spare * number // len(needs)
            parts.append(self.pen.pygame.Rect(x, row.control.top, width, row.control.height))
            x += width
        return tuple(parts)

    def _row_at(self, x: int, y: int) -> _Row | None:
        if not self.rect.collidepoint(x, y) or y < self.rect.top + _HEADER_PX:
            return None
        return next((row for row in self._rows if row.rect.collidepoint(x, y)), None)

    # -- what the user does

    def press(self, x: int, y: int) -> Change | None:
        """The mouse went down here."""
        row = self._row_at(x, y)
        left = self.finish() if self._edited is not None and self._edited is not row else None
        if row is None or not self.enabled or not row.control.inflate(0, 12).collidepoint(x, y):
            return left
        match control_of(row.param):
            case "slider":
                self._dragged = row
                return self._slide(row, x)
            case "switch":
                return self._set(row, not row.value)
            case "choice":
                return self._choose(row, x, y)
        if self._edited is not row:
            self._edit(row)
        else:
            self._editor.go_to(self._character_at(row, x))
        return left

    def drag(self, x: int, y: int) -> Change | None:
        """... and moved, its button down."""
        if self._dragged is not None:
            return self._slide(self._dragged, x)
        if self._edited is not None:
            self._editor.go_to(self._character_at(self._edited, x), select=True)
        return None

    def release(self) -> None:
        """... and was let go."""
        self._dragged = None

    def wheel(self, x: int, y: int, notches: int) -> Change | None:
        """Turned above this place: beside a control it scrolls."""
        row = self._row_at(x, y)
        if row is not None and self.enabled and row.control.inflate(0, 12).collidepoint(x, y):
            return self._step(row, notches)
        self._scroll_px -= 40 * notches
        self._arrange()
        return None

    def key(self, name: str, x: int, y: int) -> tuple[bool, Change | None]:
        """Left, right, return above a control. Returns whether that is for it, and what is to be set."""
        row = self._row_at(x, y)
        if row is None or not self.enabled:
            return False, None
        kind = control_of(row.param)
        if name in ("left", "right") and kind != "field":
            return True, self._step(row, 1 if name == "right" else -1)
        if name == "return" and kind == "switch":
            return True, self._set(row, not row.value)
        if name == "return" and kind == "field":
            self._edit(row)
            return True, None
        return False, None

    def _slide(self, row: _Row, x: int) -> Change | None:
        track = self._track(row)
        return self._set(row, slider_value(row.param, (x - track.left) / max(1, track.width)))

    def _step(self, row: _Row, steps: int) -> Change | None:
        return self._set(row, stepped(row.param, row.value, steps))

    def _choose(self, row: _Row, x: int, y: int) -> Change | None:
        for choice, part in zip(row.param.choices, row.parts, strict=False):
            if part.collidepoint(x, y):
                return self._set(row, choice)
        if row.parts:
            return None
        choices = row.param.choices
        place = choices.index(str(row.value)) if row.value in choices else 0
        place += 1 if x > row.control.centerx else -1
        return self._set(row, choices[place % len(choices)])

    def _set(self, row: _Row, value: ParamValue) -> Change | None:
        if type(value) is type(row.value) and value == row.value:
            return None
        row.value, row.problem = value, ""
        return row.name, value

    # -- a field that is being edited

    def _edit(self, row: _Row) -> None:
        self._edited = row
        self._editor.set(_written(row.value))
        self._editor.select_all()
        row.problem = ""

    @property
    def editor(self) -> LineEditor:
        """Of the field that is being edited."""
        return self._editor

    def typed(self) -> None:
        """The editor's text has changed: mark it if it is no value."""
        row = self._edited
        if row is not None:
            row.problem = self._problem(row)

    def _problem(self, row: _Row) -> str:
        try:
            read_value(row.param, self._editor.text, row.name)
        except UsageError as exc:
            return str(exc).removeprefix(f"{row.name} is ")
        return ""

    def finish(self) -> Change | None:
        """Done with the field: what it says is to be set, unless that is no value; then it stays as it was."""
        row, self._edited = self._edited, None
        if row is None:
            return None
        try:
            value = read_value(row.param, self._editor.text, row.name)
        except UsageError:
            row.problem = ""
            return None
        return self._set(row, value)

    def submit(self) -> Change | None:
        """Return: as `finish`, but what is no value is left to be mended."""
        row = self._edited
        if row is not None and self._problem(row):
            row.problem = self._problem(row)
            return None
        return self.finish()

    def cancel(self) -> None:
        """Escape: the field is as it was."""
        if self._edited is not None:
            self._edited.problem = ""
            self._edited = None

    def _character_at(self, row: _Row, x: int) -> int:
        return cursor_at(self._editor.text, x - row.control.left - 10 + self._hidden_px(row), self.pen.width)

    def _hidden_px(self, row: _Row) -> int:
        """How much of an edited text is beyond the left end."""
        return max(0, self.pen.width(self._editor.text[: self._editor.cursor]) - (row.control.width - 24))

    # -- how it looks

    def _track(self, row: _Row) -> pygame.Rect:
        track: pygame.Rect = self.pen.pygame.Rect(
            row.control.left + 8, row.control.centery - 2, row.control.width - 16, 4
        )
        return track

    def draw(self, surface: pygame.Surface) -> None:
        """Draw all of it."""
        rect = self.rect
        if rect.width < 60 or rect.height < 60:
            return
        surface.blit(self.pen.theme.box(rect.size, PANEL, LINE), rect)
        y = rect.top + 19
        width = self.pen.text(surface, "Parameters", rect.left + _EDGE_PX, y, size=15, bold=True, colour=TEXT)
        if not self.enabled and rect.width - 2 * _EDGE_PX - width > 90:
            self.pen.text(surface, "read only", rect.right - _EDGE_PX, y, across=1.0)
        before = surface.get_clip()
        inner = self.pen.pygame.Rect(rect.left + 2, rect.top + _HEADER_PX - 2, rect.width - 4, rect.height - _HEADER_PX)
        surface.set_clip(inner.clip(before))
        try:
            for row in self._rows:
                if row.rect.colliderect(inner):
                    self._draw_row(surface, row)
        finally:
            surface.set_clip(before)
        needs, room = len(self._rows) * _ROW_PX, rect.height - _HEADER_PX - 8
        if needs > room:
            bar = max(16, room * room // needs)
            top = rect.top + _HEADER_PX + (room - bar) * self._scroll_px // (needs - room)
            surface.fill(RAISED, (rect.right - 7, top, 3, bar))

    def _draw_row(self, surface: pygame.Surface, row: _Row) -> None:
        pen, param = self.pen, row.param
        strong, weak = (TEXT, DIM) if self.enabled else (_FAINT, _FAINT)
        kind = control_of(param)
        y = row.rect.top + 10
        right = row.rect.right
        if kind == "slider":
            text = " ".join(part for part in (_short(row.value), param.units) if part)
            right -= pen.text(surface, text, right, y, across=1.0, colour=ACCENT if self.enabled else _FAINT)
        elif param.units:
            right -= pen.text(surface, param.units, right, y, across=1.0, colour=weak)
        if kind == "switch":
            y, right = row.control.centery, row.control.left
        room = right - row.rect.left - 10
        name = pen.fitting(row.name, room)
        left = row.rect.left + pen.text(surface, name, row.rect.left, y, colour=strong) + 8
        said = pen.fitting(row.problem or param.text, right - left - 10, 12)
        if said:
            pen.text(surface, said, left, y, size=12, colour=WARNING if row.problem else weak if param.text else DIM)
        if kind == "slider":
            self._draw_slider(surface, row)
        elif kind == "switch":
            self._draw_switch(surface, row)
        elif kind == "choice":
            self._draw_choice(surface, row)
        else:
            self._draw_field(surface, row)

    def _draw_slider(self, surface: pygame.Surface, row: _Row) -> None:
        theme, track = self.pen.theme, self._track(row)
        assert not isinstance(row.value, str)
        at = round(track.left + slider_part(row.param, row.value) * track.width)
        surface.blit(theme.box(track.size, RAISED, radius=2), track)
        if at > track.left + 2:
            surface.fill(ACCENT if self.enabled else _FAINT, (track.left, track.top, at - track.left, track.height))
        knob = 16 if row is self._dragged else 14
        surface.blit(
            theme.box((knob, knob), TEXT if self.enabled else _FAINT, PANEL, width=2, radius=knob // 2),
            (at - knob // 2, track.centery - knob // 2),
        )

    def _draw_switch(self, surface: pygame.Surface, row: _Row) -> None:
        theme, control = self.pen.theme, row.control
        on = bool(row.value)
        ground = (ACCENT if self.enabled else _FAINT) if on else RAISED
        surface.blit(theme.box(control.size, ground, radius=12), control)
        knob = theme.box((18, 18), TEXT if self.enabled else DIM, radius=9)
        surface.blit(knob, (control.right - 21 if on else control.left + 3, control.top + 3))

    def _draw_choice(self, surface: pygame.Surface, row: _Row) -> None:
        pen, control = self.pen, row.control
        surface.blit(pen.theme.box(control.size, BACKGROUND, LINE, radius=6), control)
        if not row.parts:
            text = pen.fitting(str(row.value), control.width - 60)
            pen.text(surface, text, *control.center, across=0.5, colour=TEXT if self.enabled else _FAINT)
            pen.text(surface, "‹", control.left + 12, control.centery, size=18, bold=True)
            pen.text(surface, "›", control.right - 12, control.centery, size=18, bold=True, across=1.0)
            return
        for choice, part in zip(row.param.choices, row.parts, strict=True):
            colour = DIM if self.enabled else _FAINT
            if choice == row.value:
                fill = ACCENT if self.enabled else RAISED
                surface.blit(pen.theme.box((part.width - 4, part.height - 4), fill, radius=5), part.move(2, 2))
                colour = BACKGROUND if self.enabled else DIM
            pen.text(surface, choice, *part.center, across=0.5, colour=colour)

    def _draw_field(self, surface: pygame.Surface, row: _Row) -> None:
        pen, control = self.pen, row.control
        edited = row is self._edited
        border = WARNING if row.problem else ACCENT if edited else LINE
        surface.blit(pen.theme.box(control.size, BACKGROUND, border, radius=6), control)
        if not edited:
            text = pen.fitting(_written(row.value), control.width - 20)
            pen.text(surface, text, control.left + 10, control.centery, colour=TEXT if self.enabled else _FAINT)
            return
        before = surface.get_clip()
        surface.set_clip(control.inflate(-16, -4).clip(before))
        x = control.left + 10 - self._hidden_px(row)
        start, end = self._editor.selection
        text = self._editor.text
        if end > start:
            a, b = pen.width(text[:start]), pen.width(text[:end])
            surface.fill(_SELECTION, (x + a, control.top + 4, b - a, control.height - 8))
        pen.text(surface, text, x, control.centery, colour=TEXT)
        cursor = x + pen.width(text[: self._editor.cursor])
        surface.fill(ACCENT, (cursor, control.top + 5, 2, control.height - 10))
        surface.set_clip(before)


def _short(value: ParamValue) -> str:
    return short_number(value, 6) if isinstance(value, float) else str(value)
