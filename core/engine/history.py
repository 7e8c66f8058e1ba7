"""The history of finished runs, stored in the user's data folder."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from core.contracts import archive, registry
from core.contracts.errors import InvalidParams, TilescopeError, UnknownName
from core.contracts.result import Metric, Result
from core.contracts.text import Text, quoted, tr
from core.engine.history_file import HistoryFile, columns
from core.files import reason_of, write_whole
from core.paths import data_folder
from core.run_files.saved_run import SavedRun

T = TypeVar("T")
_DEFAULT_LIMIT_BYTES = 1 << 30
_COLUMNS = "id, topic, params, environment, metrics, started_at, wall_s, size_bytes"


@dataclass(frozen=True)
class HistoryEntry:
    """One finished run, without its arrays and tables. `started_at` is in UTC."""

    id: str
    topic: str
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    metrics: Mapping[str, Metric]
    started_at: datetime
    wall_s: float
    size_bytes: int


@dataclass(frozen=True)
class RunTiming:
    """How long a run took. `seconds` is the time of the experiment itself where `is_warm`, else at most that."""

    params: Mapping[str, Any]
    environment: Mapping[str, str]
    seconds: float
    is_warm: bool
    is_live: bool


@dataclass(frozen=True)
class Listing:
    """Runs, newest first, and how many more there are that cannot be read."""

    entries: tuple[HistoryEntry, ...]
    unreadable: int = 0


@dataclass(frozen=True)
class Export:
    """A run as TOPIC-ID.json (without the arrays) and TOPIC-ID.npz (the whole result, for `from_bytes`)."""

    stem: str
    json: bytes
    npz: bytes

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files. Raises TilescopeError with one sentence where that fails."""
        json_path, npz_path = folder / f"{self.stem}.json", folder / f"{self.stem}.npz"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(json_path, self.json)
            write_whole(npz_path, self.npz)
        except OSError as error:
            raise TilescopeError(
                tr(
                    "The run cannot be exported to {folder} ({reason}): choose another folder.",
                    folder=str(folder),
                    reason=reason_of(error),
                )
            ) from error
        return json_path, npz_path


