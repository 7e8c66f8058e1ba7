"""The command palette: a line over the window, and below it what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QEvent, QModelIndex, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QRegion, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QStyle,
    QStyleOption,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr, tr_in
from core.palette.entry import PREFIXES, Entry
from core.palette.search import Found, PaletteSearch, split_prefix
from gui import theme
from gui.palette.key_caps import KeyCaps
from gui.palette.line import Line
from gui.palette.rows import RowPainter, Rows, row_height_px
from gui.translation import show_text
from gui.zoom import Px

_WIDTH_CHARACTERS, _SIDE_PX = 60, Px(40)
"""The width in multiples of the height of a row's text, and what stays free beside the palette."""
_ROWS = 11
_TOP_SHARE = 0.09
_RADIUS_PX = 8


class Source(Protocol):
    """Where the palette gets its entries from."""

    @property
    def page(self) -> str:
        """The id of the topic in view, '' for none."""
        ...

    @property
    def recent(self) -> Sequence[str]:
        """The ids of what was chosen before, the newest first."""
        ...

    def entries(self) -> Sequence[Entry]:
        """Everything that can be found now. Called when the palette is opened."""
        ...

    def typed(self, query: str) -> tuple[Sequence[Entry], str, Text]:
        """What the query itself stands for, such as a parameter with a value; what to search for instead of the query;
        and one sentence if something in it cannot be used."""
        ...


