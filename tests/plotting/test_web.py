"""The page in a real browser: what it shows, what it tells the calculation, and how it looks when a thing is wrong."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiohttp import web

import axonlike
from axonlike.components.ui import instrument, theme
from axonlike.components.ui.colormaps import COLORMAPS, colormap
from axonlike.plotting.messages import Did, Drawn, Failed, Frame, Panel, Ready, Set, Values, Welcome, decode, encode
from axonlike.plotting.params import Param
from axonlike.streams.arrays import PLAIN_DTYPES
from tests.plotting.browser import MISSING, a_browser
from tests.plotting.panel_cases import PanelCase, differences, panel_cases
from tests.plotting.served import TOKEN, PlotInThread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WEB = Path(axonlike.__path__[0]) / "plotting" / "web"

pytestmark = [pytest.mark.net, pytest.mark.hang_guard(240)]
needs_browser = pytest.mark.skipif(bool(MISSING), reason=MISSING)
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


# --------------------------------------------------------------------------- what stands in both languages, without one


def css_variables() -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", (WEB / "style.css").read_text()))


def hexed(colour: tuple[int, ...]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def test_the_pages_colours_are_those_of_the_windows():
    css, js = css_variables(), (WEB / "colours.js").read_text()
    for name in ("background", "panel", "raised", "line", "text", "dim", "warning"):
        assert css[name] == hexed(getattr(theme, name.upper())), name
    assert css["accent"] == hexed(theme.ACCENT)
    assert css["plot"] == hexed(instrument.PLOT)
    constants = dict(re.findall(r'const ([A-Z_]+) = "(#[0-9a-f]{6})"', js))
    assert constants["GRID"] == hexed(instrument.GRID)
    assert constants["PLOT"] == hexed(instrument.PLOT)
    for name in ("BACKGROUND", "LINE", "TEXT", "DIM"):
        assert constants[name] == hexed(getattr(theme, name)), name
    assert constants["CARD"] == hexed(theme.PANEL)
    traces = re.search(r"TRACES = \[([^]]*)\]", js)
    assert traces is not None
    assert re.findall("#[0-9a-f]{6}", traces[1]) == [hexed(colour) for colour in instrument.TRACES]
    dots = re.findall(r"\.trace-\d \{\s+background: (#[0-9a-f]{6})", (WEB / "style.css").read_text())
    assert dots == [hexed(colour) for colour in instrument.TRACES]


def test_the_page_loads_nothing_from_elsewhere():
    for file in WEB.iterdir():
        text = file.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "http://" not in text, file.name
        assert "https://" not in text, file.name
        assert not re.search(r"\beval\(|innerHTML|document\.write|new Function", text), file.name


# ----------------------------------------------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def served() -> Iterator[PlotInThread]:
    """A plot of which only the files are wanted."""
    with PlotInThread() as served:
        yield served


@pytest.fixture(scope="module")
def modules(browser: Browser, served: PlotInThread) -> Iterator[Page]:
    """A page in which the modules are called one by one."""
    page = browser.new_page()
    page.goto(f"{served.plot.http}/index.html")
    yield page
    page.close()


class Look:
    """One page that looks at a plot. Whatever goes wrong in it fails the test."""

    def __init__(self, browser: Browser, **settings: Any) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 800}, **settings})
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: Any) -> None:
        # A server that is gone is told on the console by the browser itself.
        if message.type == "error" and "WebSocket connection to" not in message.text:
            self.errors.append(message.text)

    def open(self, served: PlotInThread, token: str = TOKEN) -> Page:
        """The page, once it is live."""
        self.page.goto(f"{served.plot.http}/" + (f"#{token}" if token else ""))
        if token == TOKEN:
            self.page.wait_for_selector("#state.open")
        return self.page


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    look = Look(browser)
    yield look
    look.page.close()
    assert look.errors == []


def drawn(served: PlotInThread, count: int) -> None:
    """Wait until so many frames were drawn."""
    served.until(lambda plot: plot.sender.drawn >= count)


def settle(page: Page, for_ms: int) -> None:
    """Time in which nothing is to happen."""
    page.evaluate("(ms) => new Promise((go) => setTimeout(go, ms))", for_ms)


FOUR = {
    "energy": -0.482113,
    "density": np.outer(np.hanning(24), np.hanning(40)),
    "wave": (np.linspace(0, 1, 50), np.sin(np.linspace(0, 9, 50)), np.cos(np.linspace(0, 9, 50))),
    "note": "converged",
}


def colours_of(page: Page, name: str) -> dict[str, int]:
    """How often each colour stands on a panel's canvas."""
    found: dict[str, int] = page.evaluate(
        """(name) => {
          const canvas = document.querySelector(`[data-name="${name}"] canvas`);
          const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          const found = {};
          for (let k = 0; k < data.length; k += 4) {
            const colour = "#" + [0, 1, 2].map((c) => data[k + c].toString(16).padStart(2, "0")).join("");
            found[colour] = (found[colour] || 0) + 1;
          }
          return found;
        }""",
        name,
    )
    return found


