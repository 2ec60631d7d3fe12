"""Carousel: one place in a graph whose component is replaced. A player that plays one song after another.

    python examples/carousel.py

When a song is over the carousel asks for the next one. The playlist answers with a title, and of that the carousel
makes its next component with the function that it was given.
"""

from axonlike import Carousel, Component, Graphline
from axonlike.components.util import Chooser, ConsoleEchoer


class Song(Component):
    def __init__(self, title):
        self.title = title

    def main(self):
        for bar in range(1, 4):
            self.send(f"{self.title}, bar {bar} of 3")
            yield self.sleep(0.1)


Graphline(
    playlist=Chooser(["Green Onions", "So What", "Blue Train"]),
    player=Carousel(Song),
    speaker=ConsoleEchoer(),
    links="player.requestNext -> playlist; playlist -> player.next; player -> speaker",
).run()
