"""HBM and SRAM of one GPU compared: how much smaller and how much faster SRAM is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import tr, tr_in
from core.format import format_quantity, quantity
from core.hardware.gpus import Gpu
from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.theme import Theme, mix
from gui.widgets.figure import Canvas, Figure, sram_bytes
from gui.zoom import Px

HEIGHT_PX = Px(66)
_MARGIN_PX = Px(10)
_ARROW_PX, _NAME_PX = Px(190), Px(150)
_NARROW_PX = Px(960)
_OF_NAME_PX = Px(54)
"""What the name of a memory takes."""
"""Below this width the numbers are smaller and the arrow is shorter."""


class HardwareStrip(Figure):
    """Two blocks joined by their ratio. The bars under the numbers share one bandwidth scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The memories of the selected GPU appear here."), parent)
        self._strip = _Strip(self)
        self.setFixedHeight(HEIGHT_PX)
        self.set_content(self._strip)

    @property
    def gpu(self) -> Gpu | None:
        return self._strip.gpu

    def set_gpu(self, gpu: Gpu | None) -> None:
        """Show another GPU; None shows the empty state."""
        if gpu is not None and gpu == self._strip.gpu:
            return
        self._strip.gpu = gpu
        if gpu is None:
            self.show_empty()
            return
        self._strip.update()
        self.show_content()

    def restyle(self, theme: Theme) -> None:
        self._strip.update()


class _Strip(Canvas):
    def __init__(self, figure: HardwareStrip) -> None:
        super().__init__()
        self._figure = figure
        self.gpu: Gpu | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(700, HEIGHT_PX)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        gpu = self.gpu
        if gpu is not None:
            self._figure.tip.show_at(event.position().toPoint(), describe(gpu))

    def paint(self, painter: QPainter, theme: Theme) -> None:
        gpu = self.gpu
        if gpu is None:
            return
        inside = QRectF(self.rect()).adjusted(_MARGIN_PX, 6, -_MARGIN_PX, -6)
        name = QRectF(inside.left(), inside.top(), _NAME_PX, inside.height())
        arrow_px = max(_ARROW_PX if self.width() >= _NARROW_PX else _ARROW_PX * 0.6, _arrow_text_px(gpu))
        block = (inside.width() - _NAME_PX - arrow_px) / 2
        hbm = QRectF(name.right(), inside.top(), block, inside.height())
        arrow = QRectF(hbm.right(), inside.top(), arrow_px, inside.height())
        sram = QRectF(arrow.right(), inside.top(), block, inside.height())
        self._paint_name(painter, theme, name, gpu)
        fastest = max(gpu.sram_bytes_per_s, gpu.hbm_bytes_per_s)
        hbm_size = short_quantity(gpu.memory_bytes, "bytes")
        hbm_speed = format_quantity(gpu.hbm_bytes_per_s, "B/s")
        sram_speed = format_quantity(gpu.sram_bytes_per_s, "B/s")
        hbm_text, sram_text = ("HBM", hbm_size, hbm_speed), ("SRAM", sram_bytes(gpu.sram_bytes), sram_speed)
        _paint_block(painter, theme, hbm, hbm_text, theme.series[0], gpu.hbm_bytes_per_s / fastest)
        _paint_block(painter, theme, sram, sram_text, theme.series[1], gpu.sram_bytes_per_s / fastest)
        _paint_arrow(painter, theme, arrow, gpu)

    def _paint_name(self, painter: QPainter, theme: Theme, box: QRectF, gpu: Gpu) -> None:
        upper, lower = box.adjusted(2, 4, -8, -box.height() / 2), box.adjusted(2, box.height() / 2, -8, -4)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(themes.ui_font("title", bold=True))
        painter.setPen(QColor(theme.text))
        painter.drawText(upper, left, _elided(painter, gpu.name, upper.width()))
        painter.setFont(themes.ui_font("small"))
        painter.setPen(QColor(theme.muted))
        sram = sram_bytes(gpu.sram_bytes_per_sm)
        text = str(tr("{sms} SMs × {sram}", sms=gpu.sms, sram=sram))
        painter.drawText(lower, left, _elided(painter, text, lower.width()))


def describe(gpu: Gpu) -> str:
    """Both memories in exact numbers, with their source."""
    hbm_speed, sram_speed = (
        format_quantity(speed, "B/s", digits=4) for speed in (gpu.hbm_bytes_per_s, gpu.sram_bytes_per_s)
    )
    per_sm, whole = sram_bytes(gpu.sram_bytes_per_sm), sram_bytes(gpu.sram_bytes)
    lines = (
        gpu.name,
        tr("HBM: {size} at {speed}", size=quantity(gpu.memory_bytes, "bytes"), speed=hbm_speed),
        tr(
            "SRAM: {sms} SMs × {per_sm} = {size} at {speed} (modelled: SMs × 128 B per clock × clock)",
            sms=gpu.sms,
            per_sm=per_sm,
            size=whole,
            speed=sram_speed,
        ),
        gpu.source,
    )
    return "\n".join(map(str, lines)).strip()


