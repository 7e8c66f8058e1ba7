"""The tokens of one answer in lines, coloured by a value of each; one is selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_LINE_PX, _GAP_PX, _PAD_PX = Px(24.0), Px(3.0), Px(5.0)
_WIDEST_PX = Px(160.0)


@dataclass(frozen=True)
class FlowToken:
    """`amount` from -1 to 1 colours it: negative values in the colour of worse, positive ones in that of better, or
    from 0 to 1 in the accent colour if the values have no direction. `marked` underlines it."""

    text: str
    amount: float = 0.0
    marked: bool = False
    tip: str = ""


class TokenFlow(Figure):
    """`picked` carries the position of a token that was clicked or walked to."""

    picked = Signal(int)

    def __init__(self, empty: object, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)  # type: ignore[arg-type]
        self.tokens: tuple[FlowToken, ...] = ()
        self.signed = False
        self.chosen = -1
        self.canvas = _FlowCanvas(self)
        self.set_content(self.canvas)

    def set_tokens(self, tokens: Sequence[FlowToken], *, signed: bool) -> None:
        """Show these; none shows the empty state."""
        if (tuple(tokens), signed) != (self.tokens, self.signed):
            self.tokens, self.signed = tuple(tokens), signed
            self.chosen = min(self.chosen, len(self.tokens) - 1)
            self.canvas.update()
        if tokens:
            self.show_content()
        else:
            self.show_empty()

    def choose(self, position: int) -> None:
        """Select a token; -1 selects none. Emits no signal."""
        if position != self.chosen:
            self.chosen = position
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per token, with the value that colours it as a share of the largest."""
        return table_of(
            {
                "position": range(len(self.tokens)),
                "token": [token.text for token in self.tokens],
                "amount": [token.amount for token in self.tokens],
            }
        )

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()


class _FlowCanvas(Canvas):
    def __init__(self, figure: TokenFlow) -> None:
        super().__init__()
        self._figure = figure
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Tokens of the answer: arrows go from one to the next"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, int(2 * _LINE_PX))

    def boxes(self) -> list[QRectF]:
        """A box per token, in lines as wide as the widget. Lines move closer together if there are many."""
        metrics, found = QFontMetricsF(themes.mono_font("small")), []
        x, line = _GAP_PX, 0
        for token in self._figure.tokens:
            width = min(_WIDEST_PX, metrics.horizontalAdvance(visible(token.text)) + 2 * _PAD_PX)
            if x > _GAP_PX and x + width > self.width() - _GAP_PX:
                x, line = _GAP_PX, line + 1
            found.append(QRectF(x, line, width, 0))
            x += width + _GAP_PX
        pitch = min(_LINE_PX, (self.height() - 2) / (line + 1))
        return [QRectF(box.left(), 1 + box.top() * pitch, box.width(), pitch - 2) for box in found]

    def token_at(self, point: QPointF) -> int:
        return next((index for index, box in enumerate(self.boxes()) if box.contains(point)), -1)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.mono_font("small"))
        metrics = painter.fontMetrics()
        for index, (token, box) in enumerate(zip(self._figure.tokens, self.boxes(), strict=True)):
            chosen = index == self._figure.chosen
            painter.setPen(QPen(QColor(theme.accent if chosen else theme.border), 2 if chosen else 1))
            painter.setBrush(QColor(self._fill(theme, token)))
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(QColor(theme.text))
            text = metrics.elidedText(visible(token.text), Qt.TextElideMode.ElideRight, int(box.width() - 4))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
            if token.marked:
                painter.fillRect(QRectF(box.left() + 2, box.bottom() - 3, box.width() - 4, 3), QColor(theme.warn))

    def _fill(self, theme: Theme, token: FlowToken) -> str:
        share = 0.62 * min(1.0, abs(token.amount))
        if not self._figure.signed:
            return mix(theme.sunken, theme.accent, share)
        return mix(theme.sunken, theme.good if token.amount > 0 else theme.bad, share)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.token_at(event.position())
        where = self.mapTo(self._figure, event.position().toPoint())
        self._figure.tip.show_at(where, self._figure.tokens[index].tip if index >= 0 else None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.token_at(event.position())
        if index >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self._figure.picked.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right go to the next token, Up and Down to the one above or below, Home and End to the ends."""
        key, count, here = Qt.Key(event.key()), len(self._figure.tokens), self._figure.chosen
        if not count or (key not in STEPS and key not in (Qt.Key.Key_Home, Qt.Key.Key_End)):
            super().keyPressEvent(event)
            return
        boxes = self.boxes()
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            index = 0 if key == Qt.Key.Key_Home else count - 1
        elif here < 0:
            index = 0
        else:
            down, right = STEPS[key]
            index = min(count - 1, max(0, here + right)) if right else _above_or_below(boxes, here, down)
        self._figure.picked.emit(index)
        where = self.mapTo(self._figure, boxes[index].bottomLeft().toPoint())
        self._figure.tip.show_at(where, self._figure.tokens[index].tip)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)


def _above_or_below(boxes: Sequence[QRectF], here: int, down: int) -> int:
    tops = sorted({box.top() for box in boxes})
    place = tops.index(boxes[here].top()) + down
    if not 0 <= place < len(tops):
        return here
    line = [index for index, box in enumerate(boxes) if box.top() == tops[place]]
    return min(line, key=lambda index: abs(boxes[index].center().x() - boxes[here].center().x()))


def visible(text: str) -> str:
    """A token with its spaces and line ends made visible."""
    return text.replace(" ", "·").replace("\n", "⏎") or "∅"
