"""Errors as people read them: golden texts for whole failures, and the parts they are made of."""

from __future__ import annotations

import functools
import json
import math
import operator
import os
import pickle
import re
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from axonlike import Component, Pipeline, Supervisor, errors, step
from axonlike.components.net import Echo, SimpleServer
from axonlike.components.util import Filter, Tap, Transform
from axonlike.errors import ComponentError, MissingExtra, Site, did_you_mean, hide_secrets, how_to_install, show_value
from axonlike.scheduler import Scheduler
from axonlike.testing import Feeder, VirtualLoop, isolated, run_virtual

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
        f"Microphone needs PyAudio: {how_to_install('axonlike[audio]')}; "
        "on Debian first: sudo apt install portaudio19-dev"
    )


def test_what_installs_a_package_names_this_interpreter_where_pip_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = tmp_path / "a venv" / "bin", tmp_path / "other"
    for folder in own, other:
        folder.mkdir(parents=True)
        for name in "pip", "python":
            (folder / name).touch(0o755)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    monkeypatch.chdir(other)
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{other}")
    assert how_to_install("axonlike[ui]") == 'pip install "axonlike[ui]"'
    monkeypatch.setenv("PATH", str(other))
    assert how_to_install("axonlike[ui]") == f"'{own}/python' -m pip install \"axonlike[ui]\""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    assert how_to_install("axonlike[ui]") == "'a venv/bin/python' -m pip install \"axonlike[ui]\""
    monkeypatch.chdir(own)
    assert how_to_install("axonlike[ui]") == './python -m pip install "axonlike[ui]"'


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


def traceback_of(name: str) -> str:
    return "".join(traceback.format_exception(failure_of(name)))


@pytest.mark.parametrize("name", ["generator", "step_function", "bad_yield", "empty_box", "thread", "task_group"])
def test_a_traceback_shows_the_cause_where_a_line_of_the_users_is_in_it(name: str) -> None:
    shown = traceback_of(name)
    assert "The above exception was the direct cause" in shown
    assert shown.count("axonlike explain AX") == 1


@pytest.mark.parametrize("name", ["in_a_library", "repr_that_fails", "before_the_port"])
def test_a_traceback_shows_the_six_lines_only_where_the_cause_has_no_line_of_the_users(name: str) -> None:
    if name == "before_the_port":
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ComponentError) as caught:
            run_virtual(SimpleServer(Echo, taken.getsockname()[1], announce=False))
        error = caught.value
    else:
        error = failure_of(name)
    shown = "".join(traceback.format_exception(error))
    assert "The above exception" not in shown
    assert "During handling" not in shown
    assert shown.count("axonlike explain AX") == 1
    assert error.__cause__ is None
    assert isinstance(error.cause, Exception)
    assert error.cause.__traceback__ is not None


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    class Broken(Feeder):
        start: Any = Component.add_inbox  # the kernel's own call of it raises TypeError: no line of the user's

    with pytest.raises(ComponentError) as caught:
        run_virtual(Broken([1]))
    assert isinstance(caught.value.cause, TypeError)
    assert caught.value.__cause__ is caught.value.cause


def test_a_supervisor_that_gives_up_shows_why() -> None:
    def fails(_message: Any) -> None:
        raise ValueError("always")

    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder(range(9)), Supervisor(lambda: step(fails), backoff=(0.1, 0.1))))
    assert "ValueError: always" in "".join(traceback.format_exception(caught.value))
    assert "in fails" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("component", "called"),
    [
        (lambda: step(float), "float"),
        (lambda: step(str.upper), "str.upper"),
        (lambda: step(functools.partial(int, base=2)), "int"),
        (lambda: step(json.loads), "json.loads"),
        (lambda: Transform(str, float), "float"),
        (lambda: Filter(math.isnan), "math.isnan"),
        (lambda: Tap(operator.neg), "_operator.neg"),
        (lambda: step(lambda _message: 1 / 0), ""),
    ],
)
def test_a_function_without_lines_is_named(component: Callable[[], Component], called: str) -> None:
    with pytest.raises(ComponentError) as caught:
        run_virtual(Pipeline(Feeder([b"x" if "loads" not in called else "x"]), component()))
    assert caught.value.called == called
    cause = str(caught.value).splitlines()[3]
    assert f"in {called}()" in cause if called else "test_errors.py" in cause


def test_an_uncaught_error_of_the_toolkit_says_how_to_learn_more() -> None:
    shown = "".join(traceback.format_exception(errors.NoSuchBox("A has no box")))
    assert shown.endswith("NoSuchBox: A has no box\nhelp: axonlike explain AX202\n")
    assert str(errors.NoSuchBox("A has no box")) == "A has no box"


def test_what_is_missing_can_be_read_off_a_name_that_nobody_provides_and_be_pickled() -> None:
    error = errors.NameNotProvided("no backplane 'x'", wanted="x", wanted_by="Pipeline/SubscribeTo(x)")
    copy = pickle.loads(pickle.dumps(error))
    for one in (error, copy):
        assert (str(one), one.wanted) == ("Pipeline/SubscribeTo(x): no backplane 'x'", "x")
        assert one.__notes__ == ["help: axonlike explain AX203"]


def test_finished_and_stopped_are_not_caught_by_except_exception() -> None:
    for kind in (errors.Finished, errors.Stopped):
        assert issubclass(kind, BaseException)
        assert not issubclass(kind, Exception)
