"""The card with the tables: outcomes, compiled kernels, changes between two runs, and recordings."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.recordings.run import FamilyRun
from gui.pages.compare import compiled_rows, outcome_rows
from gui.pages.compare.changes_view import ChangesView, Pair
from gui.pages.compare.compiled_rows import CompiledRow
from gui.pages.compare.outcome_rows import OutcomeRow
from gui.pages.compare.recordings_view import RecordingsView
from gui.pages.compare.shown import RUN, Shown
from gui.widgets.record_table import RecordTable
from gui.widgets.switcher import Switcher

OUTCOMES, COMPILED, CHANGES, RECORDINGS = range(4)
_NO_OUTCOMES = tr("The points and implementations appear here once the parameters are valid.")


class DetailsView(Switcher):
    """`drawn` carries the provenance of the visible table; `outcome_picked` a point of the sweep and an
    implementation."""

    drawn = Signal(object)
    outcome_picked = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self.outcomes: RecordTable[OutcomeRow] = RecordTable(
            outcome_rows.COLUMNS, lambda row: (row.index, row.impl), _NO_OUTCOMES, hides_empty=True
        )
        self.compiled: RecordTable[CompiledRow] = RecordTable(
            compiled_rows.COLUMNS, lambda row: (row.impl, row.number), compiled_rows.EMPTY
        )
        self.changes, self.recordings = ChangesView(), RecordingsView()
        super().__init__(
            [
                ("outcomes", tr("Outcomes"), self.outcomes),
                ("compiled", tr("Compiled"), self.compiled),
                ("changes", tr("A against B"), self.changes),
                ("recordings", tr("Recordings"), self.recordings),
            ],
            "outcomes_view",
            parent,
        )
        self._shown: Shown | None = None
        self._chosen_pair: Pair | None = None
        self._language = language.current()
        self.switched.connect(lambda _: self._announce())
        self.outcomes.picked.connect(lambda row: self.outcome_picked.emit(row.index, row.impl))
        self.recordings.pair_chosen.connect(self._on_pair)

    def draw(self, shown: Shown) -> None:
        self._shown = shown
        self.outcomes.set_rows(list(outcome_rows.outcome_rows(shown)))
        self.compiled.set_rows(list(compiled_rows.compiled_rows(shown)))
        self.recordings.show_entries(shown.plan.recorded, shown.plan.recorded_problem)
        self.changes.show_pair(self._chosen_pair or default_pair(shown))
        if self._language != language.current():
            self._language = language.current()
            self.changes.retranslate()
        self._announce()

    def select(self, index: int, impl: str | None) -> None:
        """Mark an outcome. Emits no signal."""
        self.outcomes.mark(None if impl is None else (index, impl))

    def forget_pair(self) -> None:
        """Compare again what is pinned with what ran last."""
        self._chosen_pair = None

    def _on_pair(self, pair: Pair) -> None:
        self._chosen_pair = pair
        self.changes.show_pair(pair)
        self.show_picture(CHANGES)

    def _announce(self) -> None:
        if self._shown is not None:
            self.drawn.emit(_provenance(self._shown, self.index, self.changes.pair))


def default_pair(shown: Shown) -> Pair | None:
    """The run after the one pinned as A; without that, after the newest recording."""
    run = shown.run
    before: FamilyRun | None = shown.pinned or next(iter(shown.plan.overlays), None)
    if run is None or before is None or before is run or before.subject != run.subject:
        return None
    return Pair(before, run)


def _provenance(shown: Shown, index: int, pair: Pair | None) -> Provenance | None:
    source = shown.source(RUN)
    if index == RECORDINGS:
        return Provenance.RECORDED if shown.plan.recorded else None
    if index == CHANGES:
        if pair is None:
            return None
        return source.provenance if source is not None and pair.b is source.run else Provenance.RECORDED
    if source is None:
        return Provenance.MODELLED if index == OUTCOMES and shown.plan.points else None
    return None if index == COMPILED else source.provenance
