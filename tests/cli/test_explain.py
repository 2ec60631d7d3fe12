"""The codes that error messages end with are explained, all of them and no others."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import axonlike
from axonlike.cli import main
from axonlike.cli.explain import EXPLANATIONS
from axonlike.errors import AxonlikeError


def all_codes() -> set[str]:
    for module in pkgutil.walk_packages(axonlike.__path__, "axonlike."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    codes, classes = set(), [AxonlikeError]
    while classes:
        cls = classes.pop()
        codes.add(cls.code)
        classes.extend(cls.__subclasses__())
    return codes


def test_every_code_of_an_error_class_is_explained_and_no_other() -> None:
    assert {code for code in all_codes() if code.startswith("AX")} == set(EXPLANATIONS)


def test_explain_prints_what_a_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "ax402"]) == 0
    assert capsys.readouterr().out.startswith("AX402: a step that sends without end\n\nOne step sent over 10 000")


def test_explain_without_a_code_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(EXPLANATIONS)


def test_an_unknown_code_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "AX999"]) == 2
    assert "no code 'AX999'" in capsys.readouterr().err
