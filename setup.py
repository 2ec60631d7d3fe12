"""Which packages are installed, and what is compiled; all other metadata stands in pyproject.toml.

`find_packages` is limited to `axonlike` because the repository's root also holds the links `components` and
`backplane`: they open the paths that people look for and must never be installed as packages of their own.

The extension is optional: without a C compiler or Python's headers axonlike is installed all the same, only slower.
"""

from setuptools import Extension, find_packages, setup

setup(
    package_dir={"": "."},
    packages=find_packages(include=["axonlike", "axonlike.*"]),
    ext_modules=[Extension("axonlike._speedups", ["axonlike/_speedups.c"], optional=True)],
)
