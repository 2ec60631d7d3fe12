"""Displays of signals in a window of SDL's dummy driver, in virtual time: what they show, count, refuse, and obey."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from axonlike import Component, Graphline
from axonlike.components.dsp.epochs import Epoch, EventEpochs
from axonlike.components.dsp.measures import channel_power_db, occupied_bandwidth
from axonlike.components.settable import Changed, Refused
from axonlike.components.ui import Display
from axonlike.components.ui.colormaps import colormap
from axonlike.components.ui.image_view import ImageView
from axonlike.components.ui.instrument import PLOT, TRACES, Instrument
from axonlike.components.ui.scope import Scope
from axonlike.components.ui.spectrum_view import SpectrumView
from axonlike.components.ui.timefreq_view import TimeFreqView, grid_columns
from axonlike.components.ui.traces import auto_scale
from axonlike.components.ui.triggered_scope import TriggeredScope
from axonlike.components.ui.waterfall import MISSED, Waterfall
from axonlike.errors import ComponentError, DeviceError, UsageError, WiringError
from axonlike.linkage import Box
from axonlike.streams.chunk import EVENT, Axis, Chunk, StreamInfo
from axonlike.streamtype import StreamMismatch
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual
from tests.components.ui.test_widgets import User, click, mouse, post, press

pygame = pytest.importorskip("pygame", reason="pygame is not installed")

ALL: tuple[type[Instrument], ...] = (Scope, TriggeredScope, SpectrumView, Waterfall, TimeFreqView, ImageView)
RATE_HZ = 1000.0


def analog(channels: int = 2, rate_hz: float = RATE_HZ, **more: Any) -> StreamInfo:
    return StreamInfo(kind="analog", dtype=np.dtype("f4"), shape=(channels,), sample_rate_hz=rate_hz, units="V", **more)


def spectra(bins: int = 100, rate_hz: float = 50.0, **more: Any) -> StreamInfo:
    fields: dict[str, Any] = {"units": "dBm", "axis": Axis("frequency", "Hz", 1000.0, 10.0), **more}
    return StreamInfo(kind="spectrum", dtype=np.dtype("f4"), shape=(bins,), sample_rate_hz=rate_hz, **fields)


def maps(channels: int = 4, bins: int = 10) -> StreamInfo:
    return StreamInfo(
        kind="map", dtype=np.dtype("f4"), shape=(channels, bins), sample_rate_hz=50.0,
        axis=Axis("frequency", "Hz", 5.0, 1.0),
    )  # fmt: skip


def video(name: str = "", size: tuple[int, int] = (30, 40)) -> StreamInfo:
    return StreamInfo(kind="video", dtype=np.dtype("u1"), shape=(*size, 3), sample_rate_hz=25.0, name=name)


def chunks(rows: npt.NDArray[Any], info: StreamInfo, per_chunk: int, *, index: int = 0) -> list[Chunk]:
    return [
        Chunk(rows[at : at + per_chunk].astype(info.dtype), info, index + at) for at in range(0, len(rows), per_chunk)
    ]


def noise(rows: int, *shape: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((rows, *shape))


def example_of(kind: type[Instrument]) -> list[Any]:
    """Messages that it shows."""
    if kind is TriggeredScope:
        return [epoch(noise(50, 2, seed=n), n * 100) for n in range(3)]
    info = {Scope: analog(), SpectrumView: spectra(), Waterfall: spectra(), TimeFreqView: maps(), ImageView: video()}[
        kind
    ]
    return list(chunks(np.abs(noise(30, *info.shape)) * 20, info, 5))


def epoch(rows: npt.NDArray[np.float64], sample: int, *, before: int = 10) -> Epoch:
    event = np.array([(sample, 0, 0.0)], EVENT)[0]
    times_s = (np.arange(len(rows)) - before) / RATE_HZ
    return Epoch(event, rows.astype(np.float32), times_s, analog(rows.shape[1]), sample - before)


def paced(messages: Sequence[Any], seconds_each: float) -> list[Any]:
    found: list[Any] = []
    for message in messages:
        found += [message, PAUSE(seconds_each)]
    return found


def show(
    view: Instrument, messages: Sequence[Any], *acts: Callable[[], object], size: tuple[int, int] = (500, 400),
    each_s: float = 0.3, inbox: str = "inbox",
) -> Display:  # fmt: skip
    """Run a display with these messages; then do these acts, one after the other, and close the window."""
    display = Display(size)
    feeder = Feeder([PAUSE(0.1), *messages])
    feeder.link((feeder, "outbox"), (view, inbox))
    waits = sum(m.seconds for m in messages if isinstance(m, PAUSE))
    run_virtual(display, feeder, view, _Later(0.2 + waits, *acts, each_s=each_s))
    return display


class _Later(User):
    """Begins when the messages have come."""

    def __init__(self, after_s: float, *acts: Callable[[], object], each_s: float) -> None:
        super().__init__(*acts, each_s=each_s)
        self._after_s = after_s

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self._after_s)
        yield from super().main()


def pixels() -> npt.NDArray[np.uint8]:
    """What the window shows, (x, y, 3)."""
    surface = pygame.display.get_surface()
    assert surface is not None
    return np.array(pygame.surfarray.array3d(surface))


def plot_of(view: Instrument, whole: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """The part of it that is the display's plot."""
    x, y = view._origin
    left, top = x + view.plot.left, y + view.plot.top
    return (pixels() if whole is None else whole)[left : left + view.plot.width, top : top + view.plot.height]


def like(picture: npt.NDArray[np.uint8], colour: Sequence[int], within: int = 30) -> npt.NDArray[np.bool_]:
    """Where it has nearly this colour."""
    found: npt.NDArray[np.bool_] = (np.abs(picture.astype(int) - np.array(colour)) <= within).all(axis=-1)
    return found


