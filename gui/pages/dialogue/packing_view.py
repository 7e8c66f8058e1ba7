"""Packing: the strategies side by side, the rows and the document mask of one, what leaks, and positions."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_in
from core.topics.dialogue.result import DialogueResult
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.dialogue import packing_data
from gui.pages.dialogue.packed_bars import PackedBars
from gui.pages.dialogue.packing_data import PackedStrategy
from gui.pages.dialogue.tile_map import TileMap
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.html_view import HtmlView
from gui.widgets.record_table import RecordTable
from gui.widgets.splitter import SharedSplitter
from gui.widgets.switcher import Switcher
from gui.zoom import Px

STRATEGIES, LEAK, POSITIONS = range(3)
_TABLE_PX = Px(126)
"""The header and a row per strategy."""


class PackingView(QWidget):
    """`drawn` carries the provenance of the picture in view; `strategy_picked` the strategy that was clicked."""

    drawn = Signal(object)
    strategy_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: DialogueResult | None = None
        self._strategy = ""
        self.table: RecordTable[PackedStrategy] = RecordTable(
            packing_data.strategy_columns(),
            lambda one: one.strategy,
            tr("The strategies appear here once the template can be rendered."),
        )
        self.table.picked.connect(lambda one: self.strategy_picked.emit(one.strategy))
        self.bars, self.tiles, self.about = PackedBars(), TileMap(), FittedLabel()
        self.bars.picked.connect(self.choose_row)
        self.leak = LineChart(
            tr("Run to see what leaks without the document mask."),
            Axis(tr("foreign tokens before it")),
            Axis(tr("Δ loss"), "nats"),
        )
        self.answers = HtmlView(tr("Answers that take what another conversation told"))
        self.positions = RowChart(tr("Run to see what happens if positions are not reset."), tr("Position schemes"))
        self.switcher = Switcher(
            [
                ("strategies", tr("Strategies"), self._strategies()),
                ("leak", tr_in("packing", "Leak"), self._leak()),
                ("positions", tr("Positions"), self.positions),
            ],
            "packing_view",
        )
        self.switcher.switched.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.switcher)

    def set_packings(self, packed: Sequence[PackedStrategy], about: Text) -> None:
        """Show the strategies on one set of lengths; `about` says whose."""
        self.table.set_rows(tuple(packed))
        self.about.set_wordings(about)
        self._show_strategy()

    def choose(self, strategy: str) -> None:
        """Show the rows of a strategy; emits nothing."""
        self._strategy = strategy
        self.table.mark(strategy)
        self._show_strategy()

    def choose_row(self, row: int) -> None:
        """Show the document mask of a row."""
        self.bars.choose(row)
        packing = self.bars.packing
        self.tiles.set_tiles(None if packing is None else packing_data.tiles_of(packing, self.bars.row))

    def show_result(self, result: DialogueResult | None) -> None:
        """Show what leaked in a run; None before one."""
        self._result = result
        leaks = () if result is None else result.leaks
        self.leak.set_series(packing_data.leak_series(leaks), from_zero=True, read=packing_data.leak_read_out(leaks))
        answers = () if result is None else result.leaked_answers
        shares = {} if result is None else result.leaked_share
        about = (answers, language.current())
        self.answers.show_html(about, lambda theme: packing_data.answers_html(answers, shares, theme))
        self.answers.setVisible(bool(answers))
        self.positions.set_rows(packing_data.position_rows(() if result is None else result.schemes))
        self._tell()

    @property
    def provenance(self) -> Provenance | None:
        """That of the picture in view."""
        if self.switcher.index == STRATEGIES:
            return None if self.table.is_empty else Provenance.MODELLED
        is_empty = (self.leak if self.switcher.index == LEAK else self.positions).is_empty
        return None if is_empty or self._result is None else self._result.measured

    def _tell(self) -> None:
        self.drawn.emit(self.provenance)

    def _show_strategy(self) -> None:
        shown = {one.strategy: one.packing for one in self.table.rows}
        packing = shown.get(self._strategy) or next(iter(shown.values()), None)
        if packing is not self.bars.packing:
            self.bars.set_packing(packing)
            self.choose_row(self.bars.row)
        self._tell()

    def _strategies(self) -> QWidget:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        self.table.setMaximumHeight(_TABLE_PX)
        self.table.setMinimumHeight(_TABLE_PX // 2)
        column.addWidget(self.table)
        column.addWidget(self.bars, 1)
        column.addWidget(self.about)
        return SharedSplitter(Qt.Orientation.Horizontal, ((left, 5), (self.tiles, 2)))

    def _leak(self) -> QWidget:
        return SharedSplitter(Qt.Orientation.Horizontal, ((self.leak, 1), (self.answers, 1)))
