"""The simulated serial device, seen from the host's side through real pseudo-terminals."""

import errno
import itertools
import os
import resource
import select
import stat
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from axonlike.errors import DeviceError, UsageError
from axonlike.simulators import SimulatedSerialDevice, demo_events
from axonlike.simulators.serial_device import no_pty_text
from axonlike.streams import LineDecoder

# A hang guard: what is waited for here takes milliseconds.
GUARD_S = 20.0


class Host:
    """A program that has opened the port, without pyserial: reads and writes with a guard against hanging."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes; fewer only at the end of file."""
        got = b""
        while len(got) < count:
            assert select.select([self.fd], [], [], GUARD_S)[0], f"nothing more after {got!r}"
            data = os.read(self.fd, count - len(got))
            if not data:
                break
            got += data
        return got

    def read_all_there_is(self) -> bytes:
        """Until nothing comes for a while."""
        got = b""
        while select.select([self.fd], [], [], 0.2)[0]:
            got += os.read(self.fd, 65536)
        return got

    def lines(self) -> Iterator[str]:
        decoder = LineDecoder()
        while True:
            yield from decoder.feed(self.read(1))

    def write(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)


@contextmanager
def opened(path: str) -> Iterator[Host]:
    host = Host(path)
    try:
        yield host
    finally:
        os.close(host.fd)


def until(condition: object, what: str) -> None:
    """Wait for a thread of the device; for that alone, as nothing else here goes on by itself."""
    assert callable(condition)
    end = time.monotonic() + GUARD_S
    while not condition():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.001)


EVERY_BYTE = bytes(range(256))


def test_every_byte_arrives_unchanged_and_without_echo_both_ways() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        assert device.emit(EVERY_BYTE) == 256
        assert host.read(256) == EVERY_BYTE
        host.write(EVERY_BYTE)
        assert device.wait_received(256) == EVERY_BYTE
        assert host.read_all_there_is() == b""
        assert device.received == EVERY_BYTE
        assert (device.emitted_bytes, device.lost_bytes, device.received_bytes) == (256, 0, 256)


def test_the_terminal_is_raw() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        iflag, oflag, cflag, lflag, _, _, cc = termios.tcgetattr(host.fd)
        assert lflag & (termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN) == 0
        assert iflag & (termios.ICRNL | termios.INLCR | termios.IXON | termios.ISTRIP) == 0
        assert oflag & termios.OPOST == 0
        assert cflag & termios.CSIZE == termios.CS8
        assert cc[termios.VMIN] in (1, b"\1")


def test_the_path_is_a_terminal_behind_a_link_until_close() -> None:
    device = SimulatedSerialDevice(name="ttyUSB7")
    with pytest.raises(UsageError, match=r"ttyUSB7 not started.*has no path yet"):
        _ = device.path
    with device:
        path = device.path
        assert os.path.basename(path) == "ttyUSB7"
        assert stat.S_ISCHR(os.stat(path).st_mode)
        assert os.path.islink(path)
        assert f"at {path}" in repr(device)
    assert not os.path.exists(os.path.dirname(path))
    device.close()  # twice is harmless


def test_a_device_can_be_started_again_after_close(tmp_path: Path) -> None:
    device = SimulatedSerialDevice(directory=tmp_path)
    for _ in range(2):
        with device, opened(device.path) as host:
            device.emit(b"up\n")
            assert host.read(3) == b"up\n"
            with pytest.raises(UsageError, match="running already"):
                device.start()
        assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ttySIM0").write_text("precious")
    with pytest.raises(UsageError, match="ttySIM0 is there already"):
        SimulatedSerialDevice(directory=tmp_path).start()
    assert (tmp_path / "ttySIM0").read_text() == "precious"


