"""The samples of one implementation, round by round beside those of the baseline, and the verdict on their noise."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from core.contracts.text import Text, sentences, tr
from core.format import quantity
from core.hardware.noise import Verdict
from core.recordings.run import Outcome, Point
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Series
from gui.pages.compare.bar_rows import compared_with_baseline, verdict_text
from gui.pages.compare.shown import Shown, Source
from gui.translation import show_text
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

HEIGHT_PX, _GAP_PX = Px(140), Px(6)
_NO_SAMPLES = tr("It has no samples: only what is timed, and right, has some.")


class SamplesStrip(QWidget):
    """Hidden until an implementation is picked. `closed` asks to hide it."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chart = LineChart(_NO_SAMPLES, Axis(tr("round"), steps="whole"), Axis(tr("time"), "ms"))
        self.badge, self.verdict, self.close_button = ProvenanceBadge(), FittedLabel(), QToolButton()
        show_text(self.close_button.setText, "✕")
        show_text(self.close_button.setAccessibleName, tr("Close the samples"))
        show_text(self.close_button.setToolTip, tr("Close the samples (Esc)"))
        self.close_button.clicked.connect(self.closed)
        self.chart.x_picked.connect(self.chart.select_x)
        line = QHBoxLayout()
        line.setContentsMargins(4, 0, 0, 0)
        line.setSpacing(_GAP_PX)
        line.addWidget(self.badge)
        line.addWidget(self.verdict, 1)
        line.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self.chart, 1)
        self.setFixedHeight(HEIGHT_PX)
        self.hide()

    def draw(self, shown: Shown, source: Source | None, impl: str) -> None:
        """Show the samples of an implementation in a run, at the point that is looked at; hide without any run."""
        point = None if source is None else shown.point(source.run)
        outcome = None if point is None else point.outcome(impl)
        if source is None or point is None or outcome is None:
            self.hide()
            return
        self.badge.set_provenance(source.provenance if outcome.time_ms_samples else None)
        self.verdict.set_wordings(*wordings(shown, source, point, outcome))
        self.chart.set_series(samples(shown, source, point, outcome), x_range=_rounds(outcome))
        if not outcome.time_ms_samples:
            self.chart.show_empty(outcome.reason or None)
        self.show()


def samples(shown: Shown, source: Source, point: Point, outcome: Outcome) -> list[Series]:
    """The samples in the order in which they were taken, over those of the baseline."""
    baseline = point.outcome(source.run.baseline)
    both = [outcome] if baseline is None or baseline is outcome else [outcome, baseline]
    return [
        Series(
            str(shown.label(each.impl, each)),
            np.arange(1, 1 + len(each.time_ms_samples)),
            np.array(each.time_ms_samples),
            shown.colour(each.impl),
            "rings" if each is outcome else "faint",
        )
        for each in both
        if each.time_ms_samples
    ]


def wordings(shown: Shown, source: Source, point: Point, outcome: Outcome) -> tuple[Text, ...]:
    """Whether it can be told from the baseline, and the median with its quartiles; the longest wording first."""
    name = shown.label(outcome.impl, outcome)
    if outcome.time_ms is None or not outcome.time_ms_samples:
        return (tr("{name}: no samples", name=name),)
    low, high = outcome.quartiles_ms
    times = tr(
        "{name}: {median}, quartiles {low} and {high}.",
        name=name,
        median=quantity(outcome.time_ms, "ms"),
        low=quantity(low, "ms"),
        high=quantity(high, "ms"),
    )
    compared = compared_with_baseline(source.run, point, outcome)
    if compared is None:
        return (times,)
    verdict = verdict_text(shown, source.run, compared)
    if compared.verdict is Verdict.UNKNOWN:
        return sentences(verdict, times), verdict, compared.verdict.label
    brief = tr(
        "{low:.2f}–{high:.2f} × the baseline: {verdict}",
        low=compared.low,
        high=compared.high,
        verdict=compared.verdict.label,
    )
    return sentences(verdict, times), verdict, brief, compared.verdict.label


def _rounds(outcome: Outcome) -> tuple[float, float]:
    return 0.5, max(1.0, len(outcome.time_ms_samples)) + 0.5
