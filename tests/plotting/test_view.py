"""The plot's window on SDL's dummy driver, in virtual time: what it answers, shows, and tells of its user."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from axonlike import Component, Graphline, Pipeline
from axonlike.components.settable import Changed
from axonlike.components.ui import Display
from axonlike.components.ui.instrument import TRACES, Exported
from axonlike.errors import ComponentError, MissingExtra, UsageError
from axonlike.plotting.messages import Counters, Did, Drawn, Ended, Failed, Frame, Panel, Ready, Set, Values, Welcome
from axonlike.plotting.panels.panel import AxesPanel
from axonlike.plotting.params import Param
from axonlike.plotting.view import PlotView
from axonlike.testing import PAUSE, Feeder, Probe, check_component, run_virtual
from tests.components.ui.test_widgets import User, click, mouse, post, press, type_text

pygame = pytest.importorskip("pygame", reason="pygame is not installed")

X = np.linspace(0.0, 10.0, 50)


@pytest.fixture(autouse=True)
def _dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.delenv("SDL_VIDEO_DRIVER", raising=False)
    yield
    if pygame.display.get_init():
        pygame.key.set_mods(0)


def frame(number: int, **values: Any) -> Frame:
    return Frame(number, 10 * number, number / 30, kwargs=values or {"v": np.arange(9.0) * number})


def frames(count: int, **values: Any) -> list[Frame]:
    return [frame(n, **values) for n in range(1, count + 1)]


class Calculation(Component):
    """Sends these messages, with pauses; keeps what is answered. Goes on until the window is closed, if it `stays`."""

    Inboxes = {"inbox": "answers"}

    def __init__(self, *messages: Any, stays: bool = True) -> None:
        self._messages = messages
        self._stays = stays
        self.answers: list[Any] = []
        self.times_s: list[float] = []

    def of(self, kind: type) -> list[Any]:
        return [answer for answer in self.answers if isinstance(answer, kind)]

    def main(self) -> Generator[Any, Any, None]:
        assert self.scheduler is not None
        for message in self._messages:
            if isinstance(message, PAUSE):
                until_s = self.scheduler.time() + message.seconds
                while (left_s := until_s - self.scheduler.time()) > 0:
                    yield self.wait("inbox", timeout=left_s)
                    self._keep()
            else:
                self.send(message)
                yield
        try:
            while self._stays:
                yield self.wait("inbox", timeout=1e9)
                self._keep()
        finally:
            self._keep()

    def _keep(self) -> None:
        assert self.scheduler is not None
        for answer in self.inbox("inbox"):
            self.answers.append(answer)
            self.times_s.append(self.scheduler.time())


def watch(
    view: PlotView, messages: Sequence[Any], *acts: Callable[[], object], size: tuple[int, int] = (900, 600),
    each_s: float = 0.3, stays: bool = True, closes: bool = True,
) -> tuple[Calculation, Display]:  # fmt: skip
    """Run a viewer of a calculation that says this; do these acts, one after the other, and close the window."""
    display = Display(size)
    calculation = Calculation(*messages, stays=stays)
    run_virtual(
        display,
        Pipeline(calculation, view, circular=True),
        User(*acts, each_s=each_s, closes=closes),
    )
    return calculation, display


def pixels() -> npt.NDArray[np.uint8]:
    surface = pygame.display.get_surface()
    assert surface is not None
    return np.array(pygame.surfarray.array3d(surface))


def like(picture: npt.NDArray[np.uint8], colour: Any, within: int = 30) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (np.abs(picture.astype(int) - np.array(colour)) <= within).all(axis=-1)
    return found


def place(view: PlotView, name: str, across: float = 0.5, down: float = 0.5) -> tuple[int, int]:
    """A place in a panel's plot, in the window."""
    plot = view._panels[name].plot
    return (
        view._origin[0] + plot.left + int(across * plot.width), view._origin[1] + plot.top + int(down * plot.height)
    )  # fmt: skip


def point_at(view: PlotView, name: str, across: float = 0.5, down: float = 0.5) -> None:
    pygame.mouse.set_pos(place(view, name, across, down))
    post(pygame.MOUSEMOTION, pos=place(view, name, across, down), rel=(0, 0), buttons=(0, 0, 0))


def window(view: PlotView) -> Display:
    assert view._display is not None
    return view._display


def resize(view: PlotView, width: int, height: int) -> None:
    pygame.display.set_mode((width, height))
    window(view).rearrange()


def panel(view: PlotView, name: str) -> AxesPanel:
    found = view._panels[name]
    assert isinstance(found, AxesPanel)
    return found


