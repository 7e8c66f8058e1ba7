"""The list of questions: by group, or those that a search found. It shows what it is given, and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from core.contracts.text import Text, tr
from gui import theme, translation
from gui.home.index_rows import RowDelegate
from gui.translation import show_text

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent

    from core.questions.question import Question
    from gui.home.standing import Standing

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Row:
    """A question, or the heading of a group. `context` is the small line under a question."""

    heading: Text | None = None
    question: Question | None = None
    context: Text | None = None


class IndexModel(QAbstractListModel):
    """`standing_of` is asked whenever a row is painted."""

    def __init__(self, standing_of: Callable[[Question], Standing]) -> None:
        super().__init__()
        self.rows: tuple[Row, ...] = ()
        self.standing_of = standing_of

    def set_rows(self, rows: Sequence[Row]) -> None:
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.rows[index.row()]
        if row.question is None:
            is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            return str(row.heading) if is_text else None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return str(row.question.question)
            case Qt.ItemDataRole.ToolTipRole:
                return translation.plain_tip(str(row.question.question))
            case Qt.ItemDataRole.AccessibleTextRole:
                said = tr("{question} {verdict}", question=row.question.question, verdict=self.verdict(row.question))
                return str(said)
        return None

    def verdict(self, question: Question) -> Text:
        """The word beside a question."""
        return self.standing_of(question).label

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_question = index.isValid() and self.rows[index.row()].question is not None
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if is_question else Qt.ItemFlag.NoItemFlags

    def place_of(self, question: Question | None) -> int | None:
        places = (place for place, row in enumerate(self.rows) if question is not None and row.question is question)
        return next(places, None)

    def repaint(self) -> None:
        """Texts, colours or verdicts have changed."""
        if self.rows:
            self.dataChanged.emit(self.index(0), self.index(len(self.rows) - 1))


class IndexView(QListView):
    """`chosen` carries the Question that is selected, `opened` the one whose page is asked for."""

    chosen = Signal(object)
    opened = Signal(object)

    def __init__(self, standing_of: Callable[[Question], Standing], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.questions = IndexModel(standing_of)
        self.setModel(self.questions)
        self._rows = RowDelegate(self)
        self.setItemDelegate(self._rows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        show_text(self.setAccessibleName, tr("Questions"))
        self.selectionModel().currentChanged.connect(self._on_current)
        self.doubleClicked.connect(lambda _: self.open_current())
        theme.notifier().changed.connect(self._restyle)
        translation.notifier().changed.connect(self._restyle)

    @property
    def current(self) -> Question | None:
        """The question that is selected."""
        index = self.currentIndex()
        return self.questions.rows[index.row()].question if index.isValid() else None

    def show_rows(self, rows: Sequence[Row], keep: Question | None) -> None:
        """Show these; `keep` stays selected where it is among them, else the first question is."""
        self.questions.set_rows(rows)
        place = self.questions.place_of(keep)
        if place is None:
            place = next((i for i, row in enumerate(rows) if row.question is not None), None)
            self.scrollToTop()
        if place is None:
            self.chosen.emit(None)
        else:
            self._select(place)

    def choose(self, question: Question) -> None:
        """Select a question, as the user does."""
        place = self.questions.place_of(question)
        if place is not None:
            self._select(place)

    def open_current(self) -> None:
        if self.current is not None:
            self.opened.emit(self.current)

    def press(self, event: QKeyEvent) -> None:
        """Handle a key that the search field does not need."""
        self.keyPressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.open_current()
            return
        super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on the name of the page opens it."""
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        if event.button() is Qt.MouseButton.LeftButton and self._is_link(at):
            self.open_current()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        over_link = self._is_link(event.position().toPoint())
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over_link else Qt.CursorShape.ArrowCursor)

    def _is_link(self, at: QPoint) -> bool:
        index = self.indexAt(at)
        if not index.isValid() or self.questions.rows[index.row()].question is None:
            return False
        return self._rows.link_rect(QRect(self.visualRect(index)), index).contains(at)

    def _select(self, place: int) -> None:
        index = self.questions.index(place)
        if index == self.currentIndex():
            self.chosen.emit(self.current)
        self.setCurrentIndex(index)
        above = self.questions.index(max(0, place - 1))
        if self.questions.rows[above.row()].question is None:
            self.scrollTo(above)  # the heading of the group
        self.scrollTo(index)

    def _restyle(self) -> None:
        """Other colours, another size, or another language, in which a question may need another number of lines."""
        self.questions.repaint()
        self.scheduleDelayedItemsLayout()

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        self.chosen.emit(self.questions.rows[index.row()].question if index.isValid() else None)
