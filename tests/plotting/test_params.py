"""Parameters: what they begin with says what they may be, wherever they are set."""

from __future__ import annotations

from typing import Any

import pytest

from axonlike.errors import UsageError
from axonlike.plotting.params import Param, Params, params_of


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (0.5, [1, 2.5, -3.0], ["1", True, None, float("nan"), float("inf")]),
        (3, [4, 4.0, -1], [4.5, True, "4", float("inf")]),
        (True, [False, True], [0, 1, "yes"]),
        ("abc", ["", "x" * 1000], ["x" * 1001, 1, None]),
        (("a", "b"), ["a", "b"], ["c", "", 0]),
        (Param(0.5, 0.0, 1.0), [0, 1, 0.25], [-0.001, 1.001]),
        (Param(5, low=1), [1, 10**6], [0]),
    ],
)
def test_a_parameter_takes_what_fits_what_it_began_with(spec: Any, good: list[Any], bad: list[Any]) -> None:
    params = Params(params_of({"p": spec}))
    for value in good:
        params.p = value
        assert params.p == value
        assert type(params.p) is type(Params(params_of({"p": spec})).p)
    for value in bad:
        before = params.p
        with pytest.raises(UsageError, match=r"^p is"):
            params.p = value
        assert params.p == before


def test_a_choice_begins_with_the_first() -> None:
    assert Params(params_of({"method": ("euler", "rk4")})).method == "euler"


@pytest.mark.parametrize("name", ["specs", "take", "as_dict", "_x", "1x", "a b"])
def test_a_name_that_could_not_be_read_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="params"):
        params_of({name: 1.0})


@pytest.mark.parametrize("spec", [None, [], [1, 2], object(), {"a": 1}])
def test_what_is_no_parameter_is_refused_by_name(spec: Any) -> None:
    with pytest.raises(UsageError, match="dt"):
        params_of({"dt": spec})


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 1.0, "low": 2.0},
        {"value": 1.0, "low": 3.0, "high": 2.0},
        {"value": 1.0, "log": True},
        {"value": 1.0, "low": 0.0, "high": 2.0, "log": True},
        {"value": "a", "low": 0.0},
        {"value": True, "high": 1.0},
        {"value": "a", "choices": ("b",)},
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        Param(**wrong)


def test_an_unknown_name_says_which_there_are() -> None:
    params = Params(params_of({"tolerance": 1e-3}))
    for read in (lambda: params.tolerence, lambda: params["tolerence"]):
        with pytest.raises(UsageError, match="did you mean 'tolerance'"):
            read()
    with pytest.raises(UsageError, match="no parameter 'x'"):
        params.x = 1
    assert not hasattr(params, "x")


def test_setting_one_here_is_told_and_taking_one_is_not() -> None:
    told: list[str] = []
    params = Params(params_of({"a": 1, "b": 2}), told.append)
    params.a = 5
    params["b"] = 6
    params.take("a", 7)
    assert told == ["a", "b"]
    assert params.as_dict() == {"a": 7, "b": 6}
    assert list(params) == ["a", "b"]
    assert len(params) == 2
    assert repr(params) == "Params(a=7, b=6)"