def key(character: str) -> Callable[[], object]:
    return lambda: press({"?": "SLASH", " ": "SPACE"}.get(character, character), text=character)


# -- its place in a graph


def test_it_keeps_the_promises_of_all_components() -> None:
    messages = [Welcome(params={"a": Param(1.0)}), *frames(3, v=1.0, w=X), Values({"a": 2.0}), Ended()]
    check_component(lambda: PlotView(linger_s=0), messages=messages, ends=True)


def test_it_says_once_that_it_can_be_seen_and_answers_each_frame_when_it_is_drawn() -> None:
    drawn: list[tuple[Any, bool]] = []

    class Seen(Calculation):
        def _keep(self) -> None:
            before = len(self.answers)
            super()._keep()
            new = [answer for answer in self.answers[before:] if not isinstance(answer, Did)]
            drawn.extend((answer, bool(like(pixels(), TRACES[0]).any())) for answer in new)

    view = PlotView()
    calculation = Seen(
        Welcome(hold=True), PAUSE(0.2), frame(1), PAUSE(0.2), frame(2), PAUSE(0.2), Welcome(), PAUSE(0.2)
    )
    run_virtual(Display((600, 400)), Pipeline(calculation, view, circular=True), User(lambda: None, each_s=1.0))
    assert drawn == [
        (Ready(), False), (Drawn(1), True), (Drawn(2), True),
    ]  # fmt: skip


def test_no_window_no_ready_and_no_picture_no_answer() -> None:
    calculation, _ = watch(PlotView(), [Welcome(hold=True), PAUSE(0.1), frame(1), PAUSE(0.5)], size=(30, 24))
    assert calculation.of(Ready) == calculation.of(Drawn) == []


def test_a_frame_that_another_follows_before_it_is_drawn_is_not_answered() -> None:
    calculation, _ = watch(PlotView(), [Welcome(hold=True), PAUSE(0.1), *frames(5), PAUSE(0.5)])
    assert calculation.of(Drawn)[-1] == Drawn(5)
    assert len(calculation.of(Drawn)) < 5


def test_the_last_frame_is_drawn_before_it_ends_with_the_calculation() -> None:
    probe = Probe()
    passed_s = run_virtual(
        Display((600, 400)), Pipeline(Feeder([Welcome(), PAUSE(0.2), frame(7), Ended("done")]), PlotView(), probe)
    )
    assert Drawn(7) in probe.messages
    assert passed_s < 1
    assert not pygame.display.get_init()


def test_a_calculation_that_goes_without_a_word_takes_its_window_with_it() -> None:
    assert run_virtual(Display(), Pipeline(Feeder([Welcome(), PAUSE(0.2), frame(1)]), PlotView(), Probe())) < 1


@pytest.mark.parametrize("last", [[Ended("all done", hold=True)], []])
def test_a_window_that_is_to_stay_stays_until_it_is_closed(last: list[Any]) -> None:
    view, states = PlotView(), []
    _, display = watch(
        view, [Welcome(hold=True), PAUSE(0.1), frame(1), PAUSE(0.1), *last], key("?"), key("?"), key("r"),
        lambda: states.append(view.status_now(0.0).state), each_s=100, stays=False,
    )  # fmt: skip
    assert display.closed_by_user
    assert states == ["all done" if last else "the calculation has gone"]


def test_it_lingers_as_long_as_it_was_told() -> None:
    passed_s = run_virtual(
        Display(), Pipeline(Feeder([Welcome(), PAUSE(0.2), frame(1), Ended()]), PlotView(linger_s=9))
    )
    assert 9 < passed_s < 10


def test_closing_the_window_is_told_last() -> None:
    probe = Probe()
    run_virtual(
        Display(), Pipeline(Feeder([Welcome(), PAUSE(0.2), frame(1), PAUSE(9)]), PlotView(), probe), User(key("k"))
    )
    assert probe.messages[-2:] == [Did("key", key="k"), Did("closed")]


def test_the_connection_may_come_back_with_another_calculation() -> None:
    view, seen = PlotView(), []
    trails = view._trails
    look = lambda: seen.append((view.status_now(0).state, len(trails["e"]), len(trails["f"])))  # noqa: E731
    calculation, _ = watch(
        view,
        [
            Welcome(), PAUSE(0.2), frame(1, e=1.0, f=1.0), frame(2, e=2.0, f=2.0), Ended("lost", hold=True),
            PAUSE(5.0),
            Welcome(history={"e": np.array([[1.0, 5.0]])}), PAUSE(0.1), frame(1, e=3.0, f=3.0), PAUSE(1.0),
        ],
        look, lambda: None, lambda: None, look, each_s=1.4,
    )  # fmt: skip
    assert seen == [("lost", 2, 2), ("live", 2, 1)]
    assert calculation.of(Ready) == [Ready()], "whoever connects again says so himself"


