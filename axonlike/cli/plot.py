"""``axonlike plot``: look at the live plot of a calculation that runs somewhere else."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from axonlike.cli.output import Exit, Failure

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike plot HOST:PORT [--token-file FILE] [--tls [CA]] [--plotter MODULE:CLASS] [--once]``."""
    parser.usage = "axonlike plot HOST:PORT [OPTION ...]"
    parser.description = (
        "Show in a window here what a calculation plots somewhere else: one with LivePlot(listen=...), or started with "
        "AXONLIKE_PLOT=listen=HOST:PORT. It may start before the calculation does, and waits for it to come back."
    )
    parser.epilog = "Through ssh: ssh -L 9999:localhost:9999 HOST, then axonlike plot localhost:9999"
    parser.add_argument("address", metavar="HOST:PORT", help="or the address that the calculation prints, http://...")
    parser.add_argument(
        "--token-file", metavar="FILE", help="holds the token (default: AXONLIKE_PLOT_TOKEN, or the address's own)"
    )
    parser.add_argument(
        "--tls", metavar="CA", nargs="?", const=True, help="over TLS; CA: a file with certificates to trust"
    )
    parser.add_argument("--plotter", metavar="MODULE:CLASS", help="draw with a class of yours; or FILE.py:CLASS")
    parser.add_argument(
        "--limit-mb", metavar="N", type=float, default=64.0, help="the longest frame that is taken (64)"
    )
    parser.add_argument("--json", action="store_true", help="tell errors as one JSON document on stderr, for programs")
    parser.add_argument("--once", action="store_true", help="end when the calculation does")


def run(options: argparse.Namespace) -> int:
    """Look until the window is closed."""
    from axonlike.errors import AxonlikeError, UsageError
    from axonlike.plotting.source import PlotSource
    from axonlike.plotting.viewer import view

    address, token, is_tls = _read(options.address)
    if options.token_file is not None:
        try:
            token = Path(options.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as exc:
            raise Failure(f"the token cannot be read: {exc}") from exc
    token = token or os.environ.get("AXONLIKE_PLOT_TOKEN", "")
    if not token:
        raise Failure("the calculation has given out a token: write it into a file for --token-file")
    if not 0 < options.limit_mb <= 4096:
        raise Failure(f"--limit-mb is a number above 0 and up to 4096, not {options.limit_mb:g}")
    try:
        plotter = None
        if options.plotter is not None:
            from axonlike.plotting.plotter import OwnPlotter, plotter_named

            plotter = OwnPlotter(plotter_named(options.plotter))
        source = PlotSource(
            address,
            token=token,
            tls=_tls(options.tls) if options.tls is not None else is_tls,
            reconnect=not options.once,
            limit_bytes=round(options.limit_mb * 1024 * 1024),
        )
    except UsageError as exc:
        raise Failure(str(exc)) from exc
    except AxonlikeError as exc:
        raise Failure(str(exc), _exit_of(exc)) from exc
    try:
        view(source, title=address, plotter=plotter)
    except AxonlikeError as exc:
        from axonlike.cli import errors

        if options.json:
            print(json.dumps(errors.as_json(exc), indent=2, ensure_ascii=False), file=sys.stderr)
        else:
            errors.show(exc)
        return errors.exit_code_of(exc)
    return Exit.OK


def _read(address: str) -> tuple[str, str, bool]:
    """host:port, token, and whether it is over TLS."""
    if "://" not in address:
        return address, "", False
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        raise Failure(f"{address!r} is neither HOST:PORT nor begins with http:// or https://")
    return parts.netloc, unquote(parts.fragment), parts.scheme == "https"


def _tls(said: Any) -> Any:
    if said is True:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=said)
    except OSError as exc:
        raise Failure(f"--tls {said}: the certificates cannot be read: {exc}") from exc


def _exit_of(exc: BaseException) -> Exit:
    from axonlike.cli.errors import exit_code_of

    return Exit(exit_code_of(exc))