def point_at(view: Instrument, x: int, y: int) -> None:
    """Move the mouse over the display, really."""
    pygame.mouse.set_pos((view._origin[0] + x, view._origin[1] + y))


def wheel(view: Instrument, notches: int, mod: int = 0, *, x: int = 200, y: int = 150) -> None:
    point_at(view, x, y)
    pygame.key.set_mods(mod)
    post(pygame.MOUSEWHEEL, y=notches, x=0)


def drag(view: Instrument, start: tuple[int, int], by: tuple[int, int], mod: int = 0) -> None:
    pygame.key.set_mods(mod)
    x, y = view._origin[0] + start[0], view._origin[1] + start[1]
    post(pygame.MOUSEMOTION, pos=(x, y), rel=(0, 0), buttons=(0, 0, 0))
    mouse(pygame.MOUSEBUTTONDOWN, x, y)
    post(pygame.MOUSEMOTION, pos=(x + by[0], y + by[1]), rel=by, buttons=(1, 0, 0))
    mouse(pygame.MOUSEBUTTONUP, x + by[0], y + by[1])


@pytest.fixture(autouse=True)
def _no_modifiers() -> Any:
    yield
    if pygame.display.get_init():
        pygame.key.set_mods(0)


# -- all of them


@pytest.mark.parametrize("kind", ALL)
def test_each_keeps_the_promises_of_all_components(kind: type[Any]) -> None:
    check_component(lambda: kind(linger_s=0), messages=example_of(kind), ends=True)


@pytest.mark.parametrize("kind", ALL)
def test_when_nothing_comes_nothing_is_drawn(kind: type[Any]) -> None:
    frames: list[int] = []
    view = kind()
    display = show(view, example_of(kind), *[lambda: frames.append(view._display.frames)] * 2, each_s=30)
    assert frames[0] == frames[1] > 0
    assert display.frames < 30


@pytest.mark.parametrize("kind", ALL)
def test_it_is_drawn_sixty_times_a_second_at_most(kind: type[Any]) -> None:
    messages = [message for message in example_of(kind) for _ in range(20)]
    if kind is not TriggeredScope:
        messages = [Chunk(m.data, m.info, n * len(m)) for n, m in enumerate(messages)]
    display = show(kind(), paced(messages, 0.002))
    assert 3 < display.frames <= 60 * (0.002 * len(messages) + 1) + 5


@pytest.mark.parametrize("kind", ALL)
def test_each_key_does_something_and_none_is_given_twice(kind: type[Instrument]) -> None:
    keys = [*kind.KEYS, *kind.EVERYWHERE]
    assert len({key.key for key in keys}) == len(keys)
    for key in keys:
        assert callable(getattr(kind, key.method))
        assert key.text


@pytest.mark.parametrize("kind", ALL)
def test_every_key_can_be_pressed_before_and_after_a_signal_came(
    kind: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one of them exports
    names = {"?": ("SLASH", "?"), "space": ("SPACE", " ")}

    def press_all() -> None:
        for key in [*kind.KEYS, *kind.EVERYWHERE] * 2:
            code, text = names.get(key.key, (key.key if len(key.key) == 1 else key.key.upper(), key.key[:1]))
            press(code, text=text)

    view = kind()
    show(view, [PAUSE(1), *example_of(kind)], press_all, press_all)
    early = kind()
    run_virtual(Display((500, 400)), early, User(press_all, lambda: wheel(early, 1), lambda: click(100, 100)))


@pytest.mark.parametrize("kind", ALL)
def test_a_small_window_and_one_that_changes_its_size_are_no_error(kind: type[Any]) -> None:
    view = kind()
    show(
        view, example_of(kind), lambda: pygame.display.set_mode((60, 40)), lambda: view._display.rearrange(),
        lambda: pygame.display.set_mode((900, 500)), lambda: view._display.rearrange(), size=(120, 90),
    )  # fmt: skip
    assert view.plot.width > 700


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_can_be_given_by_message_and_to_the_constructor(kind: type[Any]) -> None:
    view = kind()
    values = {name: getattr(view, name) for name in kind.settings}
    kind(**{name: value for name, value in values.items() if name != "paused"})
    probe = Probe()
    feeder = Feeder([values, {"paused": True}, {"nonsense": 1}, {"paused": 3}])
    run_virtual(
        Graphline(f=feeder, v=kind(), p=probe, links="f.outbox -> v.settings; v.status -> p"), Display(), User()
    )
    assert [type(message) for message in probe.messages] == [Changed, Changed, Refused, Refused]
    assert probe.messages[1].settings == {"paused": True}
    assert "no setting 'nonsense'" in probe.messages[2].reason
    assert "paused=3 (int): it is True or False" in probe.messages[3].reason


@pytest.mark.parametrize("kind", ALL)
def test_what_is_no_chunk_or_of_another_kind_is_refused(kind: type[Any]) -> None:
    for message, error, text in (
        ("text", UsageError, "it takes chunks of a stream"),
        (Chunk(np.zeros(1, EVENT), StreamInfo(kind="events", dtype=EVENT)), StreamMismatch, "kind events, wanted"),
    ):
        with pytest.raises(ComponentError) as caught:
            run_virtual(Display(), Graphline(f=Feeder([message]), v=kind(linger_s=0), links="f -> v"))
        assert isinstance(caught.value.cause, error)
        assert text in str(caught.value.cause)


class Source(Component):
    """Declares what it sends."""

    Outboxes = {"outbox": Box("chunks", Chunk, required=True)}

    def __init__(self, info: StreamInfo, messages: Sequence[Any]) -> None:
        self.specify("outbox", stream=info.type)
        self._messages = messages

    def main(self) -> Generator[Any, Any, None]:
        for message in self._messages:
            self.send(message)
        yield


def test_producers_are_linked_by_the_constructor() -> None:
    data = chunks(np.full((5, 100), -80.0), spectra(), 1)
    view = SpectrumView(Source(spectra(), data), linger_s=0.2)
    run_virtual(view)
    assert view._sources[""].traces.frames == 5


def test_a_producer_of_another_kind_is_refused_at_once() -> None:
    with pytest.raises(WiringError, match=r"no outbox of Source .*spectrum.* fits an inbox of Scope"):
        Scope(Source(spectra(), []))


def test_a_display_that_cannot_keep_up_drops_the_oldest_and_says_so() -> None:
    class Burst(Component):
        Outboxes = {"outbox": Box("chunks", Chunk)}

        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(0.5)
            first, *others = chunks(noise(3000, 2), analog(), 1)
            self.send(first)
            yield self.sleep(0.5)
            for chunk in others:
                self.send(chunk)
            yield self.sleep(0.5)

    view, burst = Scope(linger_s=0.1), Burst()
    burst.link((burst, "outbox"), (view, "inbox"))
    run_virtual(Display(), burst, view)
    stream = view._streams[""]
    assert stream.history.end == 3000
    kept = stream.history.rows(0, 3000)
    assert view.lost == np.isnan(kept[:, 0]).sum() > 2000


def test_paused_it_stands_still_and_what_came_meanwhile_is_a_gap() -> None:
    view = Scope(span_s=1.0)
    rows = chunks(noise(900, 2), analog(), 10)
    seen: list[npt.NDArray[np.uint8]] = []
    display = Display((500, 400))
    feeder = Feeder(paced(rows, 0.01))
    feeder.link((feeder, "outbox"), (view, "inbox"))
    run_virtual(
        display, feeder, view,
        User(
            lambda: press("SPACE", text=" "), lambda: seen.append(pixels()), lambda: seen.append(pixels()),
            lambda: press("SPACE", text=" "), lambda: seen.append(pixels()), each_s=0.15,
        ),
    )  # fmt: skip
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[1] != seen[2]).any()
    assert 250 < view.lost < 700