def test_what_no_calculation_says_is_refused() -> None:
    with pytest.raises(ComponentError, match=r"it takes what a calculation says to its viewer .* not 'x'"):
        run_virtual(Display(), Pipeline(Feeder(["x"]), PlotView()))


# -- costs


class Counting(PlotView):
    timers = 0

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        self.timers += 1
        super().call_later(seconds, action)


def test_while_no_frame_comes_nothing_is_drawn_and_no_timer_runs() -> None:
    view, seen = Counting(), []
    look = lambda: seen.append((window(view).frames, view.timers, view.status_now(0).state))  # noqa: E731
    watch(
        view, [Welcome(hold=True, params={"a": Param(1.0)}), PAUSE(0.1), *frames(4, v=1.0, w=X, i=np.ones((9, 9)))],
        look, look, each_s=60,
    )  # fmt: skip
    assert seen[0] == seen[1]
    assert seen[0][2] == "no new data"


def test_frames_are_not_drawn_more_often_than_sixty_times_a_second() -> None:
    messages = [m for n in range(200) for m in (frame(n + 1), PAUSE(0.002))]
    _, display = watch(PlotView(), [Welcome(), PAUSE(0.1), *messages])
    assert 10 < display.frames < 60


# -- pausing


def test_while_it_is_paused_frames_are_not_answered_and_the_newest_is_drawn_when_it_goes_on() -> None:
    view = PlotView()
    states: list[Any] = []
    look = lambda: states.append((view.status_now(0).state, view.status_now(0).frame))  # noqa: E731
    calculation, _ = watch(
        view, [Welcome(), PAUSE(0.2), frame(1), PAUSE(0.5), frame(2), PAUSE(0.3), frame(3), PAUSE(1.0)], key(" "),
        lambda: None, look, key(" "), look, each_s=0.4,
    )  # fmt: skip
    assert calculation.of(Drawn) == [Drawn(1), Drawn(3)]
    assert calculation.times_s[calculation.answers.index(Drawn(3))] > 1.5
    assert states == [("paused", 1), ("live", 3)]


def test_it_can_be_paused_by_a_message() -> None:
    probe = Probe()
    view = PlotView()
    run_virtual(
        Graphline(
            f=Feeder([Welcome(hold=True), PAUSE(0.5), frame(1), PAUSE(1)]), s=Feeder([{"paused": True}]), v=view,
            p=probe, links="f -> v; s.outbox -> v.settings; v.status -> p",
        ), Display(), User(),
    )  # fmt: skip
    assert probe.messages == [Changed({"paused": True})]
    assert view._frame is None


# -- panels


def test_each_value_has_a_panel_and_those_that_do_not_come_any_more_go_but_histories_stay() -> None:
    view, seen = PlotView(), []
    look = lambda: seen.append((view._names, len(view._trails["e"])))  # noqa: E731
    watch(
        view, [Welcome(), PAUSE(0.1), frame(1, e=1.0, w=X), PAUSE(0.4), frame(2, w=X), PAUSE(0.3), frame(3, e=2.0)],
        look, look, look,
    )  # fmt: skip
    assert seen == [(["e", "w"], 1), (["w"], 1), (["e"], 2)]


def test_names_and_words_may_be_anything() -> None:
    odd = "a\0b\n\ud800\u200b\U0001f600" + "x" * 3000
    view = PlotView()
    params = {"p": Param("\0\n", text=odd, units=odd), "q": Param(odd[:9], choices=(odd[:9], odd[:20]))}
    hints = {odd[:99]: Panel(title=odd, units=odd, x_label=odd, x_units=odd)}
    calculation, _ = watch(
        view,
        [
            Welcome(title=odd, params=params, panels=hints, hold=True), PAUSE(0.1),
            frame(1, **{odd[:99]: X, odd: odd, "h": {odd: 1.0}}), PAUSE(0.4), Ended(odd, hold=True), PAUSE(0.1),
        ],
        lambda: view.say(odd), lambda: click(*control(view, "p")), lambda: None,
    )  # fmt: skip
    assert calculation.of(Failed) == []
    assert calculation.of(Drawn) == [Drawn(1)]


