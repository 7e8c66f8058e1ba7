"""Matrices as a row or a column of thumbnails, one of them in front."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.charts.matrix_page import MatrixPage
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.figure import Canvas
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_THUMB_PX, _BETWEEN_PX, _NAME_PX, _UNBOUNDED = Px(26), Px(6), Px(13), 1 << 20


class PageThumbs(Canvas):
    """Every matrix with its name: in a column, or after `lie_across` in a row.

    `picked` carries the index of the matrix that was clicked or walked to with the arrow keys; `read` the title under
    the pointer, '' for none, and the position of the pointer.
    """

    picked = Signal(int)
    read = Signal(str, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._across = False
        self._names_px = 0
        self.pages: tuple[MatrixPage, ...] = ()
        self.front = 0
        self._images: list[QImage] = []
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        show_text(self.setAccessibleName, tr("Matrices: arrows bring one to the front"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFont(themes.ui_font("small"))

    def set_pages(self, pages: Sequence[MatrixPage], front: int) -> None:
        """Show these; a single one needs no thumbnail, and takes no space."""
        self.pages = tuple(pages)
        self.front = front
        self._names_px = max((self.fontMetrics().horizontalAdvance(page.name) for page in pages), default=0)
        self._take_room()
        self.forget_images()

    def lie_across(self, across: bool) -> None:
        """In a row, or else in a column."""
        self._across = across
        self._take_room()

    def _take_room(self) -> None:
        several, free = len(self.pages) > 1, (0, _UNBOUNDED)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if several else Qt.FocusPolicy.NoFocus)
        thick = _THUMB_PX + (_NAME_PX + 4 if self._across else self._names_px + 9)
        for bounds, least, most in (
            (free if self._across else (thick * several,) * 2, self.setMinimumWidth, self.setMaximumWidth),
            ((thick * several,) * 2 if self._across else free, self.setMinimumHeight, self.setMaximumHeight),
        ):
            least(bounds[0])
            most(bounds[1])
        self.update()

    def set_front(self, index: int) -> None:
        self.front = index
        self.update()

    def forget_images(self) -> None:
        self._images = []
        self.update()

    def box_of(self, index: int) -> QRectF:
        """Where the thumbnail of a matrix is."""
        count = len(self.pages)
        if self._across:
            pitch = min(max(_THUMB_PX, self._names_px) + _BETWEEN_PX, self.width() / max(1, count))
            side = max(6.0, min(_THUMB_PX, pitch - _BETWEEN_PX / 2))
            left = (self.width() - count * pitch) / 2
            return QRectF(left + index * pitch + (pitch - side) / 2, 2 + (_THUMB_PX - side) / 2, side, side)
        side = max(6.0, min(_THUMB_PX, (self.height() - 4) / max(1, count) - _BETWEEN_PX))
        top = max(2.0, (self.height() - count * (side + _BETWEEN_PX)) / 2)
        return QRectF(self.width() - side - 3, top + index * (side + _BETWEEN_PX), side, side)

    def index_at(self, place: QPointF) -> int | None:
        """The matrix whose thumbnail or name is at a point."""
        grown = (_BETWEEN_PX / 2, 2, _BETWEEN_PX / 2, _NAME_PX) if self._across else (self._names_px + 6, 2, 3, 2)
        left, top, right, bottom = grown
        boxes = (self.box_of(index).adjusted(-left, -top, right, bottom) for index in range(len(self.pages)))
        return next((index for index, box in enumerate(boxes) if box.contains(place)), None)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        self._images = self._images or [page.image(theme) for page in self.pages]
        for index, (page, image) in enumerate(zip(self.pages, self._images, strict=True)):
            box, border = self.box_of(index), theme.accent if index == self.front else theme.border_strong
            painter.drawImage(box, image, QRectF(image.rect()))
            painter.setPen(QPen(QColor(border), 2 if index == self.front else 1))
            painter.drawRect(box)
            painter.setPen(QColor(theme.accent if index == self.front else theme.muted))
            if self._across:
                name = QRectF(box.center().x() - 40, self.height() - _NAME_PX - 1, 80, _NAME_PX)
                painter.drawText(name, Qt.AlignmentFlag.AlignCenter, page.name)
            else:
                name = QRectF(0, box.top(), box.left() - 5, box.height())
                painter.drawText(name, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, page.name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.front + sum(STEPS.get(Qt.Key(event.key()), (0, 0)))
        if index == self.front:
            super().keyPressEvent(event)
        elif 0 <= index < len(self.pages):
            self.picked.emit(index)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position())
        if index is not None and event.button() is Qt.MouseButton.LeftButton:
            self.picked.emit(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.index_at(event.position())
        self.read.emit("" if index is None else self.pages[index].title, event.position().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        self.read.emit("", QPoint())
        super().leaveEvent(event)
