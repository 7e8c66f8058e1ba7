"""The SQLite file of the history: opening, schema, and what happens when it cannot be read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 10.0
_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    params TEXT NOT NULL,
    environment TEXT NOT NULL,
    metrics TEXT NOT NULL,
    started_at TEXT NOT NULL,
    wall_s REAL NOT NULL,
    removal INTEGER,
    size_bytes INTEGER NOT NULL,
    result BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_topic ON runs (topic, number);
"""


def data_folder() -> Path:
    """The folder of the user's data: TILESCOPE_DATA_DIR, or the platform's folder for user data."""
    return Path(os.environ.get("TILESCOPE_DATA_DIR") or platformdirs.user_data_dir("tilescope", appauthor=False))


class HistoryFile:
    """A database that can always be used: a file that cannot be read is renamed, never deleted, and a new one begins.

    Every use opens its own connection, so threads and processes can share the file. In WAL mode a process that is
    killed in the middle of a transaction leaves the file as it was before that transaction.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice: Text | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = str(error.strerror or error)
            raise TilescopeError(
                tr("The history cannot be stored in {folder}: {reason}.", folder=str(path.parent), reason=reason)
            ) from error
        try:
            self._prepare()
        except _Unreadable as error:
            self.notice = self._set_aside(error.is_newer)
            self._prepare()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are stored together or not at all. Raises TilescopeError with one sentence."""
        try:
            with self._connection() as database, database:
                yield database
        except _Unreadable as error:
            self.notice = self._set_aside(error.is_newer)
            self._prepare()
            raise TilescopeError(self.notice) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S)) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = NORMAL")
                yield database
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE:
                raise _Unreadable(is_newer=False) from error
            message = tr("The history {path} cannot be used: {error}.", path=str(self.path), error=str(error))
            raise TilescopeError(message) from error

    def _prepare(self) -> None:
        with self._connection() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise _Unreadable(is_newer=True)
            if version == SCHEMA_VERSION:
                return
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")

    def _set_aside(self, is_newer: bool) -> Text:
        """Rename the file and its companions; returns the sentence that reports it."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = self.path.with_name(f"{self.path.stem}-set-aside-{stamp}{self.path.suffix}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        if is_newer:
            return tr(
                "The history was written by a newer Tilescope: it was moved to {path}, and a new history was started.",
                path=str(aside),
            )
        return tr("The history is damaged: it was moved to {path}, and a new history was started.", path=str(aside))


class _Unreadable(Exception):
    """The file is damaged, or of a newer version of the program."""

    def __init__(self, *, is_newer: bool) -> None:
        super().__init__()
        self.is_newer = is_newer
