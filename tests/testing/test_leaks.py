"""no_leaks sees what is left, and only that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from axonlike.testing import LeakError, no_leaks

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="descriptors and children are seen in /proc")


def test_a_thread_that_stays_is_named_and_one_that_ends_soon_is_none() -> None:
    with no_leaks(grace_s=20.0):
        threading.Timer(0.02, lambda: None).start()
    stay = threading.Event()
    thread = threading.Thread(target=stay.wait, name="stays")
    with pytest.raises(LeakError, match=r"the test left open: thread 'stays'"):
        with no_leaks("the test", grace_s=0.02):
            thread.start()
    stay.set()
    thread.join()


@linux
def test_a_descriptor_that_stays_is_named() -> None:
    ends: tuple[int, ...] = ()
    with pytest.raises(LeakError, match=r"descriptor \d+ \(pipe:") as caught:
        with no_leaks(grace_s=0.02):
            ends = os.pipe()
    assert len(caught.value.left) == 2
    for end in ends:
        os.close(end)


@linux
def test_a_child_that_stays_is_named() -> None:
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with pytest.raises(LeakError, match=r"child process \d+"):
        with no_leaks(grace_s=0.02):
            child = subprocess.Popen(wait, stdin=subprocess.PIPE)
    child.communicate()


def test_what_was_there_before_is_no_leak() -> None:
    ends = os.pipe()
    with no_leaks(grace_s=0.0):
        pass
    for end in ends:
        os.close(end)


def test_an_error_in_the_block_is_not_hidden_by_a_leak() -> None:
    ends: tuple[int, ...] = ()
    with pytest.raises(KeyError):
        with no_leaks(grace_s=0.0):
            ends = os.pipe()
            raise KeyError("the reason")
    for end in ends:
        os.close(end)
