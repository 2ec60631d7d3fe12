"""The code blocks of documentation pages: found, executed in order, and compared with what the page says they print.

    python tests/doc_pages.py docs/boxes.md

executes one page, prints a line of JSON about each block as it is done, and a traceback for one that fails. What a page
means, for those who write one:

* All blocks marked `python` of a page run in order, in one namespace, as if typed into one script.
* A block marked `text` that directly follows is what the block prints. `...` in it stands for anything. A block that
  prints something has to be followed by one.
* A block whose first line is a comment with a file name (`# divide.py`) is known under that name in error messages.
* `<!-- serves: 1600, 1500 -->` before a block: a program that serves at the first port until Ctrl-C. It is executed
  with free ports in place of these numbers; when a client has got a first line from the first one, it gets its Ctrl-C.
  What it prints is not compared.
* Nothing can be kept from running: any other mark after `python` is an error. Shell commands are marked `sh`.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import linecache
import os
import re
import signal
import socket
import sys
import threading
import time
import types
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "PageError", "blocks_of", "languages_of", "run_page"]

_FENCE = re.compile(r"^(?P<fence>```+)(?P<info>[^`]*)$")
_SERVES = re.compile(r"<!-- serves: (?P<ports>[\d, ]+) -->")
_FILE_NAME = re.compile(r"# (?P<name>\w+\.py)$")


class PageError(Exception):
    """A page that cannot be executed, or whose code does not do what the page says."""


@dataclass(frozen=True)
class Fence:
    """Any fenced block. line: the number of its first line of content, from 1."""

    info: str
    line: int
    content: str
    before: str  # what stands between the block before and this one


@dataclass(frozen=True)
class Block:
    """A block of Python to execute. expected: what it prints; None if the page does not say."""

    line: int
    code: str
    expected: str | None
    ports: tuple[int, ...]


def fences_of(page: Path) -> list[Fence]:
    fences: list[Fence] = []
    content: list[str] = []
    before: list[str] = []
    opening, info, first = "", "", 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if not opening and fence:
            opening, info, content, first = fence["fence"], fence["info"].strip(), [], number + 1
        elif opening and line.rstrip() == opening:
            fences.append(Fence(info, first, "".join(f"{text}\n" for text in content), "\n".join(before)))
            opening, before = "", []
        elif opening:
            content.append(line)
        else:
            before.append(line)
    if opening:
        raise PageError(f"{page}:{first - 1}: this block has no end")
    return fences


def languages_of(page: Path) -> list[tuple[int, str]]:
    """(line, mark) of each fenced block; a block of Python inside another block counts as `nested python`."""
    return [
        (fence.line, "nested python" if "```python" in fence.content else fence.info) for fence in fences_of(page)
    ]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of Python on a page."""
    fences = fences_of(page)
    blocks = []
    for number, fence in enumerate(fences):
        if fence.info == "python":
            following = fences[number + 1] if number + 1 < len(fences) else None
            is_output = following is not None and following.info == "text" and not following.before.strip()
            serves = _SERVES.search(fence.before.strip().rpartition("\n")[2])
            blocks.append(
                Block(
                    fence.line,
                    fence.content,
                    following.content if is_output and following is not None else None,
                    tuple(map(int, serves["ports"].split(","))) if serves else (),
                )
            )
    return blocks


def run_page(page: Path) -> int:
    """Execute a page in this process, which it then has for itself; returns the number of blocks."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    blocks = blocks_of(page)
    for block in blocks:
        began_s = time.monotonic()
        printed = _serve(page, block, module) if block.ports else _execute(page, block, block.code, module)
        _compare(page, block, printed)
        report = {"line": block.line, "seconds": round(time.monotonic() - began_s, 3)}
        print(json.dumps(report), flush=True)
    return len(blocks)


def _execute(page: Path, block: Block, code: str, module: types.ModuleType) -> str:
    named = _FILE_NAME.match(code.partition("\n")[0])
    if named:
        name = named["name"]
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    else:  # line numbers are those of the page
        name, code = str(page.resolve()), "\n" * (block.line - 1) + code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), module.__dict__)
    return printed.getvalue()


def _serve(page: Path, block: Block, module: types.ModuleType) -> str:
    code, free = block.code, _free_ports(len(block.ports))
    for written, port in zip(block.ports, free, strict=True):
        code, count = re.subn(rf"\b{written}\b", str(port), code)
        if not count:
            raise PageError(f"{page}:{block.line}: port {written} does not occur in this block")
    got: list[bytes] = []

    def client() -> None:
        try:
            got.append(_first_line(free[0]))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        return _execute(page, block, code, module)
    except SystemExit as exc:
        if exc.code != 130 or not got or not got[0].endswith(b"\n"):
            raise PageError(f"{page}:{block.line}: the client got {got}, exit code {exc.code}") from exc
        return ""
    finally:
        thread.join()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [server.getsockname()[1] for server in servers]


def _first_line(port: int) -> bytes:
    """Connects as soon as somebody listens, as `nc` typed again and again would."""
    until_s = time.monotonic() + 30.0
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30.0) as connection:
                return connection.makefile("rb").readline()
        except ConnectionRefusedError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)


def _compare(page: Path, block: Block, printed: str) -> None:
    if block.expected is None:
        if printed and not block.ports:
            raise PageError(f"{page}:{block.line}: this block prints, and the page does not show it:\n{printed}")
    elif not doctest.OutputChecker().check_output(block.expected, printed, doctest.ELLIPSIS):
        raise PageError(f"{page}:{block.line}: the page says\n{block.expected}\nand this is printed:\n{printed}")


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
