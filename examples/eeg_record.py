"""An EEG amplifier on the screen, filtered, and in a file, as it came.

    python examples/eeg_record.py [FILE] [HOST]

HOST is where the Brain Vision Recorder runs; without it a simulated amplifier is used. FILE is eeg.h5 unless it is
given; .mcap, .wav, .csv and .sigmf will do as well. Beside it stands a journal with every gap and mark.
"""

import sys

from axonlike import run
from axonlike.components.devices import BrainAmp
from axonlike.components.dsp import Notch, SosFilter
from axonlike.components.file import Recorder
from axonlike.components.ui import Display, Scope

path = sys.argv[1] if sys.argv[1:] else "eeg.h5"
host = sys.argv[2] if sys.argv[2:] else "demo"

amplifier = BrainAmp(host)
filtered = SosFilter.bandpass(1, 40, Notch(amplifier, frequency_hz=50))
recorder = Recorder(path, amplifier)
recorder.link((amplifier, "markers"), (recorder, "events"))
run(Display((1100, 700), "EEG"), Scope(filtered, span_s=10, title="1 to 40 Hz"), recorder)
