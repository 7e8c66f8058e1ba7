"""Runs that began by themselves: one per topic is kept, and how long runs took is known quickly."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.engine import history_file
from core.engine.history import History
from tests.engine.test_history import NOON, open_history, result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def history(path: Path) -> History:
    return open_history(path)


def test_that_only_the_newest_live_run_of_a_topic_is_kept_and_it_is_not_listed(history: History) -> None:
    asked = history.add(result(), NOON, 1.0)
    for seq_len in (64, 128):
        history.add(result(seq_len=seq_len), NOON, 0.2, is_live=True)
    other = history.add(result("masks"), NOON, 0.2, is_live=True)
    assert [entry.id for entry in history.list("flash")] == [asked]
    assert [entry.params["seq_len"] for entry in history.list("flash", with_live=True)] == [128, 512]
    assert history.load(other).topic == "masks"


def test_that_timings_are_the_newest_first_and_say_what_they_are_of(history: History) -> None:
    history.add(result(), NOON, 5.0)
    history.add(result(seq_len=64), NOON, 2.0, run_s=0.5)
    history.add(result(seq_len=128), NOON, 1.0, run_s=0.25, is_live=True)
    timings = history.timings("flash")
    assert [(each.params["seq_len"], each.seconds, each.is_warm, each.is_live) for each in timings] == [
        (128, 0.25, True, True),
        (64, 0.5, True, False),
        (512, 5.0, False, False),
    ]
    assert timings[0].environment["device"] == "cpu"
    assert history.timings("flash", limit=1) == timings[:1]
    assert history.timings("masks") == ()


def _of_version_1(path: Path) -> None:
    """A file as an earlier version of the program left it."""
    open_history(path).add(result(), datetime(2026, 1, 1, tzinfo=UTC), 3.0)
    with sqlite3.connect(path) as database:
        for column in history_file._ADDED_COLUMNS:
            database.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        database.execute("PRAGMA user_version = 1")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def test_that_a_file_of_an_earlier_version_gets_the_new_columns(path: Path) -> None:
    _of_version_1(path)
    history = open_history(path)
    assert history.notice is None
    [timing] = history.timings("flash")
    assert (timing.seconds, timing.is_warm, timing.is_live) == (3.0, False, False)
    history.add(result(seq_len=64), NOON, 0.5, is_live=True)
    assert len(history.list()) == 1
    assert len(open_history(path).list(with_live=True)) == 2


def test_that_a_file_of_an_earlier_version_that_cannot_be_written_is_still_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _of_version_1(path)
    monkeypatch.setattr(history_file.os, "access", lambda *_: False)
    history = open_history(path)
    assert len(history.list()) == len(history.list(with_live=True)) == 1
    assert [timing.seconds for timing in history.timings("flash")] == [3.0]


def test_that_damaged_timings_are_left_out(history: History, path: Path) -> None:
    for seq_len in (64, 128):
        history.add(result(seq_len=seq_len), NOON, 0.5)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET params = 'x' WHERE number = 1")
    database.close()
    assert [timing.params["seq_len"] for timing in history.timings("flash")] == [128]
