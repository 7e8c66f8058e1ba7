"""The frame around one plot: title, help, provenance, stale marker, empty state, and a menu to copy or save it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPaintDevice, QPainter, QPixmap
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from core.contracts.result import Provenance
from core.contracts.text import Text, as_text, tr
from gui import theme
from gui.icons import icon
from gui.page.card_data import CardData
from gui.page.export import svg_of, write_picture
from gui.page.file_writing import FileWriter
from gui.page.printing import ask_and_print
from gui.translation import show_text
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.data_table import DataTable, tables_in
from gui.widgets.empty_sentence import EmptySentence
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

_MINIMUM_HEIGHT_PX = Px(232)
"""The least height of a readable plot: a page that is too low scrolls instead."""


class Card(QFrame):
    """A framed plot. `maximise_toggled` asks the grid to show this card alone, or all again."""

    maximise_toggled = Signal(bool)

    def __init__(
        self, content: QWidget, title: Text | str, help: Text | str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setMinimumHeight(_MINIMUM_HEIGHT_PX)
        self.content = content
        self.title = as_text(title)
        self._writer = FileWriter(self)
        self._outdated = False
        self._picture_outdated: bool | None = None
        self.badge = ProvenanceBadge()
        self._title = FittedLabel(self.title, role="title")
        show_text(self._title.setToolTip, help or self.title)
        self._stale = FittedLabel(tr("parameters changed"))
        for label in (self._title, self._stale):
            label.hug_text()
        show_text(
            self._stale.setToolTip,
            tr("This shows the last run. The parameters have changed since then: run again to update it."),
        )
        self._stale.hide()
        self._help = self._button("help", help)
        self._help.clicked.connect(self._read_help)
        show_text(content.setAccessibleDescription, help)
        self._more = self._button("more", tr("Copy, save or maximise"))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._more.setMenu(self._menu())
        self._empty = EmptySentence()
        self._empty.setProperty("role", "empty")
        self._lay_out()
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    def set_provenance(self, provenance: Provenance | None, *, outdated: bool | None = None) -> None:
        """Show the provenance of the plot; None hides the badge.

        `outdated` is for a plot that depends on other parameters than the run as a whole; None follows the page.
        """
        self.badge.set_provenance(provenance)
        self._picture_outdated = outdated
        self._mark_stale()

    def set_empty(self, text: Text | str | None) -> None:
        """Show a sentence instead of the plot; None shows the plot."""
        show_text(self._empty.setText, text or "")
        self._stack.setCurrentWidget(self._empty if text else self.content)
        self._mark_stale()

    def set_outdated(self, outdated: bool) -> None:
        """Whether the last run had other parameters: a card with numbers of that run is then marked as stale."""
        self._outdated = outdated
        self._mark_stale()

    @property
    def is_empty(self) -> bool:
        return self._stack.currentWidget() is self._empty

    def _mark_stale(self) -> None:
        """Numbers of a run are stale while the form has other parameters; an empty card is never stale."""
        provenance = self.badge.provenance
        outdated = self._outdated if self._picture_outdated is None else self._picture_outdated
        stale = outdated and not self.is_empty and provenance is not None and provenance.is_of_a_run
        self._stale.setVisible(stale)
        if self.property("stale") != stale:
            self.setProperty("stale", stale)
            self.style().polish(self)

    def set_pointed_out(self, pointed_out: bool) -> None:
        """Whether the frame draws the user's eyes here."""
        if bool(self.property("pointed_out")) != pointed_out:
            self.setProperty("pointed_out", pointed_out)
            self.style().polish(self)

    def set_maximised(self, maximised: bool) -> None:
        """Update the menu; the grid does the rest."""
        self._maximise.setChecked(maximised)
        show_text(self._maximise.setText, tr("Restore") if maximised else tr("Maximise"))

    def image(self, scale: float = 2.0) -> QPixmap:
        """The card as it is on the screen, at `scale` times its size."""
        pixmap = QPixmap(self.size() * scale)
        pixmap.setDevicePixelRatio(scale)
        pixmap.fill(Qt.GlobalColor.transparent)
        self.render(pixmap)
        return pixmap

    @property
    def tables(self) -> list[DataTable]:
        """The numbers that the card shows now, with the provenance of its badge."""
        tables, provenance = [] if self.is_empty else tables_in(self.content), self.badge.provenance
        return tables if provenance is None else [each.labelled("provenance", provenance.value) for each in tables]

    def save(self, path: Path) -> None:
        """Write the card as PNG or, if the name ends in .svg, as SVG. The file is written beside the window, and what
        keeps it from that is raised then."""
        picture = self._svg() if path.suffix.lower() == ".svg" else self.image().toImage()
        self._writer.write(path, lambda: write_picture(path, picture))

    def _svg(self) -> bytes:
        def paint(device: QPaintDevice) -> None:
            painter = QPainter(device)
            self.render(painter, QPoint())
            painter.end()

        return svg_of(paint, self.size(), str(self.title))

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 4, 4, 2)
        bar.setSpacing(6)
        bar.addWidget(self._title)
        bar.addWidget(self._help)
        if not self._help.toolTip():
            self._help.hide()
        bar.addStretch(1)
        bar.addWidget(self._stale)
        bar.addWidget(self.badge)
        bar.addWidget(self._more)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.content)
        self._stack.addWidget(self._empty)
        inset = QVBoxLayout()
        inset.setContentsMargins(theme.GAP_M, 0, theme.GAP_M, theme.GAP_M)
        inset.addWidget(self._stack)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addLayout(inset, 1)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for text, act in (
            (tr("Copy image"), lambda: QGuiApplication.clipboard().setPixmap(self.image())),
            (tr("Save as PNG…"), lambda: self._ask_and_save("png")),
            (tr("Save as SVG…"), lambda: self._ask_and_save("svg")),
            (tr("Print…"), lambda: ask_and_print(self, [self], str(self.title), self.tables)),
        ):
            show_text(menu.addAction("", act).setText, text)
        self._data = CardData(self, menu)
        menu.addSeparator()
        self._maximise = menu.addAction("")
        show_text(self._maximise.setText, tr("Maximise"))
        self._maximise.setCheckable(True)
        self._maximise.toggled.connect(self.maximise_toggled)
        return menu

    @property
    def file_name(self) -> str:
        """What a file of the card is called, without the suffix."""
        return str(self.title).lower().replace(" ", "-").replace("/", "-")

    def _ask_and_save(self, suffix: str) -> None:
        name = f"{self.file_name}.{suffix}"
        path, _ = QFileDialog.getSaveFileName(
            self, str(tr("Save {card}", card=self.title)), name, f"{suffix.upper()} (*.{suffix})"
        )
        if path:
            self.save(Path(path))

    def _button(self, name: str, tip: Text | str) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setIconSize(QSize(14, 14))
        show_text(button.setToolTip, tip)
        what = tr("help") if name == "help" else tr("more")
        show_text(button.setAccessibleName, tr("{card}: {what}", card=self.title, what=what))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _read_help(self) -> None:
        """Show the help at once, for those who do not hover."""
        below = self._help.mapToGlobal(QPoint(0, self._help.height()))
        QToolTip.showText(below, self._help.toolTip(), self._help)

    def _recolour(self) -> None:
        for button in (self._help, self._more):
            button.setIcon(icon(button.objectName(), theme.current().faint))
