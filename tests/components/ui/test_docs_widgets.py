"""The programs of docs/widgets, which the component reference shows beside their pictures: each runs until Ctrl-C."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = sorted((ROOT / "docs" / "widgets").glob("*.py"))
GUARD_S = 60.0

pytest.importorskip("pygame", reason="pygame is not installed")

# Stands beside the program in this thread's default scheduler, and tells when its window has been drawn.
_TELLS_WHEN_DRAWN = """
import runpy, sys
from axonlike import Component
from axonlike.components.ui.display import KIND, NAME
from axonlike.errors import NameNotProvided

class Look(Component):
    def main(self):
        while True:
            yield self.sleep(0.05)
            try:
                if self.scheduler.lookup(KIND, NAME, self).frames:
                    print("drawn", flush=True)
                    return
            except NameNotProvided:
                pass

Look().activate()
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_of_the_reference_shows_its_window_and_ends_with_ctrl_c(program: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _TELLS_WHEN_DRAWN, program],
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with running:
        try:
            assert running.stdout is not None
            assert running.stderr is not None
            assert select.select([running.stdout], [], [], GUARD_S)[0], "it drew nothing"
            first = running.stdout.readline()
            running.send_signal(signal.SIGINT)
            said = running.stderr.read().decode()
            assert (running.wait(GUARD_S), said, first) == (130, "", b"drawn\n"), said
        finally:
            running.kill()


def test_there_is_a_program_and_a_picture_for_each() -> None:
    assert {path.stem for path in PROGRAMS} == {"button", "display", "image", "keys", "text_box"}
    page = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")
    for path in PROGRAMS:
        assert (ROOT / "docs" / "pictures" / f"widget-{path.stem}.png").stat().st_size < 50_000
        assert f"pictures/widget-{path.stem}.png" in page
        assert f"widgets/{path.name}" in page
