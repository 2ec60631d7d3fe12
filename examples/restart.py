"""A component that crashes is started again, and nobody else notices.

    python examples/restart.py

on_error says what an exception does. "restart" calls main() again after a short while: the same object, with its
boxes, its links and what waits in them. Should it crash more than three times in five seconds, restarting does not
help; then the whole graph stops, with an error that says which component failed on which message.

What is printed on standard error is the log. It tells of each crash.
"""

from axonlike import Component, Pipeline
from axonlike.components.util import ConsoleEchoer, DataSource


class Average(Component):
    """Begins anew with each start, and cannot digest what is no number."""

    on_error = "restart"

    def main(self):
        self.send("-- a fresh start")
        total, count = 0.0, 0
        while True:
            yield self.wait("inbox")
            for reading in self.inbox():
                total += float(reading)
                count += 1
                self.send(f"{reading:>2}: the average since the start is {total / count:g}")


Pipeline(
    DataSource(["12", "7", "nonsense", "30", "", "18"]),
    Average(),
    ConsoleEchoer(),
).run()