class History:
    """Finished runs, newest first. Threads and processes may share one file.

    `path` is the database, by default history.sqlite3 in `data_folder()`. All results together take at
    most `limit_bytes`: beyond that, removed runs are deleted first, then the oldest. `topics` maps topic ids to
    packages. `notice` is a sentence for the user when the file was damaged and renamed, or is read only. Every method
    raises TilescopeError with one sentence when the file cannot be read or written, and UnknownName for an id that is
    not in the history.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        limit_bytes: int = _DEFAULT_LIMIT_BYTES,
        topics: Mapping[str, str] = registry.TOPICS,
    ) -> None:
        self._file = HistoryFile(path if path is not None else data_folder() / "history.sqlite3")
        self._limit_bytes = limit_bytes
        self._topics = topics

    @property
    def notice(self) -> Text | None:
        return self._file.notice

    def add(
        self,
        result: Result,
        started_at: datetime,
        wall_s: float,
        *,
        run_s: float | None = None,
        is_live: bool = False,
    ) -> str:
        """Store a result; returns its id. The result is on disk when this returns.

        `run_s` is what `timings` reports: how long the experiment took in a warm worker, None if that is unknown. Of
        the runs of a topic that began by themselves (`is_live`), only the newest is kept.
        """
        entry_id, data = uuid4().hex, result.to_bytes()
        metrics = archive.plain(result.metrics)
        with self._file.transaction() as database:
            if is_live:
                database.execute("DELETE FROM runs WHERE is_live AND topic = ?", (result.topic,))
            database.execute(
                f"INSERT INTO runs ({_COLUMNS}, run_s, is_live, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry_id,
                    result.topic,
                    json.dumps(result.params_json),
                    json.dumps(result.environment.as_json()),
                    json.dumps(metrics),
                    started_at.astimezone(UTC).isoformat(),
                    wall_s,
                    len(data),
                    run_s,
                    is_live,
                    data,
                ),
            )
            pruned = self._prune(database, keep=entry_id)
        if pruned:
            self._shrink_file()
        return entry_id

    def list(self, topic: str | None = None, limit: int = 100, *, with_live: bool = False) -> tuple[HistoryEntry, ...]:
        """The newest `limit` runs, of one topic or of all; `with_live`: also the newest that began by itself."""
        return self.listing(topic, limit, with_live=with_live).entries

    def listing(self, topic: str | None = None, limit: int = 100, *, with_live: bool = False) -> Listing:
        """`list`, and how many of these runs cannot be read."""
        with self._file.reading() as database:
            asked = "TRUE" if with_live or "is_live" not in columns(database) else "NOT is_live"
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM runs WHERE removal IS NULL AND (?1 IS NULL OR topic = ?1) AND {asked} "
                "ORDER BY number DESC LIMIT ?2",
                (topic, limit),
            ).fetchall()
        entries = tuple(_readable(rows, _entry))
        return Listing(entries, len(rows) - len(entries))

    def find(self, topic: str, params: Mapping[str, Any], limit: int = 100) -> tuple[HistoryEntry, ...]:
        """The newest runs of a topic whose params have all these values."""
        required = json.loads(json.dumps(dict(params))).items()
        with self._file.reading() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM runs WHERE removal IS NULL AND topic = ? ORDER BY number DESC", (topic,)
            )
            matching = (entry for entry in _readable(rows, _entry) if required <= entry.params.items())
            return tuple(islice(matching, limit))

    def timings(self, topic: str, limit: int = 50) -> tuple[RunTiming, ...]:
        """How long the newest runs of a topic took, newest first. Much quicker than `list`: metrics are not read."""
        with self._file.reading() as database:
            facts = "run_s, is_live" if "run_s" in columns(database) else "NULL AS run_s, 0 AS is_live"
            rows = database.execute(
                f"SELECT params, environment, wall_s, {facts} FROM runs WHERE topic = ? ORDER BY number DESC LIMIT ?",
                (topic, limit),
            ).fetchall()
        return tuple(_readable(rows, _timing))

    def load(self, entry_id: str) -> Result:
        """The whole result of a run, even if an earlier version of the program stored it."""
        return self.saved(entry_id).result

    def saved(self, entry_id: str) -> SavedRun:
        """A run with when it started and how long it took."""
        row = self._row(entry_id, "id, topic, result, started_at, wall_s")
        kind = registry.topic(row["topic"], self._topics).result
        try:
            return SavedRun(kind.from_bytes(row["result"]), datetime.fromisoformat(row["started_at"]), row["wall_s"])
        except InvalidParams as error:
            raise TilescopeError(
                tr("The parameters of this run are no longer valid: {error}", error=error.text)
            ) from error
        except ValueError as error:
            raise _damaged(entry_id) from error

    def remove(self, entry_id: str) -> None:
        """Remove a run from the history; `undo_remove` restores it until its space is needed."""
        self._row(entry_id, "id")
        with self._file.transaction() as database:
            database.execute(
                "UPDATE runs SET removal = (SELECT coalesce(max(removal), 0) + 1 FROM runs) WHERE id = ?", (entry_id,)
            )

    def undo_remove(self) -> str | None:
        """Restore the run that was removed last; returns its id, or None when there is none."""
        with self._file.transaction() as database:
            row = database.execute(
                "UPDATE runs SET removal = NULL WHERE removal = (SELECT max(removal) FROM runs) RETURNING id"
            ).fetchone()
        return None if row is None else str(row["id"])

    def export(self, entry_id: str) -> Export:
        """A run as files that can be written anywhere."""
        row = self._row(entry_id, f"{_COLUMNS}, result")
        entry = _entry(row)
        # Params and environment as `list` shows them.
        shown = {**asdict(entry), "metrics": archive.plain(entry.metrics, text_of=str), "started_at": row["started_at"]}
        document = {**self.load(entry_id).as_json(), **shown}
        text = json.dumps(_standard_json(document), indent=2, ensure_ascii=False)
        return Export(f"{row['topic']}-{entry_id[:12]}", text.encode("utf-8"), row["result"])

    def _row(self, entry_id: str, columns: str) -> sqlite3.Row:
        with self._file.reading() as database:
            row: sqlite3.Row | None = database.execute(
                f"SELECT {columns} FROM runs WHERE id = ? AND removal IS NULL", (entry_id,)
            ).fetchone()
        if row is None:
            raise UnknownName(
                tr(
                    "There is no run {id} in the history: it may have been deleted in another window.",
                    id=quoted(entry_id),
                )
            )
        return row

    def _prune(self, database: sqlite3.Connection, keep: str) -> int:
        """Delete runs beyond the limit: removed ones first, then the oldest; never the run that is being added."""
        excess = database.execute("SELECT sum(size_bytes) FROM runs").fetchone()[0] - self._limit_bytes
        numbers = []
        for row in database.execute(
            "SELECT number, size_bytes FROM runs WHERE id != ? ORDER BY removal IS NULL, number", (keep,)
        ):
            if excess <= 0:
                break
            numbers.append((row["number"],))
            excess -= row["size_bytes"]
        database.executemany("DELETE FROM runs WHERE number = ?", numbers)
        return len(numbers)

    def _shrink_file(self) -> None:
        with self._file.transaction() as database:
            # Not `execute`: it would free only the first page.
            database.executescript("PRAGMA incremental_vacuum")


def _readable(rows: Iterable[sqlite3.Row], read: Callable[[sqlite3.Row], T]) -> Iterator[T]:
    """What the rows hold, without the damaged ones."""
    for row in rows:
        with suppress(TilescopeError):
            yield read(row)


def _timing(row: sqlite3.Row) -> RunTiming:
    try:
        return RunTiming(
            params=dict(json.loads(row["params"])),
            environment=dict(json.loads(row["environment"])),
            seconds=float(row["wall_s"] if row["run_s"] is None else row["run_s"]),
            is_warm=row["run_s"] is not None,
            is_live=bool(row["is_live"]),
        )
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _damaged("") from error


def _entry(row: sqlite3.Row) -> HistoryEntry:
    try:
        return HistoryEntry(
            id=row["id"],
            topic=row["topic"],
            params=dict(json.loads(row["params"])),
            environment=dict(json.loads(row["environment"])),
            metrics={name: archive.typed(Metric, metric) for name, metric in json.loads(row["metrics"]).items()},
            started_at=datetime.fromisoformat(row["started_at"]),
            wall_s=row["wall_s"],
            size_bytes=row["size_bytes"],
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _damaged(row["id"]) from error


def _damaged(entry_id: str) -> TilescopeError:
    return TilescopeError(tr("The run {id} in the history is damaged and cannot be opened.", id=entry_id))


def _standard_json(value: Any) -> Any:
    """The value with null for the numbers that JSON does not have (NaN, infinity)."""
    if isinstance(value, Mapping):
        return {key: _standard_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_standard_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
