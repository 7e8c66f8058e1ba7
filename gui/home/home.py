"""The home page: the questions, what this machine has found about them, 'Check all', and review mode."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from core.questions import QuestionBook
from gui.home.browser import Browser
from gui.home.check_all import CheckAll
from gui.home.reader import Keeper, Reader, Wanted
from gui.home.standing import Standing
from gui.page.banner import Banner
from gui.widgets.latest_work import LatestWork

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent, QShowEvent

    from core.contracts.text import Text
    from core.questions import QuestionSearch
    from core.questions.check_all import PlannedRun
    from core.questions.guesses import Outcome
    from core.questions.question import Question
    from core.questions.review import ReviewLog
    from gui.home.review import Review
    from gui.page.engine_bridge import EngineBridge

_SHOW_TIME_LEFT_MS = 1000


class Home(QWidget):
    """`visit_requested` carries a Place and the id of a run of the history to show there, or an empty text.
    `question_opened` carries the Question that has led there.

    Without a `keeper` there is no history: nothing is answered, and nothing can be checked. The questions are read on
    another thread; `ready` says that they are there.
    """

    visit_requested = Signal(object, str)
    question_opened = Signal(object)
    ready = Signal()

    def __init__(self, bridge: EngineBridge, keeper: Keeper | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.book = QuestionBook()
        self._answers: dict[str, Any] = {}
        self._missing: dict[str, PlannedRun] = {}
        self._stale: set[str] = set()
        self._log: ReviewLog | None = None
        self._keeper = keeper
        self._reader = None if keeper is None else Reader(keeper)
        self.checking: CheckAll | None = None
        if keeper is not None and self._reader is not None:
            self.checking = CheckAll(bridge, keeper, self._reader, self)
            self._connect_history(keeper, self._reader, self.checking)
        self.browser = Browser(self.standing_of, self.checking)
        self.banner = Banner()
        self._views = QStackedWidget()
        self._views.addWidget(self.browser)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(10)
        layout.addWidget(self.banner)
        layout.addWidget(self._views, 1)
        self._connect_views()
        self.setFocusProxy(self.browser.search)
        self._reading = LatestWork(self)
        self._reading.done.connect(self._show_book)
        self._reading.failed.connect(self.show_error)
        self._has_begun = False
        self._clock = QTimer(self, interval=_SHOW_TIME_LEFT_MS)
        self._clock.timeout.connect(self.browser.checks.show_state)

    @cached_property
    def review(self) -> Review:
        """Made when a review first begins."""
        from gui.home.review import Review

        review = Review()
        review.shown.connect(lambda _: self._show_in_review())
        review.judged.connect(self._on_judged)
        review.run_requested.connect(self.run_question)
        review.open_requested.connect(self.open_question)
        review.left.connect(self.leave_review)
        self._views.addWidget(review)
        return review

    # What the window calls

    @property
    def drawing(self) -> bool:
        """Whether the questions, or the claims of the one in view, are still to come: a screenshot waits for them."""
        return not self.banner.sentence and (not len(self.book) or self.browser.detail.evidence.drawing)

    def show_error(self, sentence: Text | str, detail: str = "") -> None:
        self.banner.show_error(sentence, detail)

    def dismiss(self) -> None:
        """Escape: close the message, else leave review mode, else clear the search."""
        if self.banner.sentence:
            self.banner.dismiss()
        elif self._is_reviewing:
            self.leave_review()
        else:
            self.browser.clear_search()

    def run(self) -> None:
        """F5: make the run of the question in view."""
        question = self._in_view
        if question is not None:
            self.run_question(question)

    def close_down(self) -> None:
        """Stop what goes on in the background: the window closes."""
        self._clock.stop()
        self._reading.forget()
        if self.checking is not None:
            self.checking.stop()

    # What the user does

    def check_all(self, with_training: bool = False) -> None:
        """Make the runs that are missing."""
        if self.checking is not None:
            self.checking.start(tuple(self.book), with_training=with_training)

    def run_question(self, question: Question) -> None:
        """Make the run that answers a question, in the background."""
        if self.checking is not None:
            self.checking.hurry(question)

    def open_question(self, question: Question) -> None:
        """Show the page that answers a question, with the run of this machine that does."""
        answer = self._answers.get(question.id)
        self.visit_requested.emit(question.place, "" if answer is None else answer.run_id)
        self.question_opened.emit(question)

    def start_review(self) -> None:
        """Ask what was missed, then what was never asked, of the group that is chosen or of all."""
        if self._log is not None:
            questions = self.browser.questions_in_scope()
            self._views.setCurrentWidget(self.review)
            self.review.show_tally(self._log.tally(self.book))
            self.review.begin(self._log.in_order(questions))

    def leave_review(self) -> None:
        self._views.setCurrentWidget(self.browser)
        self.browser.search.setFocus()

    # What is known

    def standing_of(self, question: Question) -> Standing:
        """The verdict of this machine, or why there is none."""
        answer = self._answers.get(question.id)
        checking = self.checking
        if checking is None or not checking.active:
            failure = None if checking is None else checking.failure_of(question.id)
            return Standing(answer, failure=failure or None)
        current = checking.current
        return Standing(
            answer,
            is_running=current is not None and question.id in current.question_ids,
            is_waiting=checking.is_waiting_for(question.id),
            failure=checking.failure_of(question.id) or None,
        )

    @property
    def _in_view(self) -> Question | None:
        return self.review.question if self._is_reviewing else self.browser.detail.question

    @property
    def _has_review(self) -> bool:
        return "review" in vars(self)

    @property
    def _is_reviewing(self) -> bool:
        return self._has_review and self._views.currentWidget() is self.review

    def _show_book(self, read: tuple[QuestionBook, QuestionSearch]) -> None:
        self.book, search = read
        self.browser.show_book(self.book, search)
        self._show_standings()
        if self._reader is not None:
            self._reader.read_log()
            self._reader.answer(self.book)
            self._plan()
        self.ready.emit()

    def _plan(self) -> None:
        if self._reader is not None:
            self._reader.plan(Wanted(tuple(self.book), self.browser.checks.training.isChecked()))

    def _on_planned(self, wanted: Wanted, runs: tuple[PlannedRun, ...]) -> None:
        if len(wanted.questions) == len(self.book):
            self._missing = {question_id: run for run in runs for question_id in run.question_ids}
            self.browser.checks.show_missing(runs)
            self._show_standings()

    def _on_answered(self, answers: dict[str, Any]) -> None:
        self._answers |= answers
        self._show_standings()

    def _on_listed(self, topic_id: str, *_: object) -> None:
        """The runs of a page have changed: look again, later if nobody is looking."""
        if self.book:
            self._stale.add(topic_id)
            if self.isVisible() or (self.checking is not None and self.checking.active):
                self._refresh()

    def _refresh(self) -> None:
        stale, self._stale = self._stale, set()
        if self._reader is not None and stale:
            self._reader.answer(question for question in self.book if question.page in stale)
            if self.checking is None or not self.checking.active:
                self._plan()

    def _show_standings(self) -> None:
        self.browser.show_standings(self._predicted_s)
        self._show_in_review()

    def _show_in_review(self) -> None:
        question = self.review.question if self._has_review else None
        if question is not None:
            self.review.show_standing(self.standing_of(question), self._predicted_s(question))

    def _predicted_s(self, question: Question) -> float | None:
        run = self._missing.get(question.id)
        return None if run is None else run.predicted_s

    def _on_checking(self) -> None:
        assert self.checking is not None
        if self.checking.active != self._clock.isActive():
            self._clock.start() if self.checking.active else self._clock.stop()
        self.browser.checks.show_state()
        self._show_standings()

    def _on_checked(self, _stopped: bool) -> None:
        assert self.checking is not None
        self.browser.failures.show_failures(self.checking.round.failures)
        self._plan()

    def _on_judged(self, question: Question, outcome: Outcome) -> None:
        if self._reader is not None and self._log is not None:
            self._reader.remember(self._log, question.id, outcome)

    def _on_log(self, log: ReviewLog) -> None:
        if self._log is None and log.notice:
            self.show_error(log.notice)
        self._log = log
        self.browser.enable_review()
        if self._has_review:
            self.review.show_tally(log.tally(self.book))

    # Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        """The questions are read once the page is seen: to read them takes as long as to show the window. The window
        announces its first paint by a timer of 0 ms."""
        super().paintEvent(event)
        if not self._has_begun:
            self._has_begun = True
            QTimer.singleShot(1, self, lambda: self._reading.request(_read))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def _connect_history(self, keeper: Keeper, reader: Reader, checking: CheckAll) -> None:
        keeper.listed.connect(self._on_listed)
        reader.answered.connect(self._on_answered)
        reader.planned.connect(self._on_planned)
        reader.log_read.connect(self._on_log)
        checking.changed.connect(self._on_checking)
        checking.ended.connect(self._on_checked)

    def _connect_views(self) -> None:
        self.browser.opened.connect(self.open_question)
        self.browser.run_requested.connect(self.run_question)
        self.browser.review_requested.connect(self.start_review)
        self.browser.checks.start_requested.connect(self.check_all)
        self.browser.checks.training_chosen.connect(lambda _: self._plan())


def _read() -> tuple[QuestionBook, QuestionSearch]:
    from core.questions import QuestionSearch, shipped_questions

    book = shipped_questions()
    return book, QuestionSearch(book)
