"""Which packages are installed; all other metadata stands in pyproject.toml.

`find_packages` is limited to `axonlike` because the repository's root also holds the links `components` and
`backplane`: they open the paths that people look for and must never be installed as packages of their own.
"""

from setuptools import find_packages, setup

setup(package_dir={"": "."}, packages=find_packages(include=["axonlike", "axonlike.*"]))