def test_the_question_mark_shows_the_keys_and_escape_hides_them() -> None:
    view = SpectrumView()
    seen: list[npt.NDArray[np.uint8]] = []
    look = lambda: seen.append(pixels())  # noqa: E731
    show(
        view, example_of(SpectrumView), lambda: point_at(view, 200, 100), look,
        lambda: press("SLASH", text="?"), look, lambda: press("ESCAPE"), look,
    )  # fmt: skip
    assert (seen[0] != seen[1]).mean() > 0.3
    np.testing.assert_array_equal(seen[0], seen[2])


def test_keys_are_for_the_display_below_the_mouse_or_the_one_with_the_focus() -> None:
    upper, lower = Scope(), Scope()
    run_virtual(
        Display((500, 400)), upper, lower,
        User(
            lambda: press("m", text="m"),  # nowhere: the first
            lambda: point_at(lower, 100, 100), lambda: press("m", text="m"), lambda: press("m", text="m"),
            lambda: press("s", text="s"),
            lambda: click(200, 100), lambda: point_at(lower, 100, 100), lambda: press("m", text="m"),  # focused: upper
        ),
    )  # fmt: skip
    assert (upper.mode, upper.scale) == ("scan", "same")
    assert (lower.mode, lower.scale) == ("scan", "each")


def test_after_its_input_has_ended_it_still_obeys() -> None:
    view = Scope(linger_s=5)
    feeder, settings = Feeder(chunks(noise(100, 2), analog(), 10)), Feeder([PAUSE(2), {"mode": "scroll"}])
    feeder.link((feeder, "outbox"), (view, "inbox"))
    settings.link((settings, "outbox"), (view, "settings"))
    assert run_virtual(Display(), feeder, settings, view) == pytest.approx(5, abs=0.5)
    assert view.mode == "scroll"


# -- Scope


@pytest.mark.parametrize("mode", ["scan", "scroll"])
@pytest.mark.parametrize("rate_hz", [200.0, 5000.0])
def test_what_is_drawn_bit_by_bit_is_what_is_drawn_at_once(mode: str, rate_hz: float) -> None:
    """With fewer samples than pixels, and with more."""
    info = analog(3, rate_hz)
    rows = round(1.7 * rate_hz)
    sines = np.sin(np.arange(rows)[:, np.newaxis] / rate_hz * 20 * [1, 2, 3]) + 0.1 * noise(rows, 3)
    view = Scope(span_s=1.0, mode=mode)
    seen: list[npt.NDArray[np.uint8]] = []

    def look() -> None:
        seen.append(plot_of(view))

    def anew() -> None:
        view._draw_all_anew()
        view.redraw()

    each = round(rate_hz / 40)
    # The gains are found in the first second; from then on only what is new is drawn.
    show(view, paced(chunks(sines, info, each), 1 / 40), look, anew, look)
    different = (np.abs(seen[0].astype(int) - seen[1].astype(int)) > 40).any(axis=-1)
    assert like(seen[0], TRACES[0]).sum() > 100
    if mode == "scan":  # the newest and the gap in front of it
        cursor = view._streams[""].drawn % view.plot.width
        different[max(0, cursor - 3) : cursor + 14] = False
    assert different.mean() < 0.001


def test_scan_writes_from_left_to_right_and_scroll_keeps_the_newest_at_the_right() -> None:
    found: dict[str, npt.NDArray[Any]] = {}

    def look(mode: str, view: Scope) -> None:
        found[mode] = np.asarray(like(plot_of(view), TRACES[0]).any(axis=1))

    for mode in ("scan", "scroll"):
        view = Scope(span_s=1.0, mode=mode, scale="real", level_range=(-2, 2))
        show(
            view, chunks(np.zeros((250, 1)), analog(1), 50),
            functools.partial(look, mode, view),
        )  # fmt: skip
    width = len(found["scan"])
    first, last = np.flatnonzero(found["scan"])[[0, -1]]
    assert (first, last) == (0, pytest.approx(width / 4, abs=2))
    first, last = np.flatnonzero(found["scroll"])[[0, -1]]
    assert (first, last) == (pytest.approx(width * 3 / 4, abs=2), pytest.approx(width - 1, abs=1))