def test_unplugging_is_end_of_file_for_readers_an_error_for_writers_and_the_path_is_gone() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        host.write(b"last words")
        device.wait_received(10)
        device.unplug()
        device.unplug()  # twice is harmless
        assert not device.is_plugged
        assert not os.path.lexists(device.path)
        assert host.read(1) == b""
        with pytest.raises(OSError) as caught:
            host.write(b"x")
        assert caught.value.errno == errno.EIO
        assert device.received == b"last words"
        with pytest.raises(UsageError, match=r"cannot emit b'x' \(bytes\): it is unplugged; call plug\(\) first"):
            device.emit(b"x")


def test_what_has_arrived_before_unplugging_is_kept_though_nobody_asked_in_time() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        host.write(b"last words")
        assert device._master is not None
        assert select.select([device._master], [], [], GUARD_S)[0]
        device.unplug()
        assert device.received == b"last words"


def test_a_reader_that_waits_is_woken_by_unplugging() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        got: list[bytes] = []

        def read() -> None:
            got.append(host.read(9))
            got.append(host.read(1))

        reader = threading.Thread(target=read)
        reader.start()
        device.emit(b"half a li")
        # Not before it has been read: what is on its way when the cable is pulled may be lost.
        until(lambda: got, "the reader never read")
        device.unplug()
        reader.join(GUARD_S)
        assert got == [b"half a li", b""]


def test_the_same_path_works_again_after_plugging_in() -> None:
    with SimulatedSerialDevice() as device:
        path = device.path
        for round_ in (b"1\n", b"2\n", b"3\n"):
            with opened(path) as host:
                device.emit(round_)
                assert host.read(2) == round_
                host.write(round_)
                device.wait_received(2 * int(round_))
            device.unplug()
            assert not os.path.exists(path)
            device.plug()
            device.plug()  # twice is harmless
            assert device.is_plugged
            assert device.path == path
        assert device.received == b"1\n2\n3\n"


def test_hosts_come_and_go_and_nothing_is_lost_in_between() -> None:
    with SimulatedSerialDevice() as device:
        for n in range(3):
            device.emit(b"%d" % n)  # nobody listens yet
            with opened(device.path) as host:
                assert host.read(1) == b"%d" % n


def test_when_nobody_reads_emit_returns_and_counts_what_is_lost() -> None:
    data = bytes(range(251)) * 4000
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        taken = device.emit(data)
        assert 1000 < taken < len(data)
        # The kernel moves bytes on between its own buffers, so there may be a little room again.
        taken_then = device.emit(data)
        assert device.emitted_bytes == 2 * len(data)
        assert device.lost_bytes == 2 * len(data) - taken - taken_then
        assert host.read(taken + taken_then) == data[:taken] + data[:taken_then]
        assert host.read_all_there_is() == b""
        assert device.emit(b"again") == 5
        assert host.read(5) == b"again"


def test_only_the_newest_mib_of_what_the_host_wrote_is_kept() -> None:
    block = bytes(range(256)) * 8
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        for n in range(1, 701):
            host.write(block)
            device.wait_received(n * len(block))
        assert device.received_bytes == 700 * 2048
        assert device.received == (block * 700)[-1024 * 1024 :]


def test_waiting_for_the_host_in_vain_says_what_there_was() -> None:
    with SimulatedSerialDevice() as device, opened(device.path) as host:
        host.write(b"AT")
        device.wait_received(2)
        with pytest.raises(TimeoutError, match=r"got 2 of 3 bytes in 0.01 s: b'AT'"):
            device.wait_received(3, timeout_s=0.01)


@pytest.mark.parametrize("lines", [None, []])
def test_whoever_waits_for_the_host_survives_unplugging_and_learns_of_close(lines: list[str] | None) -> None:
    with SimulatedSerialDevice(lines) as device:
        ended: list[object] = []

        def wait() -> None:
            try:
                ended.append(device.wait_received(3, timeout_s=GUARD_S))
                device.wait_received(100, timeout_s=GUARD_S)
            except UsageError as exc:
                ended.append(exc)

        waiter = threading.Thread(target=wait)
        waiter.start()
        for _ in range(50):
            device.unplug()
            device.plug()
        with opened(device.path) as host:
            host.write(b"abc")
            until(lambda: ended, "abc never arrived")
        device.close()
        waiter.join(GUARD_S)
        assert ended[0] == b"abc"
        assert isinstance(ended[1], UsageError)


