"""Named rows with columns of values: read out by pointer and arrow keys, picked by click or Return."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.text import Text
from gui import theme as themes
from gui.charts.pinned import with_pinned
from gui.charts.row_chart_spec import Row, RowSpec
from gui.charts.row_table import table_of
from gui.charts.row_view import RowView
from gui.theme import Theme
from gui.widgets.data_table import DataTable
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_READABLE_ROW_PX = Px(17)


class RowChart(Figure):
    """`picked` carries the key of a row, or of a segment of its bars, that was clicked or picked by keyboard."""

    picked = Signal(str)

    def __init__(self, empty: Text | str, name: Text | str, parent: QWidget | None = None) -> None:
        super().__init__(empty, parent)
        self.spec: RowSpec | None = None
        self.chosen: str | None = None
        self.view = RowView(self, name)
        self._legends: list[Legend] = []
        self._language = language.current()
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self.view, 1)
        self.set_content(content)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows that are shown, from the top down."""
        return () if self.spec is None else self.spec.rows

    @property
    def readable_px(self) -> int:
        """The height from which on every row can be read: a place that is lower should scroll."""
        legends = sum(legend.sizeHint().height() + 2 for legend in self._legends if legend.entries)
        return self.view.height_of(_READABLE_ROW_PX) + legends

    @property
    def legend(self) -> tuple[Entry, ...]:
        """The entries of the legend, line after line."""
        return tuple(entry for legend in self._legends for entry in legend.entries)

    def set_rows(self, spec: RowSpec | None, pinned: RowSpec | None = None) -> None:
        """Show these, with a tick at the values of `pinned`, the rows of run A; None, or no rows at all, is the empty
        state."""
        spec = with_pinned(spec, pinned)
        before, size = self.spec, self.view.sizeHint()
        self.spec = spec if spec is not None and spec.rows else None
        if self.spec is None:
            self.show_empty()
            return
        if self.spec != before or self._language != language.current():
            self._language = language.current()
            self._write_legends(themes.current())
            if self.view.sizeHint() != size:  # a new layout of the page is slow, and a slider draws at each step
                self.view.updateGeometry()
            self.view.draw()
        self.show_content()

    def choose(self, key: str | None) -> None:
        """Write the row with that key in bold, or highlight the segments with it; None undoes this. Emits no signal."""
        if key != self.chosen:
            self.chosen = key
            self.view.draw()

    def describe(self, index: int) -> str:
        """The read-out of a row."""
        return self.rows[index].read_out

    def data_table(self) -> DataTable | None:
        """One row per value: of each part of each bar, or of a mark with its error."""
        return None if self.spec is None or self.is_empty else table_of(self.spec)

    def restyle(self, theme: Theme) -> None:
        self._write_legends(theme)
        self.view.restyle(theme)

    def _write_legends(self, theme: Theme) -> None:
        lines = () if self.spec is None else self.spec.legends
        while len(self._legends) < len(lines):
            self._legends.append(Legend())
            self._column.addWidget(self._legends[-1])
        for index, legend in enumerate(self._legends):
            keys = lines[index] if index < len(lines) else ()
            legend.set_entries(Entry(key.label, key.ink.colour(theme), key.shape) for key in keys)
            legend.setVisible(bool(keys))