def test_a_level_stands_where_the_axis_says() -> None:
    view = Scope(span_s=1.0, scale="real", level_range=(-10, 10))
    seen: list[npt.NDArray[Any]] = []
    show(view, chunks(np.full((900, 1), 5.0), analog(1), 100), lambda: seen.append(like(plot_of(view), TRACES[0])))
    rows = np.flatnonzero(seen[0][100])
    assert abs(rows.mean() - view.plot.height / 4) <= 1


def test_lost_rows_are_shaded_and_counted() -> None:
    view = Scope(span_s=1.0, scale="real", level_range=(-10, 10))
    data = chunks(np.zeros((900, 1)), analog(1), 100)
    seen: list[npt.NDArray[Any]] = []
    show(view, [*data[:3], *data[5:]], lambda: seen.append(plot_of(view)[:, 5]))
    assert view.lost == 200
    width = view.plot.width
    shaded = ~like(seen[0], PLOT, 6)
    inside = slice(round(0.32 * width), round(0.48 * width))
    assert shaded[inside].all()
    assert shaded[: round(0.28 * width)].sum() < 4  # a line of the grid


def test_a_stream_that_begins_anew_is_drawn_anew() -> None:
    view = Scope(span_s=1.0)
    show(view, [*chunks(noise(500, 2), analog(), 100, index=1000), *chunks(noise(200, 2), analog(), 100)])
    assert (view._streams[""].history.first, view._streams[""].history.end) == (0, 200)
    assert view.lost == 0


def test_gains_and_offsets_follow_the_median_and_the_deviation() -> None:
    view = Scope(span_s=3.0, scale="each")
    rows = (noise(3000, 3) * [1, 20, 300] + [5, -100, 0]).astype(np.float32)
    show(view, chunks(rows, analog(3), 500))
    wanted = auto_scale(rows, "each")
    assert view._scaling is not None
    np.testing.assert_allclose(view._scaling.gains, wanted.gains, rtol=1e-6)
    np.testing.assert_allclose(view._scaling.offsets, wanted.offsets, rtol=1e-5)


def test_the_wheel_changes_the_gain_and_with_shift_the_span() -> None:
    view = Scope(span_s=2.0)
    steps: list[tuple[float, float]] = []

    def note() -> None:
        steps.append((view.gain, view.span_s))

    show(
        view, chunks(noise(2000, 2), analog(), 200),
        lambda: wheel(view, 1), note, lambda: wheel(view, -1, pygame.KMOD_LCTRL), note,
        lambda: wheel(view, 1, pygame.KMOD_LSHIFT), note,
    )  # fmt: skip
    np.testing.assert_allclose(steps, [(1.3, 2.0), (0.13, 2.0), (0.13, 2 / 1.3)])


