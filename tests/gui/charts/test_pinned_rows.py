"""Run A behind run B on the same axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.pinned import with_pinned
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Row, RowSpec, Segment
from gui.charts.series import Series

STEPS = np.arange(1, 6)


def line(name: str, scale: float) -> Series:
    return Series(name, STEPS, STEPS * scale, 0)


def rows(*values: float, unit: str = "ms") -> RowSpec:
    cells = [Cell(((Segment(value, TEXT),),), texts=(f"{value:g} ms",)) for value in values]
    named = tuple(Row(f"row {index}", (cell,), read_out=f"row {index}") for index, cell in enumerate(cells))
    return RowSpec((Column(unit=unit),), (Band(named),))


def chart(qtbot: Any) -> LineChart:
    made = LineChart("nothing", Axis("step", steps="whole"), Axis("loss"))
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def test_that_lines_of_a_are_faint_behind_those_that_b_has_too(qtbot: Any) -> None:
    made = chart(qtbot)
    made.set_series([line("train", 1.0)], pinned=[line("train", 10.0), line("test", 3.0)])
    assert [(one.name, one.pinned) for one in made.series] == [("A: train", True), ("train", False)]
    behind, front = made._lines
    assert behind.zValue() < front.zValue()
    assert behind.opts["pen"].color().alpha() < front.opts["pen"].color().alpha()
    assert [entry.label for entry in made.legend.entries] == ["train", "A, pinned"]
    assert made.describe(2, 0) == "step 2\nA: train: 20\ntrain: 2"
    assert made.chart.getViewBox().viewRange()[1][1] >= 50, "the axis has room for A"


def test_that_lines_of_a_stay_while_b_has_none(qtbot: Any) -> None:
    made = chart(qtbot)
    made.set_series([], pinned=[line("train", 10.0)])
    assert [one.name for one in made.series] == ["A: train"]
    made.set_series([])
    assert made.is_empty


def test_that_a_line_of_a_cannot_be_picked(qtbot: Any) -> None:
    made = chart(qtbot)
    made.set_series([replace(line("train", 1.0), key="b")], pinned=[replace(line("train", 10.0), key="a")])
    with qtbot.waitSignal(made.series_picked) as picked:
        made._on_click(3, 30)
    assert picked.args == ["b"]


def test_that_rows_have_a_tick_at_the_value_of_a() -> None:
    marked = with_pinned(rows(1.0, 2.0), rows(4.0, 2.0, 9.0))
    assert [row.cells[0].pinned for row in marked.rows] == [(4.0,), (2.0,)]
    assert [row.read_out for row in marked.rows] == ["row 0\nA: 4 ms", "row 1\nA: 2 ms"]
    assert marked.columns[0].range([row.cells[0] for row in marked.rows]) == (0.0, 4.0)
    assert [key.label for key in marked.legends[0]] == ["A, pinned"]


def test_that_rows_of_other_units_or_names_are_left_alone() -> None:
    spec = rows(1.0)
    assert with_pinned(spec, rows(1.0, unit="bytes")) is spec
    assert with_pinned(spec, None) is spec
    assert with_pinned(None, spec) is None
    other = replace(spec, bands=(Band((replace(spec.rows[0], name="other"),)),))
    assert with_pinned(spec, other) is spec


def test_that_the_tick_is_drawn_where_its_value_is(qtbot: Any) -> None:
    made = RowChart("nothing", "rows")
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show()
    made.set_rows(rows(1.0, 2.0), rows(4.0, 2.0))
    [panel] = made.view.panels
    assert panel.pinned.isVisible()
    assert panel.pinned.opts["x"].tolist() == [4.0, 2.0]
    made.set_rows(rows(1.0, 2.0))
    assert not panel.pinned.isVisible()
