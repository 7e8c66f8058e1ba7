"""The claims of a topic: statement, source, verdict and evidence."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, tr
from gui.translation import show_text
from gui.widgets.badge import VerdictChip
from gui.widgets.data_table import DataTable, table_of
from gui.zoom import Px

_VERDICT_WIDTH_PX = Px(118)
_UNTESTED = tr("Run to test this claim.")


class ClaimsPanel(QScrollArea):
    """One row per claim. Until a run has tested it, a claim is 'not tested yet'. `judged`: verdicts have changed."""

    judged = Signal()

    def __init__(self, claims: tuple[Claim, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._claims = claims
        self.chips: dict[str, VerdictChip] = {}
        self.statements: dict[str, QLabel] = {}
        self.evidence: dict[str, QLabel] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        show_text(self.setAccessibleName, tr("Claims"))
        body = QWidget()
        self._grid = QGridLayout(body)
        self._grid.setContentsMargins(12, 8, 12, 8)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnMinimumWidth(0, _VERDICT_WIDTH_PX)
        self._grid.setColumnStretch(1, 5)
        self._grid.setColumnStretch(2, 6)
        for claim in claims:
            self._add(claim)
        self._grid.setRowStretch(self._grid.rowCount(), 1)
        self.setWidget(body)

    def show_findings(self, findings: Mapping[str, Finding]) -> None:
        """Show verdicts and evidence by claim id. An empty mapping clears all verdicts."""
        for claim in self._claims:
            finding = findings.get(claim.id)
            self.chips[claim.id].set_verdict(None if finding is None else finding.verdict)
            show_text(self.evidence[claim.id].setText, _UNTESTED if finding is None else finding.evidence)
        self.judged.emit()

    def hold_back(self, awaits_run: bool) -> None:
        """Say nothing of claims that are not tested yet, while a run is being read that will test them."""
        for claim_id, chip in self.chips.items():
            if chip.verdict is None:
                show_text(self.evidence[claim_id].setText, "" if awaits_run else _UNTESTED)

    def data_table(self) -> DataTable:
        """One row per claim: its verdict, '' while it is not tested, and its evidence."""
        verdicts = [chip.verdict for chip in self.chips.values()]
        return table_of(
            {
                "claim": [str(claim.statement) for claim in self._claims],
                "verdict": ["" if verdict is None else str(verdict.label) for verdict in verdicts],
                "evidence": [label.text() for label in self.evidence.values()],
            }
        )

    def reveal(self, claim_id: str) -> None:
        """Bring a claim into view, with its statement selected."""
        for label in self.statements.values():
            label.setSelection(0, 0)
        statement = self.statements[claim_id]
        statement.setSelection(0, len(statement.text()))
        statement.setFocus(Qt.FocusReason.OtherFocusReason)
        QTimer.singleShot(0, statement, lambda: self.ensureWidgetVisible(statement))  # once it has been laid out

    def tested(self) -> int:
        """How many claims a run has tested."""
        verdicts = [chip.verdict for chip in self.chips.values()]
        return sum(verdict not in (None, Verdict.NOT_TESTED) for verdict in verdicts)

    def _add(self, claim: Claim) -> None:
        self.chips[claim.id] = VerdictChip()
        self.statements[claim.id] = _wrapped(claim.statement, "")
        self.evidence[claim.id] = _wrapped(_UNTESTED, "muted")
        statement = QVBoxLayout()
        statement.setSpacing(1)
        statement.addWidget(self.statements[claim.id])
        statement.addWidget(_wrapped(claim.source, "small"))
        row = self._grid.rowCount()
        if len(self.chips) > 1:
            rule = QFrame()
            rule.setProperty("role", "rule")
            self._grid.addWidget(rule, row, 0, 1, 3)
            row += 1
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(self.chips[claim.id], row, 0, top)
        self._grid.addLayout(statement, row, 1)
        self._grid.addWidget(self.evidence[claim.id], row, 2, top)


def _wrapped(text: Text, role: str) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    show_text(label.setText, text)
    label.setWordWrap(True)
    label.setProperty("role", role)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
