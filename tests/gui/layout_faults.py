"""What is wrong with the layout of a window: texts that are cut, widgets and words that overlap or stick out."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QCheckBox,
    QComboBox,
    QGraphicsView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitterHandle,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTabWidget,
    QWidget,
)

from gui.widgets.badge import Chip
from gui.widgets.figure import HoverTip
from gui.widgets.fitted_label import FittedLabel
from tests.gui.text_walk import Painted, file_of, owner_of, paint

_SLACK_PX = 1.5
_BUTTON_FRAME_PX = 6
"""Border and padding of a tool button with a text."""
_INK = 0.25
"""Share of the height of a line by which boxes of words may overlap: letters do not fill the line."""


def faults_of(root: QWidget) -> Iterator[str]:
    """One line per fault, beginning with the file of the page or the part that has it."""
    painted = paint(root)  # which lets pending layouts take place
    for widget in [root, *root.findChildren(QWidget)]:
        if widget.isVisible():
            for fault in (*_cut(widget), *_out_of_place(widget)):
                yield f"{owner_of(widget)}: {file_of(widget)}: {type(widget).__name__} {fault}"
    yield from _cut_words(painted)
    yield from _overlapping_words(painted)
    for view in root.findChildren(QGraphicsView):
        if view.isVisible():
            for fault in _axis_names(view):
                yield f"{owner_of(view)}: {file_of(view)}: {fault}"


def _cut(widget: QWidget) -> Iterator[str]:
    """A text that does not fit its widget."""
    text, needed, room = "", 0.0, 0.0
    if isinstance(widget, FittedLabel | HoverTip):
        return
    if isinstance(widget, QLabel) and widget.text():
        yield from _cut_label(widget)
    elif isinstance(widget, QPushButton | QCheckBox) and widget.text():
        text, needed, room = widget.text(), widget.minimumSizeHint().width(), widget.width()
    elif isinstance(widget, QAbstractButton) and widget.text():
        text, room = widget.text(), widget.width() - _BUTTON_FRAME_PX
        needed = widget.fontMetrics().horizontalAdvance(text)
    elif isinstance(widget, Chip) and widget.text:
        text, needed, room = widget.text, widget.sizeHint().width(), widget.width()
    elif isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        field = widget.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, widget
        )
        text = widget.currentText()
        needed, room = widget.fontMetrics().horizontalAdvance(text), field.width()
    elif isinstance(widget, QTabBar):
        text, needed, room = "tabs", widget.sizeHint().width(), widget.width()
    elif isinstance(widget, QLineEdit) and not widget.text():
        text = widget.placeholderText()
        needed, room = widget.fontMetrics().horizontalAdvance(text), widget.contentsRect().width()
    if needed > room + _SLACK_PX:
        yield f"cuts {text!r}: {room:.0f} of {needed:.0f} px"


def _cut_label(label: QLabel) -> Iterator[str]:
    box = label.contentsRect()
    if label.wordWrap():
        needed = label.heightForWidth(label.width())
        if needed > label.height() + _SLACK_PX:
            yield f"cuts {label.text()!r}: {label.height()} of {needed} px in height"
        return
    if label.textFormat() != Qt.TextFormat.PlainText and "</" in label.text():
        document = QTextDocument()
        document.setDefaultFont(label.font())
        document.setHtml(label.text())
        needed = document.idealWidth() - 2 * document.documentMargin()
    else:
        metrics = label.fontMetrics()
        needed = max(metrics.horizontalAdvance(line) for line in label.text().splitlines())
    room = box.width() - 2 * label.margin()
    if needed > room + _SLACK_PX:
        yield f"cuts {label.text()!r}: {room} of {needed:.0f} px"


def _out_of_place(parent: QWidget) -> Iterator[str]:
    """Children that overlap each other, or stick out of their parent."""
    if isinstance(parent, QAbstractScrollArea | QTabWidget):
        return  # Qt arranges their children itself
    scrolls = isinstance(parent.parentWidget(), QAbstractScrollArea)
    children = [
        child
        for child in parent.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if child.isVisible() and not child.isWindow() and not _is_overlay(child)
    ]
    for child in children:
        if not scrolls and not parent.rect().adjusted(-1, -1, 1, 1).contains(child.geometry()) and child.width() > 0:
            yield f"does not hold {_named(child)}: {_box(child.geometry())} in {_box(parent.rect())}"
    for one, other in itertools.combinations(children, 2):
        shared = one.geometry().intersected(other.geometry())
        if shared.width() > 1 and shared.height() > 1:
            yield f"has {_named(one)} over {_named(other)}: {_box(shared)}"


def _is_overlay(widget: QWidget) -> bool:
    return isinstance(widget, HoverTip | QSplitterHandle) or widget.testAttribute(
        Qt.WidgetAttribute.WA_TransparentForMouseEvents
    )


def _cut_words(painted: list[Painted]) -> Iterator[str]:
    """Painted words that are wider than their box, or beyond the edge of their canvas."""
    for word in painted:
        if not word.text.strip():
            continue
        if word.box is not None and not word.wraps and word.width > word.box.width() + _SLACK_PX:
            yield f"{word}: cut: {word.box.width():.0f} of {word.width:.0f} px"
        elif word.canvas is not None and word.extent is not None:
            edge = QRectF(word.canvas.rect()).adjusted(-_SLACK_PX, -_SLACK_PX, _SLACK_PX, _SLACK_PX)
            is_beside = not edge.intersects(word.extent)  # scrolled away or clipped on purpose
            if not is_beside and (word.extent.left() < edge.left() or word.extent.right() > edge.right()):
                yield f"{word}: beyond the edge of {type(word.canvas).__name__}"


def _overlapping_words(painted: list[Painted]) -> Iterator[str]:
    by_canvas: dict[int, list[Painted]] = defaultdict(list)
    for word in painted:
        if word.canvas is not None and word.extent is not None and word.text.strip():
            by_canvas[id(word.canvas)].append(word)
    for words in by_canvas.values():
        for one, other in itertools.combinations(words, 2):
            if one.text == other.text:
                continue
            shared = one.extent.intersected(other.extent)
            height = min(one.extent.height(), other.extent.height())
            if shared.width() > _SLACK_PX and shared.height() > (2 * _INK) * height:
                yield f"{one}: over {other.text!r}"


def _axis_names(view: QGraphicsView) -> Iterator[str]:
    """Names that are longer than their axis."""
    for item in view.scene().items() if view.scene() is not None else ():
        if isinstance(item, pg.AxisItem) and item.isVisible() and item.label.isVisible():
            length = item.size().width() if item.orientation in ("top", "bottom") else item.size().height()
            needed = item.label.boundingRect().width()
            if needed > length + 8 and needed > view.width() - 8:
                yield f"axis cuts {item.label.toPlainText()!r}: {length:.0f} of {needed:.0f} px"


def _named(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
    return f"{type(widget).__name__} {text!r}" if text else type(widget).__name__


def _box(rect: QRect) -> str:
    corner: QPoint = rect.topLeft()
    return f"{rect.width()}x{rect.height()} at {corner.x()},{corner.y()}"