def test_dragging_sideways_changes_the_span_and_upwards_moves_the_traces() -> None:
    view = Scope(span_s=2.0)
    show(
        view, chunks(noise(2000, 2), analog(), 200),
        lambda: drag(view, (200, 100), (50, 0)), lambda: drag(view, (200, 100), (0, -view.plot.height // 2)),
    )  # fmt: skip
    assert view.span_s == pytest.approx(2.0 * 1.5)
    assert view.offsets[""] == pytest.approx(1.0, abs=0.01)  # half of two lanes


def test_a_double_click_fits_again_and_a_click_on_a_name_shows_that_channel_alone() -> None:
    view = Scope(span_s=1.0, gain=3.0)
    shown: list[Any] = []

    def twice(x: int, y: int) -> None:
        click(view._origin[0] + x, view._origin[1] + y)
        click(view._origin[0] + x, view._origin[1] + y)

    info = analog(4, channel_names=("a", "b", "c", "d"))
    show(
        view, chunks(noise(1000, 4), info, 100), lambda: twice(200, 100),
        lambda: click(view._origin[0] + 50, view._origin[1] + view.plot.top + view.plot.height * 3 // 8),
        lambda: shown.append((view.gain, view.shown)),
        lambda: click(view._origin[0] + 50, view._origin[1] + 100), lambda: shown.append(view.shown), each_s=0.5,
    )  # fmt: skip
    assert shown == [(1.0, ("b",)), None]


def test_channels_have_the_colours_that_they_were_given() -> None:
    view = Scope(span_s=1.0, scale="real", level_range=(-1, 1), colours={"ch 1": "#ff0000"}, shown=["ch 1"])
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, chunks(np.zeros((900, 2)), analog(2), 100), lambda: seen.append(plot_of(view)))
    assert like(seen[0], (255, 0, 0), 60).any()
    with pytest.raises(UsageError, match=r"colours\['ch 1'\] is 'nocolour'"):
        Scope(colours={"ch 1": "nocolour"})


def test_each_bit_of_a_digital_stream_is_a_line() -> None:
    info = StreamInfo(kind="digital", dtype=np.dtype("u1"), shape=(1,), sample_rate_hz=RATE_HZ)
    view = Scope(span_s=1.0)
    seen: list[npt.NDArray[Any]] = []
    show(view, chunks(np.full((900, 1), 0b00000101), info, 100), lambda: seen.append(plot_of(view)[100]))
    assert [line.name for _, line in view._lines] == [f"bit {bit}" for bit in range(8)]
    height = len(seen[0])
    for bit in range(8):
        rows = np.flatnonzero(like(seen[0], TRACES[bit % len(TRACES)], 20))
        level = 8.3 - rows / height * 8.8 - (7 - bit)  # ylim -0.5 .. n + 0.3, the first on top, gain 0.8
        assert np.abs(level - (0.8 if bit in (0, 2) else 0.0)).min() < 0.1


def test_two_streams_of_different_rates_stand_below_each_other() -> None:
    view = Scope(span_s=1.0)
    one, two = analog(1, 500.0, name="slow"), analog(2, 4000.0, name="fast")
    show(view, [*chunks(noise(600, 1), one, 100), *chunks(noise(4000, 2), two, 500)])
    assert [line.name for _, line in view._lines] == ["slow", "ch 0", "ch 1"]
    assert view._scaling is not None
    assert len(view._scaling.gains) == 3


# -- TriggeredScope


def test_epochs_are_counted_and_the_last_ones_superposed() -> None:
    view = TriggeredScope(stack_size=3)
    show(view, paced([epoch(noise(50, 2, seed=n), n) for n in range(8)], 0.05))
    assert view.total == 8
    assert len(view._epochs) == 3


def test_the_picture_of_the_stack_has_just_the_epochs_that_are_in_it() -> None:
    """They are added and taken away one by one."""
    view = TriggeredScope(stack_size=4)
    seen: list[npt.NDArray[Any]] = []

    def look() -> None:
        seen.append(np.stack([lane.covered for lane in view._lanes]))

    def anew() -> None:
        view._draw_anew()
        view.redraw()

    data = [epoch(noise(50, 2, seed=n), n) for n in range(12)]
    show(view, [*paced(data[:10], 0.1), *paced(data[10:], 0.1)], look, anew, look)
    assert seen[0].any()
    np.testing.assert_array_equal(seen[0], seen[1])


def test_a_signal_and_its_events_are_cut_here() -> None:
    signal, info = noise(2000, 2), analog()
    events = StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=RATE_HZ)
    found = np.array([(300, 0, 1.0), (900, 0, 1.0), (1990, 0, 1.0)], EVENT)
    view = TriggeredScope(
        Source(info, chunks(signal, info, 100)), Source(events, [Chunk(found, events)]), window_s=(-0.01, 0.05),
        linger_s=0.3,
    )  # fmt: skip
    run_virtual(view, Display())
    assert view.total == 2  # of the third the end never came
    np.testing.assert_array_equal(view._epochs[0], signal[290:350].astype(np.float32))
    np.testing.assert_array_equal(view._epochs[1], signal[890:950].astype(np.float32))


def test_an_event_epochs_block_may_stand_before_it() -> None:
    info, events = analog(), StreamInfo(kind="events", dtype=EVENT, sample_rate_hz=RATE_HZ)
    found = Chunk(np.array([(300, 0, 1.0)], EVENT), events)
    cutter = EventEpochs(Source(info, chunks(noise(1000, 2), info, 100)), Source(events, [found]), window_s=(0.0, 0.1))
    view = TriggeredScope(cutter, linger_s=0.3)
    run_virtual(view, Display())
    assert view.total == 1


def test_the_mean_is_that_of_the_stack_and_reset_empties_it() -> None:
    view = TriggeredScope(stack_size=5, mean=True)
    data = [noise(50, 2, seed=n) for n in range(7)]
    means: list[Any] = []
    show(
        view, [epoch(rows, n) for n, rows in enumerate(data)],
        lambda: means.append(np.asarray(view._sum) / len(view._epochs)), lambda: press("c", text="c"),
    )  # fmt: skip
    np.testing.assert_allclose(means[0], np.mean(data[2:], axis=0), atol=1e-5)
    assert (view.total, len(view._epochs)) == (0, 0)


def test_epochs_of_another_length_begin_a_new_stack() -> None:
    view = TriggeredScope()
    show(view, [epoch(noise(50, 2), 1), epoch(noise(50, 2), 2), epoch(noise(80, 2), 3)])
    assert view.total == 1


# -- SpectrumView


def carrier(bins: int = 100, place: int = 40, level: float = -30.0) -> npt.NDArray[np.float64]:
    found = np.full(bins, -100.0)
    found[place] = level
    return found


def test_peak_hold_sees_each_frame_that_comes_between_two_pictures() -> None:
    frames = np.full((500, 100), -100.0)
    frames[217] = carrier(place=70)
    view = SpectrumView(peak_hold=True)
    show(view, chunks(frames, spectra(), 10))
    assert view._sources[""].traces.peak[70] == -30
    assert view._sources[""].traces.frames == 500


def test_a_carrier_stands_where_the_axes_say() -> None:
    view = SpectrumView(level_range=(-120, 0), frequency_range=(995, 1995))
    seen: list[npt.NDArray[Any]] = []
    show(view, chunks(np.tile(carrier(), (20, 1)), spectra(), 1), lambda: seen.append(plot_of(view)))
    column = round((1400 - 995) / 1000 * view.plot.width)
    blue = like(seen[0], TRACES[0], 90)
    rows = np.flatnonzero(blue[column - 4 : column + 5].any(axis=0))
    assert abs(rows.min() / view.plot.height - 30 / 120) < 0.03
    elsewhere = np.flatnonzero(blue[round(0.8 * view.plot.width)])
    assert abs(elsewhere.mean() / view.plot.height - 100 / 120) < 0.02


def test_linear_power_is_shown_in_decibels() -> None:
    view = SpectrumView(marker=1400.0)
    show(view, chunks(10 ** (np.tile(carrier(), (5, 1)) / 10), spectra(units="FS^2"), 1))
    assert view.readout["marker_db"] == pytest.approx(-30, abs=0.01)
    assert view._sources[""].units == "dBFS"


def test_a_falling_axis_is_turned_round() -> None:
    view = SpectrumView(marker=1600.0)
    show(view, chunks(np.tile(carrier(place=39), (5, 1)), spectra(axis=Axis("frequency", "Hz", 1990.0, -10.0)), 1))
    assert (view.readout["marker_hz"], view.readout["marker_db"]) == (1600.0, -30.0)
    assert view.frequencies == (995.0, 1995.0)


def test_markers_delta_channel_power_and_occupied_bandwidth_are_read_out() -> None:
    levels = noise(1, 100)[0] * 3 - 80
    levels[40], levels[70] = -20, -35
    info = spectra(facts={"enbw_bins": 1.5})
    view = SpectrumView(channel=(1300.0, 1800.0))
    show(
        view, chunks(np.tile(levels, (20, 1)), info, 1),
        lambda: point_at(view, 200, 100),
        lambda: press("m", text="m"), lambda: press("d", text="d"), lambda: press("n", text="n"),
    )  # fmt: skip
    found = view.readout
    assert (found["marker_hz"], found["delta_hz"]) == (1700.0, -300.0)
    np.testing.assert_allclose((found["marker_db"], found["delta_db"]), (-35, 15), atol=1e-3)
    axis = Axis("frequency", "Hz", 1000.0, 10.0)
    row = levels.astype(np.float32)
    assert found["power_db"] == pytest.approx(channel_power_db(row, axis, 1300, 1800, enbw_bins=1.5), abs=1e-3)
    inside = np.where((axis.values(100) >= 1300) & (axis.values(100) <= 1800), row, np.nan)
    band = occupied_bandwidth(inside, axis)
    assert band is not None
    assert found["occupied_hz"] == pytest.approx(band.width_hz, rel=1e-4)


def test_a_click_puts_the_marker_on_the_peak_nearby_and_arrows_move_it_bin_by_bin() -> None:
    view = SpectrumView()
    show(
        view, chunks(np.tile(carrier(), (5, 1)), spectra(), 1),
        lambda: click(view._origin[0] + view.plot.left + round(0.41 * view.plot.width), view._origin[1] + 200),
        lambda: press("RIGHT"), lambda: press("RIGHT"), lambda: press("LEFT"),
    )  # fmt: skip
    assert view.marker == 1410.0


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves() -> None:
    view = SpectrumView()
    ranges: list[tuple[float, float]] = []
    note = lambda: ranges.append(view.frequencies)  # noqa: E731
    show(
        view, chunks(np.tile(carrier(), (5, 1)), spectra(), 1),
        lambda: wheel(view, 2, x=view.plot.left, y=150), note,
        lambda: drag(view, (300, 150), (-round(view.plot.width / 4), 0)), note,
        lambda: press("r", text="r"), note,
    )  # fmt: skip
    width = 1000 / 1.25**2
    np.testing.assert_allclose(ranges[0], (995.0, 995 + width))
    assert ranges[1][0] == pytest.approx(995 + width / 4, abs=3)
    assert ranges[2] == (995.0, 1995.0)


def test_with_shift_the_mouse_chooses_the_channel() -> None:
    view = SpectrumView()
    quarter: list[int] = []
    show(
        view, chunks(np.tile(carrier(), (5, 1)), spectra(), 1),
        lambda: quarter.append(round(view.plot.width / 4)),
        lambda: drag(view, (view.plot.left + quarter[0], 150), (quarter[0], 0), pygame.KMOD_LSHIFT),
    )  # fmt: skip
    assert view.channel is not None
    assert view.channel[0] == pytest.approx(995 + 250, abs=6)
    assert view.channel[1] == pytest.approx(995 + 500, abs=6)


def test_several_sources_are_several_traces_by_their_names() -> None:
    view = SpectrumView(level_range=(-120, 0))
    one, two = spectra(name="one"), spectra(name="two", axis=Axis("frequency", "Hz", 2000.0, 10.0))
    seen: list[npt.NDArray[np.uint8]] = []
    show(
        view, [*chunks(np.tile(carrier(), (5, 1)), one, 1), *chunks(np.tile(carrier(), (5, 1)), two, 1)],
        lambda: seen.append(plot_of(view)),
    )  # fmt: skip
    assert view.frequencies == (995.0, 2995.0)
    half = view.plot.width // 2
    assert like(seen[0][: half - 2], TRACES[0]).any()
    assert not like(seen[0][half + 2 :], TRACES[0]).any()
    assert like(seen[0][half + 2 :], TRACES[1]).any()


def test_a_retune_begins_new_traces() -> None:
    view = SpectrumView(peak_hold=True, frequency_range=(1100, 1200))
    other = spectra(axis=Axis("frequency", "Hz", 5000.0, 10.0))
    show(view, [*chunks(np.tile(carrier(), (5, 1)), spectra(), 1), *chunks(np.full((2, 100), -90.0), other, 1)])
    assert view._sources[""].traces.peak.max() == -90
    assert view.frequencies == (4995.0, 5995.0)


# -- Waterfall


def colour_of(level: float, low: float, high: float) -> list[int]:
    return [int(c) for c in colormap("viridis", 255)[round((level - low) / (high - low) * 254)]]


def test_a_waterfall_has_the_newest_at_the_top_and_levels_as_colours() -> None:
    view = Waterfall(span_s=2.0, level_range=(-100, 0))
    frames = np.full((200, 100), -100.0)
    frames[:, 20] = -50
    frames[150:, 80] = 0  # for the last second
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, chunks(frames, spectra(), 10), lambda: seen.append(plot_of(view)))
    width, height = seen[0].shape[:2]
    steady = seen[0][round(0.205 * width)]
    assert like(steady, colour_of(-50, -100, 0), 3).all()
    late = seen[0][round(0.805 * width)]
    assert like(late[: height // 2 - 2], colour_of(0, -100, 0), 3).all()
    assert like(late[height // 2 + 2 :], colour_of(-100, -100, 0), 3).all()


def test_drawn_row_by_row_it_is_the_same_as_drawn_at_once() -> None:
    view = Waterfall(span_s=2.0, level_range=(-100, 0))
    seen: list[npt.NDArray[np.uint8]] = []

    def anew() -> None:
        view._painted = -1
        view.redraw()

    look = lambda: seen.append(plot_of(view))  # noqa: E731
    show(view, paced(chunks(noise(150, 100) * 20 - 50, spectra(), 1), 0.02), look, anew, look)
    np.testing.assert_array_equal(seen[0], seen[1])


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 2000.0])
def test_its_speed_does_not_depend_on_how_many_frames_a_second_come(rate_hz: float) -> None:
    view = Waterfall(span_s=2.0, level_range=(-100, 0))
    seen: list[npt.NDArray[np.uint8]] = []
    data = chunks(np.zeros((round(rate_hz), 100)), spectra(rate_hz=rate_hz), 20)  # one second
    show(view, data, lambda: seen.append(plot_of(view)))
    bright = like(seen[0][50], colour_of(0, -100, 0), 3)
    assert abs(bright.sum() - view.plot.height / 2) <= 2


def test_lost_frames_leave_a_dark_gap_of_their_duration() -> None:
    view = Waterfall(span_s=2.0, level_range=(-100, 0))
    data = chunks(np.zeros((100, 100)), spectra(), 10)
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, [*data[:4], *data[6:]], lambda: seen.append(plot_of(view)[50]))
    assert view.lost == 20
    assert abs(like(seen[0], MISSED, 2).sum() - 0.4 / 2 * view.plot.height) <= 2


def test_paused_a_waterfall_stands_still() -> None:
    view = Waterfall(span_s=2.0)
    feed = chunks(noise(100, 100) * 20 - 50, spectra(), 1)
    seen: list[npt.NDArray[np.uint8]] = []
    look = lambda: seen.append(plot_of(view))  # noqa: E731
    display, feeder = Display((500, 400)), Feeder(paced(feed, 0.02))
    feeder.link((feeder, "outbox"), (view, "inbox"))
    pause = lambda: view.toggle_pause()  # noqa: E731
    run_virtual(display, feeder, view, User(pause, look, look, pause, look, each_s=0.3))
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[1] != seen[2]).any()


