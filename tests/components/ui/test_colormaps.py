"""Colours for values."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.ui.colormaps import COLORMAPS, colormap, colour_index
from axonlike.errors import UsageError


@pytest.mark.parametrize("name", COLORMAPS)
def test_each_map_gets_brighter_from_one_end_to_the_other(name: str) -> None:
    """So it is read rightly by those who see no colours."""
    linear = (colormap(name, 33) / 255.0) ** 2.2
    brightness = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) > 0).all()
    assert brightness[-1] - brightness[0] > 0.5


def test_the_ends_of_viridis_are_those_that_everybody_knows() -> None:
    assert colormap("viridis")[[0, -1]].tolist() == [[0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25]]
    assert colormap("viridis", 31).shape == (31, 3)


def test_an_unknown_map_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match="no colour map 'virids'; did you mean 'viridis'"):
        colormap("virids")


def test_values_become_places_and_nan_the_one_beyond() -> None:
    values = np.array([-200.0, -100.0, -50.0, 0.0, 50.0, np.nan, np.inf, -np.inf])
    assert colour_index(values, -100.0, 0.0).tolist() == [0, 0, 127, 254, 254, 255, 254, 0]


def test_an_empty_range_is_no_error() -> None:
    assert colour_index(np.array([1.0, 2.0]), 1.0, 1.0).tolist() == [0, 254]
