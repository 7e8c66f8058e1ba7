"""Names that came from outside are cut and cleaned wherever the window shows them."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLabel, QTabBar

from core.contracts.result import Environment
from core.contracts.text import tr, verbatim
from core.engine.history import HistoryEntry
from core.outside import LABEL_LIMIT, TIP_LIMIT, shown_label
from core.topics.kernel_lab import TOPIC, analysis
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult, source_lines
from core.trace.file import EncodedTrace
from core.trace.tables import tables
from gui.page.history import HistoryPanel
from gui.pages.kernel_lab.editor import CodeEditor
from gui.pages.kernel_lab.page import KernelLabPage
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.code_view import CodeView
from gui.widgets.figure import Canvas, HoverTip
from gui.widgets.fitted_label import FittedLabel
from tests.gui.pages.kernel_lab.lab_result import lab_launch
from tests.gui.text_walk import paint, read_outs_of, settle_layouts, texts_of

EVIL = "\u202eevil\x1b[2J\x00\u2066" + "w" * 100_000 + "\u202d\x07end"
LOG_LIMIT = 250_000
LONG_PATH = "/" + "/".join(["folder\u202e"] * 500) + "/kernel.py"


def faults_of(text: str, limit: int) -> str:
    """What is wrong with a shown text; '' if it can be shown."""
    unsafe = [c for c in text if c not in "\n\t\u2028" and unicodedata.category(c) in ("Cc", "Cs", "Cf")]
    return f"{len(text)} characters" if len(text) > limit else f"it holds {unsafe[0]!r}" if unsafe else ""


def evil_result() -> KernelLabResult:
    """A trace from elsewhere, whose kernel, tensors and file have hostile names."""
    launch = lab_launch(LONG_PATH, function=EVIL)
    launch = replace(
        launch,
        buffers=tuple(replace(buffer, name=f"{EVIL}{index}") for index, buffer in enumerate(launch.buffers)),
        source=f"def kernel(x):  # {EVIL}\n    pass\n" + launch.source,
        config=EVIL,
    )
    counted = tables([launch])
    return KernelLabResult(
        params=KernelLabParams(),
        environment=Environment(EVIL, EVIL, {EVIL: EVIL}),
        launches=counted.launches,
        tensors=counted.tensors,
        line_traffic=counted.lines,
        lines=source_lines(counted.lines),
        faults=counted.faults,
        sources=analysis.kernel_sources([launch]),
        files=analysis.traced_files([launch], {}),
        trace=EncodedTrace.of([launch]),
        trace_file=LONG_PATH,
    )


@pytest.mark.parametrize("text", ["", "name", "a\nb", "x" * LABEL_LIMIT, EVIL, LONG_PATH, "\x1b" * 5_000])
def test_that_a_label_is_short_and_clean(text: str) -> None:
    assert faults_of(shown_label(text), LABEL_LIMIT) == ""
    assert shown_label(shown_label(text)) == shown_label(text)
    if len(text) <= LABEL_LIMIT and not set(text) & set(EVIL[:12]) - set("evil[2J"):
        assert shown_label(text) == text


def test_that_a_trace_with_hostile_names_is_shown_with_clean_ones(qtbot: Any) -> None:
    page = KernelLabPage(TOPIC)
    qtbot.addWidget(page)
    page.resize(1400, 900)
    page.show()
    page.present(evil_result(), {})
    qtbot.waitUntil(lambda: not page.drawing, timeout=10_000)
    page.append_log(EVIL)
    for bar in page.findChildren(QTabBar):
        bar.setCurrentIndex(bar.count() - 1)
    settle_layouts()
    found = [
        f"{seen.kind} in {seen.file}: {problem}"
        for seen in (*texts_of(page), *read_outs_of(page))
        if (problem := faults_of(seen.text, LOG_LIMIT if seen.kind == "log" else TIP_LIMIT))
    ]
    assert found == []
    painted = [f"{word}: {problem}"[:200] for word in paint(page) if (problem := faults_of(word.text, TIP_LIMIT))]
    assert painted == []
    assert any("evil" in seen.text for seen in texts_of(page)), "the names are there"


def test_that_parameters_and_devices_of_old_runs_and_paths_are_cleaned(qtbot: Any) -> None:
    panel = HistoryPanel()
    qtbot.addWidget(panel)
    entry = HistoryEntry(
        "id", "toy", {"file": LONG_PATH, "name": EVIL}, {"device": EVIL}, {}, datetime(2026, 5, 4, tzinfo=UTC), 1.0, 1
    )
    panel.set_entries([entry])
    label, title = FittedLabel(EVIL), QLabel()
    show_text(title.setText, tr("Reopened a run on {device} from the history", device=EVIL))
    show_text(title.setToolTip, verbatim(LONG_PATH))
    tip = HoverTip(panel)
    tip.show_at(QPoint(), EVIL)
    for widget in (label, title):
        qtbot.addWidget(widget)
    shown = [seen.text for widget in (panel, label, title) for seen in texts_of(widget)]
    assert any("evil" in text for text in shown)
    assert [problem for text in (*shown, label.shown, tip.text()) if (problem := faults_of(text, TIP_LIMIT))] == []


def test_that_painted_words_are_cleaned(qtbot: Any) -> None:
    class Painting(Canvas):
        def paint(self, painter: QPainter, theme: Theme) -> None:
            painter.drawText(QRectF(0, 0, 90, 20), Qt.AlignmentFlag.AlignCenter, EVIL)
            painter.drawText(QPointF(3, 3), EVIL)

    canvas = Painting()
    qtbot.addWidget(canvas)
    words = paint(canvas)
    assert len(words) == 2
    assert [problem for word in words if (problem := faults_of(word.text, LABEL_LIMIT))] == []


def test_that_code_is_shown_as_it_is_only_where_it_can_be_edited(qtbot: Any) -> None:
    text = "x = 1  # \u202ehidden\n\ty\n"
    shown = {}
    for name, view in (
        ("read", CodeView(text)),
        ("locked", CodeEditor(text, editable=False)),
        ("edited", CodeEditor(text)),
    ):
        qtbot.addWidget(view)
        shown[name] = view.toPlainText()
    assert shown["edited"] == text
    assert shown["read"] == shown["locked"] == text.replace("\u202e", "\\u202e")