def test_a_history_begins_with_what_has_been() -> None:
    view = PlotView()
    history = {"e": np.array([[1.0, 5.0], [2.0, 6.0]]), "odd": np.zeros(3), "words": np.array(["x"])}
    watch(view, [Welcome(history=history), PAUSE(0.1), frame(1, e=7.0), PAUSE(0.1)])
    assert view._trails["e"].rows().tolist() == [[1, 5], [2, 6], [10, 7]]


def test_names_that_change_for_ever_are_forgotten() -> None:
    view = PlotView()
    watch(view, [Welcome(), PAUSE(0.1), *(frame(n, **{f"v{n}": 1.0}) for n in range(1, 600)), PAUSE(0.1)])
    assert len(view._panels) <= 257
    assert len(view._trails) <= 256
    assert view._names == ["v599"]


def test_a_hint_that_is_not_followed_stands_in_the_status_line() -> None:
    view = PlotView()
    watch(view, [Welcome(panels={"v": Panel(kind="image")}), PAUSE(0.1), frame(1, v=X), PAUSE(0.1)])
    assert view.status_now(0).notes == ("v: kind 'image' does not fit lines",)


def test_the_status_line_has_the_newest_counters_and_the_rate() -> None:
    view, seen = PlotView(), []
    counted = [
        replace_counters(frame(n), Counters(offered=10 * n, sent=n, drawn=n - 1, dropped=9 * n, worst_call_s=1e-5))
        for n in range(1, 40)
    ]
    messages = [m for one in counted for m in (one, PAUSE(1 / 30))]
    watch(
        view,
        [Welcome(), PAUSE(0.1), *messages],
        lambda: seen.append(" | ".join(view.status_now(1.3).parts())),
        each_s=1.3,
    )
    (line,) = seen
    assert "30 frames/s | offered 3" in line
    assert "worst call 10 µs" in line


def replace_counters(one: Frame, counters: Counters) -> Frame:
    return Frame(one.number, one.call, one.time_s, one.args, one.kwargs, counters)


def test_one_panel_that_cannot_be_drawn_does_not_take_the_others_with_it() -> None:
    view = PlotView()

    def break_it() -> None:
        def fails(surface: Any) -> None:
            raise RuntimeError("no ink")

        view._panels["v"].draw = fails  # type: ignore[method-assign]

    calculation, _ = watch(
        view,
        [Welcome(), PAUSE(0.4), frame(1, v=X, w=X), PAUSE(0.4), frame(2, v=X, w=X), PAUSE(0.3), frame(3, v=X, w=X)],
        lambda: None,
        break_it,
        lambda: None,
    )
    assert [answer.text for answer in calculation.of(Failed)] == ["the panel 'v' cannot be drawn: RuntimeError: no ink"]
    assert Drawn(2) in calculation.answers
    assert Drawn(3) in calculation.answers


# -- the mouse


def test_a_click_is_told_in_the_panel_s_own_units() -> None:
    view = PlotView()
    seen: list[Any] = []
    values = {"v": (X, X**2), "i": np.ones((10, 40)), "t": "words"}
    calculation, _ = watch(
        view, [Welcome(), PAUSE(0.1), frame(1, **values), PAUSE(0.1)],
        lambda: click(*place(view, "v", 0.25, 0.5)),
        lambda: click(*place(view, "i", 0.75, 0.999)),
        lambda: click(*place(view, "t")),
        lambda: post(pygame.MOUSEBUTTONDOWN, pos=place(view, "v"), button=2),
        lambda: post(pygame.MOUSEBUTTONDOWN, pos=place(view, "v"), button=3),
        lambda: seen.append(panel(view, "v").y_view),
        each_s=0.5,
    )  # fmt: skip
    first, second, middle, right = calculation.of(Did)[:4]
    assert (first.what, first.panel, first.button) == ("click", "v", 1)
    assert first.x == pytest.approx(2.5, abs=0.05)
    assert first.y == pytest.approx(sum(seen[0]) / 2, rel=0.02)
    assert (second.panel, round(second.x), round(second.y)) == ("i", 29 if second.x < 29.5 else 30, 0)
    assert (middle.button, right.button) == (2, 3)
    assert len([did for did in calculation.of(Did) if did.what == "click"]) == 4, "words have no places"