class CommandPalette(QFrame):
    """Lies over its parent, and is hidden until `open`. Emits `chose` with the id of every entry that was chosen.

    An entry that refuses, or whose work raises TilescopeError, leaves the palette open with the sentence.
    """

    chose = Signal(str)

    def __init__(self, source: Source, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "palette")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._source = source
        self._search = PaletteSearch(())
        self._came_from: QWidget | None = None
        self.line = Line()
        self.rows = Rows(self)
        self.view = QListView()
        self.sentence = QLabel()
        self._prefixes: dict[str, QToolButton] = {}
        self._lay_out()
        self._connect()
        self.hide()

    def open(self, query: str = "") -> None:
        """Show the palette with that query; the line has the focus."""
        if self.isHidden():
            self._came_from = self.window().focusWidget()
        self.refresh_entries()
        self.line.setText(query)
        self._find(query)
        self._place()
        self.show()
        self.raise_()
        self.line.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def close_palette(self) -> None:
        """Hide it; the focus goes back to where it was."""
        if self.isHidden():
            return
        came_from, self._came_from = self._came_from, None
        had_focus = self.line.hasFocus()
        self.hide()
        if had_focus and came_from is not None:
            came_from.setFocus(Qt.FocusReason.OtherFocusReason)

    def toggle(self) -> None:
        if self.isHidden():
            self.open()
        else:
            self.close_palette()

    def refresh_entries(self) -> None:
        """Ask the source for its entries again, and search in them."""
        self._search = PaletteSearch(self._source.entries(), self._source.recent, self._source.page)
        if self.isVisible():
            before = self.selected
            self._find(self.line.text())
            self._select_again(before)

    @property
    def selected(self) -> Entry | None:
        index = self.view.currentIndex()
        return self.rows.at(index.row()).entry if index.isValid() else None

    def choose(self) -> None:
        """Do what the selected entry stands for."""
        entry = self.selected
        if entry is None:
            return
        refusal = entry.refusal()
        if refusal:
            self._say(refusal)
            return
        query = self.line.text()
        self.close_palette()
        try:
            entry.work()
        except TilescopeError as error:
            self.open(query)
            self._say(error.text)
        else:
            self.chose.emit(entry.id)

    def _find(self, query: str) -> None:
        typed, words, problem = self._source.typed(query)
        found = [*(Found(entry, is_recent=False) for entry in typed), *self._search.find(words)]
        prefix, rest = split_prefix(words)
        self.rows.show(found, rest.split())
        for each, button in self._prefixes.items():
            button.setChecked(each == prefix)
        nothing = tr("Nothing is called that: try other words, or fewer.") if not found else EMPTY
        self._say(problem or nothing)
        if found:
            self.view.setCurrentIndex(self.rows.index(0))
            self.view.scrollToTop()

    def _select_again(self, before: Entry | None) -> None:
        ids = [self.rows.at(row).entry.id for row in range(self.rows.rowCount())]
        if before is not None and before.id in ids:
            self.view.setCurrentIndex(self.rows.index(ids.index(before.id)))

    def _say(self, sentence: Text) -> None:
        show_text(self.sentence.setText, sentence)
        self.sentence.setVisible(bool(sentence))

    def _step(self, rows: int) -> None:
        """Move the selection; one step from an end goes to the other."""
        count = self.rows.rowCount()
        if not count:
            return
        row = self.view.currentIndex().row() + rows
        row = row % count if abs(rows) == 1 else max(0, min(row, count - 1))
        self.view.setCurrentIndex(self.rows.index(row))

    def _complete(self) -> None:
        if self.selected is not None and self.selected.completion:
            self.line.setText(self.selected.completion)

    def _use_prefix(self, prefix: str) -> None:
        present, words = split_prefix(self.line.text())
        self.line.setText(words if present == prefix else f"{prefix}{words}")

    def _choose_at(self, index: QModelIndex) -> None:
        self.view.setCurrentIndex(index)
        self.choose()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def event(self, event: QEvent) -> bool:
        """Whenever a style sheet is applied, it makes a widget with round corners transparent. Then every key would
        paint the page below anew, which takes hundreds of milliseconds."""
        done = super().event(event)
        if event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        return done

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt leaves the background of what is opaque to the widget."""
        option = QStyleOption()
        option.initFrom(self)
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(theme.current().surface))
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What is opaque has no corners that are round, so they are cut off."""
        super().resizeEvent(event)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), _RADIUS_PX, _RADIUS_PX)
        self.setMask(QRegion(outline.toFillPolygon().toPolygon()))

    def _place(self) -> None:
        """At the top of the middle. It keeps its size while one types, so that nothing below has to be painted anew."""
        parent = self.parentWidget()
        top = round(parent.height() * _TOP_SHARE)
        width = min(_WIDTH_CHARACTERS * theme.ui_font().pixelSize(), parent.width() - 2 * _SIDE_PX)
        around = self.layout().totalSizeHint().height() - self.view.sizeHint().height()
        height = min(around + _ROWS * row_height_px(), parent.height() - top - _SIDE_PX)
        self.setGeometry((parent.width() - width) // 2, top, width, height)

    def _connect(self) -> None:
        self.line.textChanged.connect(self._find)
        self.line.stepped.connect(self._step)
        self.line.chosen.connect(self.choose)
        self.line.completed.connect(self._complete)
        self.line.dismissed.connect(self.close_palette)
        self.line.left.connect(self.close_palette)
        self.view.clicked.connect(self._choose_at)
        self.parentWidget().installEventFilter(self)

    def _lay_out(self) -> None:
        self.view.setModel(self.rows)
        self.view.setItemDelegate(RowPainter(self.view))
        self.view.setUniformItemSizes(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setProperty("role", "found")
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        show_text(self.view.setAccessibleName, tr("What was found"))
        self.sentence.setWordWrap(True)
        self.sentence.setProperty("role", "error")
        self.sentence.setMargin(6)
        self.sentence.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 6, 1, 1)
        layout.setSpacing(4)
        line = QHBoxLayout()
        line.setContentsMargins(7, 0, 7, 0)
        line.addWidget(self.line)
        layout.addLayout(line)
        layout.addWidget(self._prefix_bar())
        layout.addWidget(self.sentence)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._hints())

    def _prefix_bar(self) -> QWidget:
        """What the prefixes restrict a search to. They can be clicked."""
        bar = QWidget()
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.setSpacing(2)
        for prefix, meaning in PREFIXES.items():
            button = QToolButton()
            button.setProperty("role", "text")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            show_text(button.setText, tr_in("palette", "{prefix} {meaning}", prefix=prefix, meaning=meaning))
            button.clicked.connect(lambda _=False, prefix=prefix: self._use_prefix(prefix))
            self._prefixes[prefix] = button
            layout.addWidget(button)
        layout.addStretch(1)
        return bar

    def _hints(self) -> QWidget:
        bar = QFrame()
        bar.setProperty("role", "palette-hints")
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(9, 4, 9, 4)
        layout.setSpacing(5)
        for keys, meaning in (
            (("Up", "Down"), tr_in("palette", "move")),
            (("Return",), tr_in("palette", "choose")),
            (("Tab",), tr_in("palette", "complete")),
            (("Esc",), tr_in("palette", "close")),
        ):
            label = QLabel()
            label.setProperty("role", "small")
            show_text(label.setText, meaning)
            layout.addWidget(KeyCaps(*keys))
            layout.addWidget(label)
            layout.addSpacing(8)
        layout.addStretch(1)
        example = QLabel()
        example.setProperty("role", "small")
        show_text(example.setText, tr_in("palette", "A parameter is set with {example}", example="seq_len 4096"))
        layout.addWidget(example)
        return bar
