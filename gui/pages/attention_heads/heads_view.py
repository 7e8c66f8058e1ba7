"""The picture of the heads: query heads wired to what they read; selected by click and keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from core.contracts.text import tr
from gui.pages.attention_heads.head_layout import HeadLayout, matrices_room_px
from gui.pages.attention_heads.head_painting import HeadPainter, gutter_px, label_px
from gui.pages.attention_heads.head_picture import HeadPicture
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows

_LABEL_SHARE = 0.85
"""The share of a matrix's room that its label takes where there is too little."""


class HeadsView(Figure):
    """`head_picked` carries the query head, from 0, that was clicked or reached by keyboard; -1 for none.

    Left and Right go to the next head, Up and Down to the next group, Home and End to the first and the last head. A
    click on a KV head picks the first head that reads it; a second click deselects.
    """

    head_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The heads appear here once the parameters are valid."), parent)
        self.picture: HeadPicture | None = None
        self.head: int | None = None
        self.canvas = _Heads(self)
        self.set_content(self.canvas)

    def set_picture(self, picture: HeadPicture | None) -> None:
        """Show this attention; None is the empty state."""
        if picture is not None and picture == self.picture:
            return
        self.picture = picture
        if picture is None:
            self.show_empty()
            return
        self.canvas.forget_layout()
        self.show_content()

    def select_head(self, head: int | None) -> None:
        """Emphasize a query head and its group; None, or one that is not there, selects none. Emits no signal."""
        if head != self.head:
            self.head = head
            self.canvas.update()

    @property
    def selected(self) -> int | None:
        """The selected head, if the picture has it."""
        return (
            self.head if self.picture is not None and self.head is not None and self.head < self.picture.heads else None
        )

    def pick(self, head: int) -> None:
        """Handle a click on a head: a second click deselects it."""
        self.head_picked.emit(-1 if head == self.selected else head)

    def walk_to(self, head: int) -> None:
        """Select a head by keyboard, within those that there are."""
        if self.picture is not None:
            reached = min(self.picture.heads - 1, max(0, head))
            if reached != self.selected:
                self.head_picked.emit(reached)

    def data_table(self) -> DataTable | None:
        """One row per query head, with what it reads, and one per projection matrix."""
        picture = self.picture
        if picture is None:
            return None
        heads = range(picture.heads)
        reads = "latent" if picture.latent is not None else "kv_head"
        matrices = picture.matrices
        nothing = [None] * len(matrices)
        return table_of(
            {
                "part": [*["query_head"] * picture.heads, *(matrix.name for matrix in matrices)],
                "head": [*heads, *nothing],
                reads: [*map(picture.group_of, heads), *nothing],
                "inputs": [*[None] * picture.heads, *(matrix.inputs for matrix in matrices)],
                "outputs": [*[None] * picture.heads, *(matrix.outputs for matrix in matrices)],
                "parameters": [*[None] * picture.heads, *(matrix.parameters for matrix in matrices)],
            }
        )

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()


class _Heads(Canvas):
    def __init__(self, figure: HeadsView) -> None:
        super().__init__()
        self._figure = figure
        self._hovered: int | None = None
        self._layout: HeadLayout | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Query heads and what they read"))

    def sizeHint(self) -> QSize:
        return QSize(520, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, 180)

    @property
    def parts(self) -> HeadLayout | None:
        """Where everything is now."""
        picture, area = self._figure.picture, QRectF(self.rect())
        if picture is None:
            return None
        if self._layout is None or self._layout.area != area:
            labels, short = tuple(map(label_px, picture.matrices)), False
            room = matrices_room_px(area, len(labels))
            if sum(labels) > room:
                labels, short = tuple(label_px(matrix, short=True) for matrix in picture.matrices), True
            if sum(labels) > room:  # labels are elided then, so that the matrices above them keep some width
                most_px = _LABEL_SHARE * room / len(labels)
                labels = tuple(min(px, most_px) for px in labels)
            self._layout = HeadLayout(picture, area, gutter_px(picture), labels, short)
        return self._layout

    def forget_layout(self) -> None:
        self._layout = None
        self.update()

    def _retranslate(self) -> None:
        self.forget_layout()
        super()._retranslate()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        parts, head = self.parts, self._figure.selected
        if parts is None:
            return
        lit = parts.picture.group_of(head) if head is not None else self._hovered_group(parts)
        HeadPainter(painter, theme, parts, lit, head).paint()

    def _hovered_group(self, parts: HeadLayout) -> int | None:
        """The group under the pointer, if there are several."""
        hovered = self._hovered
        return hovered if hovered is not None and parts.picture.groups > 1 and hovered < parts.picture.groups else None

    def describe(self, point: QPointF) -> str | None:
        """The read-out of what is at a point."""
        parts = self.parts
        if parts is None:
            return None
        head, group, matrix = parts.head_at(point), parts.group_at(point), parts.matrix_at(point)
        if head is not None:
            return parts.picture.describe_head(head)
        if group is not None:
            return parts.picture.describe_group(group)
        return None if matrix is None else parts.picture.describe_matrix(parts.picture.matrices[matrix])

    def head_at(self, point: QPointF) -> int | None:
        """The query head that a click at a point picks."""
        parts = self.parts
        if parts is None:
            return None
        head, group = parts.head_at(point), parts.group_at(point)
        return head if head is not None or group is None else parts.picture.heads_of(group)[0]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point, parts = event.position(), self.parts
        head = self.head_at(point)
        hovered = None if head is None or parts is None else parts.picture.group_of(head)
        if hovered != self._hovered:
            self._hovered = hovered
            self.setCursor(Qt.CursorShape.ArrowCursor if head is None else Qt.CursorShape.PointingHandCursor)
            self.update()
        self._figure.tip.show_at(self.mapTo(self._figure, point.toPoint()), self.describe(point))

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        head = self.head_at(event.position())
        if event.button() is Qt.MouseButton.LeftButton and head is not None:
            self._figure.pick(head)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, figure = Qt.Key(event.key()), self._figure
        picture, head = figure.picture, figure.selected
        down, right = STEPS.get(key, (0, 0))
        if picture is None:
            super().keyPressEvent(event)
        elif down or right:
            start = -1 if head is None else head
            figure.walk_to(0 if head is None else start + right + down * picture.group_size)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            figure.walk_to(0 if key == Qt.Key.Key_Home else picture.heads - 1)
        else:
            super().keyPressEvent(event)
            return
        self._read_out()

    def _read_out(self) -> None:
        """What the keyboard has reached."""
        parts, head = self.parts, self._figure.selected
        if parts is not None and head is not None:
            place = parts.head(head).center().toPoint()
            self._figure.tip.show_at(self.mapTo(self._figure, place), parts.picture.describe_head(head))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
