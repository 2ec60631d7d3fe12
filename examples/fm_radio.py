"""Listen to the radio: FM, from the WSA4000 to the loudspeaker.

    python examples/fm_radio.py [HOST] [STATION_MHZ]

HOST is a WSA4000; without it a simulated one is used, and without a sound card the sound goes nowhere.
"""

import sys

from axonlike import Pipeline
from axonlike.components.devices import WSA4000, AudioOut
from axonlike.components.dsp import FMDemodulate

host = sys.argv[1] if sys.argv[1:] else "demo"
station_hz = float(sys.argv[2]) * 1e6 if sys.argv[2:] else 100e6

Pipeline(
    WSA4000(host, center_frequency_hz=station_hz - 0.1e6, decimation=250),
    FMDemodulate(station_hz=station_hz, audio_rate_hz=48000),
    AudioOut("demo" if host == "demo" else None),
).run()
