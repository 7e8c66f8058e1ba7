"""Damaged histories: every call is answered, and no byte of the user's is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

import numpy as np

from core.contracts.errors import TilescopeError
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import tr
from core.engine.history import History
from tests.engine.kept import TOPICS, KeptParams, KeptResult, Moved
from tests.robustness.attempt import Attempt, Fault, why_not_clear
from tests.robustness.damage import damaged

RUNS = 24


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """One way to damage a history of 24 runs, in turn; then every method is called."""
    path = folder / "data" / "history.sqlite3"
    shutil.copytree(_template(), path.parent)
    damage = _WAYS[number % len(_WAYS)]
    damage(rng, path)
    before = path.lstat().st_ino

    def work() -> None:
        sentences = _use(path, folder)
        for problem in map(why_not_clear, sentences):
            if problem:
                raise Fault(problem)
        if before not in {file.lstat().st_ino for file in path.parent.iterdir()}:
            raise Fault("the damaged file is gone")

    return Attempt(damage.__name__.strip("_").replace("_", " "), work)


def _use(path: Path, folder: Path) -> list[str]:
    """Everything that the window does with a history; returns the sentences of what could not be done."""
    sentences: list[str] = []

    def answer(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except TilescopeError as error:
            sentences.append(error.sentence or " ")
            return None

    history = answer(lambda: History(path, topics=TOPICS))
    if history is None:
        return sentences
    listing = answer(history.listing)
    entries = listing.entries if listing else ()
    if _keeps_rows(path) and listing is not None and len(entries) + listing.unreadable < RUNS and not history.notice:
        raise Fault(f"{RUNS - len(entries) - listing.unreadable} runs are gone without a notice")
    for entry in entries[:6]:
        answer(lambda entry=entry: history.load(entry.id))
        answer(lambda entry=entry: history.export(entry.id).write(folder / "out"))
    answer(lambda: history.find("flash", {"seq_len": 512}))
    if entries:
        answer(lambda: history.remove(entries[0].id))
        answer(history.undo_remove)
    added = answer(lambda: history.add(result_of(99), datetime.now(UTC), 1.0))
    if added is not None:
        answer(lambda: History(path, topics=TOPICS).load(added))
    if history.notice:
        sentences.append(str(history.notice))
    return sentences


def _keeps_rows(path: Path) -> bool:
    """Whether SQLite itself still sees every run."""
    try:
        with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
            whole = database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            return whole and database.execute("SELECT count(*) FROM runs WHERE removal IS NULL").fetchone()[0] == RUNS
    except (sqlite3.Error, OSError, TypeError):
        return False


def result_of(seed: int) -> KeptResult:
    return KeptResult(
        params=KeptParams(seq_len=512 + seed),
        environment=Environment("cpu", "lanes", {"torch": "2.13.0"}),
        metrics={"bytes": Metric(4096.0, "bytes", Provenance.TRACED, tr("exact"))},
        noise=np.random.default_rng(seed).random(400),
        traffic=(Moved("Q", 12, 0.5),),
    )


@cache
def _template() -> Path:
    folder = Path(mkdtemp(prefix="tilescope-history-")) / "data"
    history = History(folder / "history.sqlite3", topics=TOPICS)
    for seed in range(RUNS):
        history.add(result_of(seed), datetime(2026, 5, 4, 12, seed, tzinfo=UTC), 1.5)
    with sqlite3.connect(history._file.path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def close() -> None:
    shutil.rmtree(_template().parent)
    _template.cache_clear()


def _bytes(rng: Random, path: Path) -> None:
    path.write_bytes(damaged(path.read_bytes(), rng))


def _pages(rng: Random, path: Path) -> None:
    """Whole pages of zeros or noise, the first one included."""
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 2, 5])):
        at = rng.choice([0, rng.randrange(len(data) // 4096) * 4096])
        data[at : at + 4096] = rng.choice([bytes(4096), rng.randbytes(4096)])
    path.write_bytes(data)


def _companions(rng: Random, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").write_bytes(rng.randbytes(rng.choice([1, 32, 4096, 100_000])))


def _row(rng: Random, path: Path) -> None:
    """A value of a few rows becomes something else."""
    column = rng.choice(
        ["params", "environment", "metrics", "started_at", "topic", "result", "wall_s", "size_bytes", "id"]
    )
    odd = [
        b"",
        b"\xff\xfe",
        "",
        "null",
        "[]",
        "{",
        '{"bytes": 1}',
        "[" * 5_000,
        "x" * 100_000,
        "\x1b[2J",
        -1,
        1e308,
        2**62,
        "nan",
    ]
    with sqlite3.connect(path) as database:
        for number in rng.sample(range(1, RUNS + 1), rng.choice([1, 1, 5])):
            value = rng.choice(odd) if column != "id" else f"{rng.choice(odd)!r}{number}"
            if column == "result" and rng.random() < 0.5:
                old = database.execute("SELECT result FROM runs WHERE number = ?", (number,)).fetchone()[0]
                value = damaged(old, rng)
            database.execute(f"UPDATE runs SET {column} = ? WHERE number = ?", (value, number))
    database.close()


def _schema(rng: Random, path: Path) -> None:
    """Another schema: columns or the table renamed, an older or a newer version, a view in its place."""
    statement = rng.choice(
        [
            "DROP TABLE runs",
            "ALTER TABLE runs RENAME TO old_runs",
            "ALTER TABLE runs DROP COLUMN wall_s",
            "ALTER TABLE runs RENAME COLUMN params TO parameters",
            "PRAGMA user_version = 2",
            "PRAGMA user_version = 999999",
            "PRAGMA user_version = 0",
            "PRAGMA user_version = -5",
            "DROP INDEX runs_of_topic",
            "DELETE FROM sqlite_sequence",
            "CREATE TRIGGER bad BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'no'); END",
        ]
    )
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()


def _not_a_database(rng: Random, path: Path) -> None:
    path.write_bytes(
        rng.choice([b"", b"\n", b"SQLite format 3\x00", b"SQLite format 3\x00" + bytes(4080), b"{}", os.urandom(9_000)])
    )


def _not_a_regular_file(rng: Random, path: Path) -> None:
    path.unlink()
    way = rng.choice(["pipe", "folder", "zero", "full", "dangling", "loop"])
    if way == "pipe":
        os.mkfifo(path)
    elif way == "folder":
        path.mkdir()
    else:
        path.symlink_to({"zero": "/dev/zero", "full": "/dev/full", "dangling": "/nowhere/x", "loop": path.name}[way])


_WAYS = (_bytes, _pages, _row, _schema, _companions, _row, _bytes, _not_a_database, _pages, _not_a_regular_file)
