"""The kernel-lab page: before and after a run, linked views, files, A and B."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.run_files import SavedRun
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import ConfigRow
from core.trace.file import load, save
from core.user_code.paths import shown
from gui import theme, translation
from gui.pages.kernel_lab import KernelLabPage, view_data
from tests.gui.pages.kernel_lab.lab_result import LOAD_LINE, PROGRAMS, SOURCE, STORE_LINE, lab_launch, lab_result


def plan(page: KernelLabPage) -> None:
    page.show_plan(page.topic.plan(page.params), page.params)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "copy.py"
    path.write_text(SOURCE)
    return path


def new_page() -> KernelLabPage:
    page = KernelLabPage(topic("kernel-lab"))
    theme.dress(page)
    page.resize(1600, 1000)
    page.params_changed.connect(lambda _: plan(page))
    page.show()
    return page


@pytest.fixture
def page(page: KernelLabPage, kernel: Path) -> KernelLabPage:
    page.form.set_params(KernelLabParams(file=str(kernel)))
    plan(page)
    return page


def settle(page: KernelLabPage, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not page.drawing, timeout=5000)


@pytest.fixture(params=[True, False], ids=["drawn by the run", "drawn from the trace"])
def traced(page: KernelLabPage, kernel: Path, qtbot: Any, request: pytest.FixtureRequest) -> KernelLabPage:
    page.present(lab_result(kernel, views=request.param), {})
    settle(page, qtbot)
    return page


def test_that_before_a_run_there_are_the_file_its_functions_and_the_examples(page: KernelLabPage, kernel: Path) -> None:
    assert page.code.editor is not None
    assert page.code.editor.toPlainText() == SOURCE
    assert [page.toolbar.function.itemText(i) for i in range(page.toolbar.function.count())] == ["main", "other"]
    assert page.toolbar.function.currentText() == "main"
    assert page.map_stack.currentWidget() is page.welcome
    assert len(page.welcome.buttons) == len(view_data.examples()) >= 8
    assert page.cards["map"].badge.provenance is None
    assert not page.toolbar.pin.isEnabled()


def test_that_an_example_can_be_chosen_and_is_not_saved_over(page: KernelLabPage, monkeypatch: Any) -> None:
    example = view_data.examples()[0]
    page.welcome.buttons[example.path].click()
    assert page.params.file == example.path
    assert page.toolbar.example.currentData() == example.path
    assert page.code.front == example.path
    dialogs = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (dialogs.append(args), ("", ""))[1])
    page.code.editor.insertPlainText("#")
    page.code.save()
    assert dialogs
    assert page.code.modified


def test_that_a_run_shows_its_bytes_beside_the_lines(traced: KernelLabPage) -> None:
    notes = traced.code.editor.notes
    assert notes.texts == {LOAD_LINE: "1.02 kB", STORE_LINE: "1.02 kB"}
    assert notes.faults.keys() == {LOAD_LINE}
    assert notes.heat[LOAD_LINE] == 1.0
    assert traced.cards["map"].badge.provenance is Provenance.TRACED
    assert not any(plot.is_empty for plot in (traced.views.map, traced.views.grid, traced.views.heatmap))
    assert not any(plot.is_empty for plot in (traced.views.reuse, traced.views.working_set))
    assert traced.source.function == "copy_kernel"
    assert traced.findings.index == 2, "faults come to the front"


def test_that_totals_list_each_kernel_and_its_lines_over_all_launches(
    page: KernelLabPage, kernel: Path, qtbot: Any
) -> None:
    result = lab_result(kernel)
    twice = tuple(replace(row, launch=launch) for launch in (0, 1) for row in result.launches)
    lines = tuple(replace(row, launch=launch) for launch in (0, 1) for row in result.line_traffic)
    page.present(replace(result, launches=twice, line_traffic=lines), {})
    settle(page, qtbot)
    totals = page.findings.totals
    names = [totals.model.columns[0].text(row).split() for row in totals.rows]
    assert names[0] == ["copy_kernel", "2", "launches"]
    assert sorted(names[1:]) == [[str(LOAD_LINE), "load", "x_ptr"], [str(STORE_LINE), "store", "y_ptr"]]
    assert totals.rows[0].written_bytes == sum(row.written_bytes for row in twice)
    totals.view.selectRow(2)
    totals.view.activated.emit(totals.view.currentIndex())
    selected = totals.rows[2]
    assert page.selection.selection.get("line") == selected.line
    assert page.selection.selection.get("tensor") == selected.tensor
    page.findings.clear()
    assert totals.is_empty


def test_that_a_line_is_selected_everywhere(traced: KernelLabPage, kernel: Path, qtbot: Any) -> None:
    traced.code.line_picked.emit(str(kernel), STORE_LINE)
    settle(traced, qtbot)
    selection = traced.selection.selection
    assert (selection.get("tensor"), selection.get("function")) == ("y_ptr", "copy_kernel")
    assert traced.views.heatmap.tensor == "y_ptr"
    assert traced.views.map._line == (str(kernel), STORE_LINE)
    assert traced.code.editor.picked_line == STORE_LINE
    assert [row.line for row in traced.findings.lines.selected] == [STORE_LINE]
    traced.source.line_picked.emit("copy_kernel", LOAD_LINE)
    assert traced.code.editor.picked_line == LOAD_LINE
    assert traced.selection.selection.get("tensor") == "x_ptr"


def test_that_another_language_writes_the_texts_of_a_run_again_and_decodes_nothing(
    traced: KernelLabPage, qtbot: Any
) -> None:
    decoded: list[object] = []
    traced.run.decoded.connect(decoded.append)
    traced.findings.show_picture(0)
    traced.views.program_picked.emit(2)
    translation.use("zh")
    settle(traced, qtbot)
    assert not decoded
    assert traced.findings.index == 0, "the list in front stays"
    assert traced.selection.selection.get("program") == 2
    assert "不合法" in traced.code.editor.notes.faults[LOAD_LINE]
    assert "不合法" in str(traced.findings.faults.found[0].row.sentence)
    assert traced.views.heatmap.only_button.text() == "仅 program 2"
    assert traced.toolbar.example.itemText(0) == "我的文件"


def test_that_an_access_on_the_map_finds_its_line_program_and_tensor(traced: KernelLabPage, qtbot: Any) -> None:
    chart = traced.views.map.chart
    chart.clicked.emit(2 * 128 + 70.0, 1024 + 700.0)
    settle(traced, qtbot)
    selection = traced.selection.selection
    assert (selection.get("program"), selection.get("line"), selection.get("tensor")) == (2, STORE_LINE, "y_ptr")
    assert traced.views.grid.program == 2
    assert traced.code.editor.picked_line == STORE_LINE
    assert traced.views.map._moment.value() == 2 * 128 + 64
    assert traced.views.heatmap.only_button.text() == "Program 2"


def test_that_a_program_is_selected_everywhere_and_again_nowhere(traced: KernelLabPage, qtbot: Any) -> None:
    cells = traced.views.grid.cells
    for expected in (1, None):
        centre = cells.cell_of(1).center().toPoint()
        QTest.mouseClick(cells, Qt.MouseButton.LeftButton, pos=centre)
        assert traced.selection.selection.get("program") == expected
        assert traced.views.map._program_mark.isVisible() == (expected is not None)
    traced.views.grid.toggle(3)
    traced.views.heatmap.only_button.click()
    settle(traced, qtbot)
    assert traced.views.heatmap.heatmap.reads.sum() == 64
    assert traced.dismiss()
    settle(traced, qtbot)
    assert traced.selection.selection.get("program") is None
    assert traced.views.heatmap.heatmap.reads.sum() == 64 * PROGRAMS


def test_that_another_launch_can_be_shown(page: KernelLabPage, kernel: Path, qtbot: Any) -> None:
    page.present(lab_result(kernel, launches=2), {})
    settle(page, qtbot)
    assert page.toolbar.launch.count() == 2
    first = page.views.launch
    page.selection.update(program=1)
    page.toolbar.launch_chosen.emit(1)
    settle(page, qtbot)
    assert page.views.launch is not first
    assert page.selection.selection.get("program") is None


def test_that_save_in_the_editor_writes_the_file_and_runs(traced: KernelLabPage, kernel: Path, qtbot: Any) -> None:
    editor = traced.code.editor
    editor.setFocus()
    QTest.keyClicks(editor, "#")
    assert traced.code.modified
    assert traced.code.tabs.tabText(0).endswith("●")
    with qtbot.waitSignal(traced.run_requested):
        QTest.keyClick(editor, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert kernel.read_text() == "#" + SOURCE
    assert not traced.code.modified
    assert traced.code.editor is editor, "the cursor and undo history stay"


def test_that_a_file_that_is_no_python_keeps_the_trace_and_says_why(traced: KernelLabPage, kernel: Path) -> None:
    kernel.write_text("def (:")
    plan(traced)
    assert "is not valid Python" in traced.form.problem
    assert traced.code.editor.toPlainText() == "def (:"
    traced.show_error("It broke.")
    assert not traced.views.map.is_empty
    kernel.write_text(SOURCE)
    plan(traced)
    assert not traced.form.problem


def test_that_a_run_that_is_pinned_elsewhere_on_the_page_is_this_pin(traced: KernelLabPage) -> None:
    result = traced.state.result
    traced.show_pinned(SavedRun(result, datetime(2026, 11, 28, tzinfo=UTC), 1.0), traced.state.plan)
    assert (traced.findings.pinned, traced.toolbar.pin.isChecked()) == (result, True)
    traced.show_pinned(None)
    assert (traced.findings.pinned, traced.toolbar.pin.isChecked()) == (None, False)


def test_that_the_next_run_is_compared_with_the_one_pinned(traced: KernelLabPage, kernel: Path, qtbot: Any) -> None:
    traced.toolbar.pin.click()
    assert traced.findings.pinned is not None
    assert "This run is A" in traced.findings.changes.sentence
    kernel.write_text("# one line more\n" + SOURCE)
    traced.present(lab_result(kernel, loads=2, load_line=LOAD_LINE + 1), {})
    settle(traced, qtbot)
    deltas = {str(d.label).split("  ")[0]: d.delta_bytes for d in traced.findings.changes.rows}
    assert deltas == {
        "all tensors, read": 1024,
        "all tensors, written": 0,
        "x_ptr, read": 1024,
        "y_ptr, written": 0,
        "copy.py:9": 1024,
        "copy.py:10": 0,
    }
    traced.findings.changes.view.selectRow(4)
    assert traced.selection.selection.get("line") == 9
    traced.toolbar.pin.click()
    assert traced.findings.pinned is None
    assert "Pin a run" in traced.findings.changes.sentence


def test_that_a_trace_that_was_exported_opens_without_running(
    traced: KernelLabPage, kernel: Path, tmp_path: Path, qtbot: Any, monkeypatch: Any
) -> None:
    path = tmp_path / "kept.npz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    traced.toolbar.trace_export_requested.emit()
    qtbot.waitUntil(path.exists)
    assert len(load(path)) == 1
    traced.clear_result()
    assert traced.map_stack.currentWidget() is traced.welcome
    traced.open(str(path))
    settle(traced, qtbot)
    assert not traced.views.map.is_empty
    assert traced.code.editor.isReadOnly()
    assert len(traced.findings.lines.rows) == 2
    traced.code.line_picked.emit(traced.code.front, LOAD_LINE)
    assert traced.selection.selection.get("tensor") == "x_ptr"
    traced.open(str(kernel))
    assert traced.code.editor.toPlainText() == SOURCE
    assert not traced.code.editor.isReadOnly()
    settle(traced, qtbot)


def test_that_an_opened_trace_stays_while_only_the_way_to_trace_changes(
    traced: KernelLabPage, kernel: Path, tmp_path: Path, qtbot: Any
) -> None:
    path = tmp_path / "kept.npz"
    save(path, [lab_launch(str(kernel))])
    traced.open(str(path))
    settle(traced, qtbot)
    traced.form.propose(traced.params.changed(addresses_only=True))
    assert traced.code.editor.isReadOnly()
    assert not traced.cards["map"].property("stale")
    traced.form.propose(traced.params.changed(function="other"))
    assert not traced.code.editor.isReadOnly()
    assert traced.cards["map"].property("stale")


def test_that_a_run_that_is_given_up_takes_nothing_from_the_one_in_view(traced: KernelLabPage, kernel: Path) -> None:
    run = lab_result(kernel)
    traced.toolbar.pin.click()
    kept = traced.findings.pinned
    traced.form.propose(traced.params.changed(function="other"))
    assert traced.cards["map"].property("stale")
    traced.show_partial(replace(run, params=traced.params, trace=None, views={}))
    assert traced.cards["map"].property("stale"), "the trace is still the earlier run's"
    traced.toolbar.pin.click()
    traced.toolbar.pin.click()
    assert traced.findings.pinned is kept
    assert kept is not None
    assert kept.trace is not None


def test_that_numbers_are_exported_as_csv(traced: KernelLabPage, tmp_path: Path, qtbot: Any, monkeypatch: Any) -> None:
    path = tmp_path / "lines.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    traced.toolbar.csv_export_requested.emit("lines")
    qtbot.waitUntil(path.exists)
    assert path.read_text().splitlines()[0].startswith("launch,function,file,line")
    assert len(path.read_text().splitlines()) == 3


def test_that_what_is_no_trace_is_one_sentence(page: KernelLabPage, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"nothing")
    page.open(str(path))
    settle(page, qtbot)
    assert "is not a trace from Tilescope" in page.banner.sentence
    assert page.map_stack.currentWidget() is page.welcome


def test_that_a_file_can_be_dropped_anywhere(page: KernelLabPage, tmp_path: Path, monkeypatch: Any) -> None:
    other = tmp_path / "other.py"
    other.write_text(SOURCE)
    assert page.open_dropped(str(other))
    assert not page.open_dropped(str(tmp_path / "notes.txt"))
    assert page.params.file == shown(other)
    page.code.editor.insertPlainText("#")
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Cancel)
    page.open(view_data.examples()[0].path)
    assert page.params.file == shown(other), "unsaved changes are not lost without asking"


def test_that_a_function_chosen_reaches_the_form(page: KernelLabPage) -> None:
    page.toolbar.function.activated.emit(1)
    assert page.params.function == "other"
    assert page.toolbar.function.currentText() == "other"


def test_that_a_trace_of_two_kernels_of_one_file_shows_both(page: KernelLabPage, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "two.npz"
    save(path, [lab_launch("/k/a.py"), lab_launch("/k/b.py", function="other_kernel")])
    page.open(str(path))
    settle(page, qtbot)
    assert [file.name for file in page.code.files] == ["a.py", "b.py"]


def test_that_a_launch_of_a_long_name_leaves_the_page_narrow(page: KernelLabPage) -> None:
    page.toolbar.set_launches(["1: the_backward_pass_of_a_long_name [1,024 × 1,024 × 1]"])
    assert page.minimumSizeHint().width() <= 1176


def test_that_a_configuration_that_is_clicked_reaches_the_form(page: KernelLabPage, kernel: Path, qtbot: Any) -> None:
    rows = tuple(ConfigRow("copy", number, f"BLOCK={16 * number}", chosen=number == 1) for number in (1, 2))
    page.present(replace(lab_result(kernel), configs=rows), {})
    settle(page, qtbot)
    page.findings.configs.view.selectRow(1)
    assert page.form.params.config == 2
