"""A camera, a film or a test picture in a window.

    python examples/webcam.py [SOURCE]

SOURCE is the number of a camera (0), a file or a URL; without it FFmpeg's test picture is shown.
"""

import sys

from axonlike import Pipeline, run
from axonlike.components.devices import VideoIn
from axonlike.components.ui import Display, ImageView

source = sys.argv[1] if sys.argv[1:] else "demo"
run(Display((800, 620), "camera"), Pipeline(VideoIn(int(source) if source.isdigit() else source), ImageView()))
