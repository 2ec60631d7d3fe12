"""The simulated WSA4000, through plain sockets: nothing of the client has a part in this."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from axonlike.errors import DeviceError, UsageError
from axonlike.simulators.wsa4000 import Quirks, SimulatedWSA4000

GUARD_S = 20.0
_N = np.arange(1 << 16)
RAMP = np.stack([_N % 4096, _N // 4096], axis=1)


class Host:
    """A program that speaks to it: lines out, and whatever comes back within a moment."""

    def __init__(self, sim: SimulatedWSA4000, *, lock: bool = True) -> None:
        self.sim = sim
        self.scpi = socket.create_connection((sim.host, sim.scpi_port), GUARD_S)
        sim.wait_for("scpi_open", sim.count("scpi_close") + 1)
        self.vrt: socket.socket | None = None
        if lock:
            assert self.ask("SYST:LOCK:REQ? ACQ") == "1"
            self.vrt = socket.create_connection((sim.host, sim.vrt_port), GUARD_S)

    def close(self) -> None:
        self.scpi.close()
        if self.vrt is not None:
            self.vrt.close()

    def tell(self, *lines: str) -> None:
        self.scpi.sendall("".join(line + "\n" for line in lines).encode())

    def ask(self, line: str) -> str:
        """The reply, which has no end of its own: what has come when the next query's reply has come too."""
        self.tell(line)
        got = b""
        while not got or select.select([self.scpi], [], [], 0.02)[0]:
            data = self.scpi.recv(4096)
            assert data, "closed"
            got += data
        return got.decode()

    def error(self) -> str:
        return self.ask("SYST:ERR?")

    def read(self, number: int) -> bytes:
        assert self.vrt is not None
        got = bytearray()
        while len(got) < number:
            data = self.vrt.recv(number - len(got))
            if not data:
                break
            got += data
        return bytes(got)

    def packet(self) -> tuple[int, ...]:
        head = self.read(4)
        if len(head) < 4:
            raise EOFError
        (word,) = struct.unpack(">I", head)
        body = self.read(4 * (word & 0xFFFF) - 4)
        return (word, *struct.unpack(f">{len(body) // 4}I", body))

    def packets(self, number: int) -> list[tuple[int, ...]]:
        return [self.packet() for _ in range(number)]


@contextmanager
def host_of(sim: SimulatedWSA4000, **options: bool) -> Iterator[Host]:
    host = Host(sim, **options)
    try:
        yield host
    finally:
        host.close()


@pytest.fixture
def sim() -> Iterator[SimulatedWSA4000]:
    with SimulatedWSA4000(samples=RAMP, paced=False, start_time_s=1_700_000_000) as made:
        yield made


@pytest.fixture
def host(sim: SimulatedWSA4000) -> Iterator[Host]:
    with host_of(sim) as made:
        yield made


# -- commands


