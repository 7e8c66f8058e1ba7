"""Qt's own texts: what its translation says, what the catalogue adds, and the way back to English."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QMessageBox, QPushButton, QToolButton

from core import language
from gui import translation
from gui.window.qt_texts import QtLanguage, follow_language
from tests.latin_names import CHINESE


@pytest.fixture
def qt_language(qapp: Any) -> Iterator[QObject]:
    with language.using("zh"):
        follower = QtLanguage()
        yield follower
    translation.use("en")
    follower.deleteLater()


def menu_of_a_line(qtbot: Any) -> list[str]:
    line = QLineEdit("text")
    qtbot.addWidget(line)
    menu = line.createStandardContextMenu()
    qtbot.addWidget(menu)
    return [action.text() for action in menu.actions() if not action.isSeparator()]


@pytest.mark.usefixtures("qt_language")
def test_that_context_menus_and_message_boxes_are_chinese_and_keys_stay(qtbot: Any) -> None:
    texts = menu_of_a_line(qtbot)
    assert texts[0] == "撤销(&U)\tCtrl+Z"
    assert all(CHINESE.search(text) for text in texts)
    box = QMessageBox(
        QMessageBox.Icon.NoIcon, "", "", QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel
    )
    qtbot.addWidget(box)
    assert all(CHINESE.search(button.text()) for button in box.buttons())
    assert QCoreApplication.translate("QShortcut", "Space") == "Space"


@pytest.mark.usefixtures("qt_language")
@pytest.mark.parametrize("mode", list(QFileDialog.AcceptMode))
def test_that_a_file_dialog_has_no_english_text(mode: QFileDialog.AcceptMode, qtbot: Any) -> None:
    dialog = QFileDialog()
    qtbot.addWidget(dialog)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.setAcceptMode(mode)
    texts = [each.text() for kind in (QLabel, QPushButton) for each in dialog.findChildren(kind) if each.text()]
    texts += [each.toolTip() for each in dialog.findChildren(QToolButton)]
    model = dialog.findChild(QObject, "qt_filesystem_model")
    texts += [model.headerData(column, Qt.Orientation.Horizontal) for column in range(model.columnCount())]
    assert len(texts) >= 12
    assert [text for text in texts if not CHINESE.search(text)] == []


@pytest.mark.usefixtures("qt_language")
def test_that_a_switch_to_english_brings_the_texts_of_qt_back(qtbot: Any) -> None:
    translation.use("en")
    assert menu_of_a_line(qtbot)[0] == "&Undo\tCtrl+Z"
    translation.use("zh")
    assert menu_of_a_line(qtbot)[0] == "撤销(&U)\tCtrl+Z"


def test_that_an_application_follows_the_language_once(qapp: Any) -> None:
    owner = QCoreApplication.instance()
    already = owner.findChild(QtLanguage)
    follow_language(owner)
    follow_language(owner)
    (follower,) = owner.findChildren(QtLanguage)
    if already is None:
        follower.deleteLater()
