"""Publish and subscribe inside one process: a name, those who publish to it, those who listen.

    python examples/publish_subscribe.py

Publishers and subscribers need not know each other, may come and go while the program runs, and may be started in any
order. One who comes late gets the last message first, because this Backplane keeps a history of one.
"""

from axonlike import Component, Pipeline
from axonlike.backplane import Backplane, PublishTo, SubscribeTo


class Reporter(Component):
    """Sends three pieces of news; after the second one, another reader comes."""

    def main(self):
        self.send("it will rain")
        yield self.sleep(0.01)
        self.send("it rains")
        yield self.sleep(0.01)
        Pipeline(SubscribeTo("news"), Reader("late bird")).activate()
        yield self.sleep(0.01)
        self.send("the sun is out")


class Reader(Component):
    def __init__(self, name):
        self.name = name

    def main(self):
        while True:
            yield self.wait("inbox")
            for news in self.inbox():
                print(f"{self.name:>9} reads: {news}")


Pipeline(SubscribeTo("news"), Reader("anna")).activate()
Pipeline(SubscribeTo("news"), Reader("otto")).activate()
Backplane("news", history=1).activate()
Pipeline(Reporter(), PublishTo("news")).run()