# --------------------------------------------------------------------------------------------------------- scripts


def test_a_script_of_lines_is_sent_one_each_interval_with_cr_lf() -> None:
    start = time.monotonic()
    with SimulatedSerialDevice(["temp 21.5", b"raw", "done\r\n"], interval_s=0.02) as device:
        with opened(device.path) as host:
            assert host.read(22) == b"temp 21.5\r\nraw\r\ndone\r\n"
        assert time.monotonic() - start >= 0.06
    # Only now: the host may have read the last line before the device has counted it.
    assert device.emitted_bytes == 22


def test_a_script_may_be_a_function_that_has_nothing_to_say_at_times() -> None:
    said = iter(["a", None, None, "b"])
    with SimulatedSerialDevice(lambda: next(said), interval_s=0.005, ending=b"\n") as device:
        with opened(device.path) as host:
            assert host.read(4) == b"a\nb\n"


def test_a_scripted_device_takes_what_the_host_writes_without_being_asked() -> None:
    block = b"x" * 4096
    with SimulatedSerialDevice([], interval_s=3600) as device, opened(device.path) as host:
        os.set_blocking(host.fd, True)
        for _ in range(64):
            host.write(block)  # far more than a tty holds
        assert device.wait_received(64 * 4096) == block * 64


def test_the_script_stands_still_while_unplugged() -> None:
    asked = itertools.count()
    said: list[str] = []

    def script() -> str:
        said.append(str(next(asked)))
        return said[-1]

    with SimulatedSerialDevice(script, interval_s=0.01) as device:
        with opened(device.path) as host:
            assert list(itertools.islice(host.lines(), 3)) == ["0", "1", "2"]
            device.unplug()
        select.select([], [], [], 0.05)  # it may have been in the middle of a line
        so_far = len(said)
        select.select([], [], [], 0.1)  # ten intervals, in which nothing must happen
        assert len(said) == so_far
        device.plug()
        with opened(device.path) as host:
            assert next(host.lines()) == str(so_far)


def test_lines_that_nobody_reads_are_counted_as_lost() -> None:
    with SimulatedSerialDevice(lambda: "x" * 60_000, interval_s=0.001) as device:
        until(lambda: device.lost_bytes > 100_000, "nothing was lost")
        assert device.lost_bytes < device.emitted_bytes


