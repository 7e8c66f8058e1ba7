"""The memories of a GPU: their numbers are whole, or visibly shortened, however little room there is."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QImage, QPainter

from gui import theme
from gui.pages.flash_attention.hardware_bar import _paint_numbers


class Recorder(QPainter):
    """Notes each text, and how much of it is outside of its box."""

    def __init__(self, image: QImage) -> None:
        super().__init__(image)
        self.texts: list[str] = []
        self.cut_px: list[float] = []

    def drawText(self, box: QRectF, flags: Any, text: str) -> None:
        self.texts.append(text)
        self.cut_px.append(QFontMetricsF(self.font()).horizontalAdvance(text) - box.width())


@pytest.mark.parametrize(("width", "whole"), [(40, False), (75, True), (160, True), (400, True)])
def test_that_no_number_is_cut(qapp: Any, width: int, whole: bool) -> None:
    image = QImage(400, 60, QImage.Format.Format_RGB32)
    painter = Recorder(image)
    _paint_numbers(painter, theme.current(), QRectF(0, 0, width, 50), "40 GB", "1.56 TB/s")
    painter.end()
    assert max(painter.cut_px) <= 0
    assert ({"40 GB", "1.56 TB/s"} <= set(painter.texts)) is whole
