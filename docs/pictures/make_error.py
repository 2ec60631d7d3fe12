"""A script with a mistake in its data, and what is said of it: error.svg."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from text_windows import ROOT, editor, picture, terminal

HERE = Path(__file__).resolve().parent

SCRIPT = """\
from axonlike import Component, Pipeline
from axonlike.components.util import ConsoleEchoer, DataSource


class Hot(Component):
    def main(self):
        while True:
            yield self.wait("inbox")
            for line in self.inbox():
                degrees = float(line.removeprefix("T="))
                if degrees > 30:
                    self.send(f"HOT {degrees:.1f} C")


readings = ["T=31.4", "T=2l.5"]
Pipeline(DataSource(readings), Hot(), ConsoleEchoer()).run()
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "hot.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "axonlike", "run", "hot.py"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "96", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
if done.returncode != 1:
    sys.exit(f"axonlike run hot.py: exit code {done.returncode}\n{done.stdout}{done.stderr}")
said = f"\x1b[32m$\x1b[0m axonlike run hot.py\n{done.stdout}{done.stderr.rstrip()}"
drawn = picture(
    [editor(SCRIPT, "hot.py", marked=[10]), terminal(said, "terminal")],
    "A script, and the six lines that say which component failed, where it was made, on which message, and why.",
    below=True,
)
(HERE / "error.svg").write_text(drawn, encoding="utf-8")
print((HERE / "error.svg").relative_to(ROOT))
