from axonlike import Graphline, run, step
from axonlike.testing import Feeder

run(
    Graphline(
        LEFT=Feeder([1, 2]),
        RIGHT=Feeder(["three"], name="right"),
        SUM=step(lambda number: number + 1, name="plus one"),
        links="LEFT -> SUM; RIGHT -> SUM",
    )
)
