from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from core.contracts.params import Params, text
from gui.page.form.parameter_form import ParameterForm
from gui.page.form.text_fields import PathField, TextField


class FileParams(Params):
    file: str = text("", label="File", help="A file.", file_filter="Python (*.py)")
    function: str = text("", label="Function", help="A name.")


@pytest.fixture
def form(qtbot: Any) -> ParameterForm:
    made = ParameterForm(FileParams)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def heard(form: ParameterForm) -> list[FileParams]:
    params: list[FileParams] = []
    form.changed.connect(params.append)
    return params


def drop(path: Path) -> tuple[QDropEvent, QMimeData]:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    return event, data


def test_that_a_text_and_a_path_have_their_controls(form: ParameterForm) -> None:
    assert {name: type(field) for name, field in form.fields.items()} == {"file": PathField, "function": TextField}


def test_that_a_text_counts_when_it_is_finished(form: ParameterForm, heard: list[FileParams]) -> None:
    line = form.fields["function"].line
    QTest.keyClicks(line, " main ")
    assert not heard
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert [params.function for params in heard] == ["main"]
    form.undo_stack.undo()
    assert line.text() == ""


def test_that_the_model_reaches_the_text_silently(form: ParameterForm, heard: list[FileParams]) -> None:
    form.set_params(FileParams(file="/a/b.py", function="f"))
    assert form.fields["file"].value() == "/a/b.py"
    assert form.fields["function"].line.text() == "f"
    form.fields["file"].line.editingFinished.emit()
    assert not heard


def test_that_a_file_that_is_dropped_is_taken(form: ParameterForm, heard: list[FileParams], tmp_path: Path) -> None:
    event, _data = drop(tmp_path / "kernel.py")
    form.fields["file"].dropEvent(event)
    assert heard[-1].file == str(tmp_path / "kernel.py")
    assert event.isAccepted()


def test_that_browsing_takes_the_file_chosen(
    form: ParameterForm, heard: list[FileParams], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/x/y.py", ""))
    form.fields["file"].browse.click()
    assert heard[-1].file == "/x/y.py"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    form.fields["file"].browse.click()
    assert len(heard) == 1


def test_that_a_text_too_long_is_refused_under_its_field(form: ParameterForm) -> None:
    line = form.fields["function"].line
    line.setText("x" * 5000)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert "longer than" in form.fields["function"].problem
    assert line.property("invalid")
