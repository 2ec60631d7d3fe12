"""Files of samples: how each format is written so that a crash loses nothing that was whole, and how it is read."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.file.recording.formats import open_recording

__getattr__ = loaded_late(__name__, {"formats": "open_recording"})

__all__ = ["open_recording"]
