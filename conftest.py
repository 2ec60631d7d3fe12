"""Keeps pytest out of the root's links: `components` and `backplane` point into the package (DESIGN section 2)."""

collect_ignore = ["components", "backplane"]