def test_a_failing_script_is_told_by_close_and_leaves_nothing_open(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> Iterator[str]:
        yield "one"
        raise KeyError("no more")

    device = SimulatedSerialDevice(script(), interval_s=0.005).start()
    path = device.path
    with opened(path) as host:
        assert host.read(5) == b"one\r\n"
        until(lambda: caplog.records, "the failure was not logged")
        host.write(b"still there")
        assert device.wait_received(11) == b"still there"
    with pytest.raises(DeviceError, match="script of the simulated device ttySIM0 failed: KeyError") as caught:
        device.close()
    assert isinstance(caught.value.__cause__, KeyError)
    assert not os.path.lexists(path)
    device.close()


def test_a_script_line_of_a_wrong_type_is_named() -> None:
    device = SimulatedSerialDevice([21.5], interval_s=0.001)  # type: ignore[list-item]
    with pytest.raises(DeviceError, match=r"a line is str or bytes, not 21.5 \(float\)"):
        with device:
            until(lambda: device._failure, "it did not fail")


def test_close_does_not_wait_for_ever_for_a_script_that_hangs() -> None:
    asked, let_go = threading.Event(), threading.Event()

    def script() -> str:
        asked.set()
        let_go.wait(GUARD_S)
        return "too late"

    device = SimulatedSerialDevice(script, interval_s=0.001, close_timeout_s=0.01).start()
    assert SimulatedSerialDevice().close_timeout_s == 5.0
    assert asked.wait(GUARD_S)
    path = device.path
    with pytest.raises(DeviceError, match=r"failed: TimeoutError.*not returned in 0.01 s"):
        device.close()
    assert not os.path.lexists(path)
    let_go.set()
    until(lambda: device.lost_bytes == len("too late\r\n"), "the late line was not counted")


def test_a_script_may_close_its_own_device() -> None:
    def last_line() -> str:
        device.close()
        return "never sent"

    device = SimulatedSerialDevice(last_line, interval_s=0.001)
    device.start()
    until(lambda: "not started" in repr(device), "it did not close")


def test_close_comes_to_its_end_whatever_other_threads_do() -> None:
    for _ in range(10):
        device = SimulatedSerialDevice(demo_events(), interval_s=0.0005).start()
        unexpected: list[BaseException] = []

        def play(device: SimulatedSerialDevice = device, unexpected: list[BaseException] = unexpected) -> None:
            try:
                while True:
                    device.unplug()
                    device.plug()
                    _ = device.received
            except UsageError:
                pass  # it was closed
            except BaseException as exc:
                unexpected.append(exc)

        players = [threading.Thread(target=play) for _ in range(2)]
        for player in players:
            player.start()
        until(lambda device=device: device.emitted_bytes > 0 or device._plugged_times > 50, "nothing happened")
        closers = [threading.Thread(target=device.close) for _ in range(2)]
        for closer in closers:
            closer.start()
        for thread in [*players, *closers]:
            thread.join(GUARD_S)
            assert not thread.is_alive()
        assert unexpected == []


def test_a_device_that_is_never_closed_warns_and_is_closed() -> None:
    device = SimulatedSerialDevice().start()
    path = device.path
    kept = [device]
    del device
    with pytest.warns(ResourceWarning, match="was never closed"):
        kept.clear()
    assert not os.path.lexists(path)


def test_an_idle_device_does_not_wake_up() -> None:
    with SimulatedSerialDevice([], interval_s=0.01) as device, opened(device.path):
        until(lambda: device._pollers == 1, "it does not wait")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        select.select([], [], [], 0.2)
        # Once for its (empty) script; a polling thread would do it hundreds of times.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before < 20


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"interval_s": 0}, "interval_s=0"),
        ({"interval_s": float("nan")}, "interval_s=nan"),
        ({"name": "a/b"}, "name='a/b'"),
        ({"name": ".."}, "without any directory"),
        ({"lines": "one text"}, "one character at a time"),
        ({"lines": 5}, "an iterable of lines, or a function"),
    ],
)
def test_a_wrong_option_is_named_when_the_device_is_made(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        SimulatedSerialDevice(**options)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_str_is_not_emitted() -> None:
    with SimulatedSerialDevice() as device, pytest.raises(TypeError, match=r"emits bytes, not 'hot' \(str\)"):
        device.emit("hot")  # type: ignore[arg-type]


def test_a_device_that_is_not_started_says_so() -> None:
    device = SimulatedSerialDevice()
    for call in (device.plug, device.unplug, device.wait_received, lambda: device.emit(b"x")):
        with pytest.raises(UsageError, match=r"not started.*in a with block"):
            call()
    assert device.received == b""


def test_without_a_free_descriptor_the_error_explains_and_nothing_leaks(tmp_path: Path) -> None:
    device = SimulatedSerialDevice(directory=tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    for spare in range(4):
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe + spare, hard))
        try:
            with pytest.raises((DeviceError, OSError)) as caught:
                device.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "Too many open files" in str(caught.value)
        if spare >= 2:
            assert "kernel.pty.max, ulimit -n" in str(caught.value)
        assert list(tmp_path.iterdir()) == []
    with device:
        assert device.is_plugged


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    device = SimulatedSerialDevice(directory=tmp_path / "missing")
    with pytest.raises(DeviceError, match=r"cannot make .*missing/ttySIM0 for the simulated device: .*No such file"):
        device.start()


