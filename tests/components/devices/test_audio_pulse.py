"""AudioIn and AudioOut on a real sound server: a PulseAudio of the test's own, with a null sink whose monitor is heard.

The components run in a process of their own: PortAudio and ALSA read their configuration once a process, and abort it
if it comes to the worst. It takes real time, since a server that hangs is known by nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyaudio", reason="PyAudio is not installed")

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="needs pulseaudio (apt: pulseaudio)"),
    pytest.mark.skipif(
        not any(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")),
        reason="needs ALSA's way to PulseAudio (apt: libasound2-plugins)",
    ),
    pytest.mark.hang_guard(180),
]

RATE_HZ = 48000
GUARD_S = 60.0


class Server:
    """A PulseAudio server that is started, stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "native"
        self.process: subprocess.Popen[str] | None = None
        self._log: list[str] = []
        (folder / "home").mkdir()
        (folder / "asound.conf").write_text(
            "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"
        )
        (folder / "default.pa").write_text(
            f"load-module module-native-protocol-unix socket={self.socket} auth-anonymous=1\n"
            f"load-module module-null-sink sink_name=null rate={RATE_HZ} channels=1\n"
            "set-default-sink null\nset-default-source null.monitor\n"
        )
        home = str(folder / "home")
        self.environment = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(self.folder / "default.pa"), "--daemonize=no", "--exit-idle-time=-1",
             "--use-pid-file=no", "--disable-shm=yes", "--log-target=stderr", "--log-level=info"],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._log = []
        up = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, up))
        self._reader.start()
        assert up.wait(GUARD_S), "pulseaudio does not come up"
        assert self.socket.exists(), "".join(self._log)

    def _read(self, process: subprocess.Popen[str], up: threading.Event) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._log.append(line)
            if "Daemon startup complete" in line:
                up.set()
        up.set()  # it has ended, or been killed

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            assert self.process.stderr is not None
            self.process.stderr.close()
            self.process = None
            self.socket.unlink(missing_ok=True)


class Script:
    """A script that prints JSON objects, one a line."""

    def __init__(self, text: str, server: Server) -> None:
        environment = {
            **server.environment,
            "ALSA_CONFIG_PATH": str(server.folder / "asound.conf"),
            "PULSE_SERVER": f"unix:{server.socket}",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._log = (server.folder / "script.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", textwrap.dedent(HEAD) + textwrap.dedent(text)],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.said: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.said.append(json.loads(line))
                self._changed.notify_all()

    def wait_for(self, what: str, since: int = 0) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((thing for thing in self.said[since:] if thing["what"] == what), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() or self.process.poll() is not None, GUARD_S) or not found():
                self._log.seek(0)
                raise AssertionError(f"no {what} in {self.said[-20:]}; it logged: {self._log.read()[-2000:]}")
            thing = found()
            assert thing is not None
            return thing

    def hears_nothing(self, seconds: float, since: int) -> None:
        """For so long nothing is heard, and nothing was since then."""
        with self._changed:
            heard = self._changed.wait_for(
                lambda: any(thing["what"] == "second" for thing in self.said[since:]), seconds
            )
        assert not heard, self.said[since:]

    def close(self) -> int:
        """End it in order; returns its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(GUARD_S)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            self.process.stdout.close()
            self._log.close()


HEAD = """
    import json, sys, threading
    import numpy as np
    from axonlike import Component, Graphline, Scheduler
    from axonlike.components.devices.audio import AudioIn, AudioOut
    from axonlike.components.devices.synthetic import Tone

    def say(what, **facts):
        print(json.dumps({"what": what, **facts}))

    class Told(Component):
        def main(self):
            while True:
                yield self.wait("inbox")
                for m in self.inbox():
                    facts = {name: getattr(m, name) for name in type(m).__slots__}
                    say(type(m).__name__, who=self.name, **facts)

    class Heard(Component):
        def main(self):
            kept, rows, expected = [], 0, 0
            while True:
                yield self.wait("inbox")
                for chunk in self.inbox():
                    if chunk.index != expected:
                        say("jump", at=expected, rows=chunk.index - expected)
                        kept, rows = [], 0
                    expected = chunk.end
                    kept.append(chunk.data[:, 0].astype(float))
                    rows += len(chunk)
                    if rows >= 48000:
                        say("second", hz=hertz(np.concatenate(kept)), loudest=float(max(k.max() for k in kept)))
                        kept, rows = [], 0

    def hertz(x):
        power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) + 1e-9
        k = int(power[1:-1].argmax()) + 1
        a, b, c = np.log(power[k - 1 : k + 2])
        return float((k + (a - c) / 2 / (a - 2 * b + c)) * 48000 / len(x))

    def run(**parts):
        graph = Graphline(TOLD_IN=Told(), TOLD_OUT=Told(), HEARD=Heard(), **parts)
        scheduler = Scheduler()
        def wait_for_end():
            sys.stdin.read()
            for part in parts.values():  # those who are told end after them: of all that was lost they hear
                scheduler.call_from_thread(part.stop)
        threading.Thread(target=wait_for_end, daemon=True).start()
        scheduler.run(graph)
        ours = [t for t in threading.enumerate() if t.name.startswith("axonlike")]
        for thread in ours:
            thread.join(5)  # it has said that it ends, and does as soon as the system lets it
        left = [t.name for t in ours if t.is_alive()]
        say("end", lost=parts["IN"].audio_statistics().lost_rows, threads=left)
