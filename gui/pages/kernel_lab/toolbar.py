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

from gui import theme
from gui.icons import icon
from gui.pages.kernel_lab.view_data import Example
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.scroll import VerticalScroll

_USERS_FILE = "My file"
_LEAST_COMBO_PX, _READABLE_LAUNCH_PX, _WIDEST_COMBO_PX = 80, 204, 320
"""A combo box is as wide as its longest text if there is room."""
EXPORTS = {"launches": "launch", "tensors": "tensor", "lines": "source line"}
"""The tables of a result that can be exported, and what each row of them is."""


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
        self.example.addItem(_USERS_FILE, "")
        for example in self._examples:
            self.example.addItem(example.title, example.path)
            self.example.setItemData(self.example.count() - 1, example.about, Qt.ItemDataRole.ToolTipRole)
        self.example.setToolTip("Examples that come with Tilescope")
        self.open_button = QPushButton("Open…")
        self.open_button.setToolTip("Open a Python file or a saved trace (Ctrl+O), or drop one anywhere on the page")
        self.function = QComboBox()
        self.function.setToolTip("The function to call; its launches are traced")
        self.launch = QComboBox()
        self.launch.setToolTip("The launch to show in the plots")
        self.summary = FittedLabel()
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.pin = QPushButton("Pin as A")
        self.pin.setCheckable(True)
        self.pin.setToolTip("Keep this run as A, to compare the next run, B, with it")
        self.export = QPushButton("Export…")
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
        if [self.function.itemText(i) for i in range(self.function.count())] != list(names):
            self.function.clear()
            self.function.addItems(list(names))
        self.function.setCurrentIndex(self.function.findText(chosen))
        self.function.setEnabled(bool(names))

    def set_launches(self, labels: Sequence[str]) -> None:
        """The launches of the run, in order."""
        self.launch.clear()
        self.launch.addItems(list(labels))
        self.launch.setMinimumWidth(min(self.launch.sizeHint().width(), _READABLE_LAUNCH_PX))
        for widget in (self.launch, self._launch_label):
            widget.setVisible(len(labels) > 0)
        for button in (self.pin, self.export):
            button.setEnabled(bool(labels))

    def _connect(self) -> None:
        self.example.activated.connect(self._on_example)
        self.open_button.clicked.connect(self.open_requested)
        self.function.activated.connect(lambda index: self.function_chosen.emit(self.function.itemText(index)))
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
        menu.addAction("Trace (.npz)…", self.trace_export_requested.emit)
        menu.addSeparator()
        for name, unit in EXPORTS.items():
            menu.addAction(f"Numbers per {unit} (CSV)…", partial(self.csv_export_requested.emit, name))
        self.export.setMenu(menu)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 8, 6)
        row.setSpacing(6)
        self._launch_label = QLabel("Launch")
        for label, widget in (("File", self.example), ("", self.open_button), ("Function", self.function)):
            if label:
                row.addWidget(QLabel(label))
            row.addWidget(widget)
        row.addWidget(self._launch_label)
        row.addWidget(self.launch)
        row.addWidget(self.summary, 1)
        row.addWidget(self.pin)
        row.addWidget(self.export)
        for combo in (self.example, self.function, self.launch):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            combo.setMinimumWidth(_LEAST_COMBO_PX)
            combo.setMaximumWidth(_WIDEST_COMBO_PX)

    def _recolour(self) -> None:
        self.open_button.setIcon(icon("open", theme.current().text))
        self.open_button.setIconSize(QSize(13, 13))
        self.export.setIcon(icon("export", theme.current().text, disabled=theme.current().faint))
        self.export.setIconSize(QSize(13, 13))


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
        intro = QLabel("Run (F5) traces every load and store of the kernels. No GPU is needed.")
        intro.setProperty("role", "empty")
        intro.setWordWrap(True)
        intro.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(intro)
        hint = QLabel("Open your own file (Ctrl+O), drop one anywhere on this page, or start with an example:")
        hint.setProperty("role", "small")
        hint.setWordWrap(True)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(hint)
        layout.addSpacing(8)
        rule = QFrame()
        rule.setProperty("role", "rule")
        layout.addWidget(rule)
        for example in examples:
            button = QPushButton(example.title)
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
