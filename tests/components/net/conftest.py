"""All of these tests open real sockets, on port 0; those that take `net` run on each kind of event loop there is."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.components.net.peers import LOOPS, run_on


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "components/net" in item.nodeid:
            item.add_marker("net")


@pytest.fixture(params=LOOPS)
def net(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs an ``async def main(scheduler)`` to its end."""
    return functools.partial(run_on, request.param)
