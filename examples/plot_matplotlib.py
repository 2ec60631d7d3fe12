"""A driven pendulum that never repeats itself, drawn by a matplotlib class of one's own in another process.

    python examples/plot_matplotlib.py [SWINGS]

The class `Portrait` is made and called in the viewer; the calculation neither imports matplotlib nor waits for it. Each
dot is where the pendulum stands once in each period of its drive: with time they fill a strange attractor. Closing the
window ends the calculation. MPLBACKEND=TkAgg shows the figure in matplotlib's own window instead.
"""

import math
import sys

import numpy as np

from axonlike.plotting import LivePlot

DAMPING, DRIVE, DRIVE_RATE = 0.25, 1.5, 2 / 3
STEPS_A_SWING = 100
STYLE = {
    "figure.facecolor": "#191d26", "axes.facecolor": "#101218", "axes.edgecolor": "#242933",
    "axes.grid": True, "grid.color": "#242933",
    "figure.subplot.left": 0.1, "figure.subplot.right": 0.98, "figure.subplot.top": 0.93,
}  # fmt: skip


class Portrait:
    """draw() gets what the calculation gives to its plot, as often as the window is ready for it."""

    def __init__(self):
        import matplotlib.pyplot as plt

        plt.style.use(["dark_background", STYLE])
        self.figure, (motion, phase) = plt.subplots(1, 2, width_ratios=(2, 3))
        motion.set(xlabel="time (s)", ylabel="angle (rad)", ylim=(-math.pi, math.pi), title="the last 80 seconds")
        phase.set(xlabel="angle (rad)", ylabel="speed (rad/s)", xlim=(-math.pi, math.pi), ylim=(-2.8, 4.2))
        (self.motion,) = motion.plot([], [], color="#5ebcff", linewidth=1)
        (self.trail,) = phase.plot([], [], color="#34506e", linewidth=0.8)
        (self.section,) = phase.plot([], [], ".", color="#ffb85c", markersize=2)
        motion.locator_params(axis="x", nbins=5)
        self.motion_axes, self.phase_axes = motion, phase

    def draw(self, time, angle, speed, section):
        angle[1:][abs(np.diff(angle)) > math.pi] = math.nan  # over the top: no line across
        self.motion.set_data(time, angle)
        self.motion_axes.set_xlim(time[-1] - 79, time[-1] + 1)
        self.trail.set_data(angle, speed)
        self.section.set_data(section[:, 0], section[:, 1])
        self.phase_axes.set_title(f"{len(section)} swings")


def acceleration(angle, speed, time):
    return DRIVE * math.cos(DRIVE_RATE * time) - DAMPING * speed - math.sin(angle)


def main(swings):
    dt = 2 * math.pi / DRIVE_RATE / STEPS_A_SWING
    trail = np.full((3, 840), math.nan)  # time, angle and speed of late
    section = np.zeros((swings, 2))
    a, v = 0.2, 0.0
    with LivePlot(Portrait, title="A pendulum that never repeats itself") as plot:
        for step in range(swings * STEPS_A_SWING):
            t = step * dt
            half = v + 0.5 * dt * acceleration(a, v, t)
            a += dt * half
            v = half + 0.5 * dt * acceleration(a, half, t + dt)
            a = (a + math.pi) % (2 * math.pi) - math.pi
            trail[:, :-1] = trail[:, 1:]
            trail[:, -1] = t, a, v
            swing = step // STEPS_A_SWING
            section[swing] = a, v
            plot(*trail, section[:swing])
            if plot.is_closed:
                break
    print(f"{swing + 1} swings")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
