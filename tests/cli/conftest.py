"""Programs begin in prepared processes; and what scripts that are loaded into this one do to loggers is undone.

A script sets loggers' levels, and the next test is to find them unset.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests import prepared


@pytest.fixture(scope="session", autouse=True)
def _prepared() -> None:
    prepared.begin()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {None: root.level} | _levels()
    yield
    for name in _levels():
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    root.setLevel(levels[None])
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)


def _levels() -> dict[str | None, int]:
    there_are = logging.root.manager.loggerDict.items()
    return {name: logger.level for name, logger in there_are if isinstance(logger, logging.Logger)}
