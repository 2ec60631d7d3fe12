"""The ten-line script: one capture of a radio, without components, event loop or window.

    python examples/radio_capture.py [HOST]

Without a host it starts a simulated WSA4000 and connects to that one.
"""

import contextlib
import sys

from axonlike.components.devices.wsa4000 import connect
from axonlike.components.dsp import FFT, Calibrate
from axonlike.simulators import SimulatedWSA4000

with contextlib.ExitStack() as stack:
    if sys.argv[1:]:
        wsa = stack.enter_context(connect(sys.argv[1]))
    else:
        simulated = stack.enter_context(SimulatedWSA4000())
        wsa = stack.enter_context(connect(simulated.host, simulated.scpi_port, simulated.vrt_port))
    wsa.configure(center_frequency_hz=2.45e9, samples_per_packet=1024, packets_per_block=16)
    block = wsa.capture()

fft, calibrate = FFT(points=1024), Calibrate()
for spectrum in calibrate.feed(fft.feed(block)[0]):
    level = spectrum.data.max(axis=0)
    assert spectrum.info.axis is not None
    strongest_mhz = spectrum.info.axis.values(len(level))[level.argmax()] / 1e6
    print(f"{len(block)} samples, the strongest signal: {level.max():.0f} dBm at {strongest_mhz:.1f} MHz")
