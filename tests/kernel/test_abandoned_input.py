"""A thread that is abandoned in input() does not make Python abort when it ends (kamaelia.md: a known pain)."""

from __future__ import annotations

import signal
import subprocess
import sys

# The end by force, a second after the deadline, is left out: on a busy machine the abandoning may need that second.
PROGRAM = """
import os
os._exit = lambda code: None
from axonlike import Component, Pipeline, Scheduler, ThreadedComponent

class Ask(ThreadedComponent):
    def main(self):
        while True:
            self.send(input())

class Show(Component):
    def main(self):
        while True:
            yield self.wait()
            for line in self.inbox():
                print(line, flush=True)

Scheduler(stop_deadline_s=0.2).run(Pipeline(Ask(), Show()))
"""


def test_ctrl_c_ends_a_program_whose_thread_waits_in_input() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == "hello\n"
        process.send_signal(signal.SIGINT)
        process.wait(60)
        told = process.stderr.read()
    assert process.returncode == 130, told
    assert "Pipeline/Ask did not stop within 0.2 s" in told
    assert "Fatal Python error" not in told
