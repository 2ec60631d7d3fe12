"""BrainFlow's own driver of the Cyton, as a judge: what it makes of the bytes that a board sends."""

from __future__ import annotations

import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPORT = (
    b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nOn Daisy ADS1299 Device ID: 0x3E\n"
    b"LIS3DH Device ID: 0x33\nFirmware: v3.1.2\n$$$"
)
GUARD_S = 30.0


def brainflow() -> Any:
    """The module; skips the test where it is not installed."""
    package = pytest.importorskip("brainflow")
    if "pkg_resources" not in sys.modules:
        # On Python 3.11 BrainFlow asks the one module for its library's path that new setuptools do not have any more.
        here = Path(package.__file__).parent
        stand_in = types.ModuleType("pkg_resources")
        stand_in.resource_filename = lambda _name, path: str(here / path)  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = stand_in
    from brainflow import board_shim

    board_shim.BoardShim.disable_board_logger()
    return board_shim


@contextmanager
def _board(frames: list[bytes]) -> Iterator[str]:
    """Path of a tty behind which a board answers as BrainFlow expects, and sends these frames when it is to begin."""
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, True)
    path = os.ttyname(slave)

    def answer() -> None:
        while True:
            try:
                heard = os.read(master, 100)
            except OSError:
                return
            for char in heard.decode("latin-1"):
                if char == "Q":
                    return
                if char == "v":
                    os.write(master, REPORT)
                elif char in "dC":
                    os.write(master, b"updated$$$")
                elif char == "b":
                    for frame in frames:
                        os.write(master, frame)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield path
    finally:
        os.write(slave, b"Q")
        thread.join(GUARD_S)
        os.close(slave)
        os.close(master)


def _read(shim: Any, daisy: bool, path: str, rows: int, meanwhile: Callable[[], None]) -> np.ndarray[Any, Any]:
    kind = shim.BoardIds.CYTON_DAISY_BOARD if daisy else shim.BoardIds.CYTON_BOARD
    params = shim.BrainFlowInputParams()
    params.serial_port = path
    params.timeout = 5
    board = shim.BoardShim(kind.value, params)
    board.prepare_session()
    try:
        board.start_stream()
        until_s = time.monotonic() + GUARD_S
        while board.get_board_data_count() < rows and time.monotonic() < until_s:
            threading.Event().wait(0.01)
            meanwhile()
        data: np.ndarray[Any, Any] = board.get_board_data()
        board.stop_stream()
    finally:
        board.release_session()
    return data


def judged(
    frames: list[bytes], *, daisy: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What BrainFlow decodes from these frames: microvolts, g, and its three analogue channels, each (rows, ...)."""
    shim = brainflow()
    rows = len(frames) // 2 if daisy else len(frames)
    with _board(frames) as path:
        data = _read(shim, daisy, path, rows, lambda: None)
    first = 17 if daisy else 9
    return data[1:first].T, data[first : first + 3].T, data[first + 10 : first + 13].T


def read_board(path: str, *, daisy: bool, rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Packet numbers and microvolts of a board that answers by itself."""
    data = _read(brainflow(), daisy, path, rows, lambda: None)
    return data[0], data[1 : 17 if daisy else 9].T
