"""What the doctor found: what is ill first, each with its tokens and its repair; what is sound stays quiet below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.chat.doctor import FAILURES, Finding, Severity
from core.contracts.text import Text, tr, tr_plural
from gui import theme as themes
from gui.pages.dialogue.finding_card import FindingCard, wrapped_label
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.scroll import VerticalScroll


class DoctorView(Figure):
    """`evidence_picked` carries an Evidence of the page's conversation."""

    evidence_picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The verdicts appear here once the template can be rendered."), parent)
        self.findings: tuple[Finding, ...] = ()
        self.cards: list[FindingCard] = []
        self._own: int | None = None
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setProperty("role", "title")
        self.scope = QLabel()
        self.scope.setWordWrap(True)
        self.scope.setProperty("role", "small")
        self.fold = QPushButton()
        self.fold.setCheckable(True)
        self.fold.setProperty("role", "segment")
        self.fold.setProperty("place", "only")
        self.fold.toggled.connect(self._fill_quiet)
        self.quiet = QWidget()
        self.quiet.hide()
        self._quiet_lines = QVBoxLayout(self.quiet)
        self._quiet_lines.setContentsMargins(0, 2, 0, 0)
        self._quiet_lines.setSpacing(3)
        body = QWidget()
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(0, 0, 6, 0)
        self._column.setSpacing(4)
        for part in (self.summary, self.scope):
            self._column.addWidget(part)
        self._column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addWidget(self.quiet)
        self._column.addStretch(1)
        self.set_content(VerticalScroll(body))

    @property
    def ill(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ILL)

    def set_findings(self, findings: Sequence[Finding], scope: Text, *, own: int | None = None) -> None:
        """Show these verdicts, or without any the empty state. `scope` says what was examined, `own` is the number of
        the page's conversation in it."""
        if not findings:
            self.findings = ()
            self.show_empty()
            return
        show_text(self.scope.setText, scope)
        if tuple(findings) != self.findings or own != self._own:
            self.findings, self._own = tuple(findings), own
            self._rebuild()
        self.show_content()

    def data_table(self) -> DataTable | None:
        """One row per finding."""
        return table_of(
            {
                "failure": [finding.failure for finding in self.findings],
                "severity": [finding.severity.value for finding in self.findings],
                "finding": [str(finding.sentence) for finding in self.findings],
                "repair": [str(finding.repair) for finding in self.findings],
                "conversations": [finding.conversations for finding in self.findings],
            }
        )

    def restyle(self, theme: Theme) -> None:
        colour = theme.bad if self.ill else theme.good
        self.summary.setStyleSheet(f"color: {colour}; background: transparent;")

    def _rebuild(self) -> None:
        for card in self.cards:
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = [FindingCard(finding, self._own) for finding in self.ill]
        for place, card in enumerate(self.cards):
            card.evidence_picked.connect(self.evidence_picked)
            self._column.insertWidget(2 + place, card)
            card.show()
        self._write_summary()
        self._fill_quiet()
        self.restyle(themes.current())

    def _write_summary(self) -> None:
        ill, tested = len(self.ill), sum(finding.severity is not Severity.NOT_APPLICABLE for finding in self.findings)
        if ill:
            summary = tr_plural(
                "{count} of {tested} known failures is present.",
                "{count} of {tested} known failures are present.",
                count=ill,
                tested=tested,
            )
        else:
            summary = tr_plural(
                "Sound: the {count} known failure that can occur here is absent.",
                "Sound: none of the {count} known failures that can occur here is present.",
                count=tested,
            )
        show_text(self.summary.setText, summary)
        sound, not_applicable = tested - ill, len(self.findings) - tested
        show_text(self.fold.setText, tr("{sound} sound, {others} do not apply", sound=sound, others=not_applicable))
        self.fold.setVisible(bool(ill and (sound or not_applicable)))

    def _fill_quiet(self, _: bool = False) -> None:
        """The lines of what is not ill: all of them if nothing is, else once they are asked for."""
        while (item := self._quiet_lines.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        is_shown = self.fold.isChecked() or not self.ill
        self.quiet.setVisible(is_shown)
        if is_shown:
            quiet = [finding for finding in self.findings if finding.severity is not Severity.ILL]
            for finding in sorted(quiet, key=lambda finding: finding.severity is Severity.NOT_APPLICABLE):
                self._quiet_lines.addWidget(_quiet_line(finding))


def _quiet_line(finding: Finding) -> QFrame:
    """The verdict on what does not occur: its name, and why not in small letters."""
    failure = FAILURES[finding.failure]
    frame = QFrame()
    mark = VerdictMark(finding.severity)
    name = wrapped_label(failure.label)
    show_text(name.setToolTip, failure.explanation)
    grid = QGridLayout(frame)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(0)
    grid.addWidget(mark, 0, 0, Qt.AlignmentFlag.AlignTop)
    grid.addWidget(name, 0, 1)
    grid.addWidget(wrapped_label(finding.sentence, "small"), 1, 1)
    grid.setColumnStretch(1, 1)
    return frame


class VerdictMark(QLabel):
    """A hook for what is sound, a dash for what cannot occur."""

    def __init__(self, severity: Severity) -> None:
        super().__init__("✓" if severity is Severity.OK else "–")
        self._severity = severity
        self.setFixedWidth(16)
        show_text(self.setAccessibleName, severity.label)
        self._recolour(themes.current())
        themes.notifier().changed.connect(self._recolour)

    def _recolour(self, theme: Theme) -> None:
        colour = theme.good if self._severity is Severity.OK else theme.faint
        self.setStyleSheet(f"color: {colour}; background: transparent;")