# ------------------------------------------------------------------------------------------------ modules by themselves

SUMMARY = """
async ({ frame, welcome }) => {
  const { decode } = await import("/messages.js");
  const { extentOf, panelsOf } = await import("/shown.js");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const said = decode(bytes(frame));
  const finite = (value) => (Number.isFinite(value) ? value : null);
  const at = ({ data, offset, strides }, ...place) =>
    data[place.reduce((all, k, axis) => all + k * strides[axis], offset)];
  const rows = (field, each) => Array.from({ length: field.shape[0] }, (_, i) =>
    Array.from({ length: field.shape[1] }, (_, j) => each(i, j)));
  const panels = panelsOf(said.args, said.kwargs, decode(bytes(welcome)).panels || {});
  return Object.fromEntries([...panels].map(([name, shown]) => {
    const { kind, title, units, x_label, x_units, x_start, x_step, low, high, text, field, note } = shown;
    const of = { kind, title: title || name, units, x_label, x_units, low, high, text, note };
    if (kind === "history") of.value = finite(shown.value);
    if (shown.curves) {
      of.count = shown.curves.length;
      of.points = shown.curves[0]?.length ?? 0;
      of.x = Array.from({ length: of.points }, (_, k) => (shown.x ? shown.x[k] : x_start + k * x_step));
      of.y = shown.curves.map((curve) => Array.from(curve, finite));
    }
    if (field) [of.rows, of.columns] = field.shape;
    if (kind === "image") {
      const [least, greatest] = extentOf(field);
      Object.assign(of, { low: low ?? least, high: high ?? greatest });
      of.values = rows(field, (i, j) => finite(at(field, i, j)));
    }
    if (kind === "picture") {
      const byte = (value) => (field.code === "u1" ? value : Math.round(255 * Math.min(1, Math.max(0, value || 0))));
      of.pixels = rows(field, (i, j) => [0, 1, 2].map((c) => byte(at(field, i, j, c))));
    }
    return [name, of];
  }));
}
"""


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@needs_browser
@pytest.mark.parametrize("case", panel_cases(), ids=lambda case: case.name)
def test_panels_are_those_of_the_cases(modules: Page, case: PanelCase):
    frame = Frame(1, 1, 0.0, case.args, case.kwargs)
    said = {"frame": base64_of(encode(frame)), "welcome": base64_of(encode(Welcome(panels=case.hints)))}
    assert differences(case.panels, modules.evaluate(SUMMARY, said)) == []