def test_the_wheel_zooms_at_the_pointer_a_drag_moves_and_a_double_right_click_shows_all() -> None:
    view, seen = PlotView(), []
    look = lambda: seen.append((panel(view, "v").x_view, panel(view, "v").y_view, panel(view, "w").x_view))  # noqa: E731

    def wheel(mod: int = 0) -> None:
        point_at(view, "v", 0.25, 0.5)
        pygame.key.set_mods(mod)
        post(pygame.MOUSEWHEEL, y=4, x=0)

    def drag() -> None:
        x, y = place(view, "v", 0.25)
        mouse(pygame.MOUSEBUTTONDOWN, x, y)
        post(pygame.MOUSEMOTION, pos=(x + 60, y), rel=(60, 0), buttons=(1, 0, 0))
        mouse(pygame.MOUSEBUTTONUP, x + 60, y)

    def right_twice() -> None:
        for _ in range(2):
            post(pygame.MOUSEBUTTONDOWN, pos=place(view, "v"), button=3)

    calculation, _ = watch(
        view, [Welcome(), PAUSE(0.1), frame(1, v=(X, X), w=X), PAUSE(0.1)], look, wheel, look, drag, look,
        lambda: wheel(pygame.KMOD_SHIFT), look, lambda: wheel(pygame.KMOD_CTRL), look, right_twice, look,
    )  # fmt: skip
    (whole, zoomed, moved, across, up, again) = seen
    assert zoomed[0][1] - zoomed[0][0] == pytest.approx(10 / 1.25**4)
    assert zoomed[0][0] < 2.5 < zoomed[0][1]
    assert (2.5 - zoomed[0][0]) / (zoomed[0][1] - zoomed[0][0]) == pytest.approx(0.25, abs=0.01)
    assert moved[0][0] < zoomed[0][0]
    assert moved[1] == zoomed[1]
    assert across[0] != moved[0]
    assert across[1] == moved[1]
    assert up[0] == across[0]
    assert up[1] != across[1]
    assert again == whole
    assert all(one[2] == whole[2] for one in seen), "the other panel is left alone"
    assert not [did for did in calculation.of(Did) if did.button == 1], "a drag is no click"


def test_a_double_click_shows_one_panel_alone_and_again_all() -> None:
    view, seen = PlotView(), []
    look = lambda: seen.append((view._visible, view._panels["v"].rect.width))  # noqa: E731

    def twice() -> None:
        for _ in range(2):
            click(*place(view, "v"))

    watch(
        view,
        [Welcome(), PAUSE(0.1), frame(1, v=X, w=X), PAUSE(0.1)],
        look,
        twice,
        look,
        twice,
        look,
        twice,
        lambda: press("ESCAPE"),
        look,
    )
    assert [names for names, _ in seen] == [["v", "w"], ["v"], ["v", "w"], ["v", "w"]]
    assert seen[1][1] > 1.8 * seen[0][1]


# -- keys


def test_keys_make_axes_logarithmic_and_show_all_again() -> None:
    view = PlotView()
    seen: list[Any] = []
    look = lambda: seen.append((panel(view, "v").log_y, panel(view, "v").log_x, panel(view, "w").log_y))  # noqa: E731
    watch(
        view, [Welcome(), PAUSE(0.1), frame(1, v=X + 1, w=X), PAUSE(0.1)], lambda: point_at(view, "v"), key("l"), look,
        key("x"), look, key("l"), look, lambda: panel(view, "v").zoom(*panel(view, "v").plot.center, 0.5), key("r"),
        lambda: seen.append(panel(view, "v").x_view),
    )  # fmt: skip
    assert seen == [(True, False, False), (True, True, False), (False, True, False), (1.0, 49.0)]


def test_keys_that_it_does_not_use_itself_are_told_by_name() -> None:
    calculation, _ = watch(
        PlotView(), [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1)],
        key("k"), lambda: press("UP"), lambda: press("e", pygame.KMOD_CTRL, ""), lambda: press("LSHIFT"),
        lambda: press("ESCAPE"), key("?"), lambda: press("ESCAPE"), key(" "), key(" "),
    )  # fmt: skip
    assert calculation.of(Did)[:-1] == [
        Did("key", key="k"), Did("key", key="up"), Did("key", key="ctrl+e"), Did("key", key="escape"),
        Did("paused"), Did("resumed"),
    ]  # fmt: skip


def test_a_key_that_is_held_down_does_its_work_once_and_is_told_as_often_as_it_comes() -> None:
    view, seen = PlotView(), []
    look = lambda: seen.append(panel(view, "v").log_y)  # noqa: E731

    def hold(name: str) -> None:
        for _ in range(4):
            post(pygame.KEYDOWN, key=getattr(pygame, f"K_{name}"), mod=0, unicode=name)
        post(pygame.KEYUP, key=getattr(pygame, f"K_{name}"), mod=0)

    calculation, _ = watch(
        view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1)],
        lambda: hold("l"), look, lambda: hold("l"), look, lambda: hold("k"),
    )  # fmt: skip
    assert seen == [True, False]
    assert calculation.of(Did)[:-1] == 4 * [Did("key", key="k")]


