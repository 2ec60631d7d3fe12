"""Histories of numbers: bounded, evenly thinned, under the names of the panels."""

from __future__ import annotations

import numpy as np

from axonlike.plotting.history import History, numbers_in


def test_numbers_are_found_under_the_names_of_their_panels() -> None:
    args = (1, np.zeros(3), "text")
    kwargs = {"e": 2.5, "on": True, "z": 3 + 4j, "deep": {"x": 1.0, "y": [1]}, "zero_d": np.array(7.0)}
    found = dict(numbers_in(args, kwargs))
    assert found == {"1": 1.0, "e": 2.5, "on": 1.0, "z": 5.0, "deep.x": 1.0, "zero_d": 7.0}


def test_a_number_too_large_is_infinite() -> None:
    assert dict(numbers_in((), {"n": 10**400, "m": -(10**400)})) == {"n": float("inf"), "m": -float("inf")}


def test_a_full_history_is_thinned_evenly_and_keeps_its_first() -> None:
    history = History(limit=8)
    for call in range(1, 101):
        history.add(call, iter([("e", call * 10.0)]))
    rows = history.arrays()["e"]
    assert len(rows) <= 8
    assert rows[0].tolist() == [1.0, 10.0]
    steps = np.diff(rows[:, 0])
    assert (steps == steps[0]).all()
    assert rows[-1, 0] > 100 - steps[0]
    assert np.array_equal(rows[:, 1], 10 * rows[:, 0])


def test_only_so_many_names_are_kept() -> None:
    history = History()
    history.add(1, ((f"n{number}", 0.0) for number in range(1000)))
    assert len(history.arrays()) == 64
