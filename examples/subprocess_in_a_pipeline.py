"""Another program in the middle of a pipeline: its standard input is the inbox, its standard output the outbox.

    python examples/subprocess_in_a_pipeline.py

End of input closes the program's standard input, as Ctrl-D would; here sort waits for that before it says a word. Its
exit code comes out of the box `status`.
"""

from axonlike import Graphline
from axonlike.components.file import Subprocess
from axonlike.components.util import ConsoleEchoer, DataSource, Transform

Graphline(
    fruit=DataSource(["pear", "apple", "quince", "fig"]),
    sort=Subprocess(["sort", "-r"]),
    shout=Transform(str.upper),
    news=Transform(lambda news: f"({type(news).__name__} {' '.join(news.command)})"),
    screen=ConsoleEchoer(),
    links="fruit -> sort -> shout -> screen; sort.status -> news -> screen",
).run()
