from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from core import language
from core.contracts.claims import Finding, Verdict
from core.contracts.result import Result
from gui import theme, translation
from gui.page.banner import Banner
from gui.page.claims import ClaimsPanel
from gui.page.log import LogPanel
from gui.page.notes import NotesPanel
from gui.page.source import SourceView
from gui.widgets.code_view import CodeView
from tests.gui.doubles import SOURCE, toy_claims


@pytest.fixture
def view(qtbot: Any, result: Result) -> SourceView:
    made = SourceView()
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    made.set_sources(result.sources)
    return made


def test_that_a_claim_is_untested_until_a_run_tests_it(qtbot: Any) -> None:
    panel = ClaimsPanel(toy_claims())
    qtbot.addWidget(panel)
    assert panel.chips["faster"].text == "not tested yet"
    panel.show_findings(
        {"same-result": Finding(Verdict.HOLDS, "error 3e-7"), "faster": Finding(Verdict.NOT_TESTED, "GPU")}
    )
    assert panel.chips["same-result"].text == "holds"
    assert panel.evidence["same-result"].text() == "error 3e-7"
    assert panel.tested() == 1
    panel.show_findings({})
    assert panel.tested() == 0


def test_that_claims_follow_the_language(qtbot: Any) -> None:
    panel = ClaimsPanel(toy_claims())
    qtbot.addWidget(panel)
    translation.use(language.PSEUDO)
    assert panel.statements["faster"].text().startswith("[Ît îs fàstér")


def test_that_a_claim_is_escaped_and_never_read_as_markup(qtbot: Any) -> None:
    panel = ClaimsPanel(toy_claims())
    qtbot.addWidget(panel)
    panel.show_findings({"faster": Finding(Verdict.HOLDS, "<b>1 < 2</b>")})
    assert panel.evidence["faster"].textFormat() is Qt.TextFormat.PlainText


def test_that_notes_are_read_in_the_chosen_language_when_shown(qtbot: Any, tmp_path: Path) -> None:
    for code, text in (("en", "# Bytes\n\n| a | b |\n|---|---|\n| 1 | 2 |"), ("zh", "# 字节")):
        (tmp_path / code).mkdir()
        (tmp_path / code / "toy.md").write_text(text, encoding="utf-8")
    panel = NotesPanel("toy", tmp_path)
    qtbot.addWidget(panel)
    assert panel.toPlainText() == ""
    panel.show()
    assert panel.toPlainText().startswith("Bytes")
    assert "|" not in panel.toPlainText()
    translation.use("zh")
    assert panel.toPlainText() == "字节"


def test_that_missing_notes_say_so(qtbot: Any, tmp_path: Path) -> None:
    panel = NotesPanel("toy", tmp_path)
    qtbot.addWidget(panel)
    panel.show()
    assert "no notes" in panel.toPlainText()


def test_that_the_log_stamps_entries_and_indents_their_details(qtbot: Any) -> None:
    log = LogPanel()
    qtbot.addWidget(log)
    log.append("Run failed\ntraceback\n")
    first, second = log.toPlainText().splitlines()
    assert first.endswith("Run failed")
    assert second == "          traceback"


def test_that_a_banner_can_be_dismissed(qtbot: Any) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    assert banner.sentence == ""
    banner.show_error("It broke.")
    assert banner.sentence == "It broke."
    with qtbot.waitSignal(banner.dismissed):
        banner.dismiss()
    assert banner.sentence == ""


def test_that_code_is_coloured_as_a_whole_and_recoloured_with_the_theme(qtbot: Any, qapp: Any) -> None:
    view = CodeView(SOURCE)
    qtbot.addWidget(view)
    view.show()

    def colour_at(line: int, column: int) -> QColor:
        formats = view.document().findBlockByNumber(line).layout().formats()
        return next(f.format.foreground().color() for f in formats if f.start <= column < f.start + f.length)

    assert colour_at(0, 0) == QColor(theme.load("dark").code["keyword"])
    assert colour_at(3, 6) == QColor(theme.load("dark").code["string"])  # second line of a docstring
    theme.apply(qapp, "light")
    assert colour_at(0, 0) == QColor(theme.load("light").code["keyword"])


def test_that_clicking_a_line_picks_it_by_its_number_in_the_file(view: SourceView, qtbot: Any) -> None:
    code = view.current_view
    y = round(code.blockBoundingGeometry(code.document().findBlockByNumber(1)).center().y())
    with qtbot.waitSignal(view.line_picked) as signal:
        QTest.mouseClick(code.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(60, y))
    assert signal.args == ["fwd", 11]
    assert code.picked_line == 11


def test_that_picking_from_outside_changes_tab_and_line_and_emits_nothing(view: SourceView) -> None:
    heard: list[Any] = []
    view.line_picked.connect(lambda *picked: heard.append(picked))
    view.pick("scores", 3)
    assert view.function == "scores"
    assert view.current_view.picked_line == 3
    view.pick("scores", 9999)
    view.pick(None, None)
    assert view.current_view.picked_line is None
    assert not heard


def test_that_ttir_is_shown_beside_the_source(view: SourceView) -> None:
    view.forms["TTIR"].setChecked(True)
    assert view.current_view.toPlainText() == "m {}"


def test_that_the_same_sources_keep_the_view_and_none_brings_the_hint_back(view: SourceView, result: Result) -> None:
    before = view.current_view
    view.set_sources(result.sources)
    assert view.current_view is before
    view.set_sources([])
    assert view.current_view is None
    assert view.function == ""


def test_that_annotations_stand_beside_their_lines(view: SourceView) -> None:
    code = view.current_view
    before = code.viewport().x()
    view.set_annotations("fwd", {11: "2.00 MB"})
    assert code.viewport().x() > before
