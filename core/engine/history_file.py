"""The SQLite file of the history: opening, schema, and what happens when it cannot be read."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.files import reason_of

SCHEMA_VERSION = 2
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
    run_s REAL,
    is_live INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL,
    result BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_of_topic ON runs (topic, number);
"""
_ADDED_COLUMNS = {"run_s": "REAL", "is_live": "INTEGER NOT NULL DEFAULT 0"}
"""Columns that a file of version 1 does not have."""


def columns(database: sqlite3.Connection) -> set[str]:
    """The columns of the table of runs: an older file that cannot be written lacks some."""
    return {row[1] for row in database.execute("PRAGMA table_info(runs)")}


class HistoryFile:
    """A database that can always be used. A damaged file is renamed, never deleted, and a new one begins; a file of a
    newer version, or one that cannot be written, is read only. `notice` says which of these it was.

    Every use opens its own connection, so threads and processes can share the file. In WAL mode a process that is
    killed in the middle of a transaction leaves the file as it was before that transaction.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice: Text | None = None
        self._read_only = False
        self._lock = FileLock(f"{path}.lock", timeout=_BUSY_TIMEOUT_S)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            exists = path.exists()
        except OSError as error:
            reason = reason_of(error)
            raise TilescopeError(
                tr("The history cannot be stored in {folder}: {reason}.", folder=str(path.parent), reason=reason)
            ) from error
        if exists and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            self._read_only = True
            self.notice = tr(
                "The history in {folder} cannot be written: its runs are listed, but new runs are not saved. "
                "Make the folder writable to save them.",
                folder=str(path.parent),
            )
            return
        try:
            self._prepare()
        except _Unreadable:
            self.notice = self._set_aside()
        except OSError as error:  # of the lock
            raise TilescopeError(
                tr("The history {path} cannot be used: {error}.", path=str(path), error=reason_of(error))
            ) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that changes nothing. Raises TilescopeError with one sentence."""
        try:
            with self._connection() as database:
                yield database
        except _Unreadable as error:
            raise self._damage_found() from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are stored together or not at all. Raises TilescopeError with one sentence."""
        if self._read_only:
            raise TilescopeError(self.notice or EMPTY)
        try:
            with self._connection() as database, database:
                yield database
        except _Unreadable as error:
            raise self._damage_found() from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connected()) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = NORMAL")
                yield database
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE:
                raise _Unreadable from error
            message = tr("The history {path} cannot be used: {error}.", path=str(self.path), error=str(error))
            raise TilescopeError(message) from error

    def _connected(self) -> sqlite3.Connection:
        if not self._read_only:
            return sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S)
        # Immutable: SQLite creates no companions in a folder that cannot be written. What another process has only
        # in its log is not seen then.
        is_alone = not Path(f"{self.path}-wal").exists()
        options = "mode=ro&immutable=1" if is_alone else "mode=ro"
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?{options}", uri=True, timeout=_BUSY_TIMEOUT_S)

    def _prepare(self) -> None:
        """Raises _Unreadable if the file is damaged, and OSError if it cannot be locked.

        A new file begins under the lock: another process that moves a damaged one away takes all companions with it.
        """
        with self._connection() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                self._read_only = True
                self.notice = tr(
                    "The history was written by a newer version of Tilescope: the runs that this version can "
                    "read are listed, and new runs are not saved. Use the newer version to save runs."
                )
                return
            if version == SCHEMA_VERSION:
                return
        with self._lock, self._connection() as database:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
                present = columns(database)
                for name in _ADDED_COLUMNS.keys() - present:
                    database.execute(f"ALTER TABLE runs ADD COLUMN {name} {_ADDED_COLUMNS[name]}")
                database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _damage_found(self) -> TilescopeError:
        self.notice = self._set_aside()
        return TilescopeError(self.notice or tr("The history was damaged, and another window has started a new one."))

    def _set_aside(self) -> Text | None:
        """Rename a damaged file and its companions, and begin a new one; returns the sentence that reports it.

        Of several processes that find the damage, one renames; for the others the file is whole again: None. Raises
        TilescopeError where the file cannot be renamed.
        """
        try:
            if self._read_only:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return self._renamed()
        except OSError as error:  # the lock's Timeout is one
            message = tr(
                "The history {path} is damaged, and it cannot be moved away: {error}.",
                path=str(self.path),
                error=reason_of(error),
            )
            raise TilescopeError(message) from error

    def _renamed(self) -> Text | None:
        with self._lock:
            try:
                self._prepare()
                self._check()
            except _Unreadable:
                pass
            else:
                return None
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
            aside = self.path.with_name(f"{self.path.stem}-set-aside-{stamp}{self.path.suffix}")
            for suffix in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
            self._prepare()
        return tr("The history is damaged: it was moved to {path}, and a new history was started.", path=str(aside))

    def _check(self) -> None:
        """Raises _Unreadable where a page of the file is damaged."""
        with self._connection() as database:
            if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _Unreadable


class _Unreadable(Exception):
    """The file is damaged."""
