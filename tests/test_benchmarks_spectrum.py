"""The benchmark of spectra, tiny: that each contestant does all that it counts. Never how long it took."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import spectrum, spectrum_chains
from benchmarks.children import call
from benchmarks.harness import Run

# In a process of its own, as for users: the harness collects all garbage before each run, and there are as many objects
# here as a test run has.
TINY_RUN = """
from benchmarks import spectrum
from benchmarks.harness import Options, to_json
print(to_json({"spectrum": spectrum.run(Options(quick=True, rounds=1, run_s=0.0, scale=0.001))}))
"""


@pytest.mark.parametrize("key", list(spectrum.contestants()), ids=str)
def test_each_contestant_counts_every_sample(key: tuple[str, int]) -> None:
    rows = 1024 if key[0] in spectrum.PACKETS else spectrum_chains.CHUNK
    assert spectrum.contestants()[key](2).count == 2 * rows


def test_the_section_says_what_was_to_be_reached() -> None:
    (table,) = json.loads(call([sys.executable, "-c", TINY_RUN]))["sections"]["spectrum"]
    assert len(table["reaches"]) == 6
    assert {len(cells) for _, cells in table["rows"]} == {3}
    assert isinstance(spectrum_chains.scipy_alone(1024, 1), Run)