@needs_browser
def test_every_dtype_is_read_as_numpy_has_it(modules: Page):
    def array(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        numbers = np.array([0, 1, 2, 3, 100, 1, 0, 7])
        if dtype.kind in "if":
            numbers = numbers * -1
        if dtype.kind in "fc":
            numbers = numbers + 0.5
        return (numbers + 2j if dtype.kind == "c" else numbers).astype(dtype)

    arrays = {name: array(dtype) for name, dtype in PLAIN_DTYPES.items()}
    found = modules.evaluate(
        """async (frame) => {
          const { decode } = await import("/messages.js");
          const said = decode(Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0)).buffer);
          return [...said.kwargs].map(([name, tensor]) => [name, Array.from(tensor.numbers()),
            tensor.isComplex ? Array.from(tensor.numbers((data, at) => data[at + 1])) : null]);
        }""",
        base64_of(encode(Frame(1, kwargs=arrays))),
    )
    assert [name for name, _, _ in found] == list(arrays)
    for name, real, imaginary in found:
        assert real == arrays[name].real.astype(float).tolist(), name
        assert imaginary == (arrays[name].imag.tolist() if arrays[name].dtype.kind == "c" else None), name


@needs_browser
def test_half_floats_have_all_their_values(modules: Page):
    halves = np.arange(0x10000, dtype=np.uint16).view(np.float16)
    found = modules.evaluate(
        """async (frame) => {
          const { decode } = await import("/messages.js");
          const said = decode(Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0)).buffer);
          return said.args[0].numbers().join();
        }""",
        base64_of(encode(Frame(1, args=(halves,)))),
    )
    assert np.array_equal(np.array(found.split(","), float), halves.astype(float), equal_nan=True)


@needs_browser
@pytest.mark.parametrize("damage", ["other", "version", "header", "short", "long", "dtype", "part", "shape", "json"])
def test_what_is_no_message_is_refused(modules: Page, damage: str):
    good = encode(Frame(1, args=(np.arange(5.0),)))
    changed = {
        "other": b"GIF8" + good[4:],
        "version": good[:4] + b"\2" + good[5:],
        "header": good[:8] + b"\xff\xff\xff\xff" + good[12:],
        "short": good[:-1],
        "long": good + b"x",
        "dtype": good.replace(b"<f8", b"|O8"),
        "part": good.replace(b"[0],0]", b"[0],9]"),
        "shape": good.replace(b"[5]", b"[6]"),
        "json": good.replace(b'"args"', b'"args\\'),
    }[damage]
    assert changed != good
    said = modules.evaluate(
        """async (data) => {
          const { BadMessage, decode } = await import("/messages.js");
          try {
            decode(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer);
          } catch (error) {
            return error instanceof BadMessage ? "refused" : String(error);
          }
          return "taken";
        }""",
        base64_of(changed),
    )
    assert said == "refused"


@needs_browser
def test_what_the_page_says_is_read_by_the_calculation(modules: Page):
    said = [
        {"is": "ready", "kind": "web"},
        {"is": "drawn", "number": 7},
        {"is": "did", "what": "click", "panel": "ψ ↦ ²", "x": 0.25, "y": -1e-9, "button": 1},
        {"is": "set", "name": "dt", "value": 0.5},
        {"is": "failed", "text": "no"},
    ]
    blobs = modules.evaluate(
        """async (said) => {
          const { encode } = await import("/messages.js");
          return said.map((each) => btoa(String.fromCharCode(...encode(each))));
        }""",
        said,
    )
    assert [decode(base64.b64decode(blob), from_viewer=True) for blob in blobs] == [
        Ready("web"), Drawn(7), Did("click", panel="ψ ↦ ²", x=0.25, y=-1e-9, button=1), Set("dt", 0.5), Failed("no"),
    ]  # fmt: skip


@needs_browser
def test_colours_are_those_of_the_windows(modules: Page):
    found = modules.evaluate(
        """async () => {
          const { COLORMAPS, colormap } = await import("/colormaps.js");
          return Object.fromEntries(COLORMAPS.map((name) => [name, Array.from(colormap(name))]));
        }"""
    )
    assert tuple(found) == COLORMAPS
    for name in COLORMAPS:
        assert np.array_equal(np.array(found[name]).reshape(-1, 3), colormap(name)), name


@needs_browser
def test_a_trail_is_bounded_and_keeps_a_spike(modules: Page):
    found = modules.evaluate(
        """async () => {
          const { Trail } = await import("/axes.js");
          const trail = new Trail(64);
          for (let call = 1; call <= 100000; call += 1) trail.add(call, call === 777 ? 1000 : call % 7);
          trail.add(5, 99999); // one that is known already
          const [calls, values] = trail.rows;
          return { length: calls.length, greatest: Math.max(...values), last: calls[calls.length - 1],
            rises: calls.every((call, k) => !k || call > calls[k - 1]), first: calls[0] };
        }"""
    )
    assert found["length"] <= 64 + 100000 // 16
    assert found["greatest"] == 1000
    assert found["last"] == 100000
    assert found["rises"]
    assert found["first"] < 5000


@needs_browser
@pytest.mark.parametrize(
    ("arguments", "labels", "units"),
    [
        ([0, 1, 4, "", False], ["0.0", "0.5", "1.0"], ""),
        ([-2000, 2000, 4, "Hz", False], ["−2", "−1", "0", "1", "2"], "kHz"),
        ([0, 3e-7, 4, "", False], ["0", "100", "200", "300"], "10⁻⁹"),
        ([0, 0.003, 3, "s", False], ["0", "1", "2", "3"], "ms"),
        ([0.001, 1000, 8, "", True], ["10⁻³", "10⁻²", "10⁻¹", "10⁰", "10¹", "10²", "10³"], ""),
        ([0.5, 200, 8, "m", True], ["1", "10", "100"], "m"),
        ([3, 3, 4, "", False], [], ""),
    ],
)
def test_ticks(modules: Page, arguments: list[Any], labels: list[str], units: str):
    axis = modules.evaluate("async (of) => (await import('/axes.js')).tickAxis(...of)", arguments)
    assert (axis["labels"], axis["units"]) == (labels, units)


@needs_browser
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.482113, "−0.4821"),
        (1.25e-7, "1.25 × 10⁻⁷"),
        (42, "42"),
        (123456.7, "123457"),
        (-3e20, "−3 × 10²⁰"),
    ],
)
def test_numbers_are_written_briefly(modules: Page, value: float, text: str):
    assert modules.evaluate("async (value) => (await import('/axes.js')).brief(value)", value) == text


