"""Finds every text that a window shows or can show: properties of widgets, actions, models, plots, and painted words.

Painted words are caught by standing between the program and QPainter.drawText; read-outs by moving the pointer.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QAbstractListModel, QEvent, QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAction,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPicture,
    QStaticText,
    QTextDocument,
    QTextOption,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGraphicsTextItem,
    QGraphicsView,
    QGroupBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QTabBar,
    QTabWidget,
    QTextEdit,
    QToolTip,
    QWidget,
)
from shiboken6 import isValid

from gui.pages.attention_heads.kv_control import KvControl
from gui.widgets.figure import HoverTip
from gui.widgets.segments import Segments

_ROWS = 40
"""Rows of a table that are read: the others are of the same kind."""
_LAYOUT_ROUNDS = 4
_BUTTONS_OF_TAB_BARS = ("ScrollLeftButton", "ScrollRightButton")
"""Qt names them once, when they are made."""
_POINTER_GRID = (7, 5)
_HTML = re.compile(r"<(?:style|head).*?</(?:style|head)>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """A text, what it is ('tool tip', 'painted'), the file of the part that shows it, and of the page around that."""

    file: str
    kind: str
    text: str
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.owner or self.file}: {self.kind} ({self.file}): {self.text}"


@dataclass(frozen=True)
class Painted:
    """A painted word: its box (None where it was painted at a point), and how wide it is.

    `extent` is where it is on the `canvas`, the widget that is painted; None in pictures that are only recorded.
    """

    file: str
    line: int
    text: str
    box: QRectF | None
    width: float
    wraps: bool
    extent: QRectF | None
    canvas: QWidget | None

    def __str__(self) -> str:
        return f"{self.file}: {self.line}: {self.text!r}"


def texts_of(root: QWidget, *, in_view: bool = False) -> Iterator[Seen]:
    """Every text that the widgets under a root, their actions, models and scenes hold, visible or not. `in_view`: only
    what visible widgets hold, of one picture after the other; the rest is read once."""
    for widget in [root, *root.findChildren(QWidget)]:
        if widget.objectName() in _BUTTONS_OF_TAB_BARS or (in_view and not widget.isVisible()):
            continue
        file, owner = file_of(widget), owner_of(widget)
        for kind, text in [*_properties(widget), *_of_kind(widget)]:
            if text and text.strip():
                yield Seen(file, kind, _plain(text), owner)
    if in_view:
        return
    for action in root.findChildren(QAction):
        parent = action.parent()
        if type(parent).__module__.startswith("pyqtgraph"):
            continue  # of a menu that no plot of the program opens
        widget = parent if isinstance(parent, QWidget) else root
        for text in (action.text(), action.toolTip(), action.statusTip()):
            if text:
                yield Seen(file_of(widget), "action", text.replace("&", ""), owner_of(widget))


@contextmanager
def watching(painted: list[Painted] | None = None, read_outs: list[Seen] | None = None) -> Iterator[None]:
    """Within the block, what is painted with QPainter and shown at the pointer goes into the lists too."""
    originals = (QPainter.drawText, QPainter.drawStaticText, QTextDocument.drawContents, HoverTip.show_at)
    show_text = QToolTip.showText

    def draw_text(painter: QPainter, *arguments: Any) -> Any:
        if painted is not None:
            painted.append(_painted(painter, arguments))
        return originals[0](painter, *arguments)

    def draw_static(painter: QPainter, *arguments: Any) -> Any:
        if painted is not None:
            text = next(item for item in arguments if isinstance(item, QStaticText))
            painted.append(_word(painter, text.text(), None, QPointF(), 0))
        return originals[1](painter, *arguments)

    def draw_contents(document: QTextDocument, painter: QPainter, *arguments: Any) -> Any:
        if painted is not None:
            painted.append(_word(painter, document.toPlainText(), None, QPointF(), 0))
        return originals[2](document, painter, *arguments)

    def show_at(tip: HoverTip, position: QPoint, text: str | None) -> None:
        originals[3](tip, position, text)
        if read_outs is not None and text:
            read_outs.append(Seen(file_of(tip.parentWidget()), "read-out", tip.text(), owner_of(tip)))

    def show_tip(position: QPoint, text: str, *rest: Any) -> None:
        if read_outs is not None and text:
            read_outs.append(Seen(_file_and_line(sys._getframe(1))[0], "read-out", _plain(text)))

    QPainter.drawText, QPainter.drawStaticText = draw_text, draw_static  # type: ignore[assignment, method-assign]
    QTextDocument.drawContents = draw_contents  # type: ignore[assignment, method-assign]
    HoverTip.show_at = show_at  # type: ignore[method-assign]
    QToolTip.showText = show_tip  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        QPainter.drawText, QPainter.drawStaticText, QTextDocument.drawContents, HoverTip.show_at = originals  # type: ignore[method-assign]
        QToolTip.showText = show_text  # type: ignore[method-assign]


def paint(root: QWidget) -> list[Painted]:
    """Every word that is painted when the root is drawn now."""
    for view in root.findChildren(QGraphicsView):
        for item in view.scene().items() if view.scene() is not None else ():
            if isinstance(item, pg.AxisItem):
                item.picture = None  # painted words are kept there
    painted: list[Painted] = []
    with watching(painted=painted):
        root.grab()
    return painted


def read_outs_of(root: QWidget) -> list[Seen]:
    """What is shown at the pointer while it goes over every visible part."""
    read_outs: list[Seen] = []
    with watching(read_outs=read_outs):
        for widget in root.findChildren(QWidget):
            if (
                isValid(widget)
                and widget.isVisible()
                and widget.hasMouseTracking()
                and not widget.visibleRegion().isEmpty()
            ):
                _point_at(widget)
    return read_outs


def settle_layouts() -> None:
    """Nested layouts come to rest one level per round."""
    for _ in range(_LAYOUT_ROUNDS):
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def pictures_of(root: QWidget, done: set[int] | None = None) -> Iterator[QWidget]:
    """The root, then each part of it again with each of its pictures in front: all tabs and all switchers."""
    done = set() if done is None else done
    yield root
    for tabs in root.findChildren(QTabWidget):
        if tabs.isVisible() and id(tabs) not in done:
            done.add(id(tabs))
            before = tabs.currentIndex()
            for index in range(tabs.count()):
                tabs.setCurrentIndex(index)
                settle_layouts()
                yield from pictures_of(tabs, done)
            tabs.setCurrentIndex(before)
    for segments in root.findChildren(Segments):
        if segments.isVisible() and id(segments) not in done and not _sets_a_parameter(segments):
            done.add(id(segments))
            before, count = segments.index, len(segments.findChildren(QAbstractButton))
            for index in [*range(before + 1, count), *range(before + 1)]:
                segments.choose(index)
                settle_layouts()
                yield from pictures_of(segments.parentWidget(), done)


def _sets_a_parameter(segments: Segments) -> bool:
    """Whether a choice changes the plan, a moment later, instead of showing another picture of the same."""
    return isinstance(segments.parentWidget(), KvControl)


def file_of(widget: QWidget | None) -> str:
    """The file of the nearest part of the program's own that a widget belongs to."""
    return _nearest(widget, "gui.") or "Qt"


