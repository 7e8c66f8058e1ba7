"""Files are written beside the GUI thread, and a folder that never answers holds nothing up."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QColor, QImage

from core.contracts.errors import TilescopeError
from gui.page import file_writing
from gui.page.export import write_numbers, write_picture
from gui.page.file_writing import THREAD_NAME, FileWriter, finish_writing


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a folder that does not answer waits for; open at the end of the test, so that no thread is left."""
    gate = threading.Event()
    yield gate
    gate.set()
    finish_writing(5.0)


def test_that_files_are_written_one_after_the_other_in_other_threads(qtbot: Any, gate: threading.Event) -> None:
    names: list[str] = []
    answers: list[str] = []
    writer = FileWriter()

    def slow() -> str:
        gate.wait()
        names.append(threading.current_thread().name)
        return "first"

    writer.write("a", slow, answers.append)
    writer.write("a", lambda: "second", answers.append)
    assert writer.busy
    assert answers == []
    gate.set()
    qtbot.waitUntil(lambda: answers == ["first", "second"])
    assert names == [THREAD_NAME]
    assert not writer.busy


def test_that_a_folder_that_never_answers_is_given_up_in_one_sentence_and_the_next_file_is_written(
    qtbot: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_writing, "DEADLINE_MS", 30)
    errors: list[Exception] = []
    answers: list[str] = []
    writer = FileWriter(on_error=errors.append)
    writer.write("/mount/numbers.csv", lambda: gate.wait() and "late", answers.append)
    writer.write("/tmp/next.csv", lambda: "next", answers.append)
    qtbot.waitUntil(lambda: answers == ["next"])
    assert [str(error).partition(" could")[0] for error in errors] == ["numbers.csv"]
    gate.set()
    finish_writing(5.0)
    qtbot.wait(0)
    assert answers == ["next"]


def test_that_quitting_does_not_wait_for_a_folder_that_never_answers(qtbot: Any, gate: threading.Event) -> None:
    writer = FileWriter()
    writer.write("/mount/a", gate.wait)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]
    finish_writing(0.01)
    assert thread.is_alive()
    assert thread.daemon
    gate.set()
    finish_writing(5.0)
    assert not thread.is_alive()
    qtbot.waitUntil(lambda: not writer.busy)


def test_that_an_answer_to_what_is_gone_is_dropped(qtbot: Any, gate: threading.Event) -> None:
    answers: list[str] = []
    writer = FileWriter()
    writer.write("a", lambda: gate.wait() and "late", answers.append)
    writer.deleteLater()
    qtbot.waitSignal(writer.destroyed).wait()
    gate.set()
    finish_writing(5.0)
    qtbot.wait(0)
    assert answers == []


@pytest.mark.parametrize("kind", ["numbers", "png", "svg"])
def test_that_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: Any, kind: str) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    write = {
        "numbers": lambda: write_numbers(str(tmp_path / "a.csv"), "name,value\n"),
        "png": lambda: write_picture(tmp_path / "a.png", image),
        "svg": lambda: write_picture(tmp_path / "a.svg", b"<svg/>"),
    }[kind]
    with pytest.raises(TilescopeError, match="no space left on the disk"):
        write()
    assert list(tmp_path.iterdir()) == []
