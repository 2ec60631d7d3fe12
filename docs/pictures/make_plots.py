"""Pictures of the live plot's own window, of a calculation made here: `python docs/pictures/make_plots.py [NAME...]`.

Frames go into the viewer in virtual time, as a calculation would send them, and what the window then shows is saved
under docs/pictures/. No screen is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

from axonlike import Component, Pipeline  # noqa: E402
from axonlike.components.ui import Display  # noqa: E402
from axonlike.plotting.messages import Counters, Ended, Frame, Panel, Welcome  # noqa: E402
from axonlike.plotting.params import Param  # noqa: E402
from axonlike.plotting.view import PlotView  # noqa: E402
from axonlike.testing import run_virtual  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
Doubles = npt.NDArray[np.float64]


class Calculation(Component):
    """Says what a calculation would: a welcome, then frames, 30 a second."""

    def __init__(self, welcome: Welcome, frames: list[Frame]) -> None:
        self._welcome = welcome
        self._frames = frames

    def main(self) -> Generator[Any, Any, None]:
        self.send(self._welcome)
        yield self.sleep(0.2)
        for frame in self._frames:
            self.send(frame)
            yield self.sleep(1 / 30)
        yield self.sleep(0.3)
        self.send(Ended())


class Shoot(Component):
    """Saves what the window shows."""

    def __init__(self, display: Display, path: Path, after_s: float, act: Callable[[], object]) -> None:
        self._display = display
        self._path = path
        self._after_s = after_s
        self._act = act

    def main(self) -> Generator[Any, Any, None]:
        yield self.sleep(self._after_s)
        self._act()
        yield self.sleep(0.1)
        self._display.save_picture(self._path)
        print(self._path.relative_to(ROOT))


def shoot(
    name: str, size: tuple[int, int], welcome: Welcome, frames: list[Frame],
    act: Callable[[PlotView], object] = lambda view: None,
) -> None:  # fmt: skip
    """Run a viewer with these frames, and save its last picture."""
    display, view = Display(size), PlotView()
    after_s = 0.2 + (len(frames) - 0.5) / 30
    run_virtual(
        display, Pipeline(Calculation(welcome, frames), view),
        Shoot(display, PICTURES / f"{name}.png", after_s, lambda: act(view)),
    )  # fmt: skip


# -- calculations


def condensate(steps: int, size: int = 256) -> Iterator[tuple[float, Doubles]]:
    """A rotating Bose-Einstein condensate in a flat trap, relaxed by imaginary time: energy and density.

    The Gross-Pitaevskii equation on `size` squared places, split into the trap and the kinetic energy with its rotation
    along each axis; from noise it finds its way to a lattice of vortices.
    """
    reach, g, omega, dt = 9.0, 900.0, 0.88, 0.004
    x = np.linspace(-reach, reach, size, endpoint=False)
    k = 2 * np.pi * np.fft.fftfreq(size, x[1] - x[0])
    xx, yy = x[np.newaxis, :], x[:, np.newaxis]
    trap = 0.5 * (xx**2 + yy**2)
    random = np.random.default_rng(12)
    psi: Any = np.exp(-(xx**2 + yy**2) / 24) * (1 + 0.6 * (xx + 1j * yy))
    psi = psi + 0.05 * (random.standard_normal((size, size)) + 1j * random.standard_normal((size, size)))
    area = (x[1] - x[0]) ** 2
    across = np.exp(-dt * (0.5 * k[np.newaxis, :] ** 2 + omega * yy * k[np.newaxis, :]))
    up = np.exp(-dt * (0.5 * k[:, np.newaxis] ** 2 - omega * xx * k[:, np.newaxis]))
    for _ in range(steps):
        psi = psi * np.exp(-0.5 * dt * (trap + g * abs(psi) ** 2))
        psi = np.fft.ifft(across * np.fft.fft(psi, axis=1), axis=1)
        psi = np.fft.ifft(up * np.fft.fft(psi, axis=0), axis=0)
        psi = psi * np.exp(-0.5 * dt * (trap + g * abs(psi) ** 2))
        norm = (abs(psi) ** 2).sum() * area
        energy = -np.log(norm) / (2 * dt)
        psi /= np.sqrt(norm)
        yield float(energy), abs(psi) ** 2


def frames_of_condensate() -> list[Frame]:
    """What a script would plot of it."""
    frames: list[Frame] = []
    x = np.linspace(-9, 9, 256, endpoint=False)
    for step, (energy, density) in enumerate(condensate(900), 1):
        if step % 6:
            continue
        cut = density[128]
        found = np.abs(np.fft.rfft(density.mean(axis=0) * np.hanning(256))) ** 2
        spectrum = 10 * np.log10(found / found[0] + 1e-14)[:90]
        number = len(frames) + 1
        frames.append(
            Frame(
                number, step * 40, step / 180,
                kwargs={"energy": energy, "cut": (x, cut, density.mean(axis=0)), "density": density,
                        "spectrum": spectrum},
                counters=Counters(offered=step * 40, taken=number, sent=number, drawn=number - 1,
                                  dropped=step * 40 - number, worst_call_s=41e-6, viewers=1),
            )
        )  # fmt: skip
    return frames


HINTS = {
    "energy": Panel(title="Energy", units="ħω", log_x=False),
    "cut": Panel(title="Density along x", x_label="x", x_units="µm"),
    "density": Panel(title="Density", colours="magma"),
    "spectrum": Panel(title="Spectrum", kind="spectrum", x_label="k", x_units="1/µm", x_step=0.349),
}
PARAMS = {
    "rotation": Param(0.88, low=0.0, high=0.99, units="ω", text="of the trap"),
    "coupling": Param(900.0, low=1.0, high=1e5, log=True),
    "step": Param(0.004, units="1/ω"),
    "scheme": Param("split", choices=("split", "ssfm4", "cg")),
    "noise": Param(True, text="stir a little"),
    "vortices": Param(12, low=0, high=40),
}


# -- pictures


def plot_default() -> None:
    """Four panels."""
    shoot("plot-default", (1180, 760), Welcome(title="condensate.py", panels=HINTS), frames_of_condensate())


def plot_params() -> None:
    """The same with parameters, one of them mistyped, and a logarithmic axis."""

    def act(view: PlotView) -> None:
        strip = view._strip
        assert strip is not None
        row = next(row for row in strip._rows if row.name == "step")
        strip.press(*row.control.center)
        strip.editor.set("0.0o4")
        strip.typed()
        view._panels["energy"].toggle_log("y")
        view.redraw()

    welcome = Welcome(title="condensate.py", panels=HINTS, params=PARAMS)
    shoot("plot-params", (1180, 760), welcome, frames_of_condensate()[:60], act)


MAKERS: dict[str, Callable[[], None]] = {"plot-default": plot_default, "plot-params": plot_params}


def main(names: Iterable[str] = ()) -> None:
    """Make the pictures that are named, or all."""
    for name in list(names) or MAKERS:
        if name not in MAKERS:
            raise SystemExit(f"no picture {name!r}; there are: {', '.join(MAKERS)}")
        MAKERS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
