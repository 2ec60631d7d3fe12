"""What is in the sound, in time and frequency: a wavelet transform of the sound card's input.

    python examples/audio_spectrogram.py [DEVICE]

DEVICE is the number of a sound card, a part of its name, or "demo", the default.
"""

import sys

from axonlike import Pipeline, run
from axonlike.components.devices import AudioIn
from axonlike.components.dsp import Resample, TimeFreq
from axonlike.components.ui import Display, TimeFreqView

device = sys.argv[1] if sys.argv[1:] else "demo"
run(
    Display((1000, 560), "sound in time and frequency"),
    Pipeline(
        AudioIn(int(device) if device.isdigit() else device, format="float32", channels=1),
        Resample(sample_rate_hz=4410),
        TimeFreq(frequencies_hz=(50, 1500, 25), f0=4.0),
        TimeFreqView(span_s=6, title="sound"),
    ),
)
