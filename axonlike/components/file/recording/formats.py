"""Which format a recording's name means."""

from __future__ import annotations

from pathlib import Path

from axonlike.components.file.recording.hdf5 import HDF5Reader, HDF5Writer
from axonlike.components.file.recording.mcap import MCAPReader, MCAPWriter
from axonlike.components.file.recording.sigmf import SigMFReader, SigMFWriter
from axonlike.components.file.recording.text import CSVReader, CSVWriter
from axonlike.components.file.recording.vrt import VRTReader, VRTWriter
from axonlike.components.file.recording.wav import WavReader, WavWriter
from axonlike.components.file.recording.writer import Reader, Writer
from axonlike.components.file.trouble import file_trouble
from axonlike.errors import UsageError, did_you_mean

__all__ = ["format_of", "numbered", "open_recording"]

_FORMATS: dict[str, tuple[type[Writer], type[Reader]]] = {
    ".csv": (CSVWriter, CSVReader),
    ".h5": (HDF5Writer, HDF5Reader),
    ".hdf5": (HDF5Writer, HDF5Reader),
    ".mcap": (MCAPWriter, MCAPReader),
    ".sigmf": (SigMFWriter, SigMFReader),
    ".sigmf-data": (SigMFWriter, SigMFReader),
    ".sigmf-meta": (SigMFWriter, SigMFReader),
    ".vrt": (VRTWriter, VRTReader),
    ".wav": (WavWriter, WavReader),
}


def format_of(path: Path) -> tuple[Path, type[Writer], type[Reader]]:
    """The file that holds the samples, and what writes and reads it. Raises UsageError for an unknown ending."""
    ending = path.suffix.lower()
    if ending not in _FORMATS:
        known = ", ".join(name for name in _FORMATS if name not in (".hdf5", ".sigmf-data", ".sigmf-meta"))
        raise UsageError(
            f"{path}: no format for the ending {ending!r}{did_you_mean(ending, _FORMATS)} (there are: {known})"
        )
    writer, reader = _FORMATS[ending]
    return (path.with_suffix(".sigmf-data") if ending.startswith(".sigmf") else path), writer, reader


def numbered(path: Path, number: int) -> Path:
    """The name of the file in which a recording goes on: run.wav, run-2.wav, run-3.wav."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def open_recording(path: str | Path) -> Reader:
    """Open a recording, in whatever format its name says, to read its `segments` and `chunks`.

    Raises UsageError for what is no recording, DeviceError for what cannot be read.
    """
    samples, _, reader = format_of(Path(path))
    try:
        samples.stat()
        return reader(samples)
    except OSError as exc:
        raise file_trouble("cannot read", str(samples), exc) from exc
