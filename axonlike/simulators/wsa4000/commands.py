"""The SCPI commands of a simulated WSA4000: one function each, found by its header in long or short form.

Headers are written as manuals have them, ``[SENSe:]FREQuency:CENTer``: capitals are the short form, what is in
brackets may be left out.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from axonlike.simulators.wsa4000.state import Client, Entry, Refusal, number_text

if TYPE_CHECKING:
    from axonlike.simulators.wsa4000.device import SimulatedWSA4000

__all__ = ["execute"]




_UNITS = {"": 1.0, "HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9, "DB": 1.0, "DBM": 1.0, "S": 1.0}


def _value(argument: str) -> float:
    """A number with or without its unit."""
    found = re.fullmatch(r"([+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)", argument)
    if found is None or found[2].upper() not in _UNITS:
        raise Refusal(-131 if found else -104, f"Invalid suffix;{argument}" if found else f"Data type error;{argument}")
    return float(found[1]) * _UNITS[found[2].upper()]


def _one(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise Refusal(
            -109 if not arguments else -108, "Missing parameter" if not arguments else "Parameter not allowed"
        )
    return arguments[0]


def _within(value: float, low: float, high: float, step: float = 0) -> float:
    if not low <= value <= high or (step and value % step):
        raise Refusal(-222, f"Data out of range;{number_text(value)}")
    return value


Action = Callable[["SimulatedWSA4000", Client, bool, list[str]], str | None]
_COMMANDS: list[tuple[re.Pattern[str], Action]] = []


def _pattern(text: str) -> re.Pattern[str]:
    """``[SENSe:]FREQuency:CENTer``: what is in brackets is optional, lower case letters may be left out together."""

    def word(match: re.Match[str]) -> str:
        short = re.match(r"[A-Z*]+", match[0])
        assert short is not None
        long_rest = match[0][short.end() :].upper()
        return f"{re.escape(short[0])}(?:{long_rest})?" if long_rest else re.escape(short[0])

    made = re.sub(r"[A-Za-z*]+", word, text.replace("[", "\0").replace("]", "\1"))
    return re.compile(made.replace("\0", "(?:").replace("\1", ")?"), re.IGNORECASE)


def _on(*headers: str) -> Callable[[Action], Action]:
    def register(action: Action) -> Action:
        _COMMANDS.extend((_pattern(header), action) for header in headers)
        return action

    return register


def _setting(
    header: str,
    attribute: str,
    parse: Callable[[str], Any],
    show: Callable[[Any], str] = str,
    *,
    of_entry: bool = False,
) -> None:
    def action(sim: SimulatedWSA4000, client: Client, is_query: bool, arguments: list[str]) -> str | None:
        target = sim._template if of_entry else sim.state
        if is_query:
            return show(getattr(target, attribute))
        if not of_entry:
            sim._busy()
        value = parse(_one(arguments))
        setattr(target, attribute, value)
        return None

    _on(header)(action)


def _choice(*words: str) -> Callable[[str], str]:
    def parse(argument: str) -> str:
        if argument.upper() not in words:
            raise Refusal(-224, f"Illegal parameter value;{argument}")
        return argument.upper()

    return parse


def _whole(low: float, high: float, step: float = 0) -> Callable[[str], int]:
    return lambda argument: int(_within(round(_value(argument)), low, high, step))


def _decimation_of(argument: str) -> int:
    value = int(_value(argument))
    if value in (0, 1):
        return 1
    return int(_within(value, 4, 1023))


_GAINS = _choice("HIGH", "MED", "LOW", "VLOW")
_setting("[SENSe:]FREQuency:CENTer", "center_hz", _whole(0, 1e10, 100_000))
_setting("[SENSe:]FREQuency:SHIFt", "shift_hz", lambda a: _within(_value(a), 0, 125e6), number_text)
_setting("INPut:GAIN:RF", "rf_gain", _GAINS)
_setting("INPut:GAIN:IF", "if_gain_db", _whole(-10, 34))
_setting("INPut:ANTenna", "antenna", _whole(1, 2))
_setting("INPut:FILTer:PRESelect", "preselect", _whole(0, 1))
_setting("SOURce:REFerence:PLL", "reference", _choice("INT", "EXT"))
_setting("TRIGger:TYPE", "trigger", _choice("NONE", "LEVEL", "PULSE"))
_setting("TRIGger:DELay", "trigger_delay", _whole(0, 2**32 - 1, 8))
_setting("TRIGger:SYNC", "trigger_sync", _choice("MASTER", "SLAVE"))
_setting("TRACe:SPPacket", "spp", _whole(128, 65520, 16))
_setting("SWEep:ENTRy:FREQuency:STEP", "step_hz", _whole(100_000, 1e10, 100_000), of_entry=True)
_setting("SWEep:ENTRy:FREQuency:SHIFt", "shift_hz", lambda a: _within(_value(a), 0, 125e6), number_text, of_entry=True)
_setting("SWEep:ENTRy:DECimation", "decimation", _decimation_of, of_entry=True)
_setting("SWEep:ENTRy:ANTenna", "antenna", _whole(1, 2), of_entry=True)
_setting("SWEep:ENTRy:GAIN:RF", "rf_gain", _GAINS, of_entry=True)
_setting("SWEep:ENTRy:GAIN:IF", "if_gain_db", _whole(-10, 34), of_entry=True)
_setting("SWEep:ENTRy:SPPacket", "spp", _whole(128, 65520, 16), of_entry=True)
_setting("SWEep:ENTRy:PPBlock", "ppb", _whole(1, 32 << 20), of_entry=True)
_setting("SWEep:ENTRy:TRIGger:TYPE", "trigger", _choice("NONE", "LEVEL", "PULSE"), of_entry=True)


@_on("[SENSe:]DECimation")
def _decimation(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    old = sim.quirks.decimation_off_is_0
    if is_query:
        return "0" if old and sim.state.decimation == 1 else str(sim.state.decimation)
    sim._busy()
    value = _one(arguments)
    if old and _value(value) == 1:
        raise Refusal(-222, "Data out of range;1")
    sim.state.decimation = _decimation_of(value)
    return None


@_on("TRIGger:LEVel", "SWEep:ENTRy:TRIGger:LEVel")
def _level(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    if is_query:
        return ",".join(map(number_text, sim.state.trigger_level))
    sim._busy()
    if len(arguments) != 3:
        raise Refusal(-109, "Missing parameter")
    start_hz, stop_hz, dbm = map(_value, arguments)
    _within(stop_hz, start_hz, 1e10)
    # An entry's level is kept in the same place: a sweep is triggered as everything else is.
    sim.state.trigger_level = sim._template.trigger_level = (start_hz, stop_hz, dbm)
    return None


@_on("TRACe:BLOCk:PACKets")
def _packets(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    most = (128 << 20) // (4 * (sim.state.spp + 6))
    if is_query:
        asked = arguments[0].upper() if arguments else ""
        return {"MAX": str(most), "MIN": "1"}.get(asked, str(sim.state.ppb))
    sim._busy()
    sim.state.ppb = _whole(1, most)(_one(arguments))
    return None


@_on("TRACe:BLOCk:DATA")
def _block(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    if not is_query:
        raise Refusal(-113, "Undefined header;TRACE:BLOCK:DATA")
    sim._begin(client, "block", 0)
    if sim.quirks.stray_blank:
        with contextlib.suppress(OSError):
            client.sock.sendall(b"\r\n")
    return None


@_on("TRACe:STReam:STARt")
def _stream_start(sim: SimulatedWSA4000, client: Client, is_query: bool, arguments: list[str]) -> str | None:
    sim._begin(client, "stream", _whole(0, 2**32 - 1)(arguments[0]) if arguments else 0)
    return None


@_on("TRACe:STReam:STOP", "SWEep:LIST:STOP")
def _stop(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    if sim._lock_holder is client:
        sim._end_acquisition(at_once=False)
    return None


@_on("TRACe:STReam:STATus")
def _stream_status(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return "RUNNING" if sim._running() == "STREAMING" else "STOPPED"


@_on("SWEep:LIST:STATus")
def _sweep_status(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return "RUNNING" if sim._running() == "SWEEPING" else "STOPPED"


@_on("SYSTem:CAPTure:MODE")
def _mode(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return sim._running()


@_on("SYSTem:ABORt")
def _abort(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    if sim._lock_holder is client:
        sim._note("abort")
        sim._end_acquisition()
    return None


@_on("SYSTem:FLUSh", "SWEep:FLUSh")
def _flush(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    if sim._running() == "SWEEPING":
        raise Refusal(-221, "Settings conflict;not while sweeping")
    sim._note("flush")
    return None


def _check_lock_query(is_query: bool, arguments: list[str]) -> None:
    if not is_query or _one(arguments).upper() not in ("ACQ", "ACQUISITION"):
        raise Refusal(-224, "Illegal parameter value")


@_on("SYSTem:LOCK:REQuest")
def _lock_request(sim: SimulatedWSA4000, client: Client, is_query: bool, arguments: list[str]) -> str | None:
    _check_lock_query(is_query, arguments)
    if sim._lock_holder is None and not sim.quirks.refuse_lock:
        sim._lock_holder = client
        sim._note("lock", address=client.address)
    return str(int(sim._lock_holder is client))


@_on("SYSTem:LOCK:HAVE")
def _lock_have(sim: SimulatedWSA4000, client: Client, is_query: bool, arguments: list[str]) -> str | None:
    _check_lock_query(is_query, arguments)
    return str(int(sim._lock_holder is client))


@_on("[SENSe:]LOCK:RF")
def _rf_lock(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return "1"


@_on("[SENSe:]LOCK:REFerence")
def _reference_lock(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return str(int(not sim.quirks.unlocked))


@_on("SYSTem:ERRor")
def _error(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    code, text = client.errors.popleft() if client.errors else (0, "No error")
    return f'{code},"{text}"'


@_on("*IDN")
def _identity(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return f"ThinkRF,WSA4000 v3,{sim.serial},{sim.firmware}"


@_on("*RST")
def _rst(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    sim._reset()
    return None


@_on("*CLS")
def _cls(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    client.errors.clear()
    sim.state.esr = 0
    return None


@_on("*OPC", "*WAI")
def _opc(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return "1" if is_query else None


@_on("*ESR")
def _esr(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    value, sim.state.esr = sim.state.esr, 0
    return str(value)


@_on("*STB")
def _stb(sim: SimulatedWSA4000, client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return str((0x04 if client.errors else 0) | (0x20 if sim.state.esr & sim.state.ese else 0))


_setting("*ESE", "ese", _whole(0, 255))
_setting("*SRE", "sre", _whole(0, 255))


@_on("SWEep:ENTRy:NEW")
def _entry_new(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    sim._template = Entry()
    return None


@_on("SWEep:ENTRy:FREQuency:CENTer")
def _entry_center(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    if is_query:
        return f"{sim._template.start_hz},{sim._template.stop_hz}"
    values = [_whole(0, 1e10, 100_000)(a) for a in arguments]
    if len(values) not in (1, 2) or values[0] > values[-1]:
        raise Refusal(-224, "Illegal parameter value")
    sim._template.start_hz, sim._template.stop_hz = values[0], values[-1]
    return None


@_on("SWEep:ENTRy:DWELl")
def _entry_dwell(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    if is_query:
        return f"{sim._template.dwell_s},{sim._template.dwell_us}"
    values = [_whole(0, 2**32 - 1)(a) for a in arguments]
    sim._template.dwell_s, sim._template.dwell_us = values[0], values[1] if len(values) > 1 else 0
    return None


@_on("SWEep:ENTRy:SAVE")
def _entry_save(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    at = _whole(1, len(sim.entries) + 1)(arguments[0]) if arguments else len(sim.entries) + 1
    sim.entries.insert(at - 1, replace(sim._template))
    return None


def _entry_at(sim: SimulatedWSA4000, arguments: list[str]) -> int:
    if not sim.entries:
        raise Refusal(-200, "Execution error;the sweep list is empty")
    return _whole(1, len(sim.entries))(_one(arguments)) - 1


@_on("SWEep:ENTRy:COPY")
def _entry_copy(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    sim._template = replace(sim.entries[_entry_at(sim, arguments)])
    return None


@_on("SWEep:ENTRy:DELete")
def _entry_delete(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    sim._busy()
    if _one(arguments).upper() == "ALL":
        sim.entries.clear()
    else:
        del sim.entries[_entry_at(sim, arguments)]
    return None


@_on("SWEep:ENTRy:READ")
def _entry_read(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    return sim.entries[_entry_at(sim, arguments)].reply()


@_on("SWEep:ENTRy:COUNt")
def _entry_count(sim: SimulatedWSA4000, _client: Client, is_query: bool, _arguments: list[str]) -> str | None:
    return str(len(sim.entries))


@_on("SWEep:LIST:ITERations")
def _iterations(sim: SimulatedWSA4000, _client: Client, is_query: bool, arguments: list[str]) -> str | None:
    if is_query:
        return str(sim._sweep_iterations)
    sim._sweep_iterations = _whole(0, 2**32 - 1)(_one(arguments))
    return None


@_on("SWEep:LIST:STARt", "SWEep:LIST:RESume")
def _sweep_start(sim: SimulatedWSA4000, client: Client, is_query: bool, arguments: list[str]) -> str | None:
    if not sim.entries:
        raise Refusal(-200, "Execution error;the sweep list is empty")
    sim._begin(client, "sweep", _whole(0, 2**32 - 1)(arguments[0]) if arguments else 0)
    return None


def execute(sim: SimulatedWSA4000, client: Client, line: str) -> str | None:
    """Do what a line says; the reply, if it has one. Raises Refusal."""
    header, _, rest = line.partition(" ")
    is_query = header.endswith("?")
    words = header.rstrip("?").lstrip(":")
    if sim.quirks.refuse and line.upper().startswith(sim.quirks.refuse.upper()):
        raise Refusal(-221, "Settings conflict")
    arguments = [a.strip() for a in rest.split(",")] if rest.strip() else []
    for pattern, action in _COMMANDS:
        if pattern.fullmatch(words):
            return action(sim, client, is_query, arguments)
    raise Refusal(-113, f"Undefined header;{header}")
