"""The question that is selected: its answer, what runs of this machine found, its sources, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, sentences, tr, verbatim
from core.questions.wording import changes, duration
from gui import theme
from gui.home.evidence import Evidence, title_of
from gui.home.labels import StandingChip, line, wrapped
from gui.home.related import Related
from gui.home.standing import UNKNOWN, Standing
from gui.icons import icon
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.scroll import TextScroll

if TYPE_CHECKING:
    from core.questions.question import Group, Question

_EDGE_PX = 18


class Detail(QFrame):
    """`open_requested` and `run_requested` carry the Question in view."""

    open_requested = Signal(object)
    run_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.question: Question | None = None
        self.can_run = True
        """Whether runs can be made from here at all."""
        self._context = wrapped("small")
        self._asked = wrapped("heading")
        self._answer = wrapped("answer")
        self._here = line("group", tr("On this machine"))
        self.chip = StandingChip()
        self.state = wrapped("small")
        self.evidence = Evidence()
        self._sources_title = line("group", tr("Sources of the answer"))
        self._sources = wrapped("small")
        self.related = Related()
        self._nothing = wrapped("empty", tr("Choose a question at the left."))
        self.open = QPushButton()
        self.open.setProperty("role", "primary")
        self.open.clicked.connect(lambda: self.open_requested.emit(self.question))
        self.run = QPushButton()
        show_text(self.run.setText, tr("Run here"))
        show_text(self.run.setToolTip, tr("Make the run that answers this question, in the background (F5)"))
        self.run.clicked.connect(lambda: self.run_requested.emit(self.question))
        self._changes = FittedLabel(EMPTY)
        self._lay_out()
        self._recolour()
        theme.notifier().changed.connect(self._recolour)
        self.show_question(None, None, UNKNOWN)

    def show_question(self, question: Question | None, group: Group | None, standing: Standing) -> None:
        """Show another question; None where there is none."""
        self.question = question
        self._scroll.setVisible(question is not None)
        self._actions.setVisible(question is not None)
        self._nothing.setVisible(question is None)
        if question is None or group is None:
            return
        context = tr("{group} · page “{page}”", group=group.title, page=title_of(question))
        show_text(self._context.setText, context)
        show_text(self._asked.setText, question.question)
        show_text(self._answer.setText, question.answer)
        show_text(self._sources.setText, verbatim("\n".join(question.sources)) if question.sources else EMPTY)
        for part in (self._sources_title, self._sources):
            part.setVisible(bool(question.sources))
        show_text(self.open.setText, tr("Open page “{page}”", page=title_of(question)))
        show_text(self.open.setToolTip, tr("Open the page with the parameters of this question (Enter)"))
        values = changes(question)
        self._changes.set_wordings(tr("The page opens with {values}.", values=values) if values else EMPTY)
        self._changes.setVisible(bool(values))
        self.evidence.show_question(question)
        self.show_standing(standing)
        self._scroll.verticalScrollBar().setValue(0)

    def show_standing(self, standing: Standing, predicted_s: float | None = None) -> None:
        """Show what is known of the question now. `predicted_s` is how long its run would take."""
        if self.question is None:
            return
        self.chip.set_standing(standing)
        show_text(self.state.setText, _state(self.question, standing, predicted_s))
        self.evidence.show_standing(standing)
        self.run.setEnabled(self.can_run and not standing.is_running)

    def _lay_out(self) -> None:
        here = QHBoxLayout()
        here.setSpacing(8)
        here.addWidget(self._here)
        here.addWidget(self.chip)
        here.addStretch(1)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(_EDGE_PX, 14, _EDGE_PX, 8)
        body.setSpacing(6)
        body.addWidget(self._context)
        body.addWidget(self._asked)
        body.addSpacing(2)
        body.addWidget(self._answer)
        body.addSpacing(8)
        body.addWidget(_rule())
        body.addSpacing(2)
        body.addLayout(here)
        body.addWidget(self.state)
        body.addWidget(self.evidence)
        body.addSpacing(6)
        body.addWidget(self._sources_title)
        body.addWidget(self._sources)
        body.addSpacing(6)
        body.addWidget(self.related)
        body.addStretch(1)
        self._scroll = TextScroll(self._body)
        self._actions = QWidget()
        buttons = QHBoxLayout()
        buttons.addWidget(self.open, 3)
        buttons.addWidget(self.run, 2)
        actions = QVBoxLayout(self._actions)
        actions.setContentsMargins(_EDGE_PX, 8, _EDGE_PX, 12)
        actions.addWidget(self._changes)
        actions.addLayout(buttons)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._nothing, 1)
        layout.addWidget(self._actions)

    def _recolour(self) -> None:
        colours = theme.current()
        self.open.setIcon(icon("open", colours.on_accent))
        self.run.setIcon(icon("run", colours.text, disabled=colours.faint))
        for button in (self.open, self.run):
            button.setIconSize(QSize(12, 12))


def _state(question: Question, standing: Standing, predicted_s: float | None) -> Text:
    """One line under the verdict: which run it is of, or what a run would take."""
    if standing.is_running:
        return tr("The run goes on. You can look at other questions and pages meanwhile.")
    answer = standing.answer
    if answer is not None:
        when = f"{answer.started_at.astimezone():%Y-%m-%d %H:%M}"
        of = tr("From a run on {device}, {when}.", device=answer.device, when=when)
        unexpected = tr("This is not the verdict that was expected: look at the evidence.")
        return sentences(of, unexpected) if answer.is_surprising else of
    if standing.failure:
        return standing.failure
    trains = tr("It trains a model.") if question.trains else EMPTY
    if predicted_s is None:
        return sentences(tr("No run of this machine answers this question yet."), trains)
    none_yet = tr(
        "No run of this machine answers this question yet: it takes {time}.",
        time=duration(predicted_s),
    )
    return sentences(none_yet, trains)


def _rule() -> QFrame:
    rule = QFrame()
    rule.setProperty("role", "rule")
    return rule
