from __future__ import annotations

import errno
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import TilescopeError, UnknownName
from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import tr
from core.engine import history_file
from core.engine.history import History
from core.engine.history_file import SCHEMA_VERSION
from core.paths import data_folder
from tests.engine.helpers import TIMEOUT_S
from tests.engine.kept import TOPICS, KeptParams, KeptResult, Moved
from tests.old_result import old_bytes

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def result(topic: str = "flash", size: int = 8, seed: int = 0, **params: Any) -> KeptResult:
    return KeptResult(
        topic=topic,
        params=KeptParams(**params),
        environment=Environment("cpu", "lanes", {"torch": "2.13.0"}),
        metrics={"bytes": Metric(4096.0, "B", Provenance.TRACED, tr("exact"))},
        noise=np.random.default_rng(seed).random(size),
        traffic=(Moved("Q", 12, math.nan),),
    )


def open_history(path: Path, **limits: int) -> History:
    return History(path, topics=TOPICS, **limits)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.sqlite3"


@pytest.fixture
def history(path: Path) -> History:
    return open_history(path)


def test_that_a_stored_run_is_loaded_unchanged(history: History, path: Path) -> None:
    kept = result(seq_len=1000)
    entry_id = history.add(kept, datetime(2026, 5, 4, 14, 0, tzinfo=timezone(timedelta(hours=2))), 1.5)
    again = open_history(path)
    [entry] = again.list()
    assert (entry.id, entry.topic, entry.wall_s) == (entry_id, "flash", 1.5)
    assert entry.started_at == NOON
    assert entry.params == kept.params_json
    assert entry.metrics == kept.metrics
    assert entry.environment == {"device": "cpu", "backend": "lanes", "torch": "2.13.0"}
    loaded = again.load(entry_id)
    np.testing.assert_array_equal(loaded.noise, kept.noise)
    assert loaded.metrics == kept.metrics


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(["flash", "gqa", "lora"]), max_size=12), st.integers(0, 12))
def test_that_the_list_is_the_newest_first_of_a_topic_or_of_all(topics: list[str], limit: int) -> None:
    with TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.sqlite3")
        ids = [(topic, history.add(result(topic), NOON, 0.1)) for topic in topics]
        assert [entry.id for entry in history.list(limit=limit)] == [i for _, i in reversed(ids)][:limit]
        flash = [i for topic, i in reversed(ids) if topic == "flash"]
        assert [entry.id for entry in history.list("flash", limit)] == flash[:limit]


def test_that_a_run_that_an_older_version_stored_still_opens(history: History, path: Path) -> None:
    entry_id = history.add(result(), NOON, 0.1)
    stored = old_bytes(
        "flash",
        KeptParams(seq_len=64),
        arrays={"noise": np.arange(3)},
        tables={"traffic": [{"tensor": "K", "read_bytes": 8, "share": 0.5}], "gone": [{"a": 1}]},
    )
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET result = ?", (stored,))
    opened = history.load(entry_id)
    assert isinstance(opened, KeptResult)
    assert (opened.params, opened.traffic) == (KeptParams(seq_len=64), (Moved("K", 8, 0.5),))
    np.testing.assert_array_equal(opened.noise, np.arange(3))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("params", "{"),
        ("metrics", '{"bytes": {"provenance": "guessed"}}'),
        ("environment", "7"),
        ("started_at", "noon"),
    ],
)
def test_that_a_damaged_row_leaves_the_others(history: History, path: Path, column: str, value: str) -> None:
    damaged, whole = (history.add(result(seed=seed), NOON, 0.1) for seed in range(2))
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, damaged))
    assert [entry.id for entry in history.list()] == [whole]
    assert [entry.id for entry in history.find("flash", {})] == [whole]
    with pytest.raises(TilescopeError, match=f"The run {damaged} in the history is damaged"):
        history.export(damaged).write(path.parent)


