"""The bits that scales add to a parameter, in float32 and in 8 bits, with their arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QSizePolicy

from core.format import format_quantity
from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.theme import Theme
from gui.widgets.selectable_rows import SelectableRows

if TYPE_CHECKING:
    from gui.pages.quantization.scales_view import ScalesPicture, ScalesView

_LINE_PX, _BAR_PX = 19, 15
_NAMES = ("float32", "8 bits")
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ScaleBits(SelectableRows):
    """A line that says of which scales, then a bar each way, to one scale. The read-out has every digit."""

    def __init__(self, figure: ScalesView) -> None:
        super().__init__(figure)
        self.scales: ScalesPicture | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(380, 3 * _LINE_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 3 * _LINE_PX)

    def row_boxes(self) -> list[QRectF]:
        return [QRectF(0, (1 + index) * _LINE_PX, self.width(), _LINE_PX) for index in range(len(_NAMES))]

    def describe(self, index: int) -> str:
        scales = self.scales
        assert scales is not None  # the figure is empty without
        if index == 0:
            return f"a float32 a block: 32/{scales.block_size} = {scales.plain_bits:.7g} bits a parameter"
        return (
            f"8 bits a block: 8/{scales.block_size} = {scales.code_bits:.7g} bits a parameter\n"
            f"a float32 for {scales.nested_block} of them: 32/({scales.block_size} × {scales.nested_block}) = "
            f"{scales.second_bits:.7g}\ntogether {scales.nested_bits:.7g}: "
            f"{scales.plain_bits - scales.nested_bits:.7g} bits a parameter saved; modelled"
        )

    def paint(self, painter: QPainter, theme: Theme) -> None:
        scales = self.scales
        if scales is None:
            return
        self.paint_focus(painter, theme)
        painter.setFont(themes.ui_font("small"))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(4, 0, self.width() - 8, _LINE_PX), _LEFT, self._caption(painter, scales))
        ways = (((scales.plain_bits, theme.series[0]),), self._nested(theme, scales))
        for way, (parts, box) in enumerate(zip(ways, self.row_boxes(), strict=True)):
            painter.setPen(QColor(theme.text))
            painter.drawText(box.adjusted(4, 0, 0, 0), _LEFT, _NAMES[way])
            end = self._paint_bar(painter, parts, box)
            painter.setPen(QColor(theme.on_accent if way == 0 else theme.text))
            left = self._left(painter) + 6 if way == 0 else end + 6
            room = QRectF(left, box.top(), (end if way == 0 else self.width()) - left - 2, box.height())
            painter.drawText(room, _LEFT, _fitting(painter, _sums(scales)[way], room.width()))

    def _caption(self, painter: QPainter, scales: ScalesPicture) -> str:
        """Of which tensor the scales are; its name gives way where there is no room."""
        error = format_quantity(100 * scales.relative_rmse, "%")
        off = "" if scales.used else "double quantization is off, this is what it would do · "
        rest = f": {len(scales.absmax):,} scales, RMS error {error}"
        metrics, room = painter.fontMetrics(), self.width() - 8
        for before in (off, "off · " if off else ""):
            whole = f"{before}{scales.tensor}{rest}"
            if metrics.horizontalAdvance(whole) <= room:
                return whole
        left = room - metrics.horizontalAdvance(f"{before}{rest}")
        return f"{before}{metrics.elidedText(scales.tensor, Qt.TextElideMode.ElideMiddle, max(30, left))}{rest}"

    def _nested(self, theme: Theme, scales: ScalesPicture) -> tuple[tuple[float, str], ...]:
        return (scales.code_bits, theme.series[1]), (scales.second_bits, theme.series[3])

    def _left(self, painter: QPainter) -> float:
        return max(painter.fontMetrics().horizontalAdvance(name) for name in _NAMES) + 12.0

    def _paint_bar(self, painter: QPainter, parts: tuple[tuple[float, str], ...], box: QRectF) -> float:
        """The parts one behind another; returns where they end."""
        assert self.scales is not None
        left = self._left(painter)
        scale = (self.width() - left - 4) / max(self.scales.plain_bits, self.scales.nested_bits)
        top = box.center().y() - _BAR_PX / 2
        for bits, ink in parts:
            width = max(2.0, bits * scale)
            painter.fillRect(QRectF(left, top, width, _BAR_PX), QColor(ink))
            left += width
        return left


def _sums(scales: ScalesPicture) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arithmetic of both ways, each in wordings from the longest to the shortest."""
    block, nested = scales.block_size, scales.nested_block
    plain, both = (short_quantity(bits) for bits in (scales.plain_bits, scales.nested_bits))
    saved = short_quantity(scales.plain_bits - scales.nested_bits)
    formula = f"8/{block} + 32/({block} × {nested}) = {both}"
    return (
        (f"32/{block} = {plain} bits a parameter", f"32/{block} = {plain} bits", plain),
        (
            f"{formula} bits a parameter: {saved} saved",
            f"{formula} bits: {saved} saved",
            f"{formula} bits",
            f"{both} bits",
        ),
    )


def _fitting(painter: QPainter, wordings: tuple[str, ...], room: float) -> str:
    fits = (text for text in wordings if painter.fontMetrics().horizontalAdvance(text) <= room)
    return next(fits, wordings[-1])
