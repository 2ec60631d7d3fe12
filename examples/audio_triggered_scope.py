"""A triggered oscilloscope: the moments around each rise above a threshold, laid on top of each other.

    python examples/audio_triggered_scope.py [DEVICE] [THRESHOLD]

DEVICE is the number of a sound card, a part of its name, or "demo", the default. THRESHOLD: 0 to 1, of full scale.
"""

import sys

from axonlike import run
from axonlike.components.devices import AudioIn
from axonlike.components.dsp import AnalogTrigger
from axonlike.components.ui import Display, TriggeredScope

device = sys.argv[1] if sys.argv[1:] else "demo"
threshold = float(sys.argv[2]) if sys.argv[2:] else 0.15

sound = AudioIn(int(device) if device.isdigit() else device, format="float32")
trigger = AnalogTrigger(sound, threshold=threshold, debounce_mode="after-stable", debounce_s=0.0005)
run(
    Display((1000, 480), "triggered sound"),
    TriggeredScope(sound, trigger, window_s=(-0.01, 0.02), stack_size=20, title=f"above {threshold:g}"),
)
