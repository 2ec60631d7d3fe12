"""Checked settings: what is refused, what stays, and when a block begins anew."""

from __future__ import annotations

import numpy as np
import pytest

from axonlike.components.dsp.block import Block
from axonlike.components.dsp.checked import Checked, flag, one_of, positive, real, whole
from axonlike.errors import UsageError


class Knobs(Block):
    settings = ("count", "level", "loud", "side")
    count = Checked(whole(1))
    level = Checked(positive)
    trim = Checked(real)
    loud = Checked(flag, renews=False)
    side = Checked[str | None](one_of("left", None))

    def __init__(self):
        self.renewed = 0
        self.count, self.level, self.trim, self.loud, self.side = 1, 1.0, 0.0, False, None
        super().__init__()

    def renew(self):
        if self.__dict__.get("level", 0) > 100:
            raise UsageError("too loud")
        self.renewed += 1


@pytest.mark.parametrize(
    ("name", "good", "kept"),
    [
        ("count", 3, 3),
        ("count", 3.0, 3),
        ("count", np.int64(7), 7),
        ("level", 2, 2.0),
        ("level", np.float32(0.5), 0.5),
        ("trim", -3, -3.0),
        ("loud", True, True),
        ("side", "left", "left"),
        ("side", None, None),
    ],
)
def test_a_good_value_is_kept_as_what_it_is(name, good, kept):
    knobs = Knobs()
    setattr(knobs, name, good)
    assert getattr(knobs, name) == kept
    assert type(getattr(knobs, name)) is type(kept)


@pytest.mark.parametrize(
    ("name", "wrong", "wanted"),
    [
        ("count", 0, "a whole number of at least 1"),
        ("count", 1.5, "a whole number"),
        ("count", True, "a whole number"),
        ("count", "3", "a whole number"),
        ("count", float("nan"), "a whole number"),
        ("count", [1], "a whole number"),
        ("level", 0, "a number above 0"),
        ("level", float("inf"), "a number above 0"),
        ("level", None, "a number above 0"),
        ("trim", 1j, "a finite number"),
        ("trim", 10**400, "a finite number"),
        ("loud", 1, "True or False"),
        ("side", "right", "one of 'left', None"),
        ("side", ["left"], "one of 'left', None"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed_and_the_one_before_stays(name, wrong, wanted):
    knobs = Knobs()
    before = getattr(knobs, name)
    with pytest.raises(UsageError, match=f"Knobs: {name} is {wanted}"):
        setattr(knobs, name, wrong)
    assert getattr(knobs, name) == before


def test_a_change_begins_anew_but_for_what_nothing_was_computed_of():
    knobs = Knobs()
    before = knobs.renewed
    knobs.change(level=2.0)
    assert knobs.renewed == before + 1
    knobs.loud = True
    assert knobs.renewed == before + 1


def test_values_that_do_not_go_together_leave_the_one_before():
    knobs = Knobs()
    with pytest.raises(UsageError, match="too loud"):
        knobs.change(count=5, level=101.0)
    assert (knobs.count, knobs.level) == (1, 1.0)
