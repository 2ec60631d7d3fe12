"""Another program in the middle of a pipeline: its standard input is the inbox, its standard output the outbox.

    python examples/subprocess_in_a_pipeline.py

End of input closes the program's standard input, as Ctrl-D would; sort waits for that before it says a word. Its exit
code would come out of the box `status`; check=True makes any other than 0 an error.
"""

from axonlike import Pipeline
from axonlike.components.file import Subprocess
from axonlike.components.util import ConsoleEchoer, DataSource, Transform

Pipeline(
    DataSource(["pear", "apple", "quince", "fig"]),
    Subprocess(["sort", "-r"], check=True),
    Transform(str.upper),
    ConsoleEchoer(),
).run()