def test_that_a_result_that_is_damaged_is_a_sentence(history: History, path: Path) -> None:
    entry_id = history.add(result(), NOON, 0.1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET result = substr(result, 1, 100)")
    with pytest.raises(TilescopeError, match="is damaged and cannot be opened"):
        history.load(entry_id)


def test_that_a_run_of_a_removed_topic_is_a_sentence(history: History, path: Path) -> None:
    entry_id = history.add(result("gone"), NOON, 0.1)
    with pytest.raises(UnknownName, match="no topic 'gone'"):
        history.load(entry_id)


def test_that_runs_are_found_by_their_params(history: History) -> None:
    first = history.add(result(seq_len=512), NOON, 0.1)
    second = history.add(result(seq_len=1024), NOON, 0.1)
    third = history.add(result(seq_len=512, causal=False), NOON, 0.1)
    assert [e.id for e in history.find("flash", {"seq_len": 512})] == [third, first]
    assert [e.id for e in history.find("flash", {"seq_len": 512}, limit=1)] == [third]
    assert [e.id for e in history.find("flash", {"seq_len": 512, "causal": True})] == [first]
    assert [e.id for e in history.find("flash", {})] == [third, second, first]
    assert history.find("gqa", {}) == ()


def test_that_a_removed_run_is_gone_until_the_removal_is_undone(history: History) -> None:
    first, second = (history.add(result(seed=seed), NOON, 0.1) for seed in range(2))
    history.remove(first)
    history.remove(second)
    assert history.list() == ()
    for use in (history.load, history.remove):
        with pytest.raises(UnknownName, match="no run"):
            use(second)
    assert history.undo_remove() == second
    assert history.undo_remove() == first
    assert history.undo_remove() is None
    assert [entry.id for entry in history.list()] == [second, first]


def test_that_beyond_the_limit_removed_runs_go_first_and_then_the_oldest(path: Path) -> None:
    one = len(result(size=50_000).to_bytes())
    history = open_history(path, limit_bytes=int(3.5 * one))
    first, second, third = (history.add(result(size=50_000, seed=seed), NOON, 0.1) for seed in range(3))
    history.remove(second)
    fourth = history.add(result(size=50_000, seed=4), NOON, 0.1)
    assert [entry.id for entry in history.list()] == [fourth, third, first]
    assert history.undo_remove() is None
    fifth = history.add(result(size=50_000, seed=5), NOON, 0.1)
    assert [entry.id for entry in history.list()] == [fifth, fourth, third]


def test_that_the_file_shrinks_when_runs_are_deleted_for_a_small_one(path: Path) -> None:
    history = open_history(path, limit_bytes=4_000_000)
    for seed in range(4):
        history.add(result(size=100_000, seed=seed), NOON, 0.1)
    full = path.stat().st_size
    open_history(path, limit_bytes=10_000).add(result(), NOON, 0.1)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < full / 4


def test_that_a_run_larger_than_the_limit_is_kept_alone(path: Path) -> None:
    history = open_history(path, limit_bytes=10)
    history.add(result(), NOON, 0.1)
    second = history.add(result(), NOON, 0.1)
    assert [entry.id for entry in history.list()] == [second]


def test_that_an_export_is_standard_json_and_an_archive_that_opens(history: History, tmp_path: Path) -> None:
    entry_id = history.add(result(), NOON, 2.5)
    json_path, npz_path = history.export(entry_id).write(tmp_path / "out")

    def no_such_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    document = json.loads(json_path.read_text(), parse_constant=no_such_constant)
    assert document["metrics"]["bytes"] == {"value": 4096.0, "unit": "B", "provenance": "traced", "note": "exact"}
    assert document["traffic"] == [{"tensor": "Q", "read_bytes": 12, "share": None}]
    assert document["started_at"] == "2026-05-04T12:00:00+00:00"
    assert document["environment"] == history.list()[0].environment
    np.testing.assert_array_equal(KeptResult.from_bytes(npz_path.read_bytes()).noise, history.load(entry_id).noise)


def test_that_an_export_to_where_nothing_can_be_written_is_a_sentence(history: History, tmp_path: Path) -> None:
    entry_id = history.add(result(), NOON, 0.1)
    (tmp_path / "file").touch()
    with pytest.raises(TilescopeError, match="cannot be exported"):
        history.export(entry_id).write(tmp_path / "file")


@pytest.mark.parametrize("content", [b"this is no database at all, " * 400, b"SQLite format 3\0" + b"\xff" * 4000])
def test_that_a_file_that_is_no_database_is_moved_aside_and_reported(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    history = open_history(path)
    assert history.notice is not None
    assert str(history.notice).startswith("The history is damaged: it was moved to ")
    [aside] = path.parent.glob("history-set-aside-*.sqlite3")
    assert aside.read_bytes() == content
    history.add(result(), NOON, 0.1)
    assert len(open_history(path).list()) == 1
    assert open_history(path).notice is None


def test_that_damage_found_later_is_moved_aside_and_reported_once(path: Path) -> None:
    history = open_history(path)
    for seed in range(3):
        history.add(result(size=2000, seed=seed), NOON, 0.1)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(TilescopeError, match="damaged: it was moved to"):
        history.list()
    assert history.list() == ()
    [aside] = path.parent.glob("history-set-aside-*.sqlite3")
    assert aside.read_bytes() == bytes(data)


def test_that_the_history_of_a_newer_version_is_listed_and_not_changed(path: Path) -> None:
    open_history(path).add(result(), NOON, 0.1)
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    history = open_history(path)
    assert "was written by a newer version of Tilescope" in str(history.notice)
    [entry] = history.list()
    assert history.load(entry.id).value("bytes") == 4096
    for change in (lambda: history.add(result(), NOON, 0.1), lambda: history.remove(entry.id), history.undo_remove):
        with pytest.raises(TilescopeError, match="newer version of Tilescope"):
            change()
    assert [kept.id for kept in open_history(path).list()] == [entry.id]
    assert not list(path.parent.glob("*set-aside*"))


def test_that_a_history_that_cannot_be_written_is_listed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_history(path).add(result(), NOON, 0.1)
    before = path.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)
    history = open_history(path)
    assert "cannot be written" in str(history.notice)
    assert len(history.list()) == 1
    with pytest.raises(TilescopeError, match="cannot be written"):
        history.add(result(), NOON, 0.1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("obstacle", ["read only", "no rename", "locked"])
def test_that_damage_that_cannot_be_moved_away_is_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, " * 400)
    before = path.read_bytes()
    if obstacle == "read only":
        monkeypatch.setattr(os, "access", lambda *_: False)
    elif obstacle == "no rename":
        monkeypatch.setattr(Path, "rename", lambda *_: os.mkdir("/"))
    else:
        monkeypatch.setattr(history_file, "_BUSY_TIMEOUT_S", 0.01)
    with FileLock(f"{path}.lock") if obstacle == "locked" else nullcontext():  # noqa: SIM117
        with pytest.raises(TilescopeError, match="cannot be moved away"):
            open_history(path).list()
    assert path.read_bytes() == before


def test_that_rows_that_cannot_be_read_are_counted(history: History, path: Path) -> None:
    for seed in range(4):
        history.add(result(seed=seed), NOON, 0.1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET params = 'x' WHERE number IN (1, 3)")
    database.close()
    listing = history.listing()
    assert (len(listing.entries), listing.unreadable) == (2, 2)


def _open_damaged(path: Path) -> str:
    history = open_history(path)
    history.add(result(), NOON, 0.1)
    return str(history.notice or "")


def test_that_of_several_processes_one_sets_a_damaged_file_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, " * 400)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        notices = list(pool.map(_open_damaged, [path] * 3))
    assert sum("was moved to" in notice for notice in notices) == 1
    assert len(list(path.parent.glob("history-set-aside-*.sqlite3"))) == 1
    assert len(open_history(path).list()) == 3


def test_that_no_new_file_begins_while_a_damaged_one_is_moved_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log would be moved away as a companion of the damaged file."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, " * 400)
    rename, opened = Path.rename, threading.Event()
    other = threading.Thread(target=lambda: (open_history(path), opened.set()))

    def slowly(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        other.start()
        assert not opened.wait(0.2)
        return renamed

    monkeypatch.setattr(Path, "rename", slowly)
    open_history(path)
    other.join(10)
    assert opened.is_set()


def test_that_an_export_to_a_full_disk_leaves_nothing(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    entry_id = history.add(result(), NOON, 0.1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TilescopeError, match="no space left"):
        history.export(entry_id).write(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_that_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TilescopeError, match="The history cannot be stored in"):
        History(tmp_path / "file" / "history.sqlite3")


def test_that_threads_share_one_history(path: Path) -> None:
    history = open_history(path)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda seed: history.add(result(seed=seed), NOON, 0.1), range(40)))
    assert {entry.id for entry in history.list()} == ids


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from core.contracts.text import tr
from core.engine.history import History
from tests.engine.test_history import result
history = History(Path(sys.argv[1]))
for seed in range(int(sys.argv[2])):
    print(history.add(result(size=200_000, seed=seed), datetime.now(UTC), 0.1), flush=True)
"""


def writer(path: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_that_killing_the_writer_loses_at_most_the_run_in_flight(path: Path) -> None:
    process = writer(path, 10_000)
    assert process.stdout is not None
    kept = [process.stdout.readline().strip() for _ in range(5)]
    os.kill(process.pid, signal.SIGKILL)
    kept += process.stdout.read().split()
    process.wait(TIMEOUT_S)
    process.stdout.close()

    history = open_history(path)
    assert history.notice is None
    ids = [entry.id for entry in reversed(history.list())]
    assert ids[: len(kept)] == kept
    assert len(ids) - len(kept) <= 1, "the last may have been stored just before its id was printed"
    for entry_id in ids:
        history.load(entry_id)
    history.add(result(), NOON, 0.1)


def test_that_processes_share_one_history(path: Path) -> None:
    writers = [writer(path, 5) for _ in range(2)]
    ids = [line for process in writers for line in process.communicate(timeout=TIMEOUT_S)[0].split()]
    assert len(ids) == 10
    assert {entry.id for entry in open_history(path).list()} == set(ids)


def test_that_the_data_folder_is_the_platforms_unless_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TILESCOPE_DATA_DIR", raising=False)
    assert data_folder().name == "tilescope"
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    History()
    assert (tmp_path / "mine" / "history.sqlite3").exists()
