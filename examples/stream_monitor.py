"""What a stream is made of: its rate, its chunks, and what is missing in it, a line a second.

    python examples/stream_monitor.py [FILE]

FILE is a recording; without it a noise generator is looked at, with ten rows taken out.
"""

import sys

import numpy as np

from axonlike import Pipeline
from axonlike.components.devices import ArrayPlayer
from axonlike.components.dsp import StreamMonitor
from axonlike.components.file import Replay

noise = np.random.default_rng(1).standard_normal((1500, 8)).astype("float32")
source = Replay(sys.argv[1]) if sys.argv[1:] else ArrayPlayer(noise, 500.0, chunk_rows=50, loop=False, gaps=[(700, 10)])
Pipeline(source, StreamMonitor(interval_s=1.0)).run()
