from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtGui import Qt, QTextDocumentFragment
from PySide6.QtWidgets import QLabel, QWidget

from gui.translation import plain_tip, show_text

LIKE_HTML = ("<module>", "<b>bold</b>", 'a <img src="x"> b', "two\nlines <i>of</i> it", "x < y > z")


@pytest.mark.parametrize("name", LIKE_HTML)
def test_that_a_label_shows_a_name_that_looks_like_html_as_it_is(qtbot: Any, name: str) -> None:
    label = QLabel()
    qtbot.addWidget(label)
    show_text(label.setText, name)
    assert label.text() == name
    assert label.textFormat() is Qt.TextFormat.PlainText


@pytest.mark.parametrize("name", LIKE_HTML)
def test_that_a_tooltip_shows_a_name_that_looks_like_html_as_it_is(qtbot: Any, name: str) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    show_text(widget.setToolTip, name)
    assert _seen(widget.toolTip()) == name
    assert _seen(plain_tip(name)) == name


def test_that_a_label_which_is_meant_to_be_rich_stays_rich(qtbot: Any) -> None:
    label = QLabel()
    qtbot.addWidget(label)
    label.setTextFormat(Qt.TextFormat.RichText)
    show_text(label.setText, "<b>bold</b>")
    assert label.textFormat() is Qt.TextFormat.RichText


def _seen(tip: str) -> str:
    """The characters that Qt draws for a tooltip."""
    return QTextDocumentFragment.fromHtml(tip).toPlainText() if Qt.mightBeRichText(tip) else tip
