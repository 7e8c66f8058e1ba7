"""Finds the controls of a window: which have a name, which the keyboard reaches, and which show the focus."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)

_KINDS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
)
_MOUSE = ("mousePressEvent", "mouseReleaseEvent", "mouseDoubleClickEvent")


def controls_of(root: QWidget) -> Iterator[QWidget]:
    """What the user can operate under a root, in view or not: controls of Qt, and widgets that take focus or clicks."""
    for widget in [root, *root.findChildren(QWidget)]:
        takes_part = isinstance(widget, _KINDS) or takes_tab(widget) or takes_clicks(widget)
        if takes_part and not _is_part_of_a_control(widget):
            yield widget


def takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def takes_clicks(widget: QWidget) -> bool:
    """Whether a class of the program, not of Qt, handles the mouse buttons."""
    return any(
        cls.__module__.startswith("gui.") and any(name in vars(cls) for name in _MOUSE) for cls in type(widget).__mro__
    )


def handles_keys(widget: QWidget) -> bool:
    """Whether a class of the program handles keys."""
    return any(cls.__module__.startswith("gui.") and "keyPressEvent" in vars(cls) for cls in type(widget).__mro__)


def name_of(widget: QWidget) -> str:
    """What a screen reader calls a control, without what it holds: its accessible name, or its text."""
    if widget.accessibleName():
        return widget.accessibleName()
    if isinstance(widget, QAbstractButton | QLabel):
        return widget.text()
    return ""


def needs_name(widget: QWidget) -> bool:
    """Whether a screen reader comes to it: not to a part that only takes clicks for a control around it, and not to a
    button that is hidden until it has a text."""
    if isinstance(widget, QAbstractButton) and widget.icon().isNull() and is_hidden(widget):
        return False
    return isinstance(widget, _KINDS) or takes_tab(widget)


def is_hidden(widget: QWidget) -> bool:
    """Whether it, or a part around it below the page, is hidden by the program."""
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QMainWindow):
        if part.isHidden():
            return True
        part = part.parentWidget()
    return False


def is_reachable(widget: QWidget) -> bool:
    """Whether the keyboard gets to a control, or to one around it that handles keys for its parts."""
    if isinstance(widget, QAbstractButton) and any(takes_tab(other) for other in _alternatives(widget)):
        return True  # the arrows go from the chosen one to the others
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QMainWindow):
        if takes_tab(part) and (part is widget or handles_keys(part) or isinstance(part, QTabBar)):
            return True
        part = part.parentWidget()
    return False


def where(widget: QWidget) -> str:
    """The class of a control and of the program's own widgets around it."""
    names, part = [], widget.parentWidget()
    while part is not None:
        if type(part).__module__.startswith("gui."):
            names.append(type(part).__name__)
        part = part.parentWidget()
    return f"{type(widget).__name__} {widget.objectName()} in {' in '.join(names[:4])}"


def tab_stops(most: int = 400) -> list[QWidget]:
    """The widgets that Tab reaches from the one in focus, in order, until it comes back to one of them."""
    stops: list[QWidget] = []
    for _ in range(most):
        focused = QApplication.focusWidget()
        assert focused is not None
        indents = isinstance(focused, QPlainTextEdit) and not (focused.isReadOnly() or focused.tabChangesFocus())
        if focused in stops[:-1]:
            break
        if not stops or focused is not stops[-1]:  # the decoder's diagram has several stops itself
            stops.append(focused)
        modifiers = Qt.KeyboardModifier.ControlModifier if indents else Qt.KeyboardModifier.NoModifier
        QTest.keyClick(focused, Qt.Key.Key_Tab, modifiers)
    return stops


def shows_focus(widget: QWidget) -> bool:
    """Whether the widget, or what is around it, looks different with the focus."""
    widget.clearFocus()
    before = _picture(widget)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    return _picture(widget) != before


def _picture(widget: QWidget) -> QImage:
    return widget.grab().toImage()


def _is_part_of_a_control(widget: QWidget) -> bool:
    """Parts that Qt makes: the text of a spin box, the list of a combo box, headers, scroll bars, clear buttons."""
    parent = widget.parentWidget()
    return (
        isinstance(widget, QHeaderView | QScrollBar | QMenu | QMenuBar)
        or widget.focusProxy() is not None
        or widget.objectName().startswith("qt_")
        or widget.metaObject().className() == "QLineEditIconButton"
        or widget.objectName() in ("ScrollLeftButton", "ScrollRightButton")
        or (parent is not None and parent.metaObject().className() == "QComboBoxPrivateContainer")
        or isinstance(parent, QAbstractSpinBox | QComboBox)
    )


def _alternatives(button: QAbstractButton) -> list[QAbstractButton]:
    """The buttons of which one is chosen."""
    group = button.group()
    if group is not None:
        return list(group.buttons()) if group.exclusive() else []
    beside = button.parentWidget().findChildren(type(button), options=Qt.FindChildOption.FindDirectChildrenOnly)
    return [each for each in beside if each.autoExclusive()] if button.autoExclusive() else []
