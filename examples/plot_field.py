"""Spots and stripes that grow out of noise (Gray-Scott), as components: a PlotSink at the end of the pipeline.

    python examples/plot_field.py [FRAMES]

The calculation is a component, the plot the end of its pipeline. What the user does in the window comes out of the
sink's outbox "events" and is printed: click into the field, press keys. Closing the window ends the program.
"""

import sys

import numpy as np

from axonlike import Component, Graphline, Shutdown, run
from axonlike.components.util import ConsoleEchoer, Transform
from axonlike.plotting import Panel, PlotSink


class GrayScott(Component):
    """Two substances that react and spread; sends their fields after each ten steps."""

    def __init__(self, frames, size=128):
        self.frames = frames
        self.size = size

    def main(self):
        u = np.ones((self.size, self.size))
        v = np.zeros_like(u)
        random = np.random.default_rng(3)
        for row, column in random.integers(0, self.size - 12, (12, 2)):
            u[row : row + 12, column : column + 12] = 0.5
            v[row : row + 12, column : column + 12] = 0.25
        v *= 1 + 0.1 * random.random(v.shape)
        for _ in range(self.frames):
            for _ in range(10):
                reaction = u * v * v
                u += 0.16 * laplacian(u) - reaction + 0.035 * (1 - u)
                v += 0.08 * laplacian(v) + reaction - 0.100 * v
            self.send({"v": v, "cut": v[self.size // 2], "mean": {"u": u.mean(), "v": v.mean()}})
            yield


def laplacian(field):
    return sum(np.roll(field, shift, axis) for shift in (1, -1) for axis in (0, 1)) - 4 * field


class UntilClosed(Component):
    """Has the calculation stopped when the window was closed."""

    Outboxes = {"stop": "to the calculation's control box"}

    def main(self):
        while True:
            yield self.wait()
            for event in self.inbox():
                if event.what == "closed":
                    self.send(Shutdown("the window was closed"), "stop")
                else:
                    self.send(event)


def main(frames):
    run(
        Graphline(
            CALCULATION=GrayScott(frames),
            PLOT=PlotSink(
                title="Gray-Scott",
                panels={
                    "v": Panel(title="substance v"),
                    "cut": Panel(title="its middle row", low=0.0, high=0.5),
                },
            ),
            CLOSED=UntilClosed(),
            TEXT=Transform(lambda did: f"{did.what} {did.key or f'{did.panel} at {did.x:.0f}, {did.y:.0f}'}\n"),
            CONSOLE=ConsoleEchoer(),
            links="CALCULATION -> PLOT; PLOT.events -> CLOSED -> TEXT -> CONSOLE; CLOSED.stop -> CALCULATION.control",
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
