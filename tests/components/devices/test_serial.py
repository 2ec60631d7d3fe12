"""Serial ports, on real pseudo-terminals: row 93 of the fault catalogue, and what components promise."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import tty
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from axonlike import Component, Graphline, Pipeline, Scheduler
from axonlike.components.devices import SerialLines, SerialLost, SerialOpened, SerialPort, SerialUnavailable
from axonlike.components.devices import serial as serial_module
from axonlike.components.devices.serial import why_not_open
from axonlike.components.util import Collect, DataSource
from axonlike.components.util.descriptors import Ready, wait_for_descriptors
from axonlike.errors import ComponentError, DeviceError, UsageError, WiringError
from axonlike.simulators import SimulatedSerialDevice
from axonlike.testing import Feeder, check_component
from tests.components.devices.watcher import HANG_GUARD_S, Watcher


class Bench:
    """A port that runs in a scheduler of its own, with its outputs at hand."""

    def __init__(self, port: SerialPort, feeder: Component | None = None) -> None:
        self.port = port
        self.got, self.status = Watcher(), Watcher()
        graph: dict[str, Any] = {"PORT": port, "GOT": self.got, "STATUS": self.status}
        links = "PORT -> GOT; PORT.status -> STATUS"
        if feeder is not None:
            graph["FEEDER"] = feeder
            links += "; FEEDER -> PORT"
        self.scheduler = Scheduler()
        self.graph = Graphline(links=links, **graph)

    def __enter__(self) -> Bench:
        self.scheduler.start_in_thread(self.graph)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.scheduler.call_from_thread(self.scheduler.stop)
        assert self.scheduler.join(HANG_GUARD_S)


@pytest.fixture
def device() -> Iterator[SimulatedSerialDevice]:
    with SimulatedSerialDevice() as made:
        yield made


def lines_port(device: SimulatedSerialDevice, **options: Any) -> SerialLines:
    return SerialLines(device.path, skip_first=options.pop("skip_first", False), **options)


# -- reading


def test_lines_come_without_their_endings(device: SimulatedSerialDevice) -> None:
    with Bench(lines_port(device)) as bench:
        bench.status.wait_for(SerialOpened)
        device.emit(b"temp 21.5\r\nhum")
        device.emit(b"idity 40\n")
        assert bench.got.wait_count(2) == ["temp 21.5", "humidity 40"]


def test_bytes_come_as_they_are(device: SimulatedSerialDevice) -> None:
    everything = bytes(range(256))
    with Bench(SerialPort(device.path)) as bench:
        bench.status.wait_for(SerialOpened)
        device.emit(everything)
        bench.got.wait_until(lambda pieces: b"".join(pieces) == everything)


def test_half_a_line_at_the_start_is_left_out(device: SimulatedSerialDevice) -> None:
    port = lines_port(device, skip_first=True)
    with Bench(port) as bench:
        bench.status.wait_for(SerialOpened)
        device.emit(b"perature 21\r\nwhole\r\n")
        assert bench.got.wait_count(1) == ["whole"]
    assert port.port_statistics().discarded_bytes == len("perature 21\r\n")


def test_what_comes_right_after_opening_is_taken_for_half_a_line_and_what_comes_later_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    now_s = 0.0  # its own clock: this test may stand still between the two calls
    monkeypatch.setattr(serial_module, "time", SimpleNamespace(monotonic=lambda: now_s))

    class Handled(SerialLines):
        def send(self, message: Any, box: str = "outbox") -> None:
            lines.append(message)

    for later_s, expected in ((0.0, ["whole"]), (1.0, ["half", "whole"])):
        port = Handled("unused")
        port.opened()
        now_s += later_s
        lines.clear()
        port.received(b"half\nwhole\n")
        assert lines == expected


def test_after_noise_it_finds_the_next_line(device: SimulatedSerialDevice) -> None:
    port = lines_port(device, limit_bytes=100)
    with Bench(port) as bench:
        bench.status.wait_for(SerialOpened)
        device.emit(b"\xff\x00\x81" * 100 + b"\n" + b"\xfe\x80\n" + b"well again\n")
        assert bench.got.wait_count(2) == ["\ufffd\ufffd", "well again"]
    counted = port.port_statistics()
    assert (counted.skipped_lines, counted.discarded_bytes) == (1, 301)


# -- writing


def test_what_comes_in_is_written_in_order(device: SimulatedSerialDevice) -> None:
    with Bench(lines_port(device, write_ending=b"\r\n"), Feeder(["one", "zwölf"])):
        assert device.wait_received(13) == "one\r\nzwölf\r\n".encode()


def test_a_long_write_goes_out_whole_while_it_reads(device: SimulatedSerialDevice) -> None:
    """More than a tty takes at once: the rest waits for room, and reading goes on meanwhile."""
    sent = bytes(range(256)) * 400
    port = SerialPort(device.path)
    received = bytearray()
    with Bench(port, Feeder([sent])) as bench:
        bench.status.wait_for(SerialOpened)
        device.emit(b"meanwhile")
        bench.got.wait_until(lambda pieces: b"".join(pieces) == b"meanwhile")
        received += device.wait_received(len(sent), timeout_s=HANG_GUARD_S)
    assert bytes(received) == sent
    assert port.port_statistics().sent_bytes == len(sent)


def test_without_a_reader_the_end_of_input_ends_it_when_all_is_sent(device: SimulatedSerialDevice) -> None:
    Scheduler().run(Pipeline(DataSource(["a", "b"]), lines_port(device)))
    assert device.received == b"a\nb\n"


def test_with_a_reader_it_reads_on_after_the_end_of_input(device: SimulatedSerialDevice) -> None:
    with Bench(lines_port(device), Feeder(["question"])) as bench:
        device.wait_received(9)
        device.emit(b"answer\n")
        assert bench.got.wait_count(1) == ["answer"]


def test_linger_s_says_how_long_it_reads_on(device: SimulatedSerialDevice) -> None:
    collect = Collect()
    Scheduler().run(Pipeline(DataSource(["question"]), lines_port(device, linger_s=0.05), collect))
    assert device.received == b"question\n"


def test_a_wrong_type_is_refused_at_wiring_or_names_the_value(device: SimulatedSerialDevice) -> None:
    with pytest.raises(WiringError, match="sends str, the inbox takes bytes"):
        Pipeline(SerialLines("a"), SerialPort("b"))
    with pytest.raises(ComponentError, match="SerialLines takes str"):
        Scheduler().run(Pipeline(DataSource(["text"]), SerialPort(device.path)))


# -- unplugging


def test_it_goes_on_after_unplugging_and_plugging_in(device: SimulatedSerialDevice) -> None:
    port = lines_port(device)
    with Bench(port) as bench:
        for times in range(1, 4):
            assert bench.status.wait_for(SerialOpened, times) == SerialOpened(device.path, times)
            device.emit(b"%d\nhalf a li" % times)
            bench.got.wait_count(times)
            device.unplug()
            lost = bench.status.wait_for(SerialLost, times)
            assert lost.port == device.path
            assert "unplugged" in lost.reason
            device.plug()
        assert bench.got.messages == ["1", "2", "3"]
    counted = port.port_statistics()
    assert counted.discarded_bytes == 3 * len("half a li")


def test_row_93_it_is_back_within_2_s_as_it_never_waits_longer_than_1_s_between_two_tries(
    device: SimulatedSerialDevice,
) -> None:
    """With the default arguments, and by what it waits for, not by a clock: however long the device is away."""
    waits_s: list[float] = []
    between_s: Counter[int] = Counter()  # all that it waits between one try and the next
    plugged_after = 0

    class Hurried(SerialLines):
        """Its waits between two tries take no time; during one of them the device comes back."""

        def wait_io(self, read: Any = (), write: Any = (), *, timeout_s: Any = None, boxes: Any = ("inbox",)) -> Ready:
            if not read and not boxes:
                waits_s.append(timeout_s)
                between_s[self._tries] += timeout_s
                timeout_s = 0.0
                if len(waits_s) == plugged_after:
                    device.plug()
            return super().wait_io(read, write, timeout_s=timeout_s, boxes=boxes)

    with Bench(Hurried(device.path)) as bench:
        for times in range(1, 4):
            bench.status.wait_for(SerialOpened, times)
            # It waits for nothing else: the first try after the wait in which the device came back opened it.
            assert len(waits_s) == plugged_after
            plugged_after += 20
            device.unplug()
        bench.status.wait_for(SerialOpened, 4)
    assert len(waits_s) == plugged_after == 60
    assert max(between_s.values()) <= 1.0
    assert sum(wait_s > 0.1 for wait_s in waits_s) > 30  # nor is it tried so often that it costs anything


def test_unplugging_and_returning_is_told_once_each(
    device: SimulatedSerialDevice, caplog: pytest.LogCaptureFixture
) -> None:
    port = lines_port(device, longest_wait_s=0.02)
    with caplog.at_level(logging.INFO, "axonlike.serial"), Bench(port) as bench:
        bench.status.wait_for(SerialOpened)
        device.unplug()
        bench.status.wait_for(SerialLost)
        tries = port._tries
        while port._tries < tries + 5:  # in vain
            threading.Event().wait(0.01)
        device.plug()
        bench.status.wait_for(SerialOpened, 2)
    assert [type(event) for event in bench.status.messages] == [SerialOpened, SerialLost, SerialOpened]
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 3
    assert "lost" in texts[1]


def test_a_hung_up_tty_is_a_loss() -> None:
    """What a USB adapter's driver does when it is pulled: vhangup. Needs root."""
    vhangup_ioctl = 0x5437  # TIOCVHANGUP, <asm-generic/ioctls.h>
    with SimulatedSerialDevice() as device, Bench(lines_port(device)) as bench:
        bench.status.wait_for(SerialOpened)
        slave = os.open(device.path, os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.ioctl(slave, vhangup_ioctl)
        except PermissionError:
            pytest.skip("vhangup needs root")
        except OSError as exc:
            pytest.skip(f"no vhangup here: {exc}")
        finally:
            os.close(slave)
        bench.status.wait_for(SerialLost)
        bench.status.wait_for(SerialOpened, 2)


def test_bytes_on_their_way_at_a_break_are_counted_and_not_sent_again(tmp_path: Any) -> None:
    master, slave = os.openpty()  # nobody reads from it, so that the write cannot come to its end
    tty.setraw(slave)
    path = tmp_path / "ttySIM0"
    path.symlink_to(os.ttyname(slave))
    port = SerialPort(str(path))
    long = b"x" * 1_000_000
    with Bench(port, Feeder([long, b"next"])) as bench:
        bench.status.wait_for(SerialOpened)
        wait_for_descriptors([master], (), HANG_GUARD_S)
        path.unlink()
        os.close(slave)
        os.close(master)
        lost = bench.status.wait_for(SerialLost)
        with SimulatedSerialDevice(directory=tmp_path) as device:
            assert device.wait_received(4) == b"next"
        assert 0 < lost.unsent_bytes < len(long)
    # Only now: the device may have read the last bytes before the port has counted them.
    assert port.port_statistics().unsent_bytes == lost.unsent_bytes
    assert port.port_statistics().sent_bytes == len(long) - lost.unsent_bytes + 4


def test_while_the_port_is_away_what_is_to_be_sent_waits(device: SimulatedSerialDevice) -> None:
    device.unplug()
    with Bench(lines_port(device), Feeder(["a", "b"])) as bench:
        assert bench.status.wait_for(SerialUnavailable).port == device.path
        device.plug()
        assert device.wait_received(4) == b"a\nb\n"


# -- what cannot be opened


def test_an_absent_port_is_waited_for(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = str(tmp_path / "ttySIM0")
    with Bench(SerialLines(path, skip_first=False, longest_wait_s=0.02)) as bench:
        assert "is not there" in bench.status.wait_for(SerialUnavailable).reason
        with SimulatedSerialDevice(directory=tmp_path) as device:
            bench.status.wait_for(SerialOpened)
            device.emit(b"hello\n")
            assert bench.got.wait_count(1) == ["hello"]
            device.unplug()
            bench.status.wait_for(SerialLost)
    waiting = [record for record in caplog.records if "trying again" in record.getMessage()]
    assert len(waiting) == 1


def run_and_fail(port: SerialPort) -> BaseException:
    with pytest.raises(ComponentError) as caught:
        Scheduler().run(Pipeline(port, Collect()))
    return caught.value.cause


def test_an_absent_port_is_an_error_with_must_exist() -> None:
    error = run_and_fail(SerialLines("/dev/ttyNoSuchPort", must_exist=True))
    assert isinstance(error, DeviceError)
    assert str(error) == "/dev/ttyNoSuchPort is not there (is the cable in?)"


def test_a_busy_port_is_told_and_taken_when_it_is_free(device: SimulatedSerialDevice) -> None:
    error: BaseException | None = None
    other = Bench(lines_port(device))
    with other:
        other.status.wait_for(SerialOpened)
        error = run_and_fail(SerialLines(device.path, must_exist=True))
        with Bench(lines_port(device)) as bench:
            assert "in use by another program" in bench.status.wait_for(SerialUnavailable).reason
            other.scheduler.call_from_thread(other.scheduler.stop)
            bench.status.wait_for(SerialOpened)
    assert isinstance(error, DeviceError)
    assert "in use by another program" in str(error)


@pytest.mark.parametrize("must_exist", [False, True])
def test_a_file_or_another_device_is_no_port(tmp_path: Any, must_exist: bool) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (str(file), str(tmp_path), "/dev/null"):
        error = run_and_fail(SerialLines(path, must_exist=must_exist))
        assert isinstance(error, DeviceError)
        assert f"{path} is not a serial port" in str(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give up rights")
def test_missing_permission_names_the_group(device: SimulatedSerialDevice) -> None:
    os.chmod(device.path, 0o600)
    os.chmod(os.path.dirname(device.path), 0o755)
    source = f"""
        import grp, os, sys
        from axonlike import Scheduler
        from axonlike.components.devices import SerialLines
        from axonlike import Pipeline
        from axonlike.components.util import OneShot
        # Once with all rights, so that everything is imported: nobody may not be able to read where Python lives.
        Scheduler().run(Pipeline(OneShot("x"), SerialLines({device.path!r})))
        port = SerialLines({device.path!r})
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            Scheduler().run(port)
        except Exception as exc:
            print(type(exc.cause).__name__, exc.cause)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=HANG_GUARD_S
    )
    assert done.stdout.startswith(f"DeviceError no permission to open {device.path}: "), done


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.ENOENT, "absent", "is not there"),
        (errno.ENODEV, "absent", "is not there"),
        (errno.EBUSY, "busy", "in use by another program"),
        (errno.EAGAIN, "busy", "in use by another program"),
        (errno.EACCES, "permission", "no permission"),
        (errno.ENOTTY, "not a port", "not a serial port"),
        (errno.EIO, "failed", "cannot be opened"),
    ],
)
def test_each_trouble_has_a_text_of_its_own(number: int, kind: str, text: str) -> None:
    got_kind, path, got_text = why_not_open("/dev/ttyX", OSError(number, os.strerror(number)))
    assert (got_kind, path) == (kind, "/dev/ttyX")
    assert text in got_text


def test_permission_names_the_group_that_owns_the_port_and_the_command() -> None:
    import grp

    group = next(g for g in grp.getgrall() if g.gr_gid not in (0, *os.getgroups()))
    with SimulatedSerialDevice() as device:
        if os.geteuid() != 0:
            pytest.skip("needs root, to give the port to a group")
        os.chown(device.path, -1, group.gr_gid)
        text = why_not_open(device.path, OSError(errno.EACCES, "Permission denied"))[2]
    assert f"you are not in group {group.gr_name}: sudo usermod -aG {group.gr_name} $USER" in text


def test_wrong_settings_are_named_at_once() -> None:
    for wrong in ({"port": ""}, {"baud": 0}, {"parity": "maybe"}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            SerialLines(**{"port": "x", **wrong})  # type: ignore[arg-type]


def test_a_setting_that_the_port_does_not_take_is_named(device: SimulatedSerialDevice) -> None:
    error = run_and_fail(SerialPort(device.path, bits=9))  # type: ignore[arg-type]
    assert isinstance(error, UsageError)
    assert "bytesize" in str(error)


# -- auto, demo


def test_auto_takes_the_only_port(device: SimulatedSerialDevice) -> None:
    with Bench(SerialLines("auto", find_ports=lambda: [(device.path, "a sensor")])) as bench:
        assert bench.status.wait_for(SerialOpened).port == device.path


def test_auto_says_on_stderr_which_port_it_took(
    device: SimulatedSerialDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bench(SerialLines("auto", find_ports=lambda: [(device.path, "a sensor")])) as bench:
        bench.status.wait_for(SerialOpened)
        device.unplug()
        device.plug()
        bench.status.wait_for(SerialOpened, 2)
    told = capsys.readouterr()
    assert f"PORT uses {device.path} (a sensor), the only serial port there is\n" in told.err
    assert told.err.count("the only serial port") == 1
    assert told.out == ""


@pytest.mark.parametrize("named", [True, False])
def test_nothing_is_said_of_a_port_that_was_named_nor_without_announce(
    named: bool, device: SimulatedSerialDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    port = device.path if named else "auto"
    with Bench(SerialLines(port, announce=named, find_ports=lambda: [(device.path, "n/a")])) as bench:
        bench.status.wait_for(SerialOpened)
    assert "only serial port" not in capsys.readouterr().err


def test_auto_lists_the_ports_when_there_are_several() -> None:
    error = run_and_fail(SerialLines("auto", find_ports=lambda: [("/dev/ttyB", "modem"), ("/dev/ttyA", "")]))
    assert isinstance(error, DeviceError)
    assert "/dev/ttyA; /dev/ttyB (modem)" in str(error)


def test_auto_waits_for_the_first_port_and_finds_it_again_under_another_name(device: SimulatedSerialDevice) -> None:
    ports: list[tuple[str, str]] = []
    with Bench(SerialLines("auto", find_ports=lambda: ports, longest_wait_s=0.02)) as bench:
        assert "no serial port on this machine" in bench.status.wait_for(SerialUnavailable).reason
        ports.append((device.path, ""))
        bench.status.wait_for(SerialOpened)
        with SimulatedSerialDevice(name="ttySIM1") as other:
            ports[:] = [(other.path, "")]
            device.unplug()
            assert bench.status.wait_for(SerialOpened, 2).port == other.path


def test_demo_speaks_by_itself_and_survives_unplugging() -> None:
    port = SerialLines("demo", demo_interval_s=0.02, skip_first=False)
    with Bench(port) as bench:
        first = bench.got.wait_count(3)
        assert all(line.split()[0] in ("NORMAL", "IMPORTANT", "CRITICAL", "DIAGNOSTIC") for line in first)
        assert port.device is not None
        port.device.unplug()
        bench.status.wait_for(SerialLost)
        count = len(bench.got.messages)
        port.device.plug()
        bench.got.wait_count(count + 2)
        assert bench.status.wait_for(SerialOpened, 2).times == 2


# -- promises


def test_serial_port_conforms() -> None:
    with SimulatedSerialDevice(["line"] * 1000, interval_s=0.005) as device:
        check_component(lambda: SerialPort(device.path), messages=[b"x"] * 10, ends=False)
        check_component(lambda: SerialPort(device.path, linger_s=0), messages=[b"x"] * 10)


def test_serial_lines_conforms() -> None:
    check_component(lambda: SerialLines("demo", demo_interval_s=0.005), messages=["x"] * 10, ends=False)


def test_a_port_that_is_never_there_conforms() -> None:
    check_component(lambda: SerialLines("/dev/ttyNoSuchPort", linger_s=0), messages=["x"] * 3, ends=False)


def test_ctrl_c_ends_a_program_that_waits_for_its_device() -> None:
    source = """
        from axonlike import Pipeline, run
        from axonlike.components.devices import SerialLines
        from axonlike.components.util import ConsoleEchoer
        run(Pipeline(SerialLines("demo", demo_interval_s=0.01), ConsoleEchoer()))
    """
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANG_GUARD_S)
    assert (process.returncode, err) == (130, b"")


def test_row_33_without_pyserial_the_error_says_what_to_install() -> None:
    source = """
        import sys
        sys.modules["serial"] = None
        from axonlike.components.devices import SerialLines
        try:
            SerialLines("demo")
        except Exception as exc:
            print(type(exc).__name__, exc)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=HANG_GUARD_S
    )
    assert done.stdout.startswith("MissingExtra SerialLines needs pyserial: "), done
    assert done.stdout.endswith('pip install "axonlike[serial]"\n'), done
