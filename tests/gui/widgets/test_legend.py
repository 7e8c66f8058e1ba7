"""A legend names every entry, whatever its width."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import tr_in
from gui import translation
from gui.widgets.legend import Entry, Legend
from tests.gui.text_walk import paint, settle_layouts

LABELS = st.lists(st.text("abcdefgh wxyz", max_size=30), max_size=12)


@pytest.fixture
def legend(qtbot: Any) -> Legend:
    made = Legend()
    qtbot.addWidget(made)
    return made


def entries(labels: list[str]) -> list[Entry]:
    return [
        Entry(label, "#ff0000", scale=("#000000", "#ffffff") if index % 3 == 2 else ())
        for index, label in enumerate(labels)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(LABELS, st.integers(20, 900))
def test_that_no_entry_is_lost_and_none_overlaps(legend: Legend, labels: list[str], width: int) -> None:
    given_entries = entries(labels)
    legend.set_entries(given_entries)
    rows = legend.rows(width)
    assert [entry for row in rows for entry, _ in row] == given_entries
    assert legend.heightForWidth(width) >= max((box.bottom() for row in rows for _, box in row), default=0)
    boxes = [box for row in rows for _, box in row]
    assert all(box.left() >= 0 and box.right() <= width for box in boxes)
    assert not any(a.intersects(b) for index, a in enumerate(boxes) for b in boxes[index + 1 :])


def test_that_entries_that_fit_stay_in_one_row(legend: Legend) -> None:
    legend.set_entries(entries(["q", "k", "v"]))
    assert len(legend.rows(legend.sizeHint().width())) == 1
    assert legend.heightForWidth(400) == legend.sizeHint().height()


def test_that_a_narrow_legend_takes_the_height_of_its_rows_and_paints_every_name(qtbot: Any) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    layout = QVBoxLayout(page)
    legend = Legend()
    layout.addWidget(legend)
    layout.addWidget(QWidget(), 1)
    legend.set_entries(entries([f"entry number {index}" for index in range(8)]))
    page.resize(220, 300)
    page.show()
    settle_layouts()
    assert legend.height() == legend.heightForWidth(legend.width()) > legend.sizeHint().height()
    assert [word.text for word in paint(legend)] == [str(entry.label) for entry in legend.entries]
    page.resize(1200, 300)
    settle_layouts()
    assert legend.height() == legend.sizeHint().height()


def test_that_an_entry_that_is_wider_than_the_legend_ends_with_an_ellipsis(legend: Legend) -> None:
    legend.set_entries(entries(["short", "a name that is much longer than that"]))
    legend.resize(90, legend.heightForWidth(90))
    first, second = (word.text for word in paint(legend))
    assert first == "short"
    assert second.endswith("…")


def test_that_another_language_takes_the_height_that_it_needs(legend: Legend) -> None:
    legend.set_entries([Entry(tr_in("unit", "blocks"), "#ff0000")] * 6)
    legend.resize(150, 20)
    legend.show()
    assert legend.minimumHeight() == legend.heightForWidth(150) > legend.heightForWidth(900)
    translation.use("zh")
    assert legend.minimumHeight() == legend.heightForWidth(legend.width())
