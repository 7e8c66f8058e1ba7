"""What a page says while it shows a recorded run: the badge, and where and when the run was made."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from core.contracts.result import Metric, Provenance, Result
from core.contracts.text import tr
from core.run_files import SavedRun, as_recorded
from core.run_files.wording import environment_lines, environment_wordings
from gui.translation import show_text
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.close_button import CloseButton
from gui.widgets.fitted_label import FittedLabel


class RecordedBar(QFrame):
    """Hidden until a recorded run is shown. `closed` is emitted when the user no longer wants to see it."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "recorded")
        self._saved: SavedRun | None = None
        self.badge = ProvenanceBadge(Provenance.RECORDED)
        self.label = FittedLabel()
        close = CloseButton(tr("Remove the recorded run from the page"))
        close.clicked.connect(self.closed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 3, 3)
        layout.setSpacing(8)
        layout.addWidget(self.badge)
        layout.addWidget(self.label, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(close)
        self.hide()

    @property
    def saved(self) -> SavedRun | None:
        """The recorded run whose environment is shown."""
        return self._saved

    def show_run(self, saved: SavedRun | None) -> None:
        """Name the environment of a run, and mark every badge of the page as recorded; None hides the bar."""
        self._saved = saved
        self.setVisible(saved is not None)
        if saved is not None:
            self.label.set_wordings(*environment_wordings(saved))
            show_text(self.label.setToolTip, environment_lines(saved))
        for badge in self.parentWidget().findChildren(ProvenanceBadge):
            badge.set_recorded(saved is not None)

    def metrics_of(self, result: Result) -> Mapping[str, Metric]:
        """The metrics of the result on the page, as recorded ones if the run is."""
        return result.metrics if self._saved is None else as_recorded(result.metrics)
