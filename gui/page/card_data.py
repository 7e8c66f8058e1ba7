"""The numbers of a card, copied and saved from its menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu

from core.contracts.text import Text, tr
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.translation import show_text
from gui.widgets.data_table import DataTable, as_csv, as_json

_KINDS: tuple[tuple[str, Callable[[list[DataTable]], str], Text, Text], ...] = (
    ("csv", as_csv, tr("Copy data as CSV"), tr("Save data as CSV…")),
    ("json", as_json, tr("Copy data as JSON"), tr("Save data as JSON…")),
)


class Tabular(Protocol):
    """What this needs of a card."""

    @property
    def tables(self) -> list[DataTable]: ...
    @property
    def file_name(self) -> str: ...


class CardData(QObject):
    """Adds its entries to the menu of a card; they are hidden while the card shows no numbers."""

    def __init__(self, card: Tabular, menu: QMenu) -> None:
        super().__init__(menu)
        self._card, self._menu, self._writer = card, menu, FileWriter(self)
        self._entries = [menu.addSeparator()]
        for work, place in ((self._copy, 2), (self._ask_and_save, 3)):
            for kind in _KINDS:
                entry = menu.addAction("", partial(work, kind[0], kind[1]))
                show_text(entry.setText, kind[place])
                self._entries.append(entry)
        menu.aboutToShow.connect(self._follow)

    def _follow(self) -> None:
        has_numbers = bool(self._card.tables)
        for entry in self._entries:
            entry.setVisible(has_numbers)

    def _copy(self, _suffix: str, write: Callable[[list[DataTable]], str]) -> None:
        QGuiApplication.clipboard().setText(write(self._card.tables))

    def _ask_and_save(self, suffix: str, write: Callable[[list[DataTable]], str]) -> None:
        name, kind = f"{self._card.file_name}.{suffix}", f"{suffix.upper()} (*.{suffix})"
        path, _ = QFileDialog.getSaveFileName(self._menu.parentWidget(), str(tr("Save data")), name, kind)
        if path:
            text = write(self._card.tables)
            self._writer.write(path, lambda: write_numbers(path, text))
