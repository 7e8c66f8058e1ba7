"""The index of questions: a search, the groups, the questions, and the answer of the one that is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.contracts.text import tr, tr_plural
from core.questions import QuestionBook
from core.questions.related import related
from gui import theme, translation
from gui.home.beginning import Beginning
from gui.home.check_bar import CheckBar, Failures
from gui.home.detail import Detail
from gui.home.evidence import title_of
from gui.home.index import IndexView, Row
from gui.home.index_rows import COUNT_ROLE, GroupDelegate
from gui.home.labels import line, wrapped
from gui.home.standing import UNKNOWN, Standing, tally
from gui.home.tally_bar import TallyBar
from gui.icons import icon
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

if TYPE_CHECKING:
    from core.questions import Question, QuestionSearch
    from gui.home.check_all import CheckAll

_GROUPS_PX = Px(260)
_MOST_OF_WIDTH = 0.23
_BEGINNING_FROM_PX = Px(720)
"""A lower page has room for the groups alone."""
_OF_LIST = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Browser(QWidget):
    """`opened` and `run_requested` carry a Question. `standing_of` says what is known of one."""

    opened = Signal(object)
    run_requested = Signal(object)
    review_requested = Signal()

    def __init__(
        self,
        standing_of: Callable[[Question], Standing],
        checking: CheckAll | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._standing_of = standing_of
        self._predicted: Callable[[Question], float | None] = lambda _: None
        self._book = QuestionBook()
        self._searching: QuestionSearch | None = None
        self._titles: dict[str, object] = {}
        self.search = QLineEdit()
        self.search.setProperty("role", "search")
        self.search.setMaxLength(200)
        self.search.setClearButtonEnabled(True)
        self._magnifier = QAction(self)
        self.search.addAction(self._magnifier, QLineEdit.ActionPosition.LeadingPosition)
        show_text(self.search.setAccessibleName, tr("Search the questions"))
        self.review = QPushButton()
        show_text(self.review.setText, tr("Review"))
        show_text(
            self.review.setToolTip,
            tr("See a question alone, guess its answer, and compare your guess with what was found (Ctrl+G)"),
        )
        self.review.setEnabled(False)
        self.review.clicked.connect(self.review_requested)
        self.groups = QListWidget()
        self.groups.setItemDelegate(GroupDelegate(self.groups))
        self.groups.setMouseTracking(True)
        show_text(self.groups.setAccessibleName, tr("Groups of questions"))
        self.index, self.detail = IndexView(standing_of), Detail()
        self.detail.can_run = checking is not None
        self.checks, self.failures = CheckBar(checking), Failures()
        self._tally, self._tally_text = TallyBar(), line("small")
        self.beginning = Beginning()
        self._no_match = wrapped("empty")
        self._keys = FittedLabel(
            tr("↑ ↓ choose · Enter opens the page · F5 runs here · Esc clears the search · Ctrl+G review"),
            tr("↑ ↓ choose · Enter opens · F5 runs here · Ctrl+G review"),
        )
        self._lay_out()
        self._connect()
        self._recolour()

    def show_book(self, book: QuestionBook, searching: QuestionSearch) -> None:
        """Show these questions, all of them."""
        self._book, self._searching = book, searching
        hint = tr("Search {count} questions: KV cache, √d, LoRA …", count=len(book))
        show_text(self.search.setPlaceholderText, hint)
        self._fill_groups()
        self._show_found()

    def show_standings(self, predicted_s: Callable[[Question], float | None]) -> None:
        """What is known of the questions has changed."""
        self._predicted = predicted_s
        self.index.questions.repaint()
        counts = tally(map(self._standing_of, self._book))
        self._tally.show_tally(counts)
        said = tr("{checked} of {total} checked on this machine", checked=counts.checked, total=counts.total)
        show_text(self._tally_text.setText, said)
        self._show_standing()

    def enable_review(self) -> None:
        """What was guessed earlier is known."""
        self.review.setEnabled(True)

    def clear_search(self) -> None:
        self.search.clear()
        self.search.setFocus()

    def show_question(self, question: Question) -> None:
        """Select a question, whatever is searched for now."""
        if self.index.questions.place_of(question) is None:
            self.search.clear()
            self.groups.setCurrentRow(0)
        self.index.choose(question)

    def questions_in_scope(self) -> Sequence[Question]:
        """Those of the group that is chosen, or all."""
        chosen = self._chosen_group()
        return [question for question in self._book if chosen in ("", question.group)]

    def _chosen_group(self) -> str:
        item = self.groups.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole + 1))

    def _fill_groups(self) -> None:
        self.groups.blockSignals(True)
        chosen = self._chosen_group()
        self.groups.clear()
        rows = [("", str(tr("All questions")), len(self._book))]
        rows += [(group.id, str(group.title), len(group.questions)) for group in self._book.groups]
        for group_id, title, count in rows:
            item = QListWidgetItem(title)
            item.setData(COUNT_ROLE, count)
            item.setData(Qt.ItemDataRole.UserRole + 1, group_id)
            item.setToolTip(translation.plain_tip(title))
            self.groups.addItem(item)
            if group_id == chosen:
                self.groups.setCurrentItem(item)
        self.groups.blockSignals(False)

    def _on_typed(self) -> None:
        """A search is in all groups."""
        if self.search.text().strip():
            self.groups.blockSignals(True)
            self.groups.setCurrentRow(0)
            self.groups.blockSignals(False)
        self._show_found()

    def _show_found(self) -> None:
        query = self.search.text().strip()
        rows = self._found_rows(query) if query else self._grouped_rows()
        before = None if query else self.index.current
        self.index.show_rows(rows, before)
        show_text(
            self._no_match.setText,
            tr("No question has these words: {query}\nTry fewer or other words, in English or Chinese.", query=query),
        )
        self._found.setCurrentIndex(0 if rows or not self._book else 1)

    def _found_rows(self, query: str) -> list[Row]:
        if self._searching is None:
            return []
        titles = {group.id: group.title for group in self._book.groups}
        return [
            Row(question=each, context=tr("→ {page} · {group}", page=title_of(each), group=titles[each.group]))
            for each in self._searching.find(query)
        ]

    def _grouped_rows(self) -> list[Row]:
        chosen, rows = self._chosen_group(), []
        for group in self._book.groups:
            if chosen in ("", group.id):
                count = tr_plural("{count} question", "{count} questions", count=len(group.questions))
                rows.append(Row(heading=tr("{group} · {count}", group=group.title, count=count)))
                rows += [Row(question=each, context=tr("→ {page}", page=title_of(each))) for each in group.questions]
        return rows

    def _on_chosen(self, question: Question | None) -> None:
        group = next((each for each in self._book.groups if question is not None and each.id == question.group), None)
        self.detail.show_question(question, group, UNKNOWN)
        self.detail.related.show_questions(related(question, self._book) if question is not None else ())
        self._show_standing()

    def _show_standing(self) -> None:
        question = self.detail.question
        if question is not None:
            self.detail.show_standing(self._standing_of(question), self._predicted(question))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.beginning.setVisible(self.height() >= _BEGINNING_FROM_PX)
        self._fit_groups()

    def _fit_groups(self) -> None:
        """As wide as their titles need, unless the questions need the space more."""
        for part in (self.groups, self.beginning):
            part.setFixedWidth(min(_GROUPS_PX.now, round(_MOST_OF_WIDTH * self.width())))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys that move in the list work while the user types."""
        is_key = watched is self.search and event.type() == QEvent.Type.KeyPress
        if is_key and isinstance(event, QKeyEvent) and event.key() in _OF_LIST and not _modified(event):
            self.index.press(event)
            return True
        return super().eventFilter(watched, event)

    def _connect(self) -> None:
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._on_typed)
        self.groups.currentRowChanged.connect(lambda _: self._show_found())
        self.index.chosen.connect(self._on_chosen)
        self.index.opened.connect(self.opened)
        self.detail.related.chosen.connect(self.show_question)
        self.detail.open_requested.connect(self.opened)
        self.detail.run_requested.connect(self.run_requested)
        translation.notifier().changed.connect(self._fill_groups)
        theme.notifier().changed.connect(self._recolour)

    def _recolour(self) -> None:
        """In other colours, or with texts of another size."""
        self._fit_groups()
        self._magnifier.setIcon(icon("search", theme.current().muted))

    def _lay_out(self) -> None:
        title = QLabel()
        title.setProperty("role", "heading")
        show_text(title.setText, tr("What do you want to know about language models?"))
        what = wrapped(
            "muted",
            tr(
                "Tilescope runs the real kernels behind large language models on this machine and draws what they do. "
                "Each question below has its answer, and a run that tests it."
            ),
        )
        said = QVBoxLayout()
        said.setSpacing(2)
        said.addWidget(title)
        said.addWidget(what)
        counted = QVBoxLayout()
        counted.setSpacing(5)
        counted.addWidget(self._tally_text, 0, Qt.AlignmentFlag.AlignRight)
        counted.addWidget(self._tally)
        counted.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(24)
        top.addLayout(said, 3)
        top.addLayout(counted, 1)
        tools = QHBoxLayout()
        tools.setSpacing(12)
        tools.addWidget(self.search, 5)
        tools.addWidget(self.review)
        tools.addWidget(self.checks, 4)
        listed = QFrame()
        listed.setProperty("role", "card")
        self._found = QStackedWidget()
        self._no_match.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._found.addWidget(self.index)
        self._found.addWidget(self._no_match)
        row = QHBoxLayout(listed)
        row.setContentsMargins(1, 6, 1, 6)
        row.setSpacing(0)
        middle = QVBoxLayout()
        middle.setSpacing(4)
        middle.addWidget(self._found, 1)
        keys = QHBoxLayout()
        keys.setContentsMargins(12, 0, 12, 0)
        keys.addWidget(self._keys)
        middle.addLayout(keys)
        left = QVBoxLayout()
        left.addWidget(self.groups, 1)
        left.addWidget(self.beginning)
        row.addLayout(left)
        row.addWidget(_upright_rule())
        row.addLayout(middle, 1)
        body = QHBoxLayout()
        body.setSpacing(10)
        body.addWidget(listed, 11)
        body.addWidget(self.detail, 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addLayout(top)
        layout.addLayout(tools)
        layout.addWidget(self.failures)
        layout.addLayout(body, 1)


def _modified(event: QKeyEvent) -> bool:
    return bool(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier)


def _upright_rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "upright")
    rule.setFixedWidth(1)
    return rule