# ------------------------------------------------------------------------------------------------------- the whole page


@needs_browser
def test_four_panels_are_shown_and_drawn(look: Look):
    panels = {"density": Panel(title="Density", colours="inferno"), "energy": Panel(units="eV")}
    with PlotInThread(panels=panels) as served:
        page = look.open(served)
        assert page.url == f"{served.plot.http}/"  # the token is gone from the address
        assert page.title() == "Test · axonlike"
        served.show(**FOUR)
        drawn(served, 1)
        assert page.locator(".panel .title").all_text_contents() == ["energy", "Density", "wave", "note"]
        assert page.locator('[data-name="energy"] .reading').text_content() == "−0.4821 eV"
        assert page.locator('[data-name="density"] .reading').text_content() == "40 × 24"
        assert page.locator('[data-name="wave"] .legend').text_content() == "12"
        assert page.locator("#state").text_content() == "live"
        assert "drawn 0" in page.inner_text("#status")  # as the frame said it; itself was not drawn yet
        wave, density = colours_of(page, "wave"), colours_of(page, "density")
        assert wave["#5ebcff"] > 100
        assert wave["#ffb85c"] > 100
        ends = [hexed(tuple(colormap("inferno")[k])) for k in (0, 255)]
        assert min(density.get(colour, 0) for colour in ends) > 20
        assert len(density) > 100
        assert colours_of(page, "note")[hexed(theme.TEXT)] > 50
        served.show(**{**FOUR, "energy": 12.5})
        drawn(served, 2)
        assert page.locator('[data-name="energy"] .reading').text_content() == "12.500 eV"
        assert colours_of(page, "energy")["#5ebcff"] > 50


