"""The line above the cards: which point of the sweep is looked at, pin as A, export, and where the run was made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from core.contracts.text import Text, tr
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

CSV, JSON = ".csv", ".json"
_EXPORTS = {
    CSV: tr("Table (CSV): one row per point and implementation…"),
    JSON: tr("Recording (JSON), to open on another machine…"),
}
_TITLES = {CSV: tr("Save the table"), JSON: tr("Save the recording")}
_INSET_PX, _POINT_LETTERS = Px(4), 14


class CompareBar(QWidget):
    """`index_chosen` carries a point of the sweep; `save_requested` a file ending and a path."""

    index_chosen = Signal(int)
    pin_requested = Signal(bool)
    save_requested = Signal(str, Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.back, self.forward, self.point = QToolButton(), QToolButton(), QComboBox()
        self.pin, self.export, self.summary = QPushButton(), QPushButton(), FittedLabel()
        show_text(self.point.setAccessibleName, tr("Point of the sweep"))
        self.point.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.point.setMinimumContentsLength(_POINT_LETTERS)
        for button, arrow, name, by in (
            (self.back, Qt.ArrowType.LeftArrow, tr("Previous point"), -1),
            (self.forward, Qt.ArrowType.RightArrow, tr("Next point"), 1),
        ):
            button.setArrowType(arrow)
            show_text(button.setAccessibleName, name)
            show_text(button.setToolTip, name)
            button.clicked.connect(partial(self.step, by))
        show_text(self.pin.setText, tr("Pin as A"))
        show_text(self.pin.setToolTip, tr("Keep this run as A, to compare the next run, B, with it"))
        self.pin.setCheckable(True)
        show_text(self.export.setText, tr("Export…"))
        self._menu()
        self.point.activated.connect(self.index_chosen)
        self.pin.clicked.connect(self.pin_requested)
        self._lay_out()
        self.show_run(has_run=False, pinned=False)

    def step(self, by: int) -> None:
        """Go on by so many points, within the sweep."""
        index = self.point.currentIndex() + by
        if 0 <= index < self.point.count():
            self.index_chosen.emit(index)

    def show_points(self, titles: Sequence[str], index: int, parameters: str) -> None:
        """The points of the sweep, the one that is looked at, and what its parameters are. Emits no signal."""
        what = tr("The point that the bars show (Left and Right)")
        self.point.setToolTip("\n".join(filter(None, (str(what), parameters))))
        if [self.point.itemText(place) for place in range(self.point.count())] != list(titles):
            self.point.clear()
            self.point.addItems(list(titles))
        self.point.setCurrentIndex(index if titles else -1)
        self.back.setEnabled(bool(titles) and index > 0)
        self.forward.setEnabled(index + 1 < len(titles))

    def show_run(self, *, has_run: bool, pinned: bool) -> None:
        """Whether there is a run to pin and to export, and whether a run is pinned."""
        self.pin.setEnabled(has_run or pinned)
        self.export.setEnabled(has_run)
        self.pin.setChecked(pinned)
        show_text(self.pin.setText, tr("A pinned") if pinned else tr("Pin as A"))

    def write_summary(self, *wordings: Text | str) -> None:
        """Where the run was made, or what a run would do."""
        self.summary.set_wordings(*wordings)

    def _menu(self) -> None:
        menu = QMenu(self.export)
        for suffix, title in _EXPORTS.items():
            show_text(menu.addAction("", partial(self._ask, suffix)).setText, title)
        self.export.setMenu(menu)

    def _ask(self, suffix: str) -> None:
        """The dialog adds the ending itself, so it asks before overwriting the file that is written."""
        dialog = QFileDialog(self, str(_TITLES[suffix]), f"comparison{suffix}", f"*{suffix}")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save_requested.emit(suffix, Path(path)))
        dialog.open()

    def _lay_out(self) -> None:
        line = QHBoxLayout(self)
        line.setContentsMargins(_INSET_PX, 0, _INSET_PX, 0)
        line.setSpacing(_INSET_PX)
        for widget in (self.back, self.point, self.forward):
            line.addWidget(widget)
        line.addSpacing(2 * _INSET_PX)
        line.addWidget(self.summary, 1)
        line.addWidget(self.pin)
        line.addWidget(self.export)