def test_every_key_can_be_pressed_before_and_after_a_frame_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def press_all() -> None:
        for one in [*PlotView.KEYS, *PlotView.EVERYWHERE] * 2:
            name = one.key if len(one.key) == 1 else " "
            key(name)()

    names = [one.key for one in (*PlotView.KEYS, *PlotView.EVERYWHERE)]
    assert len(set(names)) == len(names)
    view = PlotView(make_film=lambda path, fps: Film())
    watch(
        view,
        [Welcome(), PAUSE(1.0), frame(1), PAUSE(1.0)],
        press_all,
        lambda: None,
        lambda: None,
        press_all,
        each_s=0.4,
    )


# -- export and film


def test_the_picture_and_the_values_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    view, probe = PlotView(title="My plot"), Probe()
    calculation = Calculation(
        Welcome(), PAUSE(0.1), frame(1, e=2.5, two=(X[:3], X[:3] ** 2, X[:3]), i=np.eye(2) * 7), PAUSE(0.1)
    )
    calculation.link((calculation, "outbox"), (view, "inbox"))
    view.link((view, "outbox"), (calculation, "inbox"))
    view.link((view, "status"), (probe, "inbox"))
    run_virtual(Display((900, 600)), calculation, view, probe, User(key("e")))
    files = {file.name.split("-", 4)[-1]: file for file in tmp_path.iterdir()}
    (picture,) = tmp_path.glob("*.png")
    assert picture.name.startswith("My-plot-")
    assert pygame.image.load(str(picture)).get_size() == view.size
    tables = {
        file.stem.rsplit("-", 1)[-1]: list(csv.reader(file.read_text().splitlines())) for file in tmp_path.glob("*.csv")
    }
    assert tables["e"] == [["call", "e"], ["10.0", "2.5"]]
    assert tables["two"][0] == ["x", "1", "2"]
    assert [float(v) for v in tables["two"][2]] == pytest.approx([X[1], X[1] ** 2, X[1]])
    assert tables["i"] == [["row \\ column", "0.0", "1.0"], ["0", "7.0", "0.0"], ["1", "0.0", "7.0"]]
    assert {Path(message.path).name for message in probe.messages if isinstance(message, Exported)} == {
        file.name for file in files.values()
    }
    assert calculation.of(Drawn) == [Drawn(1)], "an exported picture is no answer to a frame"


def test_one_panel_s_values_go_to_the_file_that_is_named_and_words_to_none(tmp_path: Path) -> None:
    view, raised = PlotView(), []

    def export_words() -> None:
        try:
            view.export(tmp_path / "b.csv")
        except UsageError as exc:
            raised.append(str(exc))

    watch(
        view, [Welcome(), PAUSE(0.1), frame(1, v=[1, 2]), PAUSE(0.5), frame(2, v="words"), PAUSE(0.1)],
        lambda: view.export(tmp_path / "a.csv"), lambda: None, export_words,
    )  # fmt: skip
    assert (tmp_path / "a.csv").read_text() == "x,v\n0.0,1.0\n1.0,2.0\n"
    assert "no numbers that could be a table" in raised[0]


def test_a_disk_that_refuses_is_said_in_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = PlotView(title="x")
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(view, "_stem", lambda: str(tmp_path / "missing" / "x"))
    watch(view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1)], key("e"))
    assert "cannot export to" in view._said


def test_an_export_between_a_frame_and_its_picture_is_no_answer(tmp_path: Path) -> None:
    view, seen = PlotView(), []

    def export_at_once() -> None:
        view._take_frame(frame(2))
        view.export(tmp_path / "a.png")
        seen.append(view._undrawn)

    calculation, _ = watch(view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1)], export_at_once)
    assert seen == [2]
    assert calculation.of(Drawn) == [Drawn(1), Drawn(2)]


class Film:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.pictures: list[npt.NDArray[np.uint8]] = []
        self.closed = 0

    def add(self, picture: npt.NDArray[np.uint8]) -> None:
        self.pictures.append(picture)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("ended_by", ["key", "window"])
