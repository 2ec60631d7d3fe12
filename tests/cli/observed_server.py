"""A notification server fed over TCP: the second process of the tests of `axonlike top` and `axonlike tap`.

What connects to the first port publishes lines, what connects to the second gets them. One subscriber never reads.
"""

from axonlike import Component, Pipeline, run
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.components.net import SimpleServer


class Lines(Component):
    """Passes on, so that there is an outbox to tap and an inbox to count."""

    def main(self):
        while True:
            yield self.wait("inbox")
            for line in self.inbox():
                self.send(line)


class Stuck(Component):
    """Takes nothing."""

    def main(self):
        while True:
            yield self.wait("control")


run(
    Backplane("Events"),
    Backplane("In"),
    Pipeline(SubscribeTo("In", limit=100_000), Lines(), PublishTo("Events")),
    SimpleServer(lambda: PublishTo("In"), 0),
    SimpleServer(lambda: SubscribeTo("Events"), 0),
    Pipeline(SubscribeTo("Events", limit=5, policy="drop_oldest"), Stuck()),
    observe=True,
)
