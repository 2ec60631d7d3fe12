"""A viewer without a window: writes what it is told as lines of JSON to a file, and does what the words before say.

python plain_viewer.py FILE WORD... FD, where the words are: slow=SECONDS (for each frame), set=NAME:NUMBER, click and
close (after the first frame), fail=TEXT (in the place of being ready), garbage, stay=SECONDS (after the end).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

import numpy as np

from axonlike.plotting.messages import Did, Drawn, Ended, Failed, Frame, Ready, Set, Values, Welcome
from axonlike.plotting.source import PlotSource


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else repr(value)


async def main(file: str, words: dict[str, str], fd: str) -> None:
    connection = await PlotSource(fd)._connect()
    with open(file, "a", buffering=1, encoding="utf-8") as out:

        def note(**what: Any) -> None:
            out.write(json.dumps({"pid": os.getpid(), **what}) + "\n")

        note(is_="began", session=os.getsid(0), sigint=signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
        while (message := await connection.receive()) is not None:
            if isinstance(message, Welcome):
                note(
                    is_="welcome",
                    title=message.title,
                    hold=message.hold,
                    fps=message.fps,
                    values=message.values,
                    panels=list(message.panels),
                )
                if "garbage" in words:
                    (await connection._open())[1].write(b"\0\0\0\5hello")  # type: ignore[attr-defined]
                    continue
                await connection.send(Failed(words["fail"]) if "fail" in words else Ready("window"))
                if "fail" in words:
                    break
            elif isinstance(message, Frame):
                note(is_="frame", number=message.number, call=message.call, args=plain(message.args),
                     kwargs={name: plain(value) for name, value in message.kwargs.items()})  # fmt: skip
                if message.number == 1:
                    if "set" in words:
                        name, _, value = words["set"].partition(":")
                        await connection.send(Set(name, float(value)))
                    if "click" in words:
                        await connection.send(Did("click", panel="n", x=1.0, y=2.0, button=1))
                    if "close" in words:
                        await connection.send(Did("closed"))
                        break
                time.sleep(float(words.get("slow", 0)))
                await connection.send(Drawn(message.number))
            elif isinstance(message, Values):
                note(is_="values", values=message.values)
            elif isinstance(message, Ended):
                note(is_="ended", text=message.text, hold=message.hold)
                if message.hold:
                    await asyncio.sleep(float(words.get("stay", 0)))
                break
        note(is_="over")
    await connection.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    words = dict(word.partition("=")[::2] for word in sys.argv[2:-1])
    asyncio.run(main(sys.argv[1], words, sys.argv[-1]))
