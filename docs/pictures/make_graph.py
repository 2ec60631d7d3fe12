"""`axonlike graph` of some examples: graph-*.svg."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from text_windows import ROOT

HERE = Path(__file__).resolve().parent

for example in ("notify_by_priority", "publish_subscribe", "carousel"):
    path = HERE / f"graph-{example}.svg"
    command = [sys.executable, "-m", "axonlike", "graph", "-o", str(path), f"examples/{example}.py"]
    subprocess.run(command, cwd=ROOT, check=True)
    print(path.relative_to(ROOT))
