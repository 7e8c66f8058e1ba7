from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QMenu

from core.contracts.params import text
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.examples import FOLDER
from core.run_files import SavedRun, write_run_file
from gui.page.page import Page
from gui.window.main_window import MainWindow
from gui.window.recent_files import RecentFile
from gui.window.settings import Settings
from tests.gui.doubles import TOPICS, ToyParams, ToyResult
from tests.gui.windows import Windows


class FileParams(ToyParams):
    file: str = text("", label=tr("File"), help=tr("A file."), file_filter="Text (*.txt)")


@pytest.fixture
def window(windows: Windows, topic: Topic) -> MainWindow:
    """On a page without files; the page 'files' has one."""
    window = windows.show({"toy": topic, "files": replace(topic, id="files", params=FileParams, path_params=("file",))})
    window.open_page("toy")
    return window


@pytest.fixture
def page(window: MainWindow) -> Page[Any, Any]:
    opened = window.open_page("files")
    assert opened is not None
    return opened.page


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    made = [tmp_path / "a.txt", tmp_path / "b & c.txt"]
    for path in made:
        path.write_text("text")
    return [str(path) for path in made]


def set_file(page: Page[Any, Any], path: str, **more: Any) -> None:
    page.form.propose(page.params.changed(file=path, **more))


def test_that_files_of_a_page_are_remembered_the_newest_first_and_once(
    window: MainWindow, page: Page[Any, Any], paths: list[str], settings: Settings
) -> None:
    set_file(page, paths[0])
    set_file(page, paths[1], heads=8)
    set_file(page, paths[0])
    set_file(page, "")
    assert window.recent_files.files == (
        RecentFile(paths[0], "files", (("file", paths[0]),)),
        RecentFile(paths[1], "files", (("heads", 8), ("file", paths[1]))),
    )
    assert [each["path"] for each in settings.recent_files] == paths


def test_that_examples_and_what_is_no_path_are_not_remembered(window: MainWindow, page: Page[Any, Any]) -> None:
    set_file(page, str(FOLDER / "softmax.py"))
    set_file(page, "~nobody-of-that-name/a.txt")
    assert window.recent_files.files == ()


def test_that_a_recent_file_is_opened_on_its_page_with_what_was_set_with_it(
    window: MainWindow, page: Page[Any, Any], paths: list[str], qtbot: Any
) -> None:
    set_file(page, paths[1], heads=8)
    page.form.propose(FileParams())
    window.open_page("toy")
    window.recent_files.open(window.recent_files.files[0])
    qtbot.waitUntil(lambda: window.current is not None and window.current.page is page)
    assert page.params == FileParams(heads=8, file=paths[1])


def test_that_a_file_that_is_gone_is_removed_with_a_sentence(
    window: MainWindow, page: Page[Any, Any], paths: list[str], qtbot: Any
) -> None:
    set_file(page, paths[0])
    page.form.propose(FileParams())
    qtbot.waitUntil(lambda: not window.stack.opened["files"].controller.planning)
    Path(paths[0]).unlink()
    window.recent_files.open(window.recent_files.files[0])
    qtbot.waitUntil(lambda: window.recent_files.files == ())
    assert page.banner.sentence == f"{paths[0]} is no longer there: it was removed from the recent files."
    assert page.params == FileParams()


def test_that_a_saved_run_is_remembered_and_opened_again(
    window: MainWindow, result: ToyResult, tmp_path: Path, qtbot: Any
) -> None:
    path = tmp_path / "run.tilescope"
    write_run_file(path, SavedRun(result, datetime(2026, 1, 2, tzinfo=UTC), 1.0))
    window.run_files._topics = TOPICS
    window.run_files.opened.emit(str(path))
    assert window.recent_files.files == (RecentFile(str(path)),)
    with qtbot.waitSignal(window.run_files.opened):
        window.recent_files.open(window.recent_files.files[0])
    assert window.current is not None
    assert window.current.controller.recorded is not None


def test_that_the_menu_lists_them_and_can_be_cleared(
    window: MainWindow, page: Page[Any, Any], paths: list[str]
) -> None:
    file_menu = window.menuBar().actions()[0].menu()
    assert isinstance(file_menu, QMenu)
    recent = next(action.menu() for action in file_menu.actions() if action.text() == "Recent files")
    assert isinstance(recent, QMenu)
    file_menu.aboutToShow.emit()
    assert not recent.isEnabled()
    set_file(page, paths[1])
    file_menu.aboutToShow.emit()
    recent.aboutToShow.emit()
    assert recent.isEnabled()
    assert [action.text() for action in recent.actions()] == [paths[1].replace("&", "&&"), "Clear the list"]
    recent.actions()[-1].trigger()
    assert window.recent_files.files == ()


def test_that_the_palette_finds_them(window: MainWindow, page: Page[Any, Any], paths: list[str]) -> None:
    set_file(page, paths[0])
    window.toggle_palette()
    palette = window.command_palette
    assert palette is not None
    palette.open("/a.txt")
    assert palette.selected is not None
    assert palette.selected.id == f"file:files:{paths[0]}"


@pytest.mark.parametrize(
    "stored",
    [
        [{"path": 3}],
        [{"path": "a", "page": "x", "set": {}}],
        [{}],
        [{"path": "a", "page": "toy", "set": {"heads": [1]}}],
    ],
)
def test_that_nonsense_in_the_settings_is_no_file(window: MainWindow, settings: Settings, stored: list[Any]) -> None:
    settings.recent_files = stored
    assert window.recent_files.files == ()
