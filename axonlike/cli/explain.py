"""What each error code means and what to do about it. A test compares the codes with those of the error classes."""

from __future__ import annotations

import argparse
import textwrap
from typing import NamedTuple

from axonlike.cli.output import Exit, Failure, print_json

__all__ = ["EXPLANATIONS", "Explanation", "add_arguments", "explain", "run"]


class Explanation(NamedTuple):
    """What stands for one code."""

    title: str
    text: str


EXPLANATIONS: dict[str, Explanation] = {
    "AX100": Explanation(
        "an error of the toolkit itself",
        "Nothing could go on and nothing had ended, or an internal rule was broken. That is a defect of axonlike: "
        "please report it with the whole message.",
    ),
    "AX103": Explanation(
        "a component failed",
        "main() (or the function of a step) raised an exception that it did not catch. The lines above say which "
        "component, where it was made, the last message it had taken, and the exception. By default the whole graph "
        "stops; on_error=\"skip\" drops the message and calls main() again, \"restart\" does so after a back-off, "
        "\"error\" also tells it on an outbox named error. A Supervisor makes fresh instances instead.",
    ),
    "AX104": Explanation(
        "a supervisor gave up",
        "Its children failed more often than its intensity allows within its period, so it stopped them all and "
        "failed itself. Mend what fails first; a larger intensity or period_s only hides it longer.",
    ),
    "AX201": Explanation(
        "the graph cannot be put together",
        "A link, a name or a setting does not fit. It is found while the graph is wired, before the first message. "
        "An outbox has one link: put a Splitter between for a second receiver, or publish to a Backplane.",
    ),
    "AX202": Explanation(
        "no such box",
        "The component has no box of that name. The message lists those it has. Boxes are declared in the class's "
        "Inboxes and Outboxes, or added to one instance with add_inbox and add_outbox.",
    ),
    "AX203": Explanation(
        "nobody provides that name",
        "PublishTo, SubscribeTo and needs=(...) look a name up when the run begins. Activate a Backplane of that "
        "name in the same scheduler, in any order. A name in the factory of a SimpleServer is looked up when a client "
        "comes; SimpleServer(..., needs=(\"Name\",)) has it looked up at the start.",
    ),
    "AX204": Explanation(
        "the stream that one end sends is not what the other takes",
        "Both sides' values are in the message. Put a component between that makes the one of the other: Convert for "
        "the dtype, ChannelSelect for the channels, Resample for the rate, FFT for a spectrum.",
    ),
    "AX301": Explanation(
        "called in a way that cannot work",
        "For example run() inside a running event loop (use await run_async()), a class passed where an instance is "
        "needed, or a main() that is neither a generator nor async.",
    ),
    "AX302": Explanation(
        "a body yielded something without meaning",
        "A generator main() yields nothing (\"run me again soon\"), self.wait(...), self.sleep(...) or self.join(...). "
        "To use a generator of your own write `yield from`.",
    ),
    "AX303": Explanation(
        "recv() on an empty box",
        "Look first (`while self.data_ready(box):`), wait first (`yield self.wait(box)`), or loop over "
        "`self.inbox(box)`.",
    ),
    "AX304": Explanation(
        "nothing came in time",
        "A Handle's get() or put() waited for its whole time-out. Is the component linked, running, and does it send "
        "on that box?",
    ),
    "AX305": Explanation(
        "the handle is closed, or its system has ended",
        "A Handle can be used until it is closed or the run that it belongs to ends.",
    ),
    "AX306": Explanation(
        "no snapshot could be taken",
        "The scheduler did not answer: it has ended, or a component holds it. The log names a component that holds "
        "the scheduler for more than a second.",
    ),
    "AX401": Explanation(
        "a full inbox refused a message",
        "The inbox's policy is \"error\". Let it hold more, let the sender wait (\"block\"), or drop "
        "(\"drop_oldest\", \"drop_newest\", \"latest\").",
    ),
    "AX402": Explanation(
        "a step that sends without end",
        "One step sent over 10 000 messages past the limit of a full box. Senders are held back between steps, so "
        "yield in that loop.",
    ),
    "AX403": Explanation(
        "components wait for each other",
        "A circle of full boxes, each waiting for room in the next. Give one of them a larger limit or a policy that "
        "drops, or take the circle out.",
    ),
    "AX404": Explanation(
        "a handle's message was not taken in time",
        "The component's inbox stayed full for the whole time-out of put().",
    ),
    "AX501": Explanation(
        "an optional package is missing",
        "The message ends with the line that installs it.",
    ),
    "AX601": Explanation(
        "a device or a peer failed",
        "The device is absent, busy or not permitted, or the other side broke the connection. The message says which "
        "and what to do.",
    ),
    "AX610": Explanation(
        "bytes that break the framing",
        "A peer sent something that its framing does not allow.",
    ),
    "AX611": Explanation(
        "a line that is too long",
        "More than the limit (64 KiB unless it was set) came without a line end. Raise the limit if such lines are "
        "meant, or use another framing.",
    ),
    "AX612": Explanation(
        "a frame that is too long",
        "A length-prefixed frame announced more than the limit (1 MiB unless it was set).",
    ),
    "AX613": Explanation(
        "text that cannot be decoded",
        "Bytes are not in the declared encoding and its errors mode is \"strict\".",
    ),
    "AX614": Explanation(
        "bytes that are no chunk, or a chunk that cannot be sent",
        "A header or body from outside contradicts itself, is of another version, or has a dtype that is not in the "
        "list of those that are taken; nothing of it was used. At the sender: the dtype has Python objects, padding or "
        "text, or the facts of the stream are not what JSON can hold.",
    ),
    "AX615": Explanation(
        "a chunk that is too long",
        "A chunk has more bytes than limit_bytes allows (1 MiB unless it was set), or its header more than 16 KiB. Put "
        "a Rechunk before the sender, or give both ends a greater limit.",
    ),
    "AX616": Explanation(
        "a chunk of a stream that was not described",
        "Its StreamInfo went out before this receiver joined, or was lost. Let the sender describe its stream with "
        "each chunk: ChunkEncoder(describe=\"always\").",
    ),
    "AX617": Explanation(
        "a message of a live plot cannot be read",
        "It is no message of this version, or contradicts itself. Compare the versions at both ends; a port that is "
        "given to the plot must not be another program's.",
    ),
    "AX618": Explanation(
        "a message of a live plot is too long",
        "A frame is longer than the viewer takes: `axonlike plot --limit-mb`, or PlotSource(limit_bytes=...). What a "
        "viewer says may have 16 KiB.",
    ),
    "AX619": Explanation(
        "a plotter of your own cannot be loaded, or cannot draw",
        "The class is loaded anew in the viewer's process, by its module and name; the text says where it failed. A "
        "script is loaded without its main part, so its calculation belongs under `if __name__ == \"__main__\":`.",
    ),
    "AX620": Explanation(
        "a server cannot listen",
        "The port is in use, needs privileges, or the address is not this machine's. Port 0 takes any free one.",
    ),
    "AX621": Explanation(
        "a connection could not be made",
        "The other side refused, did not answer in time, or has another protocol (TLS against plain). With "
        "reconnect=True a client tries again by itself.",
    ),
    "AX630": Explanation(
        "there is no screen",
        "A window needs a display: an X server that DISPLAY names, or Wayland's WAYLAND_DISPLAY. Over ssh use "
        "`ssh -X`. SDL_VIDEODRIVER=dummy runs the program without showing anything; xvfb-run gives it a screen in "
        "memory.",
    ),
    "AX631": Explanation(
        "the screen went away",
        "The X server ended, or the ssh session that led to it, while a window was open. The program has been ended in "
        "order: files are closed, and what had been taken was dealt with. Start it again where there is a screen.",
    ),
    "AX640": Explanation(
        "a WSA4000 failed",
        "The radio, or the network between. The other codes from AX641 to AX648 say more.",
    ),
    "AX641": Explanation(
        "a WSA4000 cannot be reached",
        "Nothing answers at one of its two TCP ports (37001 for commands, 37000 for data). Is it switched on, is the "
        "address right, and does no firewall stand between? `discover()` lists the radios that answer on this network.",
    ),
    "AX642": Explanation(
        "the connection to a WSA4000 broke",
        "The radio closed or reset it, or the network did. The component connects again by itself; with the other two "
        "faces, connect anew.",
    ),
    "AX643": Explanation(
        "a WSA4000 did not answer",
        "A query got no reply, or only part of one, within reply_timeout_s. Replies have no ends, so what comes later "
        "cannot be told from the next reply, and the connection is given up.",
    ),
    "AX644": Explanation(
        "a WSA4000 answered something else",
        "The reply is not what the query asks for. Is there another kind of device at this address? If the network "
        "delivers a reply in pieces, with long pauses, a larger reply_gap_s helps.",
    ),
    "AX645": Explanation(
        "a WSA4000 refused a command",
        "The radio put an error into its queue; code and text are in the message. Most often a value is out of its "
        "range, or something is set while it streams.",
    ),
    "AX646": Explanation(
        "a WSA4000 is in use",
        "Another client holds the lock on acquisition, and only one can. It gets free when that client disconnects.",
    ),
    "AX647": Explanation(
        "the data stream of a WSA4000 cannot be followed",
        "Where a packet should begin stands something else. TCP loses nothing, so the radio itself sent this, or the "
        "port belongs to something else. Connecting anew helps.",
    ),
    "AX648": Explanation(
        "a WSA4000 sends no samples",
        "The connection stands, and nothing came for read_timeout_s. It may wait for a trigger, or for an external "
        "reference clock that is not there; or a firewall holds back the data port.",
    ),
    "AX660": Explanation(
        "a plot cannot be watched",
        "Nothing answers at that address, what answers is no plot or one of another version, or it has as many viewers "
        "as it lets in. Compare host and port with what the calculation says; from another machine look through "
        "`ssh -L PORT:127.0.0.1:PORT HOST`, or give the plot TLS.",
    ),
    "AX661": Explanation(
        "the plot has another token",
        "A plot makes a new token for each run, unless it is given one (LivePlot(token=...), AXONLIKE_PLOT_TOKEN). "
        "Take the one behind the # of the address that this run has printed.",
    ),
}


def explain(code: str) -> str | None:
    """The text for a code, wrapped for a terminal; None if there is no such code."""
    explanation = EXPLANATIONS.get(code.upper())
    if explanation is None:
        return None
    return f"{code.upper()}: {explanation.title}\n\n{textwrap.fill(explanation.text, 88)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``axonlike explain [CODE]``."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="such as AX103; none: list them all")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Print what stands for one code, or the list of all."""
    if options.code is None:
        if options.json:
            print_json({code: EXPLANATIONS[code]._asdict() for code in sorted(EXPLANATIONS)})
        else:
            for code in sorted(EXPLANATIONS):
                print(f"{code}  {EXPLANATIONS[code].title}")
        return Exit.OK
    text = explain(options.code)
    if text is None:
        raise Failure(f"no code {options.code!r}; `axonlike explain` lists those there are")
    if options.json:
        print_json({"code": options.code.upper(), **EXPLANATIONS[options.code.upper()]._asdict()})
    else:
        print(text)
    return Exit.OK
