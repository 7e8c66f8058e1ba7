"""One failure that the doctor found: what it is, what proves it, and how it is repaired."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.chat.doctor import FAILURES, Finding
from core.contracts.text import Text, tr, tr_plural
from gui import theme as themes
from gui.pages.dialogue.evidence_strip import EvidenceStrip
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.badge import Chip

_MOST_EVIDENCE = 3


class IllChip(Chip):
    """The verdict, in the colour of what is wrong."""

    def __init__(self) -> None:
        super().__init__(tr("ill"))

    def colour(self) -> str:
        return themes.current().bad


class FindingCard(QFrame):
    """`evidence_picked` carries the Evidence that was clicked."""

    evidence_picked = Signal(object)

    def __init__(self, finding: Finding, own: int | None, parent: QWidget | None = None) -> None:
        """`own` is the number of the conversation that the page shows, None for one that is not examined. Its tokens
        come first."""
        super().__init__(parent)
        self.finding = finding
        self.strips: list[EvidenceStrip] = []
        failure = FAILURES[finding.failure]
        title = wrapped_label(failure.label, "title")
        show_text(title.setToolTip, failure.explanation)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(IllChip())
        head.addWidget(title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 2, 6)
        column.setSpacing(3)
        column.addLayout(head)
        column.addWidget(wrapped_label(finding.sentence))
        evidences = sorted(finding.evidence, key=lambda evidence: evidence.conversation != own)
        for evidence in evidences[:_MOST_EVIDENCE]:
            strip = EvidenceStrip(evidence, is_own=evidence.conversation == own)
            strip.picked.connect(self.evidence_picked)
            self.strips.append(strip)
            column.addWidget(wrapped_label(evidence.note, "small"))
            if strip.texts:
                column.addWidget(strip)
        more = len(finding.evidence) - _MOST_EVIDENCE
        if more > 0:
            column.addWidget(
                wrapped_label(tr_plural("and {count:,} more place", "and {count:,} more places", count=more), "small")
            )
        self.repair = wrapped_label(tr("Repair: {how}", how=finding.repair))
        column.addWidget(self.repair)
        self._recolour(themes.current())
        themes.notifier().changed.connect(self._recolour)

    def _recolour(self, theme: Theme) -> None:
        self.repair.setStyleSheet(
            f"border-left: 2px solid {theme.accent}; padding-left: 6px; color: {theme.text}; background: transparent;"
        )


def wrapped_label(text: Text, role: str = "") -> QLabel:
    """A text in as many lines as the width asks for."""
    label = QLabel()
    label.setWordWrap(True)
    if role:
        label.setProperty("role", role)
    show_text(label.setText, text)
    return label
