"""Components: files as sources and sinks, recordings of signals, and other programs."""

from typing import TYPE_CHECKING

from axonlike.components.file.process import ProcessExited, ProcessStarted, Subprocess
from axonlike.components.file.reading import FileReader
from axonlike.components.file.writing import FileAppender, FileWriter
from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.file.recorder import Recorded, Recorder
    from axonlike.components.file.recording.writer import Mark
    from axonlike.components.file.replay import Replay

__getattr__ = loaded_late(__name__, {"recorder": "Recorded Recorder", "recording.writer": "Mark", "replay": "Replay"})

__all__ = [
    "FileAppender",
    "FileReader",
    "FileWriter",
    "Mark",
    "ProcessExited",
    "ProcessStarted",
    "Recorded",
    "Recorder",
    "Replay",
    "Subprocess",
]
