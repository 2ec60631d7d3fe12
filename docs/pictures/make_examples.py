"""Pictures of the examples about signals: `python docs/pictures/make_examples.py [NAME...]`.

Each example runs as its user would run it, on a virtual X screen and on its simulated device, for as long as it takes
to fill its window; the picture is what that window then shows. Needs Xvfb and xdotool. `main(names)` is for another
script to call.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import pygame  # noqa: E402
from palette import save_small  # noqa: E402
from windows import MISSING, ROOT, XScreen, pause, program, x_screen  # noqa: E402


@dataclass(frozen=True)
class Example:
    """after_s: when its window shows what it is about. use: what its user does before that picture."""

    after_s: float
    arguments: tuple[str, ...] = ()
    use: Callable[[XScreen, str], object] = lambda screen, window: None


EXAMPLES = {
    "noise_scope": Example(5.0),
    "radio_spectrum": Example(33.0),
    "two_radios": Example(5.0),
    "audio_scope": Example(4.0),
    "audio_triggered_scope": Example(6.0),
    "audio_spectrogram": Example(9.0),
    "eeg_record": Example(13.5, ("eeg.h5",)),
    "webcam": Example(4.0),
}


def picture(name: str) -> None:
    """Run examples/NAME.py, and save docs/pictures/example-NAME.png."""
    example = EXAMPLES[name]
    with tempfile.TemporaryDirectory() as folder, x_screen((1280, 900)) as screen:
        arguments = [str(Path(folder) / argument) for argument in example.arguments]
        with program(screen, f"{name}.py", *arguments) as pid:
            window = screen.window(pid)
            screen.move(window, 0, 0)
            pause(example.after_s)
            example.use(screen, window)
            geometry = dict(
                line.split("=") for line in screen.xdotool("getwindowgeometry", "--shell", window).splitlines()
            )
            shot: Any = screen.picture(pygame)
            size = int(geometry["WIDTH"]), int(geometry["HEIGHT"])
    path = HERE / f"example-{name}.png"
    save_small(shot.subsurface((0, 0, *size)), path)
    print(f"{path.relative_to(ROOT)}  {size[0]} x {size[1]}  {path.stat().st_size / 1000:.0f} kB")


def main(names: Iterable[str] = ()) -> None:
    """Make the pictures that are named, or all."""
    if MISSING:
        raise SystemExit(f"docs/pictures/make_examples.py needs {MISSING}: sudo apt install xvfb xdotool")
    for name in list(names) or EXAMPLES:
        if name not in EXAMPLES:
            raise SystemExit(f"no example {name!r}; there are: {', '.join(EXAMPLES)}")
        picture(name)


if __name__ == "__main__":
    main(sys.argv[1:])