@needs_browser
def test_row_0_of_a_field_is_at_the_bottom_and_of_a_picture_at_the_top(look: Look):
    field = np.zeros((4, 5))
    field[0, 0] = 1
    picture = np.zeros((4, 5, 3), np.uint8)
    picture[0, 0] = 255, 0, 0
    with PlotInThread() as served:
        page = look.open(served)
        served.show(field=field, picture=picture, other=picture.astype(np.float32) / 255)
        drawn(served, 1)
        centres = page.evaluate(
            """(wanted) => Object.entries(wanted).map(([name, [r, g, b]]) => {
              const canvas = document.querySelector(`[data-name="${name}"] canvas`);
              const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
              let [x, y, count] = [0, 0, 0];
              for (let k = 0; k < data.length; k += 4) {
                if (data[k] !== r || data[k + 1] !== g || data[k + 2] !== b) continue;
                x += (k / 4) % width; y += Math.floor(k / 4 / width); count += 1;
              }
              return [x / count / width, y / count / height, count];
            })""",
            {"field": [int(part) for part in colormap("viridis")[255]], "picture": [255, 0, 0], "other": [255, 0, 0]},
        )
    for (x, y, count), is_below in zip(centres, (True, False, False)):
        assert count > 1000
        assert x < 0.45
        assert y > 0.6 if is_below else y < 0.4


@needs_browser
def test_parameters_are_set_from_the_page_and_shown_when_set_elsewhere(look: Look):
    params = {
        "dt": Param(0.1, low=0.0, high=1.0, units="s", text="the step"),
        "rate": Param(10.0, low=1.0, high=1000.0, log=True),
        "count": 3,
        "name": "first",
        "method": ("euler", "verlet"),
        "on": True,
    }
    with PlotInThread(params=params) as served:
        values = served.plot.sender.params
        page = look.open(served)
        assert page.locator("#params .param").count() == 6
        assert page.locator('[data-name="dt"] small').text_content() == "the step"
        page.locator('[data-name="dt"] [type="range"]').fill("750")
        served.until(lambda plot: values["dt"] == 0.75)
        assert page.locator('[data-name="dt"] [type="number"]').input_value() == "0.75"
        page.locator('[data-name="rate"] [type="range"]').fill("1000")
        served.until(lambda plot: values["rate"] == 1000)
        page.locator('[data-name="count"] input').fill("5")
        page.locator('[data-name="count"] input').press("Enter")
        served.until(lambda plot: values["count"] == 5)
        page.locator('[data-name="name"] input').fill("Ærøskøbing")
        page.locator('[data-name="name"] input').press("Tab")
        served.until(lambda plot: values["name"] == "Ærøskøbing")
        page.locator('[data-name="method"] select').select_option("verlet")
        served.until(lambda plot: values["method"] == "verlet")
        page.locator('[data-name="on"] input').uncheck()
        served.until(lambda plot: values["on"] is False)

        page.locator('[data-name="dt"] [type="number"]').fill("7")  # above the end
        page.locator('[data-name="dt"] [type="number"]').press("Tab")
        assert page.locator(".param.wrong").count() == 1
        assert values["dt"] == 0.75

        def elsewhere() -> None:
            for name, value in {"dt": 0.25, "method": "euler", "on": True}.items():
                values.take(name, value)
                served.plot.sender.tell_value(name)

        served.do(elsewhere)
        page.wait_for_selector('[data-name="on"] input:checked')
        assert page.locator('[data-name="dt"] [type="number"]').input_value() == "0.25"
        assert page.locator('[data-name="method"] select').input_value() == "euler"
        assert page.locator(".param.wrong").count() == 0


@needs_browser
def test_one_who_may_only_look_has_no_controls_that_work(look: Look):
    with PlotInThread(params={"dt": 0.1}, view_only=True) as served:
        page = look.open(served)
        assert page.locator('[data-name="dt"] input').is_disabled()


