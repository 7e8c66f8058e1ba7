"""What the newest run on this machine says about a question: the value found, and each claim with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from core.contracts import registry
from core.contracts.headings import HEADINGS
from core.contracts.text import EMPTY, Text, tr
from gui.home.labels import wrapped
from gui.home.standing import UNKNOWN
from gui.translation import show_text
from gui.widgets.badge import VerdictChip
from gui.widgets.latest_work import LatestWork

if TYPE_CHECKING:
    from core.contracts.headings import Heading
    from core.contracts.topic import Topic
    from core.questions.question import Question
    from gui.home.standing import Standing

_UNTESTED = tr("A run on this machine will test this.")


class Evidence(QWidget):
    """Empty until `show_question`; `show_standing` fills in what a run found. `with_value` is for a view that does not
    show the value elsewhere.

    Claims are of a topic. One that nothing has imported yet is imported in a thread, because that takes up to half a
    second: its claims follow.
    """

    def __init__(self, *, with_value: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._with_value = with_value
        self._asked = wrapped("muted")
        self.found = wrapped("title")
        self._claims = QWidget()
        self.chips: list[VerdictChip] = []
        self.sentences: list[QLabel] = []
        self._question: Question | None = None
        self._standing = UNKNOWN
        self._importing = LatestWork(self)
        self._importing.done.connect(lambda _: self._show_claims())
        self._importing.failed.connect(self._show_problem)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        for part in (self._asked, self.found, self._claims):
            self._layout.addWidget(part)

    def show_question(self, question: Question) -> None:
        """Show the claims of the question, untested."""
        if question is self._question:
            return
        self._question, self._standing = question, UNKNOWN
        self._importing.forget()
        if registry.is_imported(question.page):
            self._show_claims()
        else:
            self.chips, self.sentences = [], []
            self._replace_claims(QWidget())
            self._importing.request(lambda: question.statements)

    @property
    def drawing(self) -> bool:
        """Whether the claims are still to come."""
        return self._importing.busy

    def show_standing(self, standing: Standing) -> None:
        assert self._question is not None
        self._standing = standing
        if self.chips:
            self._fill_in(self._question, standing)

    def _show_claims(self) -> None:
        assert self._question is not None
        self._replace_claims(self._make_claims(self._question))
        self._fill_in(self._question, self._standing)

    def _show_problem(self, sentence: Text) -> None:
        show_text(self.found.setText, sentence)
        self.found.show()

    def _replace_claims(self, claims: QWidget) -> None:
        old, self._claims = self._claims, claims
        self._layout.replaceWidget(old, claims)
        old.hide()
        old.deleteLater()

    def _fill_in(self, question: Question, standing: Standing) -> None:
        answer = standing.answer
        from core.questions.wording import found

        value: Text = EMPTY if answer is None else found(question, answer.metrics, answer.truth)
        is_number = self._with_value and bool(value) and bool(question.ask)
        show_text(self._asked.setText, question.ask if is_number else EMPTY)
        show_text(self.found.setText, value if is_number else EMPTY)
        for label in (self._asked, self.found):
            label.setVisible(is_number)
        for claim_id, chip, sentence in zip(question.claims, self.chips, self.sentences, strict=True):
            finding = None if answer is None else answer.findings[claim_id]
            chip.set_verdict(None if finding is None else finding.verdict)
            show_text(sentence.setText, _UNTESTED if finding is None else finding.evidence)

    def _make_claims(self, question: Question) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 2, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        self.chips, self.sentences = [], []
        for claim in question.statements:
            row = grid.rowCount()
            if self.chips:
                rule = QFrame()
                rule.setProperty("role", "rule")
                grid.addWidget(rule, row, 0, 1, 2)
                row += 1
            self.chips.append(VerdictChip())
            self.sentences.append(wrapped("muted", _UNTESTED))
            grid.addWidget(self.chips[-1], row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(wrapped("", claim.statement), row, 1)
            grid.addWidget(self.sentences[-1], row + 1, 1)
            grid.addWidget(wrapped("small", claim.source), row + 2, 1)
        return body


def title_of(question: Question) -> Text:
    """The title of the page that answers a question. A list of all questions must not import all topics."""
    known: Heading | Topic = HEADINGS.get(question.page) or question.topic
    return known.title
