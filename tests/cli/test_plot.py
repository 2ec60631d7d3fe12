"""``axonlike plot``: what is wrong is told in a sentence; ``axonlike run --plot`` says where a plot is seen."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from axonlike.cli.main import main
from axonlike.plotting import LivePlot

TOKEN = "known-to-both-ends-of-it"


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.delenv("AXONLIKE_PLOT_TOKEN", raising=False)


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["plot", *words])
    out, err = capsys.readouterr()
    assert not out
    return code, err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("localhost:9999",), "--token-file"),
        (("nowhere",), "HOST:PORT"),
        (("ftp://a:1#t",), "http"),
        (("localhost:9999", "--token-file", "missing"), "missing"),
        (("http://localhost:9999/#" + TOKEN, "--tls", "missing"), "missing"),
        (("http://localhost:9999/#" + TOKEN, "--limit-mb", "0"), "--limit-mb"),
        (("http://localhost:9999/#" + TOKEN, "--plotter", "nothing"), "MODULE:CLASS"),
        (("http://localhost:9999/#" + TOKEN, "--plotter", "nothing.py:Own"), "nothing.py"),
    ],
)
def test_wrong_words_are_told_in_a_sentence(
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    if words[0] == "nowhere":
        words = (*words, "--token-file", "token")
        Path("token").write_text(TOKEN)
    code, err = complaint(capsys, *words)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_nobody_there_with_once_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        code, err = complaint(capsys, f"http://127.0.0.1:{sock.getsockname()[1]}/#{TOKEN}", "--once")
    assert code == 1
    assert "AX660" in err
    assert "Traceback" not in err


def test_a_wrong_token_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("known-to-one-end-of-it-only\n")
    with LivePlot(window=False, listen="127.0.0.1:0", token=TOKEN) as plot:
        assert plot.address is not None
        words = (f"127.0.0.1:{plot.address[1]}", "--token-file", str(tmp_path / "token"), "--once")
        code, err = complaint(capsys, *words)
    assert code == 1
    assert "AX661" in err


def test_run_says_where_a_plot_is_seen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AXONLIKE_PLOT", "AXONLIKE_OBSERVE"):  # which the command sets
        monkeypatch.setenv(name, "as before")
    script = tmp_path / "calculate.py"
    script.write_text(
        "from axonlike.plotting import LivePlot\n"
        "with LivePlot() as plot:\n"
        "    plot(n=1)\n"
        "    print(plot.window_pid, plot.address is not None)\n"
    )
    assert main(["run", "--plot", "off", str(script)]) == 0
    assert capsys.readouterr().out == "None False\n"
    assert main(["run", "--plot", "listen=127.0.0.1:0", str(script)]) == 0
    assert capsys.readouterr().out == "None True\n"


def test_one_who_asked_for_it_by_the_environment_is_told_the_address(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AXONLIKE_PLOT", "listen=127.0.0.1:0")
    monkeypatch.setenv("AXONLIKE_PLOT_TOKEN", TOKEN)
    with LivePlot(title="relax") as plot:
        assert plot.url.endswith("#" + TOKEN)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert re.fullmatch(rf"relax can be watched at http://127\.0\.0\.1:\d+/#{TOKEN}", told[0])
