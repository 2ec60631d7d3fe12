"""Errors as people read them: golden texts for whole failures, and the parts they are made of."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from axonlike import errors
from axonlike.errors import ComponentError, MissingExtra, Site, did_you_mean, hide_secrets, show_value
from axonlike.scheduler import Scheduler
from axonlike.testing import Feeder, VirtualLoop, isolated

GOLDEN = Path(__file__).parent / "golden" / "errors"
SCENARIOS = sorted(path.stem for path in GOLDEN.glob("*.py"))


def failure_of(name: str) -> ComponentError:
    """Run a scenario's script, in virtual time, as its author would."""
    path = GOLDEN / f"{name}.py"
    scheduler = Scheduler(loop_factory=VirtualLoop, watchdog_s=None, shuffle="")
    with isolated(scheduler), pytest.raises(ComponentError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": name})
    return caught.value


@pytest.mark.parametrize("name", SCENARIOS)
def test_golden_text_of_a_failure(name: str) -> None:
    text = re.sub("0x[0-9a-f]+", "0x…", f"{failure_of(name)}\n")
    expected = GOLDEN / f"{name}.txt"
    if os.environ.get("AXONLIKE_WRITE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_there_are_at_least_20_golden_texts() -> None:
    assert len(SCENARIOS) >= 20


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_failure_has_six_lines_with_path_creation_box_cause_and_policy(name: str) -> None:
    first, made, box, cause, policy, remedy = str(failure_of(name)).splitlines()
    assert first.startswith("component ")
    assert f"{name}.py › " in first
    assert made.startswith(f"  made at   {name}.py:")
    assert box.startswith("  box       ")
    assert cause.startswith("  cause     ")
    assert policy.startswith('  policy    on_error="')
    assert remedy.startswith("  help      axonlike explain AX")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("token=abc", "token=***"),
        ("password: 'hunter2'", "password: '***'"),
        ('{"api_key": "k-1", "b": 2}', '{"api_key": "***", "b": 2}'),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("?access_token=x&y=1", "?access_token=***&y=1"),
        ("MQTT_PASSWORD=x y", "MQTT_PASSWORD=*** y"),
        ("passwort=geheim", "passwort=***"),
        ("client-secret = zzz", "client-secret = ***"),
        ("a password is needed", "a password is needed"),
        ("tokens: 3", "tokens: ***"),
        ("nothing here", "nothing here"),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_row_32_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


def test_row_32_bytes_and_nested_values_hide_their_secrets_too() -> None:
    nested = {"login": [{"password": "s3cr3t"}]}
    for value in (b"token=s3cr3t", nested, "x" * 190 + " token=s3cr3t", ("secret=s3cr3t",)):
        assert "s3cr3t" not in show_value(value)


def test_row_32_the_log_hides_them_too(caplog: pytest.LogCaptureFixture) -> None:
    from axonlike import Pipeline, step
    from axonlike.testing import run_virtual

    def fails(_message: Any) -> None:
        raise ValueError("password=s3cr3t")

    run_virtual(Pipeline(Feeder(["token=s3cr3t"]), step(fails, on_error="skip")))
    assert "***" in caplog.text
    assert "s3cr3t" not in caplog.records[0].getMessage()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1, "1 (int)"), ("a", "'a' (str)"), (None, "None (NoneType)"), (b"\x00", "b'\\x00' (bytes)"), ([], "[] (list)")],
)
def test_a_value_is_shown_with_its_type(value: Any, shown: str) -> None:
    assert show_value(value) == shown


def test_a_value_that_contains_itself_is_shown() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "..." in show_value(endless)


def test_did_you_mean_names_the_nearest_or_nothing() -> None:
    assert did_you_mean("outbx", ["outbox", "signal"]) == "; did you mean 'outbox'?"
    assert did_you_mean("zzz", ["outbox", "signal"]) == ""


def test_a_missing_extra_names_component_package_and_both_commands() -> None:
    error = MissingExtra("Microphone", "PyAudio", "audio", apt="portaudio19-dev")
    assert str(error) == (
        'Microphone needs PyAudio: pip install "axonlike[audio]"; on Debian first: sudo apt install portaudio19-dev'
    )


def test_a_component_error_can_be_pickled() -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as exc:
        error = ComponentError("a/b", exc, made_at=Site("x.py", 3), box="inbox", number=2, value="secret object")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.box, copy.number, copy.made_at) == ("a/b", "inbox", 2, Site("x.py", 3))
    assert isinstance(copy.cause, ZeroDivisionError)


def test_every_error_of_the_toolkit_has_a_code_of_its_own() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = [kind.code for kind in kinds if isinstance(kind, type) and issubclass(kind, errors.AxonlikeError)]
    assert len(set(codes)) == len(codes)
    assert all(code[:2] == "AX" and code[2:].isdigit() for code in codes)


@pytest.mark.parametrize("value", ["a\nb", "a\r\n  b"])
def test_a_cause_of_several_lines_is_shown_in_one(value: str) -> None:
    assert "  cause     ValueError: a b\n" in str(ComponentError("x", ValueError(value)))


def test_a_value_whose_repr_has_several_lines_is_shown_in_one() -> None:
    class Matrix:
        def __repr__(self) -> str:
            return "[[1 2]\n [3 4]]"

    assert show_value(Matrix()) == "[[1 2] [3 4]] (Matrix)"


def test_a_very_long_cause_is_cut() -> None:
    assert len(str(ComponentError("x", ValueError("x" * 100_000)))) < 1500


def test_a_group_shows_the_first_errors_in_it() -> None:
    inner = ExceptionGroup("inner", [KeyError("b"), OSError("c"), OSError("d")])
    group = ExceptionGroup("all", [ValueError("a"), inner])
    assert (
        "  cause     ExceptionGroup: all (2 sub-exceptions): ValueError: a; KeyError: 'b'; OSError: c; and 1 more\n"
        in str(ComponentError("x", group))
    )


@pytest.mark.parametrize("policy", ["skip", "restart", "error"])
def test_the_policy_line_tells_a_failure_that_was_dealt_with_from_one_that_was_not(policy: str) -> None:
    errors = [ComponentError("x", ValueError(), policy=policy, handled=handled) for handled in (False, True)]
    lines = {str(error).splitlines()[4] for error in errors}
    assert len(lines) == 2
    assert all(line.startswith(f'  policy    on_error="{policy}"  (') for line in lines)


def test_finished_and_stopped_are_not_caught_by_except_exception() -> None:
    for kind in (errors.Finished, errors.Stopped):
        assert issubclass(kind, BaseException)
        assert not issubclass(kind, Exception)