def test_it_says_who_it_is_without_a_line_end(host: Host) -> None:
    assert host.ask("*IDN?") == "ThinkRF,WSA4000 v3,110324-0001,v2.5.3"
    assert host.ask(":*idn?") == "ThinkRF,WSA4000 v3,110324-0001,v2.5.3"


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        (":FREQ:CENTER 2441500000", "SENSE:FREQUENCY:CENTER?", "2441500000"),
        ("sense:freq:cent 2441.5 MHz", "FREQ:CENT?", "2441500000"),
        ("FREQ:CENT 2441500000 Hz", ":SENS:FREQ:CENTER?", "2441500000"),
        ("FREQ:SHIFT 1.5", "FREQ:SHIF?", "1.5"),
        ("DEC 4", "SENSE:DECIMATION?", "4"),
        ("SENSE:DECIMATION 0", "DEC?", "1"),
        ("INPUT:GAIN:RF vlow", "INP:GAIN:RF?", "VLOW"),
        ("INPUT:GAIN:IF -10 dB", "INPUT:GAIN:IF?", "-10"),
        ("INP:ANT 2", "INPUT:ANTENNA?", "2"),
        ("INP:FILT:PRES 1", "INPUT:FILTER:PRESELECT?", "1"),
        ("SOUR:REF:PLL ext", "SOURCE:REFERENCE:PLL?", "EXT"),
        ("TRIG:LEV 1e9,2e9,-70.5", "TRIGGER:LEVEL?", "1000000000,2000000000,-70.5"),
        ("TRIG:TYPE LEVEL", "TRIGGER:TYPE?", "LEVEL"),
        ("TRIG:DEL 16", "TRIGGER:DELAY?", "16"),
        ("TRACE:SPP 65520", "TRAC:SPPACKET?", "65520"),
        ("TRAC:BLOC:PACK 7", "TRACE:BLOCK:PACKETS?", "7"),
        ("", "TRACE:BLOCK:PACKETS? MAX", str((128 << 20) // (4 * 1030))),
        ("", "SYST:CAPT:MODE?", "BLOCK"),
        ("", "SENSE:LOCK:REFERENCE?", "1"),
        ("", "LOCK:RF?", "1"),
        ("", "TRAC:STR:STAT?", "STOPPED"),
        ("", "*OPC?", "1"),
        ("*ESE 32", "*ESE?", "32"),
    ],
)
def test_long_and_short_forms_in_any_case_with_units_and_empty_lines_between(
    host: Host, command: str, query: str, reply: str
) -> None:
    host.tell(command, "", "")
    assert host.error() == '0,"No error"'
    assert host.ask(query) == reply


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("NO:SUCH 1", -113), ("FREQX:CENT 1", -113), ("FREQ:CENT 11e9", -222), ("FREQ:CENT 2441555555", -222),
        ("FREQ:CENT abc", -104), ("FREQ:CENT 5 parsec", -131), ("DEC 3", -222), ("DEC 1024", -222),
        ("INP:GAIN:RF medium", -224), ("INP:GAIN:IF 35", -222), ("TRAC:SPP 1000", -222), ("TRAC:SPP", -109),
        ("TRAC:SPP 128,256", -108), ("TRIG:LEV 1,2", -109), ("SWE:LIST:START", -200), ("SWE:ENTR:COPY 1", -200),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_in_the_error_queue_until_it_is_read(host: Host, command: str, code: int) -> None:
    host.tell(command, command)
    assert [int(host.error().partition(",")[0]) for _ in range(3)] == [code, code, 0]


def test_the_status_byte_tells_of_errors(host: Host) -> None:
    assert host.ask("*ESR?") == str(0x80)  # switched on
    host.tell("NO:SUCH")
    assert host.ask("*STB?") == "4"
    assert host.ask("*ESR?") == str(0x20)
    host.tell("*CLS")
    assert host.ask("*STB?") == "0"


def test_one_holds_the_lock(sim: SimulatedWSA4000, host: Host) -> None:
    with host_of(sim, lock=False) as other:
        assert other.ask("SYST:LOCK:REQ? ACQ") == "0"
        assert other.ask("SYST:LOCK:HAVE? ACQ") == "0"
        other.tell("TRAC:STR:STAR 1")
        assert other.error().startswith("-203")
        host.close()
        sim.wait_for("scpi_close")
        assert other.ask("SYST:LOCK:REQ? ACQ") == "1"


# -- packets


