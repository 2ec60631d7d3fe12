"""An oscilloscope for the sound card.

    python examples/audio_scope.py [DEVICE]

DEVICE is the number of a sound card, a part of its name (`axonlike devices` lists them), or "demo", the default.
"""

import sys

from axonlike import Pipeline, run
from axonlike.components.devices import AudioIn
from axonlike.components.ui import Display, Scope

device = sys.argv[1] if sys.argv[1:] else "demo"
run(
    Display((1000, 480), "sound"),
    Pipeline(
        AudioIn(int(device) if device.isdigit() else device, format="float32"),
        Scope(span_s=0.05, scale="each", title="sound"),
    ),
)
