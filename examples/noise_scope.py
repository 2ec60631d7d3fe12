"""The smallest signal program: a noise generator, and a scope.

    python examples/noise_scope.py
"""

from axonlike.components.devices import Noise
from axonlike.components.ui import Scope

Scope(Noise(channels=4, sample_rate_hz=1000), span_s=3, title="noise").run()
