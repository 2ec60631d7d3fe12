"""A radio on the screen: its spectrum above, the last half minute below.

    python examples/radio_spectrum.py [HOST] [CENTER_MHZ]

HOST is a WSA4000; without it a simulated one is used. Keys and mouse work in each display; `?` shows which.
"""

import sys

from axonlike import run
from axonlike.components.devices import WSA4000
from axonlike.components.dsp import FFT, Calibrate
from axonlike.components.ui import Display, SpectrumView, Waterfall

host = sys.argv[1] if sys.argv[1:] else "demo"
center_hz = float(sys.argv[2]) * 1e6 if sys.argv[2:] else 2.45e9

spectrum = Calibrate(FFT(WSA4000(host, center_frequency_hz=center_hz, decimation=16), points=2048))
run(
    Display((1100, 800), f"WSA4000 {host}"),
    SpectrumView(spectrum, title=f"WSA4000 {host}", average=True),
    Waterfall(spectrum, span_s=30, title="the last 30 seconds"),
)