def test_a_stream_byte_for_byte(sim: SimulatedWSA4000, host: Host) -> None:
    host.tell("FREQ:CENT 2400000000", "DEC 8", "TRAC:SPP 128", "TRAC:STR:STAR 77")
    extension, *contexts = host.packets(7)
    assert extension[:2] == (5 << 28 | 1 << 22 | 2 << 20 | 7, 0x90000004)
    assert extension[5:] == (1 << 31 | 2, 77)
    assert [(c[0] >> 28, c[1] & 15, c[5]) for c in contexts] == [
        (4, 1, 1 << 31 | 1 << 27), (4, 1, 1 << 31 | 1 << 23), (4, 1, 1 << 31 | 1 << 18),
        (4, 2, 1 << 31 | 1 << 29), (4, 2, 1 << 31 | 1 << 26), (4, 2, 1 << 31 | 1 << 24),
    ]  # fmt: skip
    assert [c[0] >> 16 & 15 for c in contexts] == [0, 1, 2, 0, 1, 2]
    assert contexts[0][6] << 32 | contexts[0][7] == 2_400_000_000 << 20
    assert contexts[3][6] << 32 | contexts[3][7] == 15_625_000 << 20
    assert contexts[5][6] == -25 * 128 & 0xFFFF
    data = host.packets(40)
    for number, packet in enumerate(data):
        assert packet[0] == 1 << 28 | 1 << 26 | 1 << 22 | 2 << 20 | (number & 15) << 16 | 134
        assert packet[1] == 0x90000003
        assert packet[-1] == 0x67060000
        assert packet[5:-1] == tuple((n % 4096) << 16 | n // 4096 for n in range(number * 128, (number + 1) * 128))
    times = [p[2] * 10**12 + (p[3] << 32) + p[4] for p in data]
    assert {b - a for a, b in zip(times, times[1:], strict=False)} == {128 * 8 * 8000}
    assert host.ask("TRAC:STR:STAT?") == "RUNNING"
    host.tell("FREQ:CENT 1e9")
    assert host.error().startswith("-221")


def test_a_stop_ends_with_a_whole_packet(sim: SimulatedWSA4000, host: Host) -> None:
    host.tell("TRAC:SPP 65520", "TRAC:STR:STAR")
    host.packets(20)
    host.tell("TRAC:STR:STOP", "FREQ:CENT 1e9", "TRAC:SPP 256", "TRAC:STR:STAR 5")
    while True:  # whole packets all the way to those of the next stream
        packet = host.packet()
        assert packet[0] >> 28 in (1, 4, 5)
        if packet[0] >> 28 == 5:
            assert packet[6] == 5
            break
    host.packets(6)
    assert host.packet()[0] & 0xFFFF == 262
    assert sim.count("stream_start") == 2


def test_a_block_has_so_many_packets_and_no_reply(sim: SimulatedWSA4000, host: Host) -> None:
    host.tell("TRAC:SPP 128", "TRAC:BLOC:PACK 3", "TRAC:BLOC:DATA?")
    kinds = [packet[0] >> 28 for packet in host.packets(9)]
    assert kinds == [4] * 6 + [1] * 3
    assert host.error() == '0,"No error"'
    sim.wait_for("block_end")


def test_a_sweep_goes_through_its_list(sim: SimulatedWSA4000, host: Host) -> None:
    host.tell(
        "SWE:ENTR:NEW", "SWE:ENTR:FREQ:CENT 1e9,1.2e9", "SWE:ENTR:FREQ:STEP 100 MHz", "SWE:ENTR:SPP 128",
        "SWE:ENTR:PPB 2", "SWE:ENTR:SAVE", "SWE:LIST:ITER 2", "SWE:LIST:STAR 9",
    )  # fmt: skip
    found = host.packets(1 + 6 * (6 + 2))
    assert found[0][5:] == (1 << 31 | 1, 9)
    centers = [(p[6] << 32 | p[7]) >> 20 for p in found if p[0] >> 28 == 4 and p[5] == 1 << 31 | 1 << 27]
    assert centers == [10**9, 11 * 10**8, 12 * 10**8] * 2
    sim.wait_for("sweep_stop")
    assert host.ask("SWE:LIST:STAT?") == "STOPPED"
    assert host.ask("SWE:ENTR:COUN?") == "1"
    assert host.ask("SWE:ENTR:READ? 1") == "1000000000,1200000000,100000000,0,1,1,HIGH,0,128,2,0,0,NONE"


def test_quirks_change_the_packets(sim: SimulatedWSA4000, host: Host) -> None:
    sim.quirks = Quirks(combined_contexts=True, class_ids=True, over_range=True, unlocked=True, inverted=True)
    host.tell("TRAC:SPP 128", "TRAC:BLOC:DATA?")
    receiver, digitizer, data = host.packets(3)
    assert receiver[7] == 1 << 31 | 1 << 27 | 1 << 23 | 1 << 18
    assert digitizer[7] == 1 << 31 | 1 << 29 | 1 << 26 | 1 << 24
    assert data[0] == 1 << 28 | 1 << 27 | 1 << 26 | 1 << 22 | 2 << 20 | 136
    assert data[-1] == 0x67060000 & ~(1 << 17) | 1 << 13 | 1 << 14
    sim.quirks = Quirks(without_times=True)
    host.tell("TRAC:BLOC:DATA?")
    assert host.packets(7)[-1][0] & ~(15 << 16) == 1 << 28 | 1 << 26 | 131


def test_faults_are_in_the_packets_and_in_the_log(sim: SimulatedWSA4000, host: Host) -> None:
    sim.lose_samples(1000)
    sim.drop_packets(2)
    host.tell("TRAC:SPP 128", "TRAC:STR:STAR")
    data = [packet for packet in host.packets(40) if packet[0] >> 28 == 1]
    assert sim.wait_for("drop").details == {"packets": 2}
    assert sim.wait_for("samples_lost").details == {"samples": 1000}
    assert data[0][0] >> 16 & 15 == 2
    assert data[0][-1] >> 12 & 1 == 1
    assert [p[5] >> 16 for p in data[:2]] == [2 * 128, 3 * 128 + 1000]
    assert data[1][0] >> 16 & 15 == 3


@pytest.mark.parametrize("after", [0, 1, 100, 5000])
def test_a_reset_comes_after_exactly_so_many_bytes(sim: SimulatedWSA4000, host: Host, after: int) -> None:
    host.tell("TRAC:SPP 128", "TRAC:BLOC:PACK 1000")
    sim.truncate(after)
    host.tell("TRAC:BLOC:DATA?")
    contexts = sum(len(packet) * 4 for packet in host.packets(6))
    assert contexts
    assert len(host.read(100_000)) == after
    sim.wait_for("truncate")


def test_a_slow_reader_makes_a_paced_radio_lose_samples_and_say_so() -> None:
    with SimulatedWSA4000(samples=RAMP, memory_samples=1000) as sim, host_of(sim) as host:
        host.tell("DEC 4", "TRAC:SPP 16384", "TRAC:STR:STAR")
        sim.wait_for("samples_lost")
        while True:
            packet = host.packet()
            if packet[0] >> 28 == 1 and packet[-1] >> 12 & 1:
                break
        assert sim.dropped_samples > 0


def test_the_band_has_its_stations_at_their_frequencies_and_fits_without_a_seam() -> None:
    with SimulatedWSA4000(paced=False) as sim, host_of(sim) as host:
        host.tell("FREQ:CENT 2450000000", "DEC 16", "TRAC:SPP 16384", "TRAC:BLOC:PACK 16", "TRAC:BLOC:DATA?")
        words = [word for packet in host.packets(22)[6:] for word in packet[5:-1]]
        samples = np.array(words, ">u4").view(">i2").reshape(-1, 2).astype(float)
        assert (np.abs(samples) <= 8192).all()
        wave = (samples[:, 0] + 1j * samples[:, 1]) / 8192
        spectrum = np.abs(np.fft.fftshift(np.fft.fft(wave * np.hanning(len(wave))))) / len(wave) * 2
        peak = int(spectrum.argmax()) - len(wave) // 2
        assert abs(peak) <= 1  # the station at 2450 MHz
        assert 20 * np.log10(spectrum.max()) == pytest.approx(-12, abs=0.3)
        carrier = spectrum[len(wave) // 2 + len(wave) // 8]
        assert 20 * np.log10(carrier) == pytest.approx(-20, abs=0.3)
        # Twice the table's length, with its seam in the middle: had it one, there would be a skirt between the lines.
        assert 20 * np.log10(np.median(spectrum)) < -95


# -- life


def test_ports_that_are_taken_are_said() -> None:
    with SimulatedWSA4000() as first:
        second = SimulatedWSA4000(scpi_port=first.scpi_port)
        with pytest.raises(DeviceError, match=r"cannot listen on 127.+: Address already in use"):
            second.start()
        with pytest.raises(UsageError, match="is running already"):
            first.start()
    first.close()
    assert not first.running


def test_who_waits_for_what_does_not_happen_is_told_what_did(sim: SimulatedWSA4000, host: Host) -> None:
    with pytest.raises(TimeoutError, match=r"abort happened 0 times, not 1, .*'scpi_open'"):
        sim.wait_for("abort", timeout_s=0.01)


def test_data_without_a_control_connection_are_refused(sim: SimulatedWSA4000) -> None:
    with socket.create_connection((sim.host, sim.vrt_port), GUARD_S) as vrt:
        assert vrt.recv(1) == b""
    assert sim.count("vrt_refused") == 1


def test_it_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "axonlike.simulators.wsa4000", "--port", "0", "--vrt-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as child:
        assert child.stdout is not None
        found = re.fullmatch(r"simulated WSA4000: SCPI on (\d+), VRT on (\d+) of 127.0.0.1\n", child.stdout.readline())
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1])), GUARD_S) as scpi:
            scpi.sendall(b"*IDN?\n")
            assert scpi.recv(100).startswith(b"ThinkRF,WSA4000")
        child.send_signal(signal.SIGINT)
        assert child.wait(GUARD_S) == 0
