"""Review mode: a question alone, then the user's guess, then the evidence beside the guess. Keys are enough for all."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, sentences, tr
from core.questions.guesses import NumberGuess, Outcome
from core.questions.wording import duration, found, guessed
from gui.home.evidence import Evidence, title_of
from gui.home.guess_input import GuessInput
from gui.home.labels import line, wrapped
from gui.home.standing import UNKNOWN, Standing
from gui.home.verdict_on_guess import VerdictOnGuess
from gui.translation import show_text
from gui.widgets.scroll import TextScroll
from gui.zoom import Px

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent

    from core.questions.question import Question
    from core.questions.review import Tally

_WIDEST_PX = Px(820)
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Step(Enum):
    """`UNANSWERED`: there is a guess and no run to compare it with. `GRADING`: the user judges the guess alone."""

    GUESSING = "guessing"
    UNANSWERED = "unanswered"
    GRADING = "grading"
    JUDGED = "judged"
    OVER = "over"


class Review(QWidget):
    """`judged` carries (Question, Outcome), `shown` the Question that is asked now. `begin` gets them in the order in
    which they are asked."""

    judged = Signal(object, object)
    shown = Signal(object)
    run_requested = Signal(object)
    open_requested = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.step = Step.OVER
        self._questions: tuple[Question, ...] = ()
        self._place = 0
        self._guess: Any = None
        self._standing, self._predicted_s = UNKNOWN, None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Review"))
        self._count, self._tally, self.keys = line("small"), line("small"), wrapped("small")
        self._context = wrapped("small")
        self.asked, self._ask = wrapped("heading"), wrapped("answer")
        self.input = GuessInput()
        self.state = wrapped("muted")
        self.verdict = VerdictOnGuess()
        self._answer = wrapped("answer")
        self.evidence = Evidence(with_value=False)
        self.run, self.reveal = self._button(self._request_run), self._button(self._reveal)
        self.next, self.open = self._button(self.go_on), self._button(self._request_open)
        self.leave = self._button(self.left.emit)
        self.input.guessed.connect(self._on_guess)
        self.input.graded.connect(self._on_grade)
        self._lay_out()
        self._name_buttons()

    @property
    def question(self) -> Question | None:
        """The question that is asked; None when all have been."""
        return self._questions[self._place] if self._place < len(self._questions) else None

    def begin(self, questions: Sequence[Question]) -> None:
        """Ask these, one after another."""
        self._questions, self._place = tuple(questions), 0
        self._ask_question()

    def go_on(self) -> None:
        """The next question. One that was not guessed is passed over."""
        self._place += 1
        self._ask_question()

    def show_tally(self, tally: Tally) -> None:
        """How the last guesses of all questions turned out."""
        counts = tr(
            "right {right} · close {close} · missed {wrong} · not asked yet {unseen}",
            right=tally.right,
            close=tally.close,
            wrong=tally.wrong,
            unseen=tally.unseen,
        )
        show_text(self._tally.setText, counts)

    def show_standing(self, standing: Standing, predicted_s: float | None = None) -> None:
        """What is known of the question in view. A run that ends while its guess waits is compared with it."""
        self._standing, self._predicted_s = standing, predicted_s
        if self.step is Step.UNANSWERED:
            self._compare()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or not self._use(key):
            super().keyPressEvent(event)

    def _use(self, key: int) -> bool:
        """Do what a key means in this step; False where it means nothing."""
        buttons = {Qt.Key.Key_R: self.run, Qt.Key.Key_A: self.reveal, Qt.Key.Key_O: self.open, Qt.Key.Key_N: self.next}
        if key in _ENTER and self.step in (Step.JUDGED, Step.OVER):
            self.next.click()
        elif key in buttons and not buttons[Qt.Key(key)].isHidden():
            buttons[Qt.Key(key)].click()
        else:
            return self.step in (Step.GUESSING, Step.GRADING) and self.input.press(key)
        return True

    def _ask_question(self) -> None:
        question, self._guess = self.question, None
        self._standing, self._predicted_s = UNKNOWN, None
        if question is None:
            self._show_end()
            return
        show_text(self._count.setText, tr("{number} of {total}", number=self._place + 1, total=len(self._questions)))
        show_text(self._context.setText, tr("Answered by the page “{page}”", page=title_of(question)))
        show_text(self.asked.setText, question.question)
        is_claim = not question.ask
        show_text(
            self._ask.setText, tr("Does this hold? {claim}", claim=question.guessed) if is_claim else question.ask
        )
        show_text(self._answer.setText, question.answer)
        self.evidence.show_question(question)
        self.setFocus()
        self.input.ask(question)
        self._set_step(Step.GUESSING)
        self.shown.emit(question)

    def _show_end(self) -> None:
        show_text(self._count.setText, EMPTY)
        show_text(self._context.setText, EMPTY)
        show_text(self.asked.setText, tr("That was all of them."))
        show_text(self._ask.setText, tr("What you missed comes first the next time."))
        self._set_step(Step.OVER)
        self.setFocus()

    def _on_guess(self, guess: Any) -> None:
        self._guess = guess
        self.setFocus()
        self._compare()

    def _compare(self) -> None:
        """Judge the guess where a run has an answer, else say what there is."""
        question, answer = self.question, self._standing.answer
        assert question is not None
        outcome = None if answer is None else answer.judge(self._guess)
        if answer is None:
            self._set_step(Step.UNANSWERED)
        elif outcome is None:
            self._reveal()
        else:
            truth = found(question, answer.metrics, answer.truth)
            self.verdict.show_guess(guessed(question, self._guess), truth, outcome)
            self._set_step(Step.JUDGED)
            self.judged.emit(question, outcome)

    def _reveal(self) -> None:
        """Show the answer without a run: the user judges."""
        self._set_step(Step.GRADING)
        self.input.ask_for_grade()

    def _on_grade(self, outcome: Outcome) -> None:
        assert self.question is not None
        self.judged.emit(self.question, outcome)
        self.go_on()

    def _request_run(self) -> None:
        self.run_requested.emit(self.question)

    def _request_open(self) -> None:
        self.open_requested.emit(self.question)

    def _set_step(self, step: Step) -> None:
        self.step = step
        is_shown = step in (Step.GRADING, Step.JUDGED)
        self.input.setVisible(step in (Step.GUESSING, Step.GRADING))
        self.verdict.setVisible(step is Step.JUDGED)
        for part in (self._answer, self.evidence):
            part.setVisible(is_shown)
        if is_shown:
            self.evidence.show_standing(self._standing)
        is_busy = self._standing.is_running or self._standing.is_waiting
        self.run.setVisible(step is Step.UNANSWERED and not is_busy)
        self.reveal.setVisible(step is Step.UNANSWERED)
        self.open.setVisible(is_shown)
        self.next.setVisible(step not in (Step.GRADING, Step.OVER))
        show_text(self.next.setText, tr("Next question (Enter)") if step is Step.JUDGED else tr("Pass (N)"))
        self.next.setProperty("role", "primary" if step is Step.JUDGED else "")
        self.next.style().polish(self.next)
        show_text(self.state.setText, self._said())
        self.state.setVisible(bool(self.state.text()))
        show_text(self.keys.setText, self._keys_of(step))
        self._scroll.verticalScrollBar().setValue(0)

    def _said(self) -> Text:
        """What the user has to know in this step."""
        if self.step is Step.GRADING:
            tested = tr("The run on this machine could not test this.") if self._standing.answer else EMPTY
            return sentences(tested, tr("How good was your guess?"))
        if self.step is not Step.UNANSWERED or self.question is None:
            return EMPTY
        yours = tr("Your guess: {guess}.", guess=guessed(self.question, self._guess))
        if self._standing.is_running or self._standing.is_waiting:
            return sentences(yours, tr("The run that answers this goes on."))
        if self._standing.failure:
            return sentences(yours, self._standing.failure)
        takes = EMPTY if self._predicted_s is None else tr("It takes {time}.", time=duration(self._predicted_s))
        return sentences(yours, tr("No run of this machine answers this question yet."), takes)

    def _keys_of(self, step: Step) -> Text:
        if step is not Step.GUESSING or self.question is None:
            return _KEYS[step]
        if isinstance(self.question.guess, NumberGuess):
            return tr("Keys: type a number and press Enter; N passes, Esc leaves.")
        return tr("Keys: 1 to {last} choose; N passes, Esc leaves.", last=len(self.input.options.values))

    def _button(self, work: Any) -> QPushButton:
        button = QPushButton()
        button.clicked.connect(lambda _=False: work())
        return button

    def _name_buttons(self) -> None:
        for button, text in (
            (self.run, tr("Run here (R)")),
            (self.reveal, tr("Show the answer (A)")),
            (self.open, tr("Open its page (O)")),
            (self.leave, tr("Back to the list (Esc)")),
        ):
            show_text(button.setText, text)
        self.run.setProperty("role", "primary")

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(self._count)
        top.addWidget(self._tally)
        top.addStretch(1)
        top.addWidget(self.leave)
        column = QFrame()
        column.setProperty("role", "card")
        column.setMaximumWidth(_WIDEST_PX.now)
        inside = QVBoxLayout(column)
        inside.setContentsMargins(28, 22, 28, 18)
        inside.setSpacing(10)
        for part in (self._context, self.asked, self._ask, self.state, self.input, self.verdict, self._answer):
            inside.addWidget(part)
        inside.addWidget(self.evidence)
        buttons = QHBoxLayout()
        for button in (self.run, self.reveal, self.next, self.open):
            buttons.addWidget(button)
        buttons.addStretch(1)
        inside.addLayout(buttons)
        inside.addWidget(self.keys)
        body = QWidget()
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(column, 8)
        across.addStretch(1)
        down = QVBoxLayout(body)
        down.setContentsMargins(0, 0, 0, 0)
        down.addStretch(1)
        down.addLayout(across)
        down.addStretch(3)
        self._scroll = TextScroll(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(top)
        layout.addWidget(self._scroll, 1)


_KEYS = {
    Step.UNANSWERED: tr("Keys: R runs, A shows the answer, N passes, Esc leaves."),
    Step.GRADING: tr("Keys: 1 right, 2 close, 3 missed; O opens the page; Esc leaves."),
    Step.JUDGED: tr("Keys: Enter goes on, O opens the page, Esc leaves."),
    Step.OVER: tr("Keys: Esc leaves."),
}
