"""asyncplot's names: its own example runs, viewers come to it as they did, and what is different says so."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from axonlike.compat.asyncplot import Client, Server, ThreadedClient
from axonlike.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests-own"


def environment(**more: str) -> dict[str, str]:
    """For programs that open windows nobody sees."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AXONLIKE_", "MPL"))}
    return {**inherited, "PYTHONPATH": str(ROOT), "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", **more}


def run(folder: Path, text: str, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script as its user would."""
    file = folder / "calculation.py"
    file.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(file), *map(str, arguments)],
        cwd=folder, env=environment(**more), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


# example1.py of asyncplot 0.1, with Python 3's print and range, fewer steps, and a note of what was drawn.
EXAMPLE = """
    import sys
    import numpy as np
    from matplotlib import pyplot as plt

    from axonlike.compat import asyncplot as server

    class Plotter(object):
        def __init__(self):
            plt.clf()

        def draw(self, x, y):
            plt.ioff()
            plt.clf()
            plt.plot(x, y)
            plt.ion()
            plt.draw()
            with open("drawn", "a") as drawn:
                print(y[0], file=drawn)

    def run():
        with server.Server(Plotter=Plotter, client_cmd=["ipython", "--pylab=osx", "-c"], wait_for_client=True) as p:
            print("listens at", p.address)
            x = np.linspace(0, 2 * np.pi, 10)
            y = np.empty(10)
            for n in range(int(sys.argv[1])):
                y[:] = n
                p.update(x=x, y=y)
"""


# The same without matplotlib, which is imported by a guarded script's two processes just as well.
PLAIN_EXAMPLE = "\n".join(line for line in EXAMPLE.splitlines() if "plt" not in line).replace(
    "def __init__(self):", "def __init__(self): pass"
)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(textwrap.dedent(EXAMPLE) + 'if __name__ == "__main__":\n    run()', id="guarded"),
        pytest.param(textwrap.dedent(PLAIN_EXAMPLE) + "\nrun()", id="unguarded"),
    ],
)
def test_its_own_example_runs_and_the_last_update_is_drawn(tmp_path: Path, script: str) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pygame")
    done = run(tmp_path, script, 1000)
    assert (done.returncode, done.stdout) == (0, "listens at None\n"), done.stderr
    assert "client_cmd=['ipython', '--pylab=osx', '-c'] is not used" in done.stderr
    drawn = [float(line) for line in (tmp_path / "drawn").read_text().split()]
    assert drawn[-1] == 999
    assert drawn == sorted(set(drawn))


CLIENT = """
    import sys
    from axonlike.compat.asyncplot import Client

    def main():
        class Local:                            # need not be found by name: it is used here
            def draw(self, n):
                print(n, flush=True)
                return {"n": n}

        Client(Local, "127.0.0.1", int(sys.argv[1])).run()

    main()
"""


def test_a_client_elsewhere_draws_what_a_server_without_a_plotter_shows(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    pytest.importorskip("pygame")
    with Server(port=0, token=TOKEN) as plot:
        assert plot.address is not None
        assert plot.window_pid is None
        plot.update(1.5)
        file = tmp_path / "client.py"
        file.write_text(textwrap.dedent(CLIENT))
        client = subprocess.Popen(
            [sys.executable, str(file), str(plot.address[1])], stdout=subprocess.PIPE, text=True,
            env=environment(AXONLIKE_PLOT_TOKEN=TOKEN),
        )  # fmt: skip
        with client:
            try:
                assert client.stdout is not None
                assert client.stdout.readline() == "1.5\n"
                plot.update(2.5)
                plot.close()
                assert client.stdout.readline() == "2.5\n"
                assert client.wait(60) == 0
            finally:
                client.kill()


def test_a_server_tells_where_it_can_be_watched_unless_the_token_is_known(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("aiohttp")
    with Server(port=0) as plot:
        assert f"the plot can be watched at {plot.url}" in caplog.text
    caplog.clear()
    with Server(host="", port=0, token=TOKEN) as plot:
        assert plot.address is not None
        assert plot.address[0] == "127.0.0.1"
    assert TOKEN not in caplog.text


def test_an_exception_of_the_calculation_goes_on_and_the_server_is_closed() -> None:
    pytest.importorskip("aiohttp")
    server = Server(port=0, token=TOKEN)
    with pytest.raises(ZeroDivisionError):
        with server as plot:
            raise ZeroDivisionError
    assert plot.is_closed
    with pytest.raises(UsageError, match="it has been entered before"):
        server.__enter__()


def test_other_machines_are_served_only_over_tls() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(UsageError, match="needs TLS"):
        with Server(host="0.0.0.0", port=0, token=TOKEN):
            pass


class Plotter:
    def draw(self, x: Any) -> None:
        """Nothing."""


def test_a_client_without_a_token_is_told_so() -> None:
    assert "AXONLIKE_PLOT_TOKEN" not in os.environ
    with pytest.raises(UsageError, match=r"give token=\.\.\., or set AXONLIKE_PLOT_TOKEN"):
        Client(Plotter)


@pytest.fixture
def as_before() -> Iterator[None]:
    """A plotter that is made here has matplotlib draw into memory from then on."""
    backend = os.environ.get("MPLBACKEND")
    with warnings.catch_warnings():
        yield
    os.environ.pop("MPLBACKEND")
    if backend is not None:
        os.environ["MPLBACKEND"] = backend


def test_the_queue_of_a_threaded_client_is_ignored_with_a_word(
    caplog: pytest.LogCaptureFixture, as_before: None
) -> None:
    client = ThreadedClient(Plotter, port=1234, queue_size=5, token=TOKEN)
    assert (client.host, client.port, client.reconnect) == ("127.0.0.1", 1234, True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "queue_size=5 is not used" in caplog.text


def test_a_client_of_nobody_says_what_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    pytest.importorskip("pygame")
    done = run(tmp_path, CLIENT, 1, AXONLIKE_PLOT_TOKEN=TOKEN)
    assert done.returncode != 0
    assert "127.0.0.1:1 cannot be reached" in done.stderr