def owner_of(widget: QWidget | None) -> str:
    """The file of the page, or else of the window, in which a widget is; parts that pages share own no text."""
    return _nearest(widget, "gui.pages.") or _nearest(widget, "gui.page.") or file_of(widget)


def _nearest(widget: QWidget | None, package: str) -> str:
    while widget is not None:
        module = type(widget).__module__
        if module.startswith(package):
            return f"{module.replace('.', '/')}.py"
        widget = widget.parentWidget()
    return ""


def _properties(widget: QWidget) -> Iterator[tuple[str, str]]:
    yield "tool tip", widget.toolTip()
    yield "status tip", widget.statusTip()
    yield "what's this", widget.whatsThis()
    yield "accessible name", widget.accessibleName()
    yield "accessible description", widget.accessibleDescription()
    if widget.isWindow():
        yield "window title", widget.windowTitle()


def _of_kind(widget: QWidget) -> Iterator[tuple[str, str]]:
    """What only widgets of its kind show. What the user types, and source code, is no text of the program."""
    if isinstance(widget, QLabel):
        yield "label", widget.text()
    elif isinstance(widget, QAbstractButton):
        yield "button", widget.text().replace("&", "")
    elif isinstance(widget, QComboBox):
        yield "placeholder", widget.placeholderText()
        for index in range(widget.count()):
            yield "choice", widget.itemText(index)
            yield "choice", widget.itemData(index, Qt.ItemDataRole.ToolTipRole) or ""
    elif isinstance(widget, QTabBar):
        for index in range(widget.count()):
            yield "tab", widget.tabText(index)
            yield "tab", widget.tabToolTip(index)
    elif isinstance(widget, QLineEdit | QTextEdit):
        yield "placeholder", widget.placeholderText()
    elif isinstance(widget, QPlainTextEdit):
        yield "placeholder", widget.placeholderText()
        if widget.property("role") == "log":
            for line in widget.toPlainText().splitlines():
                yield "log", line
    elif isinstance(widget, QGroupBox):
        yield "title", widget.title()
    elif isinstance(widget, QMenu):
        yield "menu", widget.title().replace("&", "")
    elif isinstance(widget, QProgressBar):
        yield "progress", widget.text() if widget.isTextVisible() else ""
    elif isinstance(widget, QAbstractSpinBox):
        for name in ("prefix", "suffix", "specialValueText"):
            if hasattr(widget, name):
                yield name, getattr(widget, name)()
    elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
        yield from _of_model(widget.model())
    elif isinstance(widget, QGraphicsView) and widget.scene() is not None:
        for item in widget.scene().items():
            yield from _of_item(item)


def _of_model(model: Any) -> Iterator[tuple[str, str]]:
    roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount()  # it hides that method
    for column in range(columns):
        for role in roles:
            yield "header", _shown(model.headerData(column, Qt.Orientation.Horizontal, role))
        for row in range(min(_ROWS, model.rowCount())):
            for role in roles:
                yield "cell", _shown(model.index(row, column).data(role))
    for row in range(min(_ROWS, model.rowCount())):
        yield "header", _shown(model.headerData(row, Qt.Orientation.Vertical, Qt.ItemDataRole.DisplayRole))


