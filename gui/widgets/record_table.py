"""The shared table: one row per record, sorted by any column, filtered, copied, walked with the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text, listed, tr
from gui.translation import show_text
from gui.widgets.data_table import DataTable
from gui.widgets.record_model import Column, Filter, RecordModel, containing
from gui.widgets.record_view import HOW_TO_SORT, RecordView
from gui.widgets.table_view import TableOrSentence

R = TypeVar("R")


class RecordTable(TableOrSentence, Generic[R]):
    """A table of `R`, or the sentence `empty` while there are none.

    `key` identifies a row; `picked` carries the row that the user clicked or walked to. `matches` turns a text into a
    filter; without it a row matches if one of its cells contains the text. `wrap` makes rows as high as their texts.
    `hides_empty` leaves out columns in which no row has a value.
    """

    picked = Signal(object)

    def __init__(
        self,
        columns: Sequence[Column[R]],
        key: Callable[[R], Hashable],
        empty: Text | str,
        *,
        matches: Callable[[str], Filter[R] | None] | None = None,
        wrap: bool = False,
        hides_empty: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        self.model: RecordModel[R] = RecordModel(columns, key)
        super().__init__(RecordView(self.model, wrap), empty, parent)
        self.view: RecordView
        self.marked: Hashable = None
        """The key of the row that was marked or picked last, even if that row is not in the table."""
        self._empty, self._text, self._matches = empty, "", matches
        self._hides_empty = hides_empty
        self._name_view()
        self.view.row_reached.connect(self._on_row)
        self.view.activated.connect(lambda index: self._on_row(index.row()))
        QShortcut(QKeySequence.StandardKey.Copy, self.view, self.copy, context=Qt.ShortcutContext.WidgetShortcut)

    @property
    def rows(self) -> tuple[R, ...]:
        """The rows that the filter accepts, in the order shown."""
        return tuple(self.model.shown)

    @property
    def selected(self) -> tuple[R, ...]:
        """The selected rows from the top down."""
        return tuple(self.model.shown[place] for place in self.view.selected_places())

    def set_columns(self, columns: Sequence[Column[R]], key: Callable[[R], Hashable]) -> None:
        """Replace the columns; the rows follow."""
        with self.view.without_signals():
            self.model.set_columns(columns, key)
        self._name_view()
        self.start_over()

    def start_over(self) -> None:
        """Prepare for rows of another kind: original order, scrolled to the top, nothing selected."""
        self.marked = None
        self.view.start_over()

    def set_rows(self, rows: Sequence[R], empty: Text | str | None = None) -> None:
        """Show these in the chosen order; what was selected stays selected, and what is in view stays in place.

        Without rows there is a sentence: `empty`, or the one from before.
        """
        self._empty = self._empty if empty is None else empty
        if list(rows) != self.model.rows:
            self._show(rows)
            if self._hides_empty:
                self.view.hide_empty_columns()
            self.view.fit()
        self._show_rows_or_sentence()

    def set_filter(self, text: str) -> None:
        """Show only the rows that match a text; '' shows all."""
        if text != self._text:
            self._text = text
            self._show(self.model.rows)
            self._show_rows_or_sentence()

    def mark(self, key: Hashable) -> None:
        """Select the row with this key and bring it into view; None, or one that is not there, selects none.

        Emits no signal.
        """
        if key == self.marked and key == self._key_of(self.view.currentIndex().row()):
            return
        self.marked = key
        self.view.select(next((i for i, row in enumerate(self.model.shown) if self.model.key(row) == key), None))

    def retranslate(self) -> None:
        """Other texts: widths, what the filter lets through, and the headers follow."""
        self._show(self.model.rows)
        self.view.fit()
        self._show_rows_or_sentence()

    def data_table(self) -> DataTable | None:
        """The rows that are shown, under the names of the columns: values with all their digits."""
        columns = self.model.columns
        if self.is_empty:
            return None
        rows = (tuple(column.plain_value(row) for column in columns) for row in self.rows)
        return DataTable(tuple(column.name for column in columns), tuple(rows))

    def copy(self) -> None:
        """The selected rows, or all that are shown, under the names of the columns: tab-separated, to the clipboard."""
        columns = self.model.columns
        lines = ["\t".join(str(column.title) for column in columns)]
        lines += ["\t".join(column.text(row) for column in columns) for row in self.selected or self.rows]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _name_view(self) -> None:
        """A screen reader says what the table is about by its columns."""
        columns = listed([column.title for column in self.model.columns])
        show_text(self.view.setAccessibleName, tr("Table: {columns}", columns=columns))
        show_text(self.view.setAccessibleDescription, HOW_TO_SORT)

    def _show(self, rows: Sequence[R]) -> None:
        view, model = self.view, self.model
        accepts = self._matches(self._text) if self._matches else containing(model.columns, self._text)
        selected, current = [model.key(row) for row in self.selected], self._key_of(view.currentIndex().row())
        top, offset = view.top_row()
        anchor = self._key_of(top)
        across = view.horizontalScrollBar().value()
        with view.without_signals():
            model.set_rows(rows, accepts)
            if selected or current is not None or anchor is not None or self.marked is not None:
                places = model.places()
                kept = sorted(places[key] for key in selected if key in places)
                if not kept and self.marked in places:
                    kept, current = [places[self.marked]], self.marked
                view.select_places(kept, places.get(current))
                view.restore(places.get(anchor), offset)
        view.horizontalScrollBar().setValue(across)

    def _show_rows_or_sentence(self) -> None:
        nothing_matches = tr("Nothing matches “{text}”. Change the filter.", text=self._text.strip())
        show_text(self._sentence.setText, nothing_matches if self.model.rows else self._empty)
        self._show_table(bool(self.model.shown))

    def _key_of(self, place: int) -> Hashable:
        return self.model.key(self.model.shown[place]) if 0 <= place < len(self.model.shown) else None

    def _on_row(self, place: int) -> None:
        row = self.model.shown[place]
        self.marked = self.model.key(row)
        self.picked.emit(row)