def test_a_stream_without_a_rate_has_a_row_for_each_frame() -> None:
    view = Waterfall(level_range=(-100, 0))
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, chunks(np.zeros((25, 100)), spectra(rate_hz=0.0), 1), lambda: seen.append(plot_of(view)[50]))
    assert like(seen[0], colour_of(0, -100, 0), 3).sum() == 25


def test_a_second_stream_is_refused() -> None:
    for kind, info in ((Waterfall, spectra), (TimeFreqView, lambda name: maps().replace(name=name))):
        first, second = (Chunk(np.zeros((1, *info(name=name).shape), np.float32), info(name=name)) for name in "ab")
        with pytest.raises(ComponentError, match="it shows one stream, and had 'a' before 'b' came"):
            show(kind(), [first, second])


def test_the_wheel_zooms_a_waterfall_too_and_shift_changes_its_span() -> None:
    view = Waterfall(span_s=2.0)
    show(
        view, chunks(np.tile(carrier(), (50, 1)), spectra(), 5),
        lambda: wheel(view, 1, x=view.plot.left), lambda: wheel(view, -1, pygame.KMOD_LSHIFT),
    )  # fmt: skip
    np.testing.assert_allclose(view.frequencies, (995.0, 995 + 800))
    assert view.span_s == pytest.approx(2.6)


