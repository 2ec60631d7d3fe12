"""A string that relaxes to its rest, and a live plot of it that the calculation never waits for.

    python examples/plot_relaxation.py [STEPS]

In the window: the string, its energy at each step, and the spectrum of its shape. `damping` can be set there while it
runs (key p); closing the window ends the calculation. AXONLIKE_PLOT=off runs it without a window,
AXONLIKE_PLOT=listen=127.0.0.1:9999 shows it in a browser.
"""

import sys

import numpy as np

from axonlike.plotting import LivePlot, Panel, Param


def main(steps):
    points = 400
    x = np.linspace(0.0, 1.0, points)
    height = np.exp(-(((x - 0.3) / 0.05) ** 2)) - 0.6 * np.exp(-(((x - 0.7) / 0.03) ** 2))
    speed = np.zeros(points)
    plot = LivePlot(
        title="A string that relaxes",
        panels={
            "string": Panel(x_label="place", x_units="m", units="mm", low=-1.2, high=1.2),
            "energy": Panel(units="mJ", log_y=True),
            "spectrum": Panel("spectrum", x_label="mode"),
        },
        params={"damping": Param(0.002, 0.0001, 0.1, log=True)},
    )
    with plot:
        for _ in range(steps):
            force = np.zeros(points)
            force[1:-1] = height[2:] - 2 * height[1:-1] + height[:-2]
            speed += 0.25 * force - plot.params.damping * speed
            height += speed
            energy = float(np.sum(speed**2) + 0.25 * np.sum(np.diff(height) ** 2))
            plot(string=(x, height), energy=energy, spectrum=np.abs(np.fft.rfft(height))[:100])
            if plot.is_closed or energy < 1e-9:
                break
    print(f"{plot.counters.offered} steps, energy {energy:.3g}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
