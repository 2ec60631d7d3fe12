"""What the system's errors about files mean for the person whose disk it is."""

from __future__ import annotations

import errno

from axonlike.errors import DeviceError

__all__ = ["file_trouble"]

_REMEDIES = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "this user's quota is used up: free some space, or have it raised",
    errno.EFBIG: "the file system, or ulimit -f, allows no larger file",
    errno.EROFS: "the file system is mounted read-only (after an error of the disk? see dmesg)",
    errno.EIO: "the disk, card or network share fails: see dmesg, and trust nothing written lately",
    errno.EACCES: "this user may not: see ls -l of the file and of its folders",
    errno.EPERM: "this user may not: see ls -l and lsattr of the file",
    errno.ENOENT: "there is no such file, or a folder in its path is missing (mkdir -p)",
    errno.EISDIR: "that is a folder: name a file",
    errno.ENOTDIR: "a folder in its path is a file",
    errno.EMFILE: "this program has too many files open: see ulimit -n",
    errno.ENFILE: "the whole machine has too many files open",
}


def file_trouble(doing: str, path: str, exc: OSError) -> DeviceError:
    """The error to raise ``from exc``: what was being done, to which file, why it failed, what to do."""
    what = exc.strerror or str(exc)
    remedy = _REMEDIES.get(exc.errno or 0)
    return DeviceError(f"{doing} {path}: {what}" + (f"; {remedy}" if remedy else ""))
