"""Files of the user: only regular ones are opened, no more is read than allowed, and a file is written whole."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from core.contracts.text import Text, tr, verbatim
from core.format import quantity


class NotRegular(OSError):
    """What was opened is a pipe, a device, a socket or a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, os.strerror(errno.EINVAL), str(path))


class TooLarge(OSError):
    """The file holds more than it may."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        self.max_bytes = max_bytes


_REASONS = {
    errno.ENOENT: tr("it does not exist"),
    errno.EACCES: tr("permission denied"),
    errno.EPERM: tr("permission denied"),
    errno.ENOSPC: tr("no space left on the disk"),
    errno.EROFS: tr("the disk is read only"),
    errno.EISDIR: tr("it is a folder"),
    errno.ENOTDIR: tr("a part of the path is not a folder"),
    errno.ENAMETOOLONG: tr("the path is too long"),
    errno.ELOOP: tr("its links form a loop"),
    errno.EIO: tr("the disk reports an error"),
    errno.EMFILE: tr("too many files are open"),
    errno.ENXIO: tr("it is not a regular file"),
    errno.EPIPE: tr("the program that reads it has ended"),
}


def reason_of(error: OSError) -> Text:
    """Why the system refused, as the rest of a sentence; what is not known is told in the system's words."""
    if isinstance(error, NotRegular):
        return tr("it is not a regular file")
    if isinstance(error, TooLarge):
        return tr("it is larger than {limit}", limit=quantity(error.max_bytes, "bytes"))
    return _REASONS.get(error.errno or 0) or verbatim(error.strerror or str(error) or type(error).__name__)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting. Raises OSError for what is none: a pipe, a device, a socket, a folder.

    The file is checked once it is open, so that nothing can be put in its place in between.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(path)
    return os.fdopen(descriptor, "rb")


def stamp(path: Path) -> tuple[int, int]:
    """When the file was changed last, in ns, and its size: what was read from it is out of date once this differs.
    Zeros for what cannot be looked at."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The whole file. Raises OSError for what is no regular file, or holds more, whatever size it claims to have."""
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(path, max_bytes)
    return data


def read_object(path: Path, max_bytes: int, max_pairs: int | None = None) -> dict[str, Any]:
    """The object in a JSON file, with at most `max_pairs` pairs: they are counted before they are read, which would
    take minutes. Raises OSError as `read_regular` does, ValueError for what is no JSON, TypeError for no object."""
    data = read_regular(path, max_bytes)
    if max_pairs is not None and data.count(b":") > max_pairs:
        raise TooLarge(path, max_bytes)
    try:
        contents = json.loads(data)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(contents, dict):
        raise TypeError(type(contents).__name__)
    return contents


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write the file; where that fails (a full disk), what was there before is unchanged. Raises OSError.

    A file that is replaced keeps its permissions, and a link goes on pointing to it. What is no file (a device, a pipe)
    is written to, not replaced.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, stat.S_IMODE(mode))
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    """The permissions that new files lack; the system tells them only to whoever sets others."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
