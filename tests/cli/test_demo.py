"""``axonlike demo``: the demo of scripts/demo, from the installed package alone (see tests/test_examples.py too)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests import prepared
from tests.prepared import is_quiet

HANG_GUARD_S = 60.0

pytestmark = pytest.mark.net


def demo(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys\n{before}\nfrom axonlike.cli import main\nsys.exit(main(['demo', *sys.argv[1:]]))"
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return prepared.run("-c", program, *arguments, cwd=folder, env=environment, timeout=HANG_GUARD_S)


def test_it_runs_without_the_examples_and_ends_by_itself(tmp_path: Path) -> None:
    done = demo(tmp_path, "--for", "3", "--every", "0.05", "--port", "0")  # long enough for one event
    assert done.returncode == 0
    assert is_quiet(done.stderr), done.stderr
    assert "Type in other terminals" in done.stdout
    assert "\nThat was the demo: " in done.stdout


def test_for_programs_each_line_is_a_json_object(tmp_path: Path) -> None:
    done = demo(tmp_path, "--for", "4", "--every", "0.05", "--port", "0", "--json")  # long enough for both kinds
    assert done.returncode == 0
    assert is_quiet(done.stderr), done.stderr
    ports: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    *lines, last = map(json.loads, done.stdout.splitlines())
    for line in lines:
        (ports if "port" in line else events).append(line)
    assert [line["topic"] for line in ports] == ["Events", "ImportantEvents", "CriticalEvents"]
    assert {"IMPORTANT", "NORMAL"} <= {event["subject"] for event in events}
    assert last == {"events": len(events)}


def test_a_port_in_use_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(tmp_path, "--port", str(min(port, 65533)))
    assert done.returncode == 1
    said = f"axonlike: port {port} cannot be used (Address already in use)"
    assert done.stderr == f"{said}; choose other ports: axonlike demo --port 1700\n"


def test_without_pyserial_it_says_how_to_install_it(tmp_path: Path) -> None:
    done = demo(tmp_path, "--port", "0", before="sys.modules['serial'] = None")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("axonlike: Demo")
    assert "SerialLines needs pyserial: " in line
    assert line.endswith('pip install "axonlike[serial]"')
