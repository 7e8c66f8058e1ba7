"""The question that led to a page, above that page: its verdict, and the way to the claims that answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from core.contracts.provenance import Provenance
from core.contracts.text import tr
from gui.translation import show_text
from gui.widgets.badge import ProvenanceBadge, VerdictChip
from gui.widgets.close_button import CloseButton
from gui.widgets.fitted_label import FittedLabel

if TYPE_CHECKING:
    from core.questions.question import Question
    from gui.page.page import Page
    from gui.window.open_page import OpenPage
    from gui.window.page_stack import PageStack


class AskedBar(QFrame):
    """Shown while the page that a question has opened is in view, until the user closes it or opens another question.

    The verdict is that of the run which the page shows; the badge says where that run is a recorded one.
    """

    def __init__(self, stack: PageStack) -> None:
        super().__init__()
        self.setProperty("role", "offer")
        self._stack = stack
        self._question: Question | None = None
        self.chip = VerdictChip()
        self.recorded = ProvenanceBadge(Provenance.RECORDED)
        self.asked = FittedLabel(role="question")
        self.evidence = QPushButton()
        show_text(self.evidence.setText, tr("Show the evidence"))
        show_text(self.evidence.setToolTip, tr("Open the claims of this page at the one that answers the question"))
        self.evidence.clicked.connect(self._show_evidence)
        self.close_button = CloseButton(tr("Hide the question"))
        self.close_button.clicked.connect(self.forget)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.setSpacing(8)
        layout.addWidget(self.chip, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.recorded, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.asked, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.evidence)
        layout.addWidget(self.close_button)
        self.hide()
        stack.currentChanged.connect(self._follow)
        stack.page_built.connect(self._watch)
        for opened in stack.opened.values():
            self._watch(opened)

    def show_question(self, question: Question) -> None:
        """Its page has been opened."""
        self._question = question
        self.asked.set_wordings(question.question)
        self._follow()

    def forget(self) -> None:
        """There is no question any more."""
        self._question = None
        self._follow()

    @property
    def _page(self) -> Page | None:
        """The page that the question has opened, while it is in view."""
        opened = self._stack.current
        is_of_question = (
            opened is not None and self._question is not None and opened.page.topic.id == self._question.page
        )
        return opened.page if opened is not None and is_of_question else None

    def _watch(self, opened: OpenPage) -> None:
        opened.page.claims.judged.connect(self._show_verdict)

    def _follow(self) -> None:
        self.setVisible(self._page is not None)
        self._show_verdict()

    def _show_verdict(self) -> None:
        page = self._page
        if page is not None and self._question is not None:
            self.chip.set_verdict(page.claims.chips[self._question.claims[0]].verdict)
            self.recorded.setVisible(page.recorded.saved is not None)

    def _show_evidence(self) -> None:
        page = self._page
        if page is not None and self._question is not None:
            page.lower.reveal(page.claims)
            page.claims.reveal(self._question.claims[0])
