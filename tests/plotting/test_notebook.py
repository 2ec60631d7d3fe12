"""The inline view: what stands below a cell, in a real IPython shell and where there is none."""

from __future__ import annotations

import html.parser
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from axonlike.errors import UsageError
from axonlike.plotting.liveplot import LivePlot
from axonlike.plotting.notebook import Inline, in_notebook, inline_html, show

ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:4321/#token=abc"


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


class Plot:
    """As much of a LivePlot as show() looks at."""

    def __init__(self, url: str) -> None:
        self.url = url


def test_the_page_stands_in_a_frame_with_a_way_out_below_it() -> None:
    (frame, link) = (attributes for tag, attributes in Tags(inline_html(URL, 640, 360)).seen if tag in ("iframe", "a"))
    assert frame["src"] == link["href"] == URL
    assert "width: 640px; height: 360px" in (frame["style"] or "")
    assert link["target"] == "_blank"


def test_an_address_cannot_bring_tags_of_its_own() -> None:
    hostile = 'http://h/#"><script>alert(1)</script>'
    tags = Tags(inline_html(hostile)).seen
    assert [tag for tag, _ in tags] == ["iframe", "div", "a"]
    assert tags[0][1]["src"] == hostile


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "javascript:alert(1)", "file:///etc/passwd", "http://"])
def test_what_is_no_address_of_a_plot_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="begins with http:// or https://"):
        inline_html(url)


@pytest.mark.parametrize("side", [0, -3, True, "", "100", "5em; background: red", '10px" onload="x'])
def test_what_is_no_length_is_refused(side: Any) -> None:
    with pytest.raises(UsageError, match="are pixels"):
        inline_html(URL, side)


@pytest.mark.parametrize("side", [300, "100%", "12.5em", "50vh"])
def test_lengths_are_pixels_or_css(side: Any) -> None:
    style = Tags(inline_html(URL, side)).seen[0][1]["style"] or ""
    assert f"width: {side}px;" in style or f"width: {side};" in style


def test_where_there_is_no_html_it_is_a_line() -> None:
    assert repr(Inline(URL)) == f"live plot at {URL}"


def test_outside_of_a_notebook_show_says_where_to_look() -> None:
    assert not in_notebook()
    with pytest.raises(UsageError, match=f"this runs in none: open {URL} in a browser"):
        show(cast(LivePlot, Plot(URL)))


def test_a_plot_that_does_not_listen_is_told_how_to() -> None:
    with pytest.raises(UsageError, match=r'LivePlot\(window=False, listen=\("127.0.0.1", 0\)\)'):
        show(cast(LivePlot, Plot("")))


IN_A_SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

class Kernels(InteractiveShell):
    kernel = None

shell = Kernels.instance(config=Config({"HistoryManager": {"enabled": False}}))
if sys.argv[1] == "kernel":
    shell.kernel = object()

class Plot:
    url = "http://127.0.0.1:4321/#token=abc"

shell.push({"Plot": Plot})
with capture_output() as captured:
    shell.run_cell("from axonlike.plotting.notebook import in_notebook, show").raise_error()
    done = shell.run_cell("show(Plot()); found = in_notebook()")
done.raise_error()
print(json.dumps([shell.user_ns["found"], captured.outputs[0].data]))
"""


@pytest.mark.parametrize("kind", ["kernel", "terminal"])
def test_in_ipython_the_frame_and_the_line_go_to_whoever_can_show_them(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, "-c", IN_A_SHELL, kind], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, data = json.loads(done.stdout)
    assert found == (kind == "kernel")
    assert data["text/html"] == inline_html(URL)
    assert data["text/plain"] == f"live plot at {URL}"
