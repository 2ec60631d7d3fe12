"""What is said on the control port, line by line, without any socket; and waiting for replies in times handed in."""

from __future__ import annotations

from typing import Any

import pytest

from axonlike.components.devices.wsa4000 import dialogue as say
from axonlike.components.devices.wsa4000.errors import BadReply, CommandRefused, DeviceInUse, NoReply
from axonlike.components.devices.wsa4000.scpi import ERROR, NUMBER, fields
from axonlike.components.devices.wsa4000.settings import Settings, SweepEntry, Trigger
from axonlike.errors import UsageError

OK = '0,"No error"'
IDN = "ThinkRF,WSA4000 v3,110324-0001,v2.5.3"


def spoken(dialogue: say.Dialogue[Any], *replies: str) -> tuple[list[str], Any]:
    """The lines of a dialogue that gets these replies, SYST:ERR? apart, whose replies are OK unless given."""
    lines: list[str] = []
    waiting = list(replies)
    answer: str | None = None
    try:
        while True:
            step = dialogue.send(answer)
            line = step.line.decode().removesuffix("\n")
            if line == ":SYSTEM:ERROR?":
                answer = waiting.pop(0) if waiting and '"' in waiting[0] else OK
                continue
            lines.append(line)
            answer = waiting.pop(0) if isinstance(step, say.Ask) else None
    except StopIteration as end:
        assert not waiting
        return lines, end.value


def test_opening_asks_who_it_is_takes_the_lock_and_ends_what_went_on() -> None:
    lines, identity = spoken(say.open_session(), IDN, "1", '-113,"old"', '-114,"older"')
    assert lines == ["*IDN?", ":SYSTEM:LOCK:REQUEST? ACQ", ":SYSTEM:ABORT", ":SYSTEM:FLUSH"]
    assert identity.firmware == "v2.5.3"


def test_opening_fails_where_it_must() -> None:
    with pytest.raises(DeviceInUse, match="another client"):
        spoken(say.open_session(), IDN, "0")
    with pytest.raises(BadReply, match="is no WSA4000"):
        spoken(say.open_session(), "Other,DS1000,1,2")


def test_each_setting_is_one_command() -> None:
    lines, _ = spoken(
        say.apply(
            Settings(
                center_frequency_hz=2441.5e6, frequency_shift_hz=1.5, decimation=8, rf_gain="MED", if_gain_db=-10,
                antenna=2, preselect=True, reference="EXT", samples_per_packet=128, packets_per_block=2,
                trigger=Trigger(1e9, 2e9, -70.5, "PULSE"),
            )
        )
    )
    assert lines == [
        ":FREQ:CENTER 2441500000",
        ":FREQ:SHIFT 1.5",
        ":SENSE:DECIMATION 8",
        ":INPUT:GAIN:RF MED",
        ":INPUT:GAIN:IF -10",
        ":INPUT:ANTENNA 2",
        ":INPUT:FILTER:PRESELECT 1",
        ":SOURCE:REFERENCE:PLL EXT",
        ":TRACE:SPPACKET 128",
        ":TRACE:BLOCK:PACKETS 2",
        ":TRIGGER:LEVEL 1000000000,2000000000,-70.5",
        ":TRIGGER:TYPE PULSE",
    ]


@pytest.mark.parametrize(
    ("replies", "lines"),
    [
        (["1"], [":SENSE:DECIMATION 1", ":SENSE:DECIMATION?"]),
        (["4"], [":SENSE:DECIMATION 1", ":SENSE:DECIMATION?", ":SENSE:DECIMATION 0"]),
        (['-222,"Data out of range"'], [":SENSE:DECIMATION 1", ":SENSE:DECIMATION 0"]),
    ],
    ids=["new", "old", "old and says so"],
)
def test_no_decimation_is_1_or_with_old_firmware_0(replies: list[str], lines: list[str]) -> None:
    assert spoken(say.apply(Settings(decimation=1)), *replies)[0] == lines


def test_a_refusal_names_the_command_and_reads_the_queue_to_its_end() -> None:
    with pytest.raises(CommandRefused, match=r"':X 1': -221, \"conflict\" \(and 1 errors more\)") as refused:
        spoken(say.tell(":X", 1), '-221,"conflict"', '-100,"more"')
    assert refused.value.scpi_code == -221


def test_an_error_queue_without_an_end_is_given_up() -> None:
    with pytest.raises(BadReply, match="does not end"):
        spoken(say.errors(), *['-1,"x"'] * 200)


