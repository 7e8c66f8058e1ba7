"""Shared controls and charts say their texts anew when the language changes, and take the room that these need."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget

from core.contracts.claims import Verdict
from core.contracts.params import FieldSpec
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, tr
from core.language import ENGLISH, PSEUDO
from gui import translation
from gui.charts.axis import Axis
from gui.charts.chart import Chart
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Band, Cell, Column, Row, RowSpec
from gui.charts.series import Series
from gui.page.form.fields import ComboField
from gui.widgets import record_model
from gui.widgets.badge import ProvenanceBadge, VerdictChip
from gui.widgets.figure import Canvas, HoverTip
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.keyboard_nav import ArrowPad
from gui.widgets.legend import Entry, Legend
from gui.widgets.player import Player
from gui.widgets.record_table import RecordTable
from gui.widgets.samples_table import BEFORE, Sample, SamplesTable

NAME = tr("Name of a tensor")


def shown(qtbot: Any, widget: QWidget, width: int = 400, height: int = 200) -> Any:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    return widget


def pseudo(text: Text) -> str:
    return text.in_language(PSEUDO)


def test_that_a_fitted_label_takes_the_longest_wording_of_the_language(qtbot: Any) -> None:
    label = FittedLabel(tr("A long wording of it"), tr("short"))
    shown(qtbot, label, label.fontMetrics().horizontalAdvance("A long wording of it"))
    assert label.shown == "A long wording of it"
    translation.use(PSEUDO)
    assert label.shown == pseudo(tr("short")), "the long one no longer fits"
    assert label.toolTip() == label.text() == pseudo(tr("A long wording of it"))


def test_that_chips_and_legends_grow_with_their_texts(qtbot: Any) -> None:
    badge, chip, legend = ProvenanceBadge(Provenance.TRACED), VerdictChip(), Legend()
    legend.set_entries([Entry(NAME, "#ffffff"), Entry("NF4", "#ffffff")])
    widgets = [shown(qtbot, widget) for widget in (badge, chip, legend)]
    before = [widget.sizeHint().width() for widget in widgets]
    translation.use(PSEUDO)
    assert badge.text == pseudo(Provenance.TRACED.label)
    assert chip.text == pseudo(tr("not tested yet"))
    assert all(widget.sizeHint().width() > width for widget, width in zip(widgets, before, strict=True))
    chip.set_verdict(Verdict.HOLDS)
    assert chip.text == pseudo(Verdict.HOLDS.label)


def test_that_what_is_painted_by_hand_is_painted_again(qtbot: Any) -> None:
    canvas = shown(qtbot, Canvas())
    painted: list[str] = []
    canvas.paint = lambda *_: painted.append(str(NAME))  # type: ignore[method-assign]
    translation.use(PSEUDO)
    qtbot.waitUntil(lambda: painted[-1:] == [pseudo(NAME)])


def test_that_a_read_out_in_the_old_language_goes(qtbot: Any) -> None:
    parent = shown(qtbot, QWidget())
    tip = HoverTip(parent)
    tip.show_at(QPoint(5, 5), "old")
    assert tip.isVisible()
    translation.use(PSEUDO)
    assert not tip.isVisible()


def test_that_names_for_screen_readers_and_tool_tips_follow(qtbot: Any) -> None:
    pad, player = shown(qtbot, ArrowPad(NAME, lambda *_: None)), shown(qtbot, Player())
    translation.use(PSEUDO)
    assert pad.accessibleName() == pseudo(NAME)
    assert player.accessibleName() == pseudo(tr("Schedule player"))
    assert pseudo(tr("First step")) in {button.accessibleName() for button in player._buttons.values()}


# Tables


@pytest.fixture
def table(qtbot: Any) -> RecordTable[dict[str, Any]]:
    columns = (
        record_model.Column("name", NAME, tr("What it is called"), itemgetter("name"), number=False),
        record_model.Column("kind", tr("Kind"), EMPTY, itemgetter("kind"), str, number=False),
    )
    made: RecordTable[dict[str, Any]] = RecordTable(columns, itemgetter("name"), tr("Nothing is here."))
    made.set_rows([{"name": "a", "kind": tr("measured")}, {"name": "b", "kind": tr("recorded")}])
    made.mark("b")
    result: RecordTable[dict[str, Any]] = shown(qtbot, made)
    return result


def cell(table: RecordTable[dict[str, Any]], row: int, column: int) -> object:
    return table.model.index(row, column).data()


def test_that_a_table_writes_headers_cells_and_its_sentence_again(table: RecordTable[dict[str, Any]]) -> None:
    resets: list[int] = []
    table.model.modelReset.connect(lambda: resets.append(1))
    translation.use(PSEUDO)
    assert resets == [1], "the view asks for its texts again"
    assert table.model.headerData(0, Qt.Orientation.Horizontal) == pseudo(NAME)
    assert cell(table, 0, 1) == pseudo(tr("measured"))
    assert table.view.columnWidth(1) >= table.fontMetrics().horizontalAdvance(pseudo(tr("recorded")))
    assert [row["name"] for row in table.selected] == ["b"], "the selection stays"
    table.set_filter("nowhere")
    assert table.sentence == pseudo(tr("Nothing matches “{text}”. Change the filter.", text="nowhere"))
    table.set_rows([])
    assert table.sentence == pseudo(tr("Nothing is here."))


def test_that_the_filter_of_a_table_looks_at_the_new_texts(table: RecordTable[dict[str, Any]]) -> None:
    table.set_filter("measured")
    assert len(table.rows) == 1
    translation.use(PSEUDO)
    assert table.rows == ()


def test_that_a_hidden_table_is_written_again_when_it_is_shown(table: RecordTable[dict[str, Any]]) -> None:
    resets: list[int] = []
    table.model.modelReset.connect(lambda: resets.append(1))
    table.hide()
    translation.use(PSEUDO)
    assert resets == []
    table.show()
    assert resets == [1]


def test_that_samples_head_their_columns_anew(qtbot: Any) -> None:
    table = shown(qtbot, SamplesTable(tr("Nothing is here.")))
    table.set_samples([BEFORE], [Sample("1 + 1 =", "2", {"before": ""})])
    translation.use(PSEUDO)
    headers = [table.model.headerData(column, Qt.Orientation.Horizontal) for column in range(3)]
    assert headers == [pseudo(text) for text in (tr("Prompt"), tr("Expected"), tr("Before"))]
    assert table.model.index(0, 2).data() == pseudo(tr("(nothing)"))
    tip = table.model.index(0, 2).data(Qt.ItemDataRole.ToolTipRole)
    assert pseudo(tr("{variant}, wrong: {answer}", variant=tr("Before"), answer="")) in tip


# Charts


def test_that_the_names_of_axes_follow_and_end_with_an_ellipsis_where_they_do_not_fit(qtbot: Any) -> None:
    chart = shown(qtbot, Chart(Axis(NAME), Axis("y")), 600, 300)
    axis = chart.getAxis("bottom")
    qtbot.waitUntil(lambda: axis.labelText == str(NAME))
    translation.use(PSEUDO)
    assert axis.labelText == pseudo(NAME)
    chart.resize(150, 300)
    qtbot.waitUntil(lambda: axis.labelText.endswith("…"))
    assert axis.label.toolTip() == pseudo(NAME)
    chart.resize(600, 300)
    qtbot.waitUntil(lambda: axis.labelText == pseudo(NAME))


def test_that_an_axis_that_is_too_short_for_its_name_has_the_short_one(qtbot: Any) -> None:
    chart = shown(qtbot, Chart(Axis(NAME, short=tr("name")), Axis("y")), 600, 300)
    axis = chart.getAxis("bottom")
    qtbot.waitUntil(lambda: axis.labelText == str(NAME))
    chart.resize(140, 300)
    qtbot.waitUntil(lambda: axis.labelText == "name")
    translation.use(PSEUDO)
    assert axis.label.toolTip() == pseudo(NAME)


def test_that_a_name_is_cut_to_its_axis_as_it_is_when_the_chart_is_in_view(qtbot: Any) -> None:
    chart = shown(qtbot, Chart(Axis(NAME), Axis("y")), 150, 300)
    axis = chart.getAxis("bottom")
    translation.use(PSEUDO)
    qtbot.waitUntil(lambda: axis.labelText.endswith("…"))
    chart.hide()
    translation.use(ENGLISH)
    assert axis.labelText == str(NAME), "how long the axis will be is not known yet"
    translation.use(PSEUDO)
    chart.show()
    assert axis.labelText.endswith("…")


def test_that_the_read_out_and_the_legend_of_lines_are_in_the_new_language(qtbot: Any) -> None:
    chart = shown(qtbot, LineChart(EMPTY, Axis(NAME, steps="whole"), Axis("y"), selected_label=tr("selected")))
    chart.set_series([Series("loss", np.arange(3), np.arange(3.0), 0)])
    chart.select_x(1)
    translation.use(PSEUDO)
    assert chart.describe(1, 0).startswith(pseudo(NAME))
    assert str(chart.legend.entries[-1].label) == pseudo(tr("selected"))
    assert chart.pad.accessibleName() == pseudo(tr("Lines over {axis}", axis=NAME))


def test_that_rows_are_drawn_again_in_another_language_even_where_they_are_equal(qtbot: Any) -> None:
    chart = shown(qtbot, RowChart(EMPTY, NAME))
    spec = RowSpec((Column(unit="bytes"),), (Band((Row("NF4", (Cell(mark=3.0),)),)),))
    chart.set_rows(spec)
    words = chart.view.words
    chart.set_rows(spec)
    assert chart.view.words is words
    translation.use(PSEUDO)
    chart.set_rows(spec)
    assert chart.view.words is not words
    assert chart.view.accessibleName() == pseudo(NAME)


# The form


def test_that_a_choice_moves_below_its_label_where_both_do_not_fit_in_a_line(qtbot: Any) -> None:
    spec = FieldSpec("gpu", tr("The model of the GPU"), str, "A100", EMPTY, EMPTY, choices=("A100", "H100"))
    field = shown(qtbot, ComboField(spec))
    label_px = field.label.fontMetrics().horizontalAdvance(field.label.text())
    field.resize(label_px + field.combo.fontMetrics().horizontalAdvance("A100") + 60, 80)
    qtbot.waitUntil(lambda: field.combo.x() > field.label.x())
    translation.use(PSEUDO)
    qtbot.waitUntil(lambda: field.combo.x() == field.label.x())
    assert field.combo.y() >= field.label.geometry().bottom()
    translation.use("en")
    qtbot.waitUntil(lambda: field.combo.x() > field.label.x())
