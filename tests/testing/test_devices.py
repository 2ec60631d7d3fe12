"""The blocking stand-in for a device."""

from __future__ import annotations

import threading

import pytest

from axonlike.testing import BlockingDevice, DeviceClosed


def read_in_thread(device: BlockingDevice) -> tuple[threading.Thread, list[object]]:
    got: list[object] = []

    def read() -> None:
        try:
            got.append(device.read())
        except OSError as exc:
            got.append(exc)

    thread = threading.Thread(target=read)
    thread.start()
    device.entered.wait(5)
    return thread, got


def test_it_returns_what_it_was_given_and_raises_what_is_an_exception() -> None:
    device = BlockingDevice(b"one", ValueError("bad"), b"two")
    assert device.read() == b"one"
    with pytest.raises(ValueError, match="bad"):
        device.read()
    assert (device.read(), device.reads) == (b"two", 3)


def test_it_blocks_until_supplied() -> None:
    device = BlockingDevice()
    thread, got = read_in_thread(device)
    assert got == []
    device.supply(b"late")
    thread.join(5)
    assert got == [b"late"]


def test_closing_makes_a_blocked_read_raise() -> None:
    device = BlockingDevice()
    thread, got = read_in_thread(device)
    device.close()
    device.close()
    thread.join(5)
    assert isinstance(got[0], DeviceClosed)


def test_a_deaf_one_returns_only_when_let_go() -> None:
    device = BlockingDevice(deaf=True)
    thread, got = read_in_thread(device)
    device.close()
    thread.join(0.05)
    assert thread.is_alive()
    device.let_go()
    thread.join(5)
    assert isinstance(got[0], DeviceClosed)


def test_what_lies_in_it_is_read_after_closing() -> None:
    device = BlockingDevice(1)
    device.close()
    assert device.read() == 1
    with pytest.raises(DeviceClosed):
        device.read()