@needs_browser
def test_the_wrong_token_and_none_ask_for_it(look: Look):
    with PlotInThread() as served:
        page = look.open(served, "wrong-token-in-the-address")
        page.wait_for_selector("#token-form")
        assert page.locator("#state").text_content() == "wrong token"
        assert page.locator("#token-text").text_content() == "The plot has another token."
        page.fill("#token", served.plot.server.url)  # the whole address will do
        page.click("#token-form button")
        page.wait_for_selector("#state.open")
        assert not page.locator("#token-form").is_visible()
        page.reload()  # the page has kept it
        page.wait_for_selector("#state.open")
        assert served.plot.server.counts.wrong_token == 1
        page.evaluate("sessionStorage.clear()")
        page.reload()
        page.wait_for_selector("#token-form")
        assert page.locator("#state").text_content() == "token"
        page.fill("#token", TOKEN)
        page.press("#token", "Enter")
        page.wait_for_selector("#state.open")


@needs_browser
def test_a_plot_that_dies_is_seen_and_found_again(look: Look):
    with socket.socket() as keeper:
        # Keeps the port while no plot listens there: else a test beside this one may get it.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port = keeper.getsockname()[1]
        with PlotInThread(port=port) as served:
            page = look.open(served)
            served.show(energy=1.0)
            drawn(served, 1)
            served.do(served.plot.server.stop)
            page.wait_for_selector("#state.lost")
            assert page.locator("#state").text_content() == "no connection"
            assert "it tries again" in page.inner_text("#notice")
            assert page.locator('[data-name="energy"]').is_visible()  # what was seen stays
        with PlotInThread(port=port) as again:
            page.wait_for_selector("#state.open")
            assert not page.locator("#notice").is_visible()
            again.show(energy=2.0)
            drawn(again, 1)
            assert page.locator('[data-name="energy"] .reading').text_content() == "2"


@needs_browser
def test_the_end_of_the_calculation_is_told(look: Look):
    with PlotInThread() as served:
        page = look.open(served)
        served.show(energy=1.0)
        drawn(served, 1)
        served.do(served.plot.sender.end, "has ended", True)
        page.wait_for_selector("#state.ended")
        assert page.inner_text("#notice") == "The calculation has ended."
        assert page.locator("#again").is_visible()
        served.until(lambda plot: plot.server.counts.viewers == 1)
        page.click("#again")
        served.until(lambda plot: plot.server.counts.viewers == 2)


@needs_browser
def test_a_paused_page_asks_for_nothing_until_it_goes_on(look: Look):
    with PlotInThread() as served:
        page = look.open(served)
        served.show(energy=1.0)
        drawn(served, 1)
        page.keyboard.press(" ")
        served.until(lambda plot: all(viewer.paused for viewer in plot.sender.viewers))
        assert page.locator("#state").text_content() == "paused"
        served.show(energy=2.0)
        served.show(energy=3.0)
        settle(page, 100)
        assert served.plot.sender.drawn == 1
        assert served.plot.sender.sent == 2
        assert page.locator('[data-name="energy"] .reading').text_content() == "1"
        page.click("#pause")
        drawn(served, 3)
        assert page.locator('[data-name="energy"] .reading').text_content() == "3"