# -- TimeFreqView


def test_maps_stand_in_a_grid_with_time_to_the_right_and_frequency_upwards() -> None:
    view = TimeFreqView(span_s=2.0, level_range=(0.0, 1.0), columns=2)
    data = np.zeros((100, 4, 10))
    data[50:, 2, 8] = 1.0  # the last second, the third channel, near the top
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, chunks(data, maps(), 10), lambda: seen.append(pixels()), size=(700, 500))
    x0, y0 = view._origin
    bright = colormap("viridis", 255)[-1].tolist()
    for number, cell in enumerate(view._cells):
        part = like(seen[0][x0 + cell.left : x0 + cell.right, y0 + cell.top : y0 + cell.bottom], bright, 40)
        assert part.any() == (number == 2)
        if number == 2:
            xs, ys = np.nonzero(part)
            assert abs(xs.min() / cell.width - 0.5) < 0.02
            assert xs.max() == cell.width - 1
            assert abs(ys.mean() / cell.height - 0.15) < 0.02  # the ninth of ten from below
    assert view._cells[2].left == view._cells[0].left
    assert view._cells[2].top > view._cells[0].bottom


def test_colours_fit_each_channel_or_all_alike() -> None:
    data = np.abs(noise(100, 4, 10)) * np.array([1, 2, 4, 8])[:, np.newaxis]
    view = TimeFreqView(span_s=2.0)
    show(view, chunks(data, maps(), 10))
    tops = [view.levels(channel)[1] for channel in range(4)]
    np.testing.assert_allclose(tops, np.percentile(data.transpose(1, 0, 2).reshape(4, -1), 99.7, axis=1), rtol=0.3)
    view.alike = True
    assert len({view.levels(channel) for channel in range(4)}) == 1


@pytest.mark.parametrize(
    ("cells", "size", "columns"), [(1, (800, 600), 1), (4, (800, 600), 2), (3, (1600, 400), 3), (3, (300, 900), 1)]
)
def test_a_grid_has_as_many_columns_as_make_its_cells_large(cells: int, size: tuple[int, int], columns: int) -> None:
    assert grid_columns(cells, *size) == columns


# -- ImageView


def picture(colour: tuple[int, int, int], info: StreamInfo) -> npt.NDArray[np.uint8]:
    found = np.empty((1, *info.shape), np.uint8)
    found[:] = colour
    return found