def _of_item(item: Any) -> Iterator[tuple[str, str]]:
    yield "tool tip", item.toolTip()
    if isinstance(item, QGraphicsTextItem):
        yield "in a plot", item.toPlainText() if item.isVisible() else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(text: str) -> str:
    return _HTML.sub(" ", text).replace("&nbsp;", " ").strip() if "<" in text or "&" in text else text


def _point_at(widget: QWidget) -> None:
    columns, rows = _POINTER_GRID
    has_tips = any("event" in vars(kind) for kind in type(widget).__mro__ if kind.__module__.startswith("gui."))
    for row in range(rows):
        for column in range(columns):
            x = widget.width() * (column + 0.5) / columns
            y = widget.height() * (row + 0.5) / rows
            position = QPointF(x, y)
            place = widget.mapToGlobal(position)
            none = Qt.MouseButton.NoButton
            move = QMouseEvent(QEvent.Type.MouseMove, position, place, none, none, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(widget, move)
            if has_tips:
                tip = QHelpEvent(QEvent.Type.ToolTip, position.toPoint(), place.toPoint())
                QApplication.sendEvent(widget, tip)


def _painted(painter: QPainter, arguments: Sequence[Any]) -> Painted:
    """The arguments of any of the forms of QPainter.drawText."""
    text = next(item for item in arguments if isinstance(item, str))
    first = arguments[0]
    box, corner = None, QPointF()
    if hasattr(first, "width"):
        box = QRectF(first)
    elif len(arguments) >= 6:
        box = QRectF(*arguments[:4])
    else:
        corner = QPointF(first) if hasattr(first, "x") else QPointF(*arguments[:2])
    option = next((item for item in arguments if isinstance(item, QTextOption)), None)
    if option is not None:
        return _word(painter, text, box, corner, _flags_of(option))
    flags = next((item for item in arguments[1:] if isinstance(item, int | Qt.AlignmentFlag | Qt.TextFlag)), 0)
    return _word(painter, text, box, corner, flags if isinstance(flags, int) else int(flags.value))


def _flags_of(option: QTextOption) -> int:
    flags = int(option.alignment().value)
    if option.wrapMode() is QTextOption.WrapMode.NoWrap:
        return flags
    anywhere = option.wrapMode() is QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere
    return flags | int(
        (Qt.TextFlag.TextWordWrap | (Qt.TextFlag.TextWrapAnywhere if anywhere else Qt.TextFlag(0))).value
    )


def _word(painter: QPainter, text: str, box: QRectF | None, baseline: QPointF, flags: int) -> Painted:
    metrics = QFontMetricsF(painter.font())
    lines = text.splitlines() or [""]
    size = QSizeF(max(metrics.horizontalAdvance(line) for line in lines), metrics.height() * len(lines))
    wraps = bool(flags & int(Qt.TextFlag.TextWordWrap.value))
    extent = QRectF(QPointF(baseline.x(), baseline.y() - metrics.ascent()), size)
    if box is not None:
        wrapped = metrics.boundingRect(box, flags, text) if wraps else None
        extent = wrapped if wrapped is not None else _aligned(box, size, flags)
    frame = sys._getframe(2)
    file, line = _file_and_line(frame)
    on_screen = not isinstance(painter.device(), QPicture)
    placed = painter.worldTransform().mapRect(extent) if on_screen else None
    return Painted(file, line, text, box, size.width(), wraps, placed, _canvas(frame))


def _aligned(box: QRectF, size: QSizeF, flags: int) -> QRectF:
    """Where a text of that size is in its box."""
    left, top = box.left(), box.top()
    if flags & int(Qt.AlignmentFlag.AlignRight.value):
        left = box.right() - size.width()
    elif flags & int(Qt.AlignmentFlag.AlignHCenter.value):
        left = box.center().x() - size.width() / 2
    if flags & int(Qt.AlignmentFlag.AlignBottom.value):
        top = box.bottom() - size.height()
    elif flags & int(Qt.AlignmentFlag.AlignVCenter.value):
        top = box.center().y() - size.height() / 2
    return QRectF(QPointF(left, top), size)


def _canvas(frame: FrameType | None) -> QWidget | None:
    """The widget whose paint event is under way."""
    while frame is not None:
        widget = frame.f_locals.get("self")
        if frame.f_code.co_name == "paintEvent" and isinstance(widget, QWidget):
            return widget
        frame = frame.f_back
    return None


def _file_and_line(frame: FrameType | None) -> tuple[str, int]:
    """Where in the program a call comes from; in the library, if nothing of the program is on the way."""
    here = frame
    while here is not None:
        module = here.f_globals.get("__name__", "")
        if module.startswith("gui.") and here.f_code.co_name != "drawText":
            return f"{module.replace('.', '/')}.py", here.f_lineno
        here = here.f_back
    return "pyqtgraph", 0
