"""Only one run at a time writes the files of a stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.contracts.errors import InvalidParams
from core.contracts.text import tr

LOCK = ".lock"


@contextmanager
def only_writer(folder: Path | None) -> Iterator[None]:
    """Hold the folder, if there is one, so that a run in another window or terminal does not write into it as well.

    The system frees it when the process ends, however it ends. Raises InvalidParams if another run holds it.
    """
    lock = _acquired(folder) if folder is not None else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _acquired(folder: Path) -> FileLock | None:
    """The lock; None where the file system has none, or refuses the folder: saving the first step then says why."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise InvalidParams(
            tr(
                "Another run is writing in {folder}: wait until it ends, cancel it, or choose another folder.",
                folder=str(folder),
            ),
            "folder",
        ) from error
    except (OSError, NotImplementedError):
        return None
    return lock
