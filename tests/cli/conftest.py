"""Scripts that are loaded into this process set loggers' levels, as scripts do: the next test is to find them unset."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


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