@needs_browser
def test_a_hidden_page_asks_for_nothing(look: Look):
    with PlotInThread() as served:
        look.page.add_init_script(
            "window.seen = 'hidden'; Object.defineProperty(document, 'visibilityState', { get: () => window.seen });"
        )
        page = look.open(served)
        served.show(energy=1.0)
        served.until(lambda plot: plot.server.counts.viewers == 1)
        served.until(lambda plot: [viewer.paused for viewer in plot.sender.viewers] == [True])
        assert served.plot.sender.sent == 0
        page.evaluate("window.seen = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
        drawn(served, 1)
        page.evaluate("window.seen = 'hidden'; document.dispatchEvent(new Event('visibilitychange'))")
        served.until(lambda plot: [viewer.paused for viewer in plot.sender.viewers] == [True])


@needs_browser
def test_nothing_runs_while_nothing_changes(look: Look):
    with PlotInThread() as served:
        look.page.add_init_script(
            """window.asked = 0;
            const ask = window.requestAnimationFrame.bind(window);
            window.requestAnimationFrame = (call) => { window.asked += 1; return ask(call); };"""
        )
        page = look.open(served)
        served.show(**FOUR)
        drawn(served, 1)
        # Three frames of the test's own, so that whatever was still to be drawn has been.
        page.evaluate(
            "async () => { for (let k = 0; k < 3; k += 1) await new Promise((go) => requestAnimationFrame(go)); }"
        )
        before = page.evaluate("window.asked")
        settle(page, 400)
        assert page.evaluate("window.asked") == before


@needs_browser
def test_a_panel_is_shown_alone_zoomed_and_clicked(look: Look):
    with PlotInThread() as served:
        page = look.open(served)
        served.show(**FOUR)
        drawn(served, 1)
        page.click('[data-name="wave"] .title')
        assert page.locator(".panel:visible").count() == 1
        box = page.locator('[data-name="wave"] canvas').bounding_box()
        assert box is not None
        assert box["width"] > 1000
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.click(*middle)
        served.until(lambda plot: any(did.what == "click" for did in plot.events))
        click = next(did for did in served.plot.events if did.what == "click")
        assert (click.panel, click.button) == ("wave", 1)
        assert click.x == pytest.approx(0.5, abs=0.1)
        assert click.y == pytest.approx(0, abs=0.3)
        assert "0." in (page.locator('[data-name="wave"] .reading').text_content() or "")

        page.mouse.wheel(0, -400)
        page.wait_for_selector('[data-name="wave"] .fit')
        page.mouse.down()
        page.mouse.move(middle[0] + 150, middle[1], steps=4)
        page.mouse.up()
        page.mouse.click(middle[0], middle[1])
        served.until(lambda plot: len([did for did in plot.events if did.what == "click"]) == 2)
        moved = [did for did in served.plot.events if did.what == "click"][1]
        assert moved.x < click.x - 0.01
        page.click('[data-name="wave"] .fit')
        assert not page.locator('[data-name="wave"] .fit').is_visible()
        page.keyboard.press("Escape")
        assert page.locator(".panel:visible").count() == 4
        page.mouse.click(*[edge + 120 for edge in (box["x"], box["y"])])
        page.wait_for_selector(".panel.alone")


@needs_browser
def test_keys_go_to_the_calculation(look: Look):
    with PlotInThread() as served:
        page = look.open(served)
        served.show(energy=1.0)
        drawn(served, 1)
        for key in ("q", "Q", "ArrowUp", "Enter", "F5", "Control+q", "Delete"):
            page.keyboard.press(key)
        served.until(lambda plot: len(plot.events) >= 5)
        assert [did.key for did in served.plot.events] == ["q", "q", "up", "return", "delete"]


@needs_browser
def test_a_picture_is_saved(look: Look, tmp_path: Path):
    with PlotInThread() as served:
        page = look.open(served)
        served.show(**FOUR)
        drawn(served, 1)
        with page.expect_download() as saving:
            page.click("#save")
        assert re.fullmatch(r"Test-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.png", saving.value.suggested_filename)
        saving.value.save_as(tmp_path / "plot.png")
    data = (tmp_path / "plot.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") > 2000  # twice the pixels of the page
    assert len(data) > 20_000


@needs_browser
def test_values_come_and_go_and_histories_stay(look: Look):
    with PlotInThread() as served:
        for k in range(5):
            served.show(energy=float(k))
        page = look.open(served)
        drawn(served, 1)
        served.show(energy=5.0, other=1.0)
        drawn(served, 2)
        assert page.locator(".panel .title").all_text_contents() == ["energy", "other"]
        served.show(other=2.0)
        drawn(served, 3)
        assert page.locator(".panel .title").all_text_contents() == ["other"]
        served.show(energy=6.0, other=3.0)
        drawn(served, 4)
        assert page.locator(".panel .title").all_text_contents() == ["energy", "other"]
        ticks = page.evaluate("document.querySelector('[data-name=energy] canvas').getAttribute('aria-label')")
        assert ticks == "energy: history"


@needs_browser
def test_names_and_texts_are_never_taken_as_html(look: Look):
    evil = "<img src=x onerror=\"document.title='caught'\">"
    with PlotInThread(
        panels={"a": Panel(title=evil, units=evil, colours=evil)}, params={"p": Param(1, text=evil)}
    ) as served:
        page = look.open(served)
        served.show(**{"a": 1.0, evil: evil})
        drawn(served, 1)
        assert page.locator(".panel .title").all_text_contents() == [evil, evil]
        assert page.locator("img").count() == 0
        assert page.title() == "Test · axonlike"


@needs_browser
@pytest.mark.parametrize("log", [False, True])
def test_strange_numbers_are_drawn_without_an_error(look: Look, log: bool):
    nan, inf = float("nan"), float("inf")
    hint = Panel(log_x=log, log_y=log)
    values = {
        "none": np.zeros(0), "holes": np.array([nan, 1.0, nan, inf, -3.0, 5.0]), "only": np.full(4, nan),
        "one": np.ones(1),
        "huge": np.array([-1e308, 1e308]), "tiny": np.array([5e-324, 1e-310]), "flat": np.full(9, 3.25), "nan": nan,
        "field": np.array([[nan, inf], [-inf, 0.0]]), "empty": np.zeros((0, 3)), "even": np.zeros((5, 6)),
        "big": np.random.default_rng(1).normal(size=200_000), "zero": (np.zeros(3), np.zeros(3)), "text": "x" * 5000,
    }  # fmt: skip
    with PlotInThread(panels=dict.fromkeys(values, hint)) as served:
        page = look.open(served)
        for _ in range(2):
            served.show(**values)
            values["nan"] = 1.0
        drawn(served, 2)
        assert page.locator(".panel").count() == len(values)
        assert not served.plot.sender.viewers or not any(viewer.paused for viewer in served.plot.sender.viewers)


@needs_browser
def test_a_phone_has_one_column_and_everything_in_reach(browser: Browser):
    look = Look(browser, **PHONE)
    with PlotInThread(params={"dt": Param(0.1, low=0.0, high=1.0)}) as served:
        page = look.open(served)
        served.show(**FOUR)
        drawn(served, 1)
        boxes = [panel.bounding_box() for panel in page.locator(".panel").all()]
        assert len({box["x"] for box in boxes if box}) == 1
        assert all(box and box["width"] > 360 and box["height"] >= 190 for box in boxes)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not page.locator("#params").is_visible()
        page.tap("#show-params")
        page.wait_for_selector("#params")
        page.locator('[data-name="dt"] [type="range"]').fill("500")
        served.until(lambda plot: plot.sender.params["dt"] == 0.5)
        page.tap("#show-params")
        page.tap('[data-name="energy"] canvas')
        page.wait_for_selector(".panel.alone")
        page.tap("#show-all")
        assert page.locator(".panel:visible").count() == 4
        for button in page.locator(".tools button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 40
    look.page.close()
    assert look.errors == []


@needs_browser
def test_the_page_may_stand_in_a_notebook_of_this_machine_only(look: Look):
    with PlotInThread() as served:

        async def notebook(request: web.BaseRequest) -> web.StreamResponse:
            frame = f'<iframe src="{served.plot.server.url}" width="900" height="600"></iframe>'
            return web.Response(text=frame, content_type="text/html")

        async def open_notebook() -> tuple[web.Server, asyncio.Server]:
            server = web.Server(notebook, access_log=None)
            return server, await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)

        async def close_notebook(server: web.Server, listening: asyncio.Server) -> None:
            listening.close()
            await server.shutdown(0)

        server, listening = served.do(open_notebook)
        port = listening.sockets[0].getsockname()[1]
        try:
            look.page.goto(f"http://localhost:{port}/")
            served.show(energy=4.0)
            drawn(served, 1)
        finally:
            look.page.close()
            served.do(close_notebook, server, listening)
        look.errors = [error for error in look.errors if "icon" not in error and "404" not in error]


def test_values_that_a_page_may_be_told_are_small():
    assert len(encode(Values({"dt": 0.5}))) < 200
