"""What every picture has: content, a sentence where there is nothing to draw, a read-out under the pointer, a theme."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedLayout, QWidget

from core.contracts.text import Text
from core.format import format_quantity
from core.outside import TIP_LIMIT, shown_label
from gui import theme as themes
from gui import translation
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.empty_sentence import EmptySentence
from gui.zoom import Px

_TIP_GAP_PX, _WRAPPED_PX = Px(14), Px(440)


class HoverTip(QLabel):
    """The read-out that follows the pointer, kept inside its parent; lets the mouse through. If it `floats`, because
    the parent is too low for several lines, it is kept inside the parent's window, and long lines are wrapped."""

    def __init__(self, parent: QWidget, *, floats: bool = False) -> None:
        super().__init__(parent)
        self._floats = floats
        if floats:
            self.setWindowFlag(Qt.WindowType.ToolTip)
            self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setProperty("role", "tip")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()
        translation.notifier().changed.connect(self.hide)  # what it says is in the language before

    def show_at(self, position: QPoint, text: str | None) -> None:
        """Show `text` beside `position` (in the parent's coordinates), kept inside the parent; None hides."""
        if not text:
            self.hide()
            return
        self.setText(shown_label(text, TIP_LIMIT))
        self._take_size()
        parent = self.parentWidget()
        inside = parent.window() if self._floats else parent
        at, area = parent.mapTo(inside, position), inside.rect()
        x = at.x() + _TIP_GAP_PX
        if x + self.width() > area.right():
            x = at.x() - _TIP_GAP_PX - self.width()
        y = min(at.y() + _TIP_GAP_PX, area.bottom() - self.height())
        place = QPoint(max(0, x), max(0, y))
        if self._floats:
            self.move(inside.mapToGlobal(place))
        else:
            self.move(place)
            self.raise_()
        self.show()

    def _take_size(self) -> None:
        self.setWordWrap(False)
        self.adjustSize()
        if self._floats and self.width() > _WRAPPED_PX:
            self.setWordWrap(True)
            self.resize(_WRAPPED_PX, self.heightForWidth(_WRAPPED_PX))


class Figure(QWidget):
    """Base of every picture. A subclass calls `set_content` once and overrides `restyle`."""

    tip_floats = False
    """Whether the read-out may leave the figure: for one that is too low for it."""

    def __init__(self, empty: Text | str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._usual_sentence = empty
        self._empty = EmptySentence(empty)
        self._empty.setProperty("role", "no-picture")
        self._empty.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._content = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._content)
        self.tip = HoverTip(self, floats=self.tip_floats)
        themes.notifier().changed.connect(self._on_theme)

    def set_content(self, content: QWidget) -> None:
        """Put the picture itself in place and style it. The empty state stays in front until `show_content`."""
        self._stack.removeWidget(self._content)
        self._content.deleteLater()
        self._content = content
        self._stack.addWidget(content)
        self._on_theme(themes.current())

    def show_content(self) -> None:
        self._stack.setCurrentWidget(self._content)

    def show_empty(self, sentence: Text | str | None = None) -> None:
        """Show one helpful sentence in place of the picture; None shows the figure's usual one."""
        show_text(self._empty.setText, sentence or self._usual_sentence)
        self.tip.hide()
        self._stack.setCurrentWidget(self._empty)

    @property
    def is_empty(self) -> bool:
        return self._stack.currentWidget() is self._empty

    @property
    def empty_sentence(self) -> str:
        return self._empty.text()

    def restyle(self, theme: Theme) -> None:
        """Take the colours of `theme`. Called once with the content and again at each change."""

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 40)

    def hasHeightForWidth(self) -> bool:
        """No: a picture takes the height that there is. Qt would take what a legend that wraps reports as the least
        height of the whole picture, and the pictures above it would vanish."""
        return False

    def leaveEvent(self, event: QEvent) -> None:
        self.tip.hide()
        super().leaveEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.tip.hide()
        super().hideEvent(event)

    def _on_theme(self, theme: Theme) -> None:
        self.restyle(theme)


def frame_focus(painter: QPainter, widget: QWidget) -> None:
    """The frame of a picture that has the focus."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(themes.current().accent), 1))
    painter.drawRect(QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5))


class LabelPainter(QPainter):
    """Paints words, which may name what came from outside, as labels show them."""

    def drawText(self, *arguments: Any) -> Any:
        return super().drawText(*(shown_label(each) if isinstance(each, str) else each for each in arguments))


class Canvas(QWidget):
    """A part of a figure that is painted by hand, and anew in another language."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        translation.notifier().changed.connect(self._retranslate)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        """Draw everything."""

    def paintEvent(self, event: QPaintEvent) -> None:
        # The painter is ended even when `paint` raises: Qt crashes on one that outlives its widget's paint event.
        with LabelPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.paint(painter, themes.current())
            if self.hasFocus():
                frame_focus(painter, self)

    def _retranslate(self) -> None:
        self.updateGeometry()
        self.update()


def sram_bytes(count: float) -> str:
    """Bytes of SRAM or registers in powers of two, as the hardware is built: '192 KiB', '20.2 MiB'."""
    for scale, unit in ((2.0**20, "MiB"), (2.0**10, "KiB")):
        if count >= scale:
            return format_quantity(count / scale, unit)
    return format_quantity(count, "bytes")
