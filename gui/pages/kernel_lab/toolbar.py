"""The strip above the plots of kernel-lab: file, function and launch, pin and export, and a summary of the run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.contracts.text import Text, tr
from core.outside import shown_label
from gui import theme, translation
from gui.icons import icon
from gui.pages.kernel_lab.view_data import Example
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.scroll import VerticalScroll
from gui.zoom import Px

_USERS_FILE = tr("My file")
_LEAST_COMBO_PX, _READABLE_LAUNCH_PX, _WIDEST_COMBO_PX = Px(80), Px(204), Px(320)
"""A combo box is as wide as its longest text if there is room."""
EXPORTS = {
    "launches": tr("Numbers per launch (CSV)…"),
    "tensors": tr("Numbers per tensor (CSV)…"),
    "lines": tr("Numbers per source line (CSV)…"),
}
"""The tables of a result that can be exported, and their entries in the menu."""


class Toolbar(QWidget):
    """Emits the user's choices; the page acts on them. Combo boxes emit only for user actions."""

    example_chosen = Signal(str)
    open_requested = Signal()
    function_chosen = Signal(str)
    launch_chosen = Signal(int)
    pin_requested = Signal(bool)
    trace_export_requested = Signal()
    csv_export_requested = Signal(str)

    def __init__(self, examples: Sequence[Example], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._examples = list(examples)
        self.example = QComboBox()
        self.example.addItem("", "")
        show_text(self.example.setItemText, 0, _USERS_FILE)
        for index, example in enumerate(self._examples, 1):
            self.example.addItem("", example.path)
            show_text(self.example.setItemText, index, example.title)
        self._write_tips()
        translation.notifier().changed.connect(self._write_tips)
        show_text(self.example.setToolTip, tr("Examples that come with Tilescope"))
        self.open_button = QPushButton()
        show_text(self.open_button.setText, tr("Open…"))
        show_text(
            self.open_button.setToolTip,
            tr("Open a Python file or a saved trace (Ctrl+O), or drop one anywhere on the page"),
        )
        show_text(self.example.setAccessibleName, tr("File"))
        self.function = QComboBox()
        show_text(self.function.setAccessibleName, tr("Function"))
        show_text(self.function.setToolTip, tr("The function to call; its launches are traced"))
        self.launch = QComboBox()
        show_text(self.launch.setAccessibleName, tr("Launch"))
        show_text(self.launch.setToolTip, tr("The launch to show in the plots"))
        self.summary = FittedLabel()
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.pin = QPushButton()
        show_text(self.pin.setText, tr("Pin as A"))
        self.pin.setCheckable(True)
        show_text(self.pin.setToolTip, tr("Keep this run as A, to compare the next run, B, with it"))
        self.export = QPushButton()
        show_text(self.export.setText, tr("Export…"))
        self._menu()
        self._lay_out()
        self.set_launches([])
        self._connect()
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    def show_file(self, path: str) -> None:
        """Show which file is open: an example by its title, any other as the user's file."""
        self.example.setCurrentIndex(max(0, self.example.findData(path)))

    def set_functions(self, names: Sequence[str], chosen: str) -> None:
        """The functions that can be called, and the chosen one."""
        if [self.function.itemData(i) for i in range(self.function.count())] != list(names):
            self.function.clear()
            for name in names:
                self.function.addItem(shown_label(name), name)
        self.function.setCurrentIndex(self.function.findData(chosen))
        self.function.setEnabled(bool(names))

    def set_launches(self, labels: Sequence[str]) -> None:
        """The launches of the run, in order."""
        self.launch.clear()
        self.launch.addItems(list(map(shown_label, labels)))
        self.launch.setMinimumWidth(min(self.launch.sizeHint().width(), _READABLE_LAUNCH_PX))
        self.launch.setVisible(len(labels) > 0)
        for button in (self.pin, self.export):
            button.setEnabled(bool(labels))

    def _connect(self) -> None:
        self.example.activated.connect(self._on_example)
        self.open_button.clicked.connect(self.open_requested)
        self.function.activated.connect(lambda index: self.function_chosen.emit(self.function.itemData(index)))
        self.launch.activated.connect(self.launch_chosen)
        self.pin.clicked.connect(self.pin_requested)

    def _on_example(self, index: int) -> None:
        path = self.example.itemData(index)
        if path:
            self.example_chosen.emit(path)
        else:
            self.open_requested.emit()

    def _menu(self) -> None:
        menu = QMenu(self.export)
        show_text(menu.addAction("", self.trace_export_requested.emit).setText, tr("Trace (.npz)…"))
        menu.addSeparator()
        for name, title in EXPORTS.items():
            show_text(menu.addAction("", partial(self.csv_export_requested.emit, name)).setText, title)
        self.export.setMenu(menu)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 8, 6)
        row.setSpacing(5)
        row.addWidget(self.example)
        row.addWidget(self.open_button)
        row.addWidget(_label(tr("Function")))
        row.addWidget(self.function)
        row.addWidget(self.launch)
        row.addWidget(self.summary, 1)
        row.addWidget(self.pin)
        row.addWidget(self.export)
        for combo in (self.example, self.function, self.launch):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            combo.setMinimumWidth(_LEAST_COMBO_PX)
            combo.setMaximumWidth(_WIDEST_COMBO_PX)

    def _write_tips(self) -> None:
        """The tooltips of the examples in the list, in the current language."""
        for index, example in enumerate(self._examples, 1):
            self.example.setItemData(index, str(example.about), Qt.ItemDataRole.ToolTipRole)

    def _recolour(self) -> None:
        self.open_button.setIcon(icon("open", theme.current().text))
        self.open_button.setIconSize(QSize(13, 13))
        self.export.setIcon(icon("export", theme.current().text, disabled=theme.current().faint))
        self.export.setIconSize(QSize(13, 13))


def _label(text: Text) -> QLabel:
    label = QLabel()
    show_text(label.setText, text)
    return label


class Welcome(VerticalScroll):
    """Takes the place of the plots before the first run: how to begin, and the examples."""

    example_chosen = Signal(str)

    def __init__(self, examples: Sequence[Example], parent: QWidget | None = None) -> None:
        content = QWidget()
        super().__init__(content, parent)
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(content)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(3)
        layout.addStretch(1)
        intro = _label(tr("Run (F5) traces every load and store of the kernels. No GPU is needed."))
        intro.setProperty("role", "empty")
        intro.setWordWrap(True)
        intro.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(intro)
        hint = _label(tr("Open your own file (Ctrl+O), drop one anywhere on this page, or start with an example:"))
        hint.setProperty("role", "small")
        hint.setWordWrap(True)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(hint)
        layout.addSpacing(8)
        rule = QFrame()
        rule.setProperty("role", "rule")
        layout.addWidget(rule)
        for example in examples:
            button = QPushButton()
            show_text(button.setText, example.title)
            button.setFixedWidth(190)
            button.clicked.connect(lambda _=False, path=example.path: self.example_chosen.emit(path))
            about = FittedLabel(example.about)
            row = QHBoxLayout()
            row.setSpacing(10)
            row.addWidget(button)
            row.addWidget(about, 1)
            layout.addLayout(row)
            self.buttons[example.path] = button
        layout.addStretch(1)
