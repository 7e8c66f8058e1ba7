"""A folder of entries by content hash. An entry is complete or absent, and checked on reading. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.files import reason_of

MAX_ENTRIES = 16
MAX_BYTES = 512 * 2**20
_DIGESTS = "digests.json"
_UNFINISHED = ".unfinished-"
_UNFINISHED_MAX_AGE_S = 24 * 3600.0


def cache_folder() -> Path:
    """The folder for trained models: inside TILESCOPE_DATA_DIR if it is set, else the user's cache folder."""
    data_dir = os.environ.get("TILESCOPE_DATA_DIR")
    return Path(data_dir) / "cache" if data_dir else Path(platformdirs.user_cache_dir("tilescope", appauthor=False))


class Cache:
    """Entries are folders of files. Each entry lists the SHA-256 sums of its files.

    An entry gets its name in one rename, so no reader and no other writer ever sees half of it. Nothing outside
    `folder` is touched.
    """

    def __init__(self, folder: Path, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self._max_entries = max_entries
        self._max_bytes = max_bytes

    def find(self, name: str) -> Path | None:
        """The folder of an entry, None if it does not exist. An entry whose files have changed is removed."""
        entry = self.folder / name
        if not entry.is_dir():
            return None
        if not is_whole(entry):
            self._remove(entry)
            return None
        with suppress(OSError):
            os.utime(entry)  # the least recently used entry is pruned first
        return entry

    def keep(self, name: str, write: Callable[[Path], None]) -> Path:
        """Create an entry from the files that `write` puts into the folder it receives. An existing entry stays.

        Raises TilescopeError with one sentence if the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            try:
                write(unfinished)
                write_digests(unfinished)
                entry = self._publish(unfinished, name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        except OSError as error:
            text = tr(
                "The cache folder {folder} is not writable: {reason}.",
                folder=str(self.folder),
                reason=reason_of(error),
            )
            raise TilescopeError(text) from error
        self._prune(keep=entry)
        return entry

    def _publish(self, unfinished: Path, name: str) -> Path:
        entry = self.folder / name
        if entry.is_dir() and not is_whole(entry):
            self._remove(entry)
        try:
            unfinished.rename(entry)
        except OSError:
            if not entry.is_dir():  # if it exists, another process was faster
                raise
        return entry

    def _remove(self, entry: Path) -> None:
        """Move the entry aside in one rename, then delete it."""
        with suppress(OSError):
            doomed = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            entry.rename(doomed / entry.name)
            shutil.rmtree(doomed, ignore_errors=True)

    def _prune(self, keep: Path) -> None:
        """Remove the least recently used entries beyond the limits, and unfinished entries of killed processes."""
        with suppress(OSError):
            now = time.time()
            folders = [folder for folder in self.folder.iterdir() if folder.is_dir()]
            for folder in folders:
                if folder.name.startswith(_UNFINISHED) and now - folder.stat().st_mtime > _UNFINISHED_MAX_AGE_S:
                    shutil.rmtree(folder, ignore_errors=True)
            entries = [folder for folder in folders if (folder / _DIGESTS).exists() and folder != keep]
            total_bytes = _size(keep)
            for count, entry in enumerate(sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)):
                total_bytes += _size(entry)
                if count + 2 > self._max_entries or total_bytes > self._max_bytes:
                    self._remove(entry)


def write_digests(folder: Path) -> None:
    """List the SHA-256 sums of the folder's files in one more file, which makes the folder an entry."""
    (folder / _DIGESTS).write_text(json.dumps(_digests(folder), indent=1))


def is_whole(entry: Path) -> bool:
    """Whether the folder has exactly the files that it lists, unchanged."""
    try:
        expected = json.loads((entry / _DIGESTS).read_text())
        return bool(expected == _digests(entry))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file in the folder except the list itself."""
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name != _DIGESTS:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
