"""Two radios on one screen: each has its own processing, one display shows both.

    python examples/two_radios.py [HOST1 HOST2]

Without hosts two simulated radios are used.
"""

import sys

from axonlike import run
from axonlike.components.devices import WSA4000
from axonlike.components.dsp import FFT, Calibrate
from axonlike.components.ui import Display, SpectrumView

host1, host2 = sys.argv[1:3] if sys.argv[2:] else ("demo", "demo")

wsa1 = WSA4000(host1, center_frequency_hz=2.440e9)
fft1 = FFT(wsa1)
calibrate1 = Calibrate(fft1)

wsa2 = WSA4000(host2, center_frequency_hz=2.445e9)
fft2 = FFT(wsa2)
calibrate2 = Calibrate(fft2)

multi_spectrum = SpectrumView(calibrate1, calibrate2, title="two radios", peak_hold=True)
run(Display((1100, 560), "two radios"), multi_spectrum)
