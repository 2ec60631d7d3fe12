"""Sphinx configuration. `make docs` builds with warnings as errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import axonlike

project = "axonlike"
author = "axonlike contributors"
release = version = axonlike.__version__
html_title = f"axonlike {version}"

extensions = ["myst_parser", "from_the_code"]
html_theme = "furo"
exclude_patterns = ["_build", "_ext"]
nitpicky = True
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