def test_a_sweep_list_is_written_entry_by_entry() -> None:
    entry = SweepEntry(
        start_hz=1e9, stop_hz=2e9, step_hz=1e8, dwell_s=1.25, trigger=Trigger(1e9, 2e9, -50), packets_per_step=3
    )
    lines, _ = spoken(say.sweep_entries([entry]), "1")
    assert lines == [
        ":SWEEP:ENTRY:DELETE ALL",
        ":SWEEP:ENTRY:NEW",
        ":SWEEP:ENTRY:FREQ:CENTER 1000000000,2000000000",
        ":SWEEP:ENTRY:FREQ:STEP 100000000",
        ":SWEEP:ENTRY:FREQ:SHIFT 0",
        ":SWEEP:ENTRY:DECIMATION 1",
        ":SWEEP:ENTRY:ANTENNA 1",
        ":SWEEP:ENTRY:GAIN:RF HIGH",
        ":SWEEP:ENTRY:GAIN:IF 0",
        ":SWEEP:ENTRY:SPPACKET 1024",
        ":SWEEP:ENTRY:PPBLOCK 3",
        ":SWEEP:ENTRY:DWELL 1,250000",
        ":SWEEP:ENTRY:TRIGGER:LEVEL 1000000000,2000000000,-50",
        ":SWEEP:ENTRY:TRIGGER:TYPE LEVEL",
        ":SWEEP:ENTRY:SAVE",
        ":SWEEP:ENTRY:COUNT?",
    ]
    with pytest.raises(CommandRefused, match="keeps 0 sweep entries of 1"):
        spoken(say.sweep_entries([entry]), "0")
    assert spoken(say.start_sweep(7, iterations=2))[0] == [":SWEEP:LIST:ITERATIONS 2", ":SWEEP:LIST:START 7"]


def test_streams_and_blocks() -> None:
    assert spoken(say.start_stream(7))[0] == [":TRACE:STREAM:START 7"]
    assert spoken(say.stop_stream())[0] == [":TRACE:STREAM:STOP", ":SYSTEM:FLUSH"]
    assert spoken(say.capture_block())[0] == [":TRACE:BLOCK:DATA?"]  # and no reply is waited for
    assert spoken(say.capture_mode(), "streaming")[1] == "STREAMING"
    assert spoken(say.locks(), "1", "0")[1] == say.Locks(rf=True, reference=False)


@pytest.mark.parametrize(
    "bad",
    [{"start_hz": 2e9, "stop_hz": 1e9}, {"step_hz": 0}, {"step_hz": 50_000}, {"dwell_s": -1}, {"stop_hz": 1.1e10},
     {"samples_per_packet": 100}, {"packets_per_step": 0}, {"decimation": 3}],
    ids=str,
)  # fmt: skip
def test_sweep_entries_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SweepEntry(**({"start_hz": 1e9, "stop_hz": 2e9} | bad))


def test_triggers_are_checked_and_settings_merge() -> None:
    with pytest.raises(UsageError, match="start_hz < stop_hz"):
        Trigger(2e9, 1e9, -50)
    with pytest.raises(UsageError, match="LEVEL or PULSE"):
        Trigger(1e9, 2e9, -50, "EDGE")  # type: ignore[arg-type]
    before = Settings(decimation=8, antenna=1)
    after = Settings(antenna=2).over(before)
    assert after == Settings(decimation=8, antenna=2)
    assert after.changes_from(before) == Settings(antenna=2)
    assert SweepEntry(start_hz=1e9, stop_hz=1.25e9, step_hz=1e8).frequencies_hz == (10**9, 11 * 10**8, 12 * 10**8)


# -- waiting for a reply


def pending(shape: Any) -> say.PendingReply:
    return say.PendingReply(say.Ask(b"Q?\n", shape), 100.0, timeout_s=5.0, gap_s=0.05)


def test_a_number_is_whole_after_the_gap_and_not_before() -> None:
    reply = pending(NUMBER)
    assert reply.wake_at_s == 105.0
    assert reply.feed(b"24500", 101.0) is None
    assert reply.wake_at_s == 101.05
    assert reply.feed(b"00000", 101.04) is None
    assert reply.wake_at_s == pytest.approx(101.09)
    assert reply.look(101.09) == "2450000000"


def test_what_cannot_be_whole_is_waited_for_until_the_time_out_and_not_longer() -> None:
    reply = pending(ERROR)
    assert reply.feed(b'0,"No', 101.0) is None
    assert reply.look(101.05) is None
    assert reply.wake_at_s == 105.0  # no spin: nothing to look at before
    with pytest.raises(NoReply, match=r"no reply to 'Q\?' in 5 s \(only b'0,\"No'"):
        reply.look(105.0)


def test_blank_lines_do_not_start_the_gap() -> None:
    reply = pending(fields(4))
    assert reply.feed(b"\r\n", 101.0) is None
    assert reply.wake_at_s == 105.0
    with pytest.raises(NoReply, match="nothing came"):
        reply.look(105.0)
