"""Runs a script in a Python of its own, and sends it signals: for what ends a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 30.0

HEAD = r"""
import asyncio, logging, os, signal, sys, threading, time
from axonlike import *
from axonlike.scheduler import Scheduler
def say(text):
    os.write(1, f"{text}\n".encode())  # one write, so that threads do not mix their lines
class Says(Component):
    def __init__(self, name="Says", text="ready"):
        self.name, self.text = name, text
    def main(self):
        try:
            if self.text:
                say(self.text)
            while True:
                yield self.sleep(1000)
        finally:
            say(f"{self.name} closed")
"""


@dataclass
class Done:
    """How a script ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run_script(
    source: str, *signals: int, every_s: float = 0.2, ignored: Sequence[int] = (), python: Sequence[str] = ()
) -> Done:
    """Run a script; once it has printed "ready", send it these signals. Returns how it ended."""

    def ignore() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *python, "-c", HEAD + textwrap.dedent(source)],
            stdout=subprocess.PIPE, stderr=err, text=True, cwd=ROOT, preexec_fn=ignore if ignored else None,
            # These scripts tell what the order of turns is: FIFO, in a run with shuffled order too.
            env={name: value for name, value in os.environ.items() if name != "AXONLIKE_SHUFFLE"},
        )  # fmt: skip
        guard = threading.Timer(LONGEST_S, process.kill)
        guard.start()
        assert process.stdout is not None
        try:
            seen = []
            for line in process.stdout:
                seen.append(line)
                if line == "ready\n":
                    break
            for index, number in enumerate(signals):
                if index:
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(every_s)
                process.send_signal(number)
            # Not communicate(): it would not see what the loop above has read ahead.
            out = process.stdout.read()
            code = process.wait()
        finally:
            guard.cancel()
            guard.join()
            process.kill()
            process.wait()
            process.stdout.close()
        err.seek(0)
        return Done(code, "".join(seen) + out, err.read())
