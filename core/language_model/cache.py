"""A folder of finished things, by content hash: complete or absent, checked when read, bounded in size. No torch."""

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

MOST_ENTRIES = 16
MOST_BYTES = 512 * 2**20
_DIGESTS = "digests.json"
_UNFINISHED = ".unfinished-"
_UNFINISHED_LASTS_S = 24 * 3600.0


def cache_folder() -> Path:
    """Where trained models are kept: beside a TILESCOPE_DATA_DIR, or the platform's folder for this user's caches."""
    chosen = os.environ.get("TILESCOPE_DATA_DIR")
    return Path(chosen) / "cache" if chosen else Path(platformdirs.user_cache_dir("tilescope", appauthor=False))


class Cache:
    """Entries are folders of files, each with a list of its files' SHA-256 sums.

    An entry appears under its name in one rename, so that a reader, or another process writing the same one, never
    sees half of it. Nothing outside `folder` is touched.
    """

    def __init__(self, folder: Path, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self._most_entries = most_entries
        self._most_bytes = most_bytes

    def find(self, name: str) -> Path | None:
        """The folder of an entry whose files are what was written; None without one. A damaged entry is removed."""
        entry = self.folder / name
        if not entry.is_dir():
            return None
        if not _is_whole(entry):
            self._remove(entry)
            return None
        with suppress(OSError):
            os.utime(entry)  # what was used last is pruned last
        return entry

    def keep(self, name: str, write: Callable[[Path], None]) -> Path:
        """Make an entry of what `write` puts into the folder that it is given. One that is there already stays.

        Raises TilescopeError, with one sentence, where the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            try:
                write(unfinished)
                (unfinished / _DIGESTS).write_text(json.dumps(_digests(unfinished), indent=1))
                entry = self._publish(unfinished, name)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        except OSError as error:
            raise TilescopeError(f"Nothing can be kept in {self.folder}: {error.strerror or error}.") from error
        self._prune(keep=entry)
        return entry

    def _publish(self, unfinished: Path, name: str) -> Path:
        entry = self.folder / name
        if entry.is_dir() and not _is_whole(entry):
            self._remove(entry)
        try:
            unfinished.rename(entry)
        except OSError:
            if not entry.is_dir():  # not because another process was faster
                raise
        return entry

    def _remove(self, entry: Path) -> None:
        """Out of sight in one rename, then gone."""
        with suppress(OSError):
            away = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
            entry.rename(away / entry.name)
            shutil.rmtree(away, ignore_errors=True)

    def _prune(self, keep: Path) -> None:
        """Remove what was used longest ago beyond the bounds, and what a killed process left unfinished."""
        with suppress(OSError):
            now = time.time()
            folders = [folder for folder in self.folder.iterdir() if folder.is_dir()]
            for folder in folders:
                if folder.name.startswith(_UNFINISHED) and now - folder.stat().st_mtime > _UNFINISHED_LASTS_S:
                    shutil.rmtree(folder, ignore_errors=True)
            entries = [folder for folder in folders if (folder / _DIGESTS).exists() and folder != keep]
            used = _size(keep)
            for count, entry in enumerate(sorted(entries, key=lambda entry: entry.stat().st_mtime, reverse=True)):
                used += _size(entry)
                if count + 2 > self._most_entries or used > self._most_bytes:
                    self._remove(entry)


def _is_whole(entry: Path) -> bool:
    try:
        expected = json.loads((entry / _DIGESTS).read_text())
        return bool(expected == _digests(entry))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file in the folder but the list itself."""
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name != _DIGESTS:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