def test_a_film_has_the_picture_of_each_frame(ended_by: str) -> None:
    film, asked = Film(), []

    def make(path: str, fps: float) -> Film:
        asked.append((path, fps))
        return film

    view = PlotView(make_film=make)
    messages = [m for n in range(1, 7) for m in (frame(n), PAUSE(0.3))]
    watch(view, [Welcome(fps=25.0, title="t"), PAUSE(0.1), *messages],
          lambda: None, key("f"), lambda: None, lambda: resize(view, 700, 500),
          key("f") if ended_by == "key" else lambda: None, each_s=0.3)  # fmt: skip
    assert asked[0][1] == 25.0
    assert asked[0][0].startswith("t-")
    assert asked[0][0].endswith(".mp4")
    assert film.closed == 1
    assert len(film.pictures) >= 2
    assert {picture.shape for picture in film.pictures} == {(576, 876, 3), (476, 676, 3)}
    assert like(film.pictures[0], TRACES[0]).any()


def test_a_film_that_cannot_be_made_is_said_in_the_window() -> None:
    def make(path: str, fps: float) -> Film:
        raise MissingExtra("a film of a plot", "av", "video")

    view, seen = PlotView(make_film=make), []
    watch(view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1)], key("f"), lambda: seen.append(view._said), key("f"))
    assert "axonlike[video]" in seen[0]
    assert view._film is None


# -- parameters


PARAMS = {"gain": Param(0.5, low=0.0, high=1.0), "n": Param(5), "on": Param(True)}


def control(view: PlotView, name: str) -> tuple[int, int]:
    assert view._strip is not None
    row = next(row for row in view._strip._rows if row.name == name)
    return view._origin[0] + row.control.centerx, view._origin[1] + row.control.centery


def test_parameters_are_set_at_once_and_dragging_not_more_than_thirty_times_a_second() -> None:
    view = PlotView()

    def begin() -> None:
        mouse(pygame.MOUSEBUTTONDOWN, *control(view, "gain"))

    def move(dx: int) -> Callable[[], object]:
        return lambda: post(
            pygame.MOUSEMOTION,
            pos=(control(view, "gain")[0] + dx, control(view, "gain")[1]),
            rel=(1, 0),
            buttons=(1, 0, 0),
        )

    moves = [move(dx) for dx in range(1, 101)]
    calculation, _ = watch(
        view, [Welcome(params=PARAMS), PAUSE(0.1), frame(1), PAUSE(0.1)],
        lambda: click(*control(view, "on")), begin, *moves,
        lambda: mouse(pygame.MOUSEBUTTONUP, *control(view, "gain")), lambda: None, each_s=0.05,
    )  # fmt: skip
    assert calculation.answers.index(Set("on", False)) < calculation.answers.index(calculation.of(Set)[1])
    sets = [
        (at, answer) for at, answer in zip(calculation.times_s, calculation.answers, strict=True)
        if isinstance(answer, Set) and answer.name == "gain"
    ]  # fmt: skip
    assert 10 < len(sets) <= 102
    assert min(b[0] - a[0] for a, b in zip(sets, sets[1:], strict=False)) > 1 / 31
    assert sets[-1][1].value == pytest.approx(0.5 + 100 / 220, abs=0.05), "the last one is never lost"


def test_many_changes_in_a_moment_are_sent_as_the_last() -> None:
    view = PlotView()

    def wheel() -> None:
        x, y = control(view, "gain")
        pygame.mouse.set_pos((x, y))
        post(pygame.MOUSEMOTION, pos=(x, y), rel=(0, 0), buttons=(0, 0, 0))
        for _ in range(20):
            post(pygame.MOUSEWHEEL, y=1, x=0)

    calculation, _ = watch(view, [Welcome(params=PARAMS), PAUSE(0.1), frame(1), PAUSE(0.1)], wheel, lambda: None)
    assert [answer.value for answer in calculation.of(Set)] == [0.51, 0.7]


def test_a_field_is_typed_into_and_keys_are_for_it_meanwhile() -> None:
    view = PlotView()
    edit = lambda: click(*control(view, "n"))  # noqa: E731
    calculation, _ = watch(
        view, [Welcome(params=PARAMS), PAUSE(0.1), frame(1), PAUSE(0.1)],
        edit, lambda: type_text("12e"), lambda: press("RETURN"), lambda: press("BACKSPACE"), lambda: press("RETURN"),
        key("k"), edit, lambda: type_text("7"), lambda: press("ESCAPE"),
    )  # fmt: skip
    assert calculation.of(Set) == [Set("n", 12)]
    assert calculation.of(Did)[:-1] == [Did("key", key="k")]