def test_the_newest_frame_is_shown_and_the_others_are_counted() -> None:
    info, view = video(), ImageView()
    colours = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    frames = [Chunk(picture(colour, info), info, n) for n, colour in enumerate(colours)]
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, frames, lambda: seen.append(plot_of(view)))
    assert seen[0][view.plot.width // 2, view.plot.height // 2].tolist() == [0, 0, 255]
    assert (view.frames, view.skipped) == (3, 2)


def test_a_picture_keeps_its_proportions_and_its_sides() -> None:
    info, view = video(size=(20, 40)), ImageView(smooth=False)
    frame = picture((0, 0, 0), info)
    frame[0, :10, :20] = (255, 0, 0)  # above, left
    corners: list[list[int]] = []

    def look() -> None:
        plot = plot_of(view)
        wide, high = view.plot.size
        height = wide // 2
        above = (high - height) // 2
        corners.append([int(plot[x, above + y, 0]) for y in (10, height - 10) for x in (10, wide - 10)])

    show(
        view, [Chunk(frame, info)], look, lambda: press("f", text="f"), look, lambda: press("m", text="m"), look,
        size=(400, 400),
    )  # fmt: skip
    assert corners == [[255, 0, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255]]


def test_several_videos_stand_in_a_grid_and_a_click_shows_one_alone() -> None:
    view = ImageView()
    colours = {"a": (200, 0, 0), "b": (0, 200, 0), "c": (0, 0, 200), "d": (200, 200, 0)}
    frames = [Chunk(picture(colour, video(name)), video(name)) for name, colour in colours.items()]
    seen: list[npt.NDArray[np.uint8]] = []
    look = lambda: seen.append(plot_of(view))  # noqa: E731
    show(
        view, frames, look,
        lambda: click(view._origin[0] + view.plot.left + view.plot.width * 3 // 4, view._origin[1] + 100), look,
        lambda: click(view._origin[0] + 100, view._origin[1] + 100), look, each_s=0.5, size=(600, 480),
    )  # fmt: skip
    width, height = seen[0].shape[:2]
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    assert [tuple(seen[0][place]) for place in places] == list(colours.values())
    assert tuple(seen[1][width // 2, height // 2]) == colours["b"]
    np.testing.assert_array_equal(seen[0], seen[2])


def test_greys_are_shown_and_other_shapes_refused() -> None:
    grey = StreamInfo(kind="video", dtype=np.dtype("u1"), shape=(10, 20))
    view = ImageView()
    seen: list[npt.NDArray[np.uint8]] = []
    show(view, [Chunk(np.full((1, 10, 20), 99, np.uint8), grey)], lambda: seen.append(plot_of(view)))
    assert seen[0][view.plot.width // 2, view.plot.height // 2].tolist() == [99, 99, 99]
    odd = StreamInfo(kind="video", dtype=np.dtype("u1"), shape=(10, 20, 4))
    with pytest.raises(ComponentError, match=r"frames of a video have the shape \(10, 20, 4\)"):
        show(ImageView(), [Chunk(np.zeros((1, 10, 20, 4), np.uint8), odd)])


# -- export


@pytest.mark.parametrize("kind", ALL)
def test_the_picture_is_exported_as_it_is_shown(kind: type[Instrument], tmp_path: Path) -> None:
    view: Instrument = kind()  # type: ignore[call-arg]  # each of them has its own defaults
    show(view, paced(example_of(kind), 0.05), lambda: view.export(tmp_path / "view.png"))
    picture = pygame.image.load(tmp_path / "view.png")
    assert picture.get_size() == view.size
    colours = {tuple(picture.get_at((x, y))) for x in range(0, picture.get_width(), 7) for y in range(0, 300, 7)}
    assert len(colours) > 3


def test_the_numbers_of_a_scope_are_exported(tmp_path: Path) -> None:
    rows = noise(500, 2)
    view = Scope(span_s=0.2)
    show(view, chunks(rows, analog(channel_names=("Fz", "Cz")), 50), lambda: view.export(tmp_path / "view.csv"))
    lines = (tmp_path / "view.csv").read_text().splitlines()
    assert lines[0] == "index,Fz [V],Cz [V]"
    table = np.array([line.split(",") for line in lines[1:]], float)
    assert np.array_equal(table[:, 0], np.arange(300, 500))
    assert np.array_equal(table[:, 1:].astype("f4"), rows[300:].astype("f4"))


def test_the_numbers_of_a_spectrum_are_exported(tmp_path: Path) -> None:
    view = SpectrumView(peak_hold=True)
    frames = noise(20, 100)
    show(view, chunks(frames, spectra(name="radio"), 10), lambda: view.export(tmp_path / "view.csv"))
    lines = (tmp_path / "view.csv").read_text().splitlines()
    assert lines[0] == "radio frequency [Hz],radio level [dBm],radio peak [dBm]"
    table = np.array([line.split(",") for line in lines[1:]], float)
    assert np.array_equal(table[:, 0], 1000.0 + 10.0 * np.arange(100))
    assert np.array_equal(table[:, 2].astype("f4"), frames.astype("f4").max(axis=0))


def test_what_cannot_be_exported_is_told(tmp_path: Path) -> None:
    view = ImageView()
    refused: list[str] = []

    def attempt(name: str) -> None:
        try:
            view.export(tmp_path / name)
        except (UsageError, DeviceError) as exc:
            refused.append(str(exc))

    attempt("early.png")
    show(view, example_of(ImageView), *(functools.partial(attempt, n) for n in ("a.csv", "a.pdf", "no/a.png")))
    assert ["not shown" in refused[0], "no numbers" in refused[1], "a.pdf: export to .png" in refused[2]] == [True] * 3
    assert "cannot export to" in refused[3]


def test_a_key_exports_both_to_the_folder_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    view, status = Scope(title="brain / left"), Probe()
    view.link((view, "status"), (status, "inbox"))
    view.runs_with(status)
    show(view, chunks(noise(100, 2), analog(), 10), lambda: press("e"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:10] for name in names] == ["brain-left"] * 2
    assert [name[-4:] for name in names] == [".csv", ".png"]
    assert [message.path for message in status.messages] == [str(tmp_path / name) for name in reversed(names)]
