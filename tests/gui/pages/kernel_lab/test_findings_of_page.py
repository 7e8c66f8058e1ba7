"""The findings on the kernel-lab page: the list by kind, the picture of one, and how they move the other views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.contracts.registry import topic
from core.contracts.text import verbatim
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import FaultRow
from gui import theme
from gui.pages.kernel_lab import KernelLabPage
from gui.pages.kernel_lab.finding_list import without_folders
from gui.pages.kernel_lab.finding_rows import Found, Head, lines_of
from tests.gui.pages.kernel_lab.lab_result import LOAD_LINE, PROGRAMS, SOURCE, STORE_LINE, lab_result


@pytest.fixture
def result(tmp_path: Path) -> KernelLabResult:
    """Out of bounds at the load; a race of programs 0 and 2 and a remark at the store."""
    path = tmp_path / "copy.py"
    path.write_text(SOURCE)
    result = lab_result(path)
    fault = result.faults[0]
    sentence = verbatim("Programs 0 and 2 store.")
    race = replace(fault, kind="write-write race", tensor="y_ptr", line=STORE_LINE, program=0, other_program=2)
    race = replace(race, index=5, sentence=sentence, other_file=fault.file, other_line=STORE_LINE)
    remark = replace(race, kind="equal stores", severity="remark", program=1)
    return replace(result, faults=(fault, race, remark))


def new_page() -> KernelLabPage:
    page = KernelLabPage(topic("kernel-lab"))
    theme.dress(page)
    page.resize(1600, 1000)
    page.show()
    return page


@pytest.fixture
def page(page: KernelLabPage, result: KernelLabResult, qtbot: Any) -> KernelLabPage:
    page.form.set_params(KernelLabParams(file=result.params.file))
    page.show_plan(page.topic.plan(page.params), page.params)
    present(page, result, qtbot)
    return page


def present(page: KernelLabPage, result: KernelLabResult, qtbot: Any) -> None:
    page.present(result, {})
    settle(page, qtbot)


def settle(page: KernelLabPage, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not page.drawing, timeout=5000)


def pick(page: KernelLabPage, number: int, qtbot: Any) -> None:
    view = page.findings.faults.view
    view.setCurrentIndex(view.rows.index(view.rows.place_of(number)))
    settle(page, qtbot)


def kinds_of(rows: tuple[FaultRow, ...], result: KernelLabResult) -> list[tuple[str, int]]:
    lines = lines_of(replace(result, faults=rows))
    return [(line.first.kind, line.count) for line in lines if isinstance(line, Head)]


def test_that_findings_are_grouped_by_kind_with_faults_first(result: KernelLabResult) -> None:
    fault, race, remark = result.faults
    assert kinds_of((remark, fault, race, fault), result) == [
        ("out of bounds", 2),
        ("write-write race", 1),
        ("equal stores", 1),
    ]
    numbers = [line.number for line in lines_of(replace(result, faults=(remark, fault))) if isinstance(line, Found)]
    assert numbers == [1, 0], "each keeps its place in the result"


def test_that_a_finding_moves_every_view(page: KernelLabPage, qtbot: Any) -> None:
    pick(page, 0, qtbot)
    selected = page.selection.selection
    assert (selected.get("line"), selected.get("program"), selected.get("tensor")) == (LOAD_LINE, 3, "x_ptr")
    assert (selected.get("finding"), selected.get("access")) == (0, 0)
    assert page.code.editor.picked_line == LOAD_LINE
    assert page.views.grid.program == 3
    assert page.views.heatmap.tensor == "x_ptr"
    assert page.tensor_views.name == "finding"
    assert page.finding.picture.row is page.run.finding(0)


def test_that_the_picture_has_the_bounds_of_the_tensor_and_the_place_outside(page: KernelLabPage, qtbot: Any) -> None:
    pick(page, 0, qtbot)
    picture = page.finding.picture
    assert picture.pitch == 64
    assert (picture.owner == 1).sum() == PROGRAMS * 64
    assert [picture.index_at(*place) for place in zip(*picture.wrong.nonzero(), strict=True)] == [256]
    assert picture.owner[picture.place_of_index()] == 0
    assert "not an element" in page.finding.describe(picture.place_of_index())
    table = page.finding.data_table()
    assert [row[0] for row in table.rows if row[table.columns.index("wrong")]] == [256]


def test_that_a_race_shows_its_two_programs_side_by_side(page: KernelLabPage, qtbot: Any) -> None:
    pick(page, 1, qtbot)
    first, second = (label.texts for label in page.finding.sides)
    assert (first[0][:9], second[0][:9]) == ("program 0", "program 2")
    assert first[1] == f"copy.py:{STORE_LINE} · stores"
    assert all(label.isVisible() for label in page.finding.sides)
    touched = page.finding.picture.touched
    assert [each.sum() for each in touched] == [64, 64]
    pick(page, 0, qtbot)
    assert not any(label.isVisible() for label in page.finding.sides)


def test_that_enter_and_the_button_show_a_finding_again(page: KernelLabPage, qtbot: Any) -> None:
    pick(page, 1, qtbot)
    view = page.findings.faults.view
    button = view.button_of(view.rows.index(view.rows.place_of(1))).center()
    show = (
        lambda: QTest.keyClick(view, Qt.Key.Key_Return),
        lambda: QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=button),
    )
    for way in show:
        page.tensor_views.show_named("heatmap")
        page.views.program_picked.emit(3)
        way()
        settle(page, qtbot)
        assert page.selection.selection.get("program") == 0
        assert page.tensor_views.name == "finding"


def test_that_arrows_walk_over_the_names_of_kinds(page: KernelLabPage, qtbot: Any) -> None:
    pick(page, 0, qtbot)
    QTest.keyClick(page.findings.faults.view, Qt.Key.Key_Down)
    assert page.selection.selection.get("finding") == 1


def test_that_a_line_marks_its_finding_and_another_line_none(page: KernelLabPage, result: KernelLabResult) -> None:
    file = result.faults[0].file
    page.code.line_picked.emit(file, STORE_LINE)
    assert page.findings.faults.marked.number == 1
    page.code.line_picked.emit(file, 2)
    assert page.findings.faults.marked is None
    assert page.finding.is_empty


def test_that_without_findings_the_list_says_what_was_checked(
    page: KernelLabPage, result: KernelLabResult, qtbot: Any
) -> None:
    present(page, replace(result, faults=()), qtbot)
    (note,) = page.findings.faults.notes
    assert str(note.text).startswith("No findings: 512 accesses of 1 launch were checked.")
    assert not page.findings.faults.has_news
    assert page.findings.faults.data_table() is None


def test_that_a_failure_stands_above_the_findings(page: KernelLabPage, result: KernelLabResult, qtbot: Any) -> None:
    present(page, replace(result, failure=verbatim("main raised AssertionError.")), qtbot)
    first = page.findings.faults.view.rows.lines[0]
    assert first == page.findings.faults.notes[0]
    assert str(first.text) == "main raised AssertionError."


def test_that_the_list_is_copied_as_data_and_one_finding_as_text(page: KernelLabPage, qtbot: Any) -> None:
    table = page.findings.faults.data_table()
    assert [row[table.columns.index("kind")] for row in table.rows] == [
        "out of bounds",
        "write-write race",
        "equal stores",
    ]
    pick(page, 1, qtbot)
    QTest.keyClick(page.findings.faults.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert "Programs 0 and 2 store." in QApplication.clipboard().text()


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("at resources/examples/a.py:18: program 3", "at a.py:18: program 3"),
        ("at /home/me/a.py:3, b.py:4", "at a.py:3, b.py:4"),
        ("在 C:\\用户\\a.py:3 处", "在 a.py:3 处"),
        ("x/y + 3 is read at a.py:5", "x/y + 3 is read at a.py:5"),
    ],
)
def test_that_files_in_sentences_are_named_without_folders(sentence: str, shown: str) -> None:
    assert without_folders(sentence) == shown
