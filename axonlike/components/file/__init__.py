"""Components: files as sources and sinks, and other programs."""

from axonlike.components.file.process import ProcessExited, ProcessStarted, Subprocess
from axonlike.components.file.reading import FileReader
from axonlike.components.file.writing import FileAppender, FileWriter

__all__ = ["FileAppender", "FileReader", "FileWriter", "ProcessExited", "ProcessStarted", "Subprocess"]
