"""Texts in a fixed number of lines."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QFontMetrics

from gui import theme
from gui.widgets.wrapped_text import wrapped

TEXT = "The mask hides half of the cells, and tiles save somewhat less than half of the work."


def test_that_a_short_text_stays_in_one_line(qtbot: Any) -> None:
    assert wrapped("causal", theme.ui_font("small"), 300, 2) == ["causal"]
    assert wrapped("", theme.ui_font("small"), 300, 2) == [""]


def test_that_a_long_text_is_broken_between_words_and_elided_in_the_last_line(qtbot: Any) -> None:
    font = theme.ui_font("small")
    whole = wrapped(TEXT, font, 200, 9)
    assert " ".join(whole) == TEXT
    assert len(whole) > 2
    cut = wrapped(TEXT, font, 200, 2)
    assert cut[0] == whole[0]
    assert cut[1].endswith("…")
    assert all(QFontMetrics(font).horizontalAdvance(line) <= 200 for line in cut)


def test_that_chinese_is_broken_between_characters(qtbot: Any) -> None:
    lines = wrapped("掩码遮住一半的元素，分块省下的运算略少于一半。", theme.ui_font("small"), 100, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