"""

TONE_THROUGH_THE_CARD = """
    run(TONE=Tone(1000.0, sample_rate_hz=48000, amplitude=0.5, chunk_rows=480), OUT=AudioOut(),
        IN=AudioIn(sample_rate_hz=48000, channels=1),
        links="TONE -> OUT; IN -> HEARD; IN.status -> TOLD_IN; OUT.status -> TOLD_OUT")
"""


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("pulse"))
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def script(server: Server) -> Iterator[Callable[[str], Script]]:
    made: list[Script] = []

    def start(text: str) -> Script:
        made.append(Script(text, server))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None or one.process.stdin is None or not one.process.stdin.closed:
            one.close()


def test_a_server_that_is_killed_is_told_of_and_when_it_is_back_the_stream_goes_on_with_a_counted_gap(
    server: Server, script: Callable[[str], Script]
) -> None:
    running = script(TONE_THROUGH_THE_CARD)
    running.wait_for("second")
    so_far = len(running.said)
    killed_s = time.monotonic()
    server.kill()
    lost = running.wait_for("AudioLost", so_far)
    assert "died" in lost["reason"]
    running.hears_nothing(2.0, len(running.said))
    server.start()
    opened = running.wait_for("AudioOpened", so_far)
    assert opened["times"] == 2
    gap = running.wait_for("AudioGap", so_far)
    back_s = time.monotonic() - killed_s
    jump = running.wait_for("jump", so_far)
    assert gap["rows"] == jump["rows"]
    assert gap["reason"] == "the card was closed"
    # What came last may have come a while before the kill, if this process or the script stood still.
    assert 1.9 * RATE_HZ < gap["rows"] < (back_s + 2.5) * RATE_HZ
    after = len(running.said)
    running.wait_for("second", after)
    assert running.close() == 0
    assert running.said[-1]["lost"] == sum(said["rows"] for said in running.said if said["what"] == "AudioGap")
    assert running.said[-1]["threads"] == []


def test_a_tone_comes_back_and_a_server_that_is_stopped_for_2_s_is_told_of_and_the_stream_goes_on(
    server: Server, script: Callable[[str], Script]
) -> None:
    # Long enough that neither side gives the card up within the time for which the server is stopped.
    running = script(
        TONE_THROUGH_THE_CARD.replace("channels=1", "channels=1, stall_s=2.0").replace("()", "(stall_s=2.0)", 1)
    )
    deadline_s = time.monotonic() + GUARD_S
    second = running.wait_for("second")
    # The first may be silence before the tone; and on a busy machine one may have a pause in it.
    while abs(second["hz"] - 1000.0) >= 1.0 or abs(second["loudest"] - 16384) >= 400:
        assert time.monotonic() < deadline_s, second
        second = running.wait_for("second", len(running.said))

    so_far = len(running.said)
    server.signal(signal.SIGSTOP)
    try:
        stalled = running.wait_for("AudioStalled", so_far)
        assert stalled["seconds"] >= 2.0
        running.hears_nothing(1.0, len(running.said))
    finally:
        server.signal(signal.SIGCONT)
    after = len(running.said)
    running.wait_for("second", after)
    running.wait_for("second", len(running.said))
    assert not [said for said in running.said if said["what"] == "AudioLost"]
    assert running.close() == 0
    assert running.said[-1]["lost"] == sum(said["rows"] for said in running.said if said["what"] == "AudioGap")
    assert running.said[-1]["threads"] == []


def test_a_server_that_hangs_is_given_up_and_when_it_is_back_the_card_is_opened_again(
    server: Server, script: Callable[[str], Script]
) -> None:
    running = script(TONE_THROUGH_THE_CARD.replace("channels=1", "channels=1, stall_s=0.8"))
    running.wait_for("second")
    so_far = len(running.said)
    server.signal(signal.SIGSTOP)
    try:
        lost = running.wait_for("AudioLost", so_far)
        assert "not moved" in lost["reason"]
    finally:
        server.signal(signal.SIGCONT)
    gap = running.wait_for("AudioGap", so_far)
    assert gap["reason"] == "the card was closed"
    assert gap["rows"] > 2 * RATE_HZ
    running.wait_for("second", len(running.said))
    assert running.close() == 0
    assert running.said[-1]["lost"] == sum(said["rows"] for said in running.said if said["what"] == "AudioGap")