def test_values_that_are_set_elsewhere_are_shown() -> None:
    view, seen = PlotView(), []
    watch(
        view, [Welcome(params=PARAMS, values={"n": 6}), PAUSE(0.5), Values({"gain": 0.25, "unknown": 3}), PAUSE(0.1)],
        lambda: seen.append(view._strip.values if view._strip else None), lambda: None,
        lambda: seen.append(view._strip.values if view._strip else None),
    )  # fmt: skip
    assert seen == [{"gain": 0.5, "n": 6, "on": True}, {"gain": 0.25, "n": 6, "on": True}]


def test_the_strip_shows_itself_where_parameters_may_be_set_and_on_demand_elsewhere() -> None:
    view, seen = PlotView(), []
    look = lambda: seen.append((view._shows_strip, view._area[2]))  # noqa: E731
    calculation, _ = watch(
        view, [Welcome(params=PARAMS, controls=False), PAUSE(0.1), frame(1), PAUSE(0.1)], look, key("p"), look,
        lambda: click(*control(view, "on")), lambda: click(*control(view, "n")), key("p"), look,
    )  # fmt: skip
    assert [shows for shows, _ in seen] == [False, True, False]
    assert seen[1][1] < seen[0][1] - 200
    assert calculation.of(Set) == []
    free = PlotView()
    watch(free, [Welcome(params=PARAMS), PAUSE(0.1)])
    assert free._shows_strip
    none = PlotView()
    watch(none, [Welcome(), PAUSE(0.1), frame(1)], key("p"))
    assert "no parameters" in none._said


# -- a plotter of the user's own


class Own:
    """Draws a picture of the size it is asked for, in one colour."""

    def __init__(self, *, pictures: int = 1) -> None:
        self.sizes: list[Any] = []
        self.pictures = pictures
        self.fails = ""

    def draw(self, one: Frame, size: tuple[int, int], size_of: Callable[[int], tuple[int, int]]) -> Frame:
        self.sizes.append(size)
        if self.fails:
            raise ValueError(self.fails)
        width, height = size_of(self.pictures)
        picture = np.full((height, width, 3), (200, 30, one.number), np.uint8)
        values: dict[str, Any] = {f"figure {n}": picture for n in range(self.pictures)}
        return Frame(one.number, one.call, one.time_s, (), {**values})


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_own_plotter_s_pictures_fill_the_window_pixel_for_pixel(count: int) -> None:
    view, seen = PlotView(Own(pictures=count)), []
    calculation, _ = watch(
        view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1), frame(2), PAUSE(0.1)], lambda: seen.append(pixels())
    )
    assert [each.kind for each in (view._panels[name].shown for name in view._names)] == ["figure"] * count
    area = view._area[2] * view._area[3]
    assert like(seen[0], (200, 30, 2), 0).sum() > (0.97 if count < 3 else 0.7) * area
    assert calculation.of(Drawn) == [Drawn(1), Drawn(2)]


def test_an_own_plotter_is_called_once_for_each_frame_and_its_picture_scaled_meanwhile() -> None:
    own = Own()
    view, seen = PlotView(own), []
    watch(
        view, [Welcome(), PAUSE(0.1), frame(1), PAUSE(1.0), frame(2), PAUSE(0.1)], lambda: None,
        lambda: resize(view, 500, 400), lambda: seen.append(pixels()), lambda: None,
    )  # fmt: skip
    assert len(own.sizes) == 2
    assert own.sizes[1] == view._area[2:]
    assert like(seen[0], (200, 30, 1), 3).mean() > 0.7


def test_an_own_plotter_that_fails_is_told_once_for_each_text_and_shown() -> None:
    own = Own()
    view, seen = PlotView(own), []
    own.fails = "no such axis"

    def fail_otherwise(text: str) -> None:
        seen.append(view._panels[view._names[0]].shown.text)
        own.fails = text

    calculation, _ = watch(
        view,
        [Welcome(), PAUSE(0.1), frame(1), PAUSE(0.1), frame(2), PAUSE(0.4), frame(3), PAUSE(0.4), frame(4), PAUSE(0.1)],
        lambda: fail_otherwise("another"), lambda: None, lambda: fail_otherwise(""), lambda: None,
    )  # fmt: skip
    assert [answer.text for answer in calculation.of(Failed)] == ["ValueError: no such axis", "ValueError: another"]
    assert seen == ["ValueError: no such axis", "ValueError: another"]
    assert [answer.number for answer in calculation.of(Drawn)] == [1, 2, 3, 4]