def _paint_block(
    painter: QPainter, theme: Theme, box: QRectF, texts: tuple[str, str, str], ink: str, share: float
) -> None:
    """Name, size and bandwidth of one memory; below them its bandwidth to scale."""
    painter.setPen(QPen(QColor(mix(theme.surface, ink, 0.35)), 1))
    painter.setBrush(QColor(mix(theme.surface, ink, 0.10)))
    painter.drawRoundedRect(box, 5, 5)
    inner = box.adjusted(12, 4, -12, -5)
    line = QRectF(inner.left(), inner.top(), inner.width(), inner.height() - 9)
    name, size, speed = texts
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    painter.setFont(themes.ui_font("title", bold=True))
    painter.setPen(QColor(ink))
    painter.drawText(line, left, name)
    _paint_numbers(painter, theme, line.adjusted(int(_OF_NAME_PX), 0, 0, 0), size, speed)
    track = QRectF(inner.left(), inner.bottom() - 5, inner.width(), 5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(mix(theme.surface, ink, 0.18)))
    painter.drawRoundedRect(track, 2.5, 2.5)
    painter.setBrush(QColor(ink))
    painter.drawRoundedRect(QRectF(track.left(), track.top(), max(5.0, track.width() * share), 5), 2.5, 2.5)


def _paint_numbers(painter: QPainter, theme: Theme, line: QRectF, size: str, speed: str) -> None:
    """Side by side, smaller where there is little room, else one above the other: half a number says another one."""
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    preposition = str(tr_in("bandwidth", "at"))
    fonts = [themes.ui_font("heading", bold=True), themes.ui_font("body", bold=True)]
    whole = f"{size}  {preposition}  {speed}"
    font = next((font for font in fonts if QFontMetricsF(font).horizontalAdvance(whole) <= line.width()), None)
    painter.setPen(QColor(theme.text))
    if font is None:
        painter.setFont(themes.ui_font("small", bold=True))
        upper, lower = line.adjusted(0, 0, 0, -line.height() / 2), line.adjusted(0, line.height() / 2, 0, 0)
        painter.drawText(upper, left, _elided(painter, size, upper.width()))
        painter.drawText(lower, left, _elided(painter, speed, lower.width()))
        return
    painter.setFont(font)
    painter.drawText(line, left, size)
    offset = painter.fontMetrics().horizontalAdvance(size) + 8
    painter.setFont(themes.ui_font("body"))
    painter.setPen(QColor(theme.muted))
    painter.drawText(line.adjusted(offset, 1, 0, 0), left, preposition)
    offset += painter.fontMetrics().horizontalAdvance(preposition) + 8
    painter.setFont(font)
    painter.setPen(QColor(theme.text))
    painter.drawText(line.adjusted(offset, 0, 0, 0), left, speed)


def _ratios(gpu: Gpu) -> tuple[str, str]:
    """How much faster and smaller SRAM is."""
    faster = tr("{ratio}× faster", ratio=format_quantity(gpu.speed_ratio, digits=2))
    smaller = tr("{ratio:,.0f}× smaller", ratio=float(f"{gpu.size_ratio:.2g}"))
    return str(faster), str(smaller)


def _arrow_text_px(gpu: Gpu) -> float:
    """The width that both ratios need."""
    fonts = themes.ui_font("title", bold=True), themes.ui_font("body")
    return 24 + max(QFontMetricsF(font).horizontalAdvance(text) for font, text in zip(fonts, _ratios(gpu), strict=True))


def _paint_arrow(painter: QPainter, theme: Theme, box: QRectF, gpu: Gpu) -> None:
    middle = box.center().y()
    left, right = box.left() + 10, box.right() - 10
    painter.setPen(QPen(QColor(theme.border_strong), 1.5))
    painter.drawLine(QPointF(left, middle), QPointF(right - 6, middle))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.border_strong))
    head = [QPointF(right, middle), QPointF(right - 8, middle - 4), QPointF(right - 8, middle + 4)]
    painter.drawPolygon(QPolygonF(head))
    painter.setFont(themes.ui_font("title", bold=True))
    painter.setPen(QColor(theme.good))
    half = box.height() / 2
    faster, smaller = _ratios(gpu)
    painter.drawText(box.adjusted(0, 2, 0, -half), Qt.AlignmentFlag.AlignCenter, faster)
    painter.setFont(themes.ui_font("body"))
    painter.setPen(QColor(theme.warn))
    painter.drawText(box.adjusted(0, half, 0, -2), Qt.AlignmentFlag.AlignCenter, smaller)


def _elided(painter: QPainter, text: str, width: float) -> str:
    return painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(width))
