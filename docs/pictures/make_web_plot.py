"""Pictures of a live plot in a browser, on a desk and on a phone: what `scripts/pictures` runs.

A real calculation, its page in a headless Chromium, and what that shows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np  # noqa: E402

from axonlike.plotting.liveplot import LivePlot  # noqa: E402
from axonlike.plotting.messages import Panel  # noqa: E402
from axonlike.plotting.params import Param  # noqa: E402
from tests.plotting.browser import MISSING, a_browser  # noqa: E402

SIZE = 160


class Wave:
    """A wave packet that meets a barrier, on a grid: enough of physics to look at."""

    def __init__(self) -> None:
        self.x = np.linspace(-12, 12, SIZE)
        x, y = np.meshgrid(self.x, self.x)
        self.psi = np.exp(-((x + 6) ** 2 / 4 + y**2 / 12) + 5j * x)
        k = 2 * np.pi * np.fft.fftfreq(SIZE, self.x[1] - self.x[0])
        self.k2 = k**2 + k[:, None] ** 2
        wall = np.exp(-((x / 0.45) ** 4))
        self.walls = {
            "two slits": wall * (np.abs(np.abs(y) - 1.5) > 0.55),
            "one slit": wall * (np.abs(y) > 0.9),
        }
        self.edge = np.clip((np.maximum(np.abs(x), np.abs(y)) - 10) / 2, 0, 1)
        self.all = (np.abs(self.psi) ** 2).sum()

    def advance(self, *, barrier: float, wall: str, time_step: float, absorb_at_edges: bool) -> None:
        losses = 30 * self.edge if absorb_at_edges else 0
        kick = np.exp(-time_step * (1j * barrier * self.walls[wall] + losses))
        self.psi = np.fft.ifft2(np.fft.fft2(self.psi * kick) * np.exp(-0.5j * self.k2 * time_step))

    def seen(self) -> dict[str, Any]:
        density = np.abs(self.psi) ** 2
        return {
            "density": density,
            "transmitted": float(density[:, self.x > 0.6].sum() / self.all),
            "cut": (self.x, self.psi[SIZE // 2]),
            "screen": (self.x, density[:, np.searchsorted(self.x, 6.0)]),
        }


def main() -> None:
    """Two files beside this one."""
    if MISSING:
        raise SystemExit(MISSING)
    wave = Wave()
    panels = {
        "density": Panel(title="Density", colours="inferno", units="1/nm²", high=0.5),
        "transmitted": Panel(title="Transmitted"),
        "cut": Panel(title="Cut through the middle", x_label="x", x_units="nm", low=-1.2, high=1.2),
        "screen": Panel(title="On the screen", x_label="y", x_units="nm", units="1/nm²"),
    }
    params = {
        "barrier": Param(60.0, low=0.0, high=200.0, units="eV", text="height of the wall"),
        "time_step": Param(0.012, low=0.001, high=0.1, log=True, units="fs"),
        "wall": ("two slits", "one slit"),
        "absorb_at_edges": True,
    }
    with (
        LivePlot(title="Double slit", panels=panels, params=params, window=False, listen="127.0.0.1:0") as plot,
        a_browser() as browser,
    ):
        for name, size, scale in (("plot-web", (1280, 800), 1), ("plot-phone", (390, 844), 2)):
            page = browser.new_page(
                viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale, has_touch=scale > 1
            )
            page.goto(plot.url)
            page.wait_for_selector("#state.open")
            for _ in range(56 if scale == 1 else 6):
                for _ in range(3):
                    values: dict[str, Any] = dict(plot.params.as_dict())
                    wave.advance(**values)
                plot(**wave.seen())
                page.wait_for_timeout(40)
            plot.flush(10.0)
            page.wait_for_timeout(200)
            page.screenshot(path=HERE / f"{name}.png")
            print(HERE / f"{name}.png")
            page.close()


if __name__ == "__main__":
    main()
