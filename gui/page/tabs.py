"""The tabs below the plots, which collapse to their bar if the page is low or the user collapses them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QTabWidget, QToolButton, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import theme
from gui.icons import icon
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.splitter import SharedSplitter
from gui.zoom import Px

_UPPER_SHARE, _LOWER_SHARE = 18, 7
_OPEN_FROM_PX = Px(700)
"""Below this height the plots need all the space: the tabs start collapsed."""
_UNLIMITED_PX = 16_777_215


class TabsBelow(SharedSplitter):
    """A widget and, below it, tabs. A click on the open tab collapses them to their bar; a click on any tab opens them.

    Until the user chooses, the height decides.
    """

    def __init__(self, upper: QWidget, panels: Sequence[tuple[Text, QWidget]], parent: QWidget | None = None) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for part in (self.tabs, self.tabs.tabBar()):
            show_text(part.setAccessibleName, tr("Claims, notes, source, numbers, history and log"))
        for index, (title, panel) in enumerate(panels):
            self.tabs.addTab(panel, "")
            show_text(self.tabs.setTabText, index, title)
        self._panels = self.tabs.findChild(QStackedWidget)
        self._frame = _framed(self.tabs)
        super().__init__(Qt.Orientation.Vertical, ((upper, _UPPER_SHARE), (self._frame, _LOWER_SHARE)), parent)
        self.setChildrenCollapsible(False)
        self._chosen: bool | None = None
        self._open_sizes: list[int] = []
        self.chevron = QToolButton()
        self.chevron.setIconSize(QSize(14, 14))
        self.chevron.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.chevron.clicked.connect(self.toggle)
        self._outdated = FittedLabel(tr("parameters changed"))
        self._outdated.hug_text()
        show_text(
            self._outdated.setToolTip,
            tr(
                "Claims and numbers are those of the last run. The parameters have changed since then: run again to "
                "update them."
            ),
        )
        self._outdated.hide()
        self.tabs.setCornerWidget(_side_by_side(self._outdated, self.chevron))
        self.tabs.tabBarClicked.connect(self._toggle_open_tab)
        self.tabs.currentChanged.connect(self._open_chosen_tab)
        self._show_chevron()
        theme.notifier().changed.connect(self._show_chevron)

    @property
    def is_open(self) -> bool:
        """Whether the panel of the current tab is shown."""
        return not self._panels.isHidden()

    @property
    def chosen(self) -> bool | None:
        """Whether the user opened (True) or collapsed (False) the tabs; None while the height decides."""
        return self._chosen

    def set_open(self, chosen: bool | None) -> None:
        """Open or collapse the tabs; None leaves it to the height."""
        self._chosen = chosen
        self._arrange()

    def set_outdated(self, outdated: bool) -> None:
        """Whether the last run had other parameters: what it says of claims and numbers is then marked."""
        self._outdated.setVisible(outdated)

    def reveal(self, panel: QWidget) -> None:
        """Open the tabs at that panel."""
        self.tabs.setCurrentWidget(panel)
        self.set_open(True)

    def toggle(self) -> None:
        self.set_open(not self.is_open)

    def showEvent(self, event: QShowEvent) -> None:
        """A page is laid out before it is in its window, which has the style."""
        super().showEvent(event)
        if not self.is_open:
            self._fit_bar()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def save_sizes(self) -> list[int]:
        sizes = super().save_sizes()
        return sizes if self.is_open or not sizes else self._open_sizes

    def _open_chosen_tab(self) -> None:
        if not self.is_open:
            self.set_open(True)

    def _toggle_open_tab(self, index: int) -> None:
        if index == self.tabs.currentIndex():
            self.toggle()

    def _arrange(self) -> None:
        is_open = self.height() >= _OPEN_FROM_PX if self._chosen is None else self._chosen
        if is_open == self.is_open:
            return
        if is_open:
            self._frame.setMinimumHeight(0)
            self._frame.setMaximumHeight(_UNLIMITED_PX)
        else:
            self._open_sizes = self.sizes()
            self._fit_bar()
        self._panels.setVisible(is_open)
        self.handle(1).setEnabled(is_open)
        self.share(self._open_sizes if is_open else [1, 0])
        self._show_chevron()

    def _fit_bar(self) -> None:
        """As low as the bar of the tabs."""
        self._frame.setFixedHeight(self.tabs.tabBar().sizeHint().height() + 2)

    def _show_chevron(self) -> None:
        self.chevron.setIcon(icon("collapse" if self.is_open else "expand", theme.current().muted))
        text = tr("Collapse the tabs") if self.is_open else tr("Open the tabs")
        show_text(self.chevron.setToolTip, tr("{action} ({key})", action=text, key="Ctrl+J"))
        show_text(self.chevron.setAccessibleName, text)


def _side_by_side(*widgets: QWidget) -> QWidget:
    corner = QWidget()
    line = QHBoxLayout(corner)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(6)
    for widget in widgets:
        line.addWidget(widget)
    return corner


def _framed(tabs: QTabWidget) -> QFrame:
    frame = QFrame()
    frame.setProperty("role", "card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(1, 1, 1, 1)
    layout.addWidget(tabs)
    return frame