def test_a_device_that_cannot_be_plugged_in_stays_unplugged(tmp_path: Path) -> None:
    directory = tmp_path / "dev"
    directory.mkdir()
    with SimulatedSerialDevice(directory=directory) as device:
        device.unplug()
        directory.rmdir()
        with pytest.raises(DeviceError, match="cannot make"):
            device.plug()
        assert not device.is_plugged
        directory.mkdir()
        device.plug()
        with opened(device.path) as host:
            device.emit(b"up")
            assert host.read(2) == b"up"


def test_where_there_are_no_pseudo_terminals_the_error_names_the_platform_and_a_way_out() -> None:
    assert "which win32 has not" in no_pty_text("win32")
    assert "com0com" in no_pty_text("win32")


def test_the_module_is_imported_without_termios() -> None:
    # As on Windows: only starting a device may need it.
    code = "import sys; sys.modules['termios'] = None; import axonlike.simulators"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=GUARD_S)


# ------------------------------------------------------------------------------------------------------ demo events


def test_demo_events_are_the_same_for_the_same_seed() -> None:
    def first(seed: int) -> list[str]:
        return list(itertools.islice(demo_events(seed), 200))

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert list(itertools.islice(demo_events(), 5)) == first(0)[:5]
    # These lines stand in documents and expected outputs.
    assert first(0)[:3] == ["IMPORTANT temperature 29.7", "NORMAL door 2 open", "NORMAL door 3 open"]
    assert first(0)[5] == "CRITICAL water cellar"
    assert first(0)[8] == "DIAGNOSTIC battery 99 %"


def test_demo_events_have_all_kinds_in_the_promised_measure() -> None:
    events = list(itertools.islice(demo_events(), 20_000))
    kinds = [event.split()[0] for event in events]
    share = {kind: kinds.count(kind) / len(kinds) for kind in set(kinds)}
    assert share == pytest.approx({"NORMAL": 0.7, "IMPORTANT": 0.2, "CRITICAL": 0.05, "DIAGNOSTIC": 0.05}, abs=0.02)
    # All four within the first half minute or so of a demo that sends one each second.
    assert len(set(kinds[:40])) == 4
    temperatures = [float(event.split()[2]) for event in events if event.startswith("IMPORTANT")]
    assert min(temperatures) > 20
    assert max(temperatures) < 45
    assert all(event.isascii() and "\n" not in event for event in events)


def test_demo_doors_open_and_close_in_turn() -> None:
    doors: dict[str, str] = {}
    for event in itertools.islice(demo_events(3), 1000):
        if event.startswith("NORMAL"):
            _, _, door, state = event.split()
            assert doors.get(door, "closed") != state
            doors[door] = state


# --------------------------------------------------------------------------------------------------------- pyserial


def test_pyserial_reads_lines_loses_the_device_and_reopens_the_same_path() -> None:
    serial = pytest.importorskip("serial")
    with SimulatedSerialDevice() as device:
        path = device.path
        with serial.Serial(path, 9600, timeout=GUARD_S, exclusive=True) as port:
            device.emit(b"temp 21.5\r\ntemp 22.0\r\n")
            assert port.readline() == b"temp 21.5\r\n"
            assert port.readline() == b"temp 22.0\r\n"
            port.write(b"RATE 5\r\n")
            assert device.wait_received(8) == b"RATE 5\r\n"
            device.unplug()
            with pytest.raises(serial.SerialException):
                port.read(1)
            with pytest.raises((serial.SerialException, OSError)):
                port.write(b"x")
        with pytest.raises(serial.SerialException, match="No such file"):
            serial.Serial(path, 9600)
        device.plug()
        with serial.Serial(path, 115200, timeout=GUARD_S) as port:
            device.emit(b"back\r\n")
            assert port.readline() == b"back\r\n"


def test_pyserial_reads_the_demo_script() -> None:
    serial = pytest.importorskip("serial")
    with SimulatedSerialDevice(demo_events(), interval_s=0.01) as device:
        with serial.Serial(device.path, 9600, timeout=GUARD_S) as port:
            got = [port.readline().decode().rstrip() for _ in range(5)]
    assert "\n".join(got) in "\n".join(itertools.islice(demo_events(), 50))
