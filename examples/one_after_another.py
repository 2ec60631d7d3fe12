"""Seq: components one after another in time. A greeting, a count-down, and then whatever you type, shouted.

    python examples/one_after_another.py

Whoever runs has the Seq's inbox and outbox. What you type meanwhile waits for the one whose turn it will be. Ctrl-D
ends it.
"""

from axonlike import Pipeline, Seq
from axonlike.components.util import ConsoleEchoer, ConsoleReader, DataSource, OneShot, Transform

Pipeline(
    ConsoleReader(),
    Seq(
        OneShot("good evening"),
        DataSource(["three", "two", "one"]),
        Transform(str.upper),
    ),
    ConsoleEchoer(),
).run()
