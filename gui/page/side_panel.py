"""The right side of a page: the run bar above, the parameters below."""

from __future__ import annotations

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from core.contracts.params import Params
from core.contracts.text import Text, tr
from gui import theme
from gui.icons import icon
from gui.page.form.parameter_form import ParameterForm
from gui.page.run_bar import RunBar
from gui.translation import show_text
from gui.widgets.scroll import VerticalScroll


class SidePanel(QFrame):
    """`form` and `run_bar`, with undo, redo and reset of the parameters."""

    def __init__(self, params_type: type[Params], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "side")
        self.run_bar = RunBar()
        self.form = ParameterForm(params_type)
        self._buttons = {
            "undo": self._button(
                "undo", tr("Undo the last change"), QKeySequence.StandardKey.Undo, self.form.undo_stack.undo
            ),
            "redo": self._button("redo", tr("Redo"), QKeySequence.StandardKey.Redo, self.form.undo_stack.redo),
            "reset": self._button("reset", tr("Reset to the defaults"), None, self.form.reset),
        }
        self._lay_out()
        stack = self.form.undo_stack
        stack.canUndoChanged.connect(self._buttons["undo"].setEnabled)
        stack.canRedoChanged.connect(self._buttons["redo"].setEnabled)
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    def reveal(self, name: str) -> None:
        """Show the panel, and the field of a parameter in it, ready to type."""
        self.show()
        field = self.form.fields[name]
        field.take_focus()
        QTimer.singleShot(0, field, lambda: self._scroll.ensureWidgetVisible(field))  # once it has been laid out

    def _button(self, name: str, tip: Text, key: QKeySequence.StandardKey | None, action: object) -> QToolButton:
        button = QToolButton()
        keys = "" if key is None else QKeySequence(key).toString()
        show_text(button.setToolTip, tr("{action} ({key})", action=tip, key=keys) if keys else tip)
        show_text(button.setAccessibleName, tip)
        button.setIconSize(QSize(14, 14))
        button.setEnabled(key is None)
        button.clicked.connect(action)
        button.setObjectName(name)
        return button

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(2)
        title = QLabel()
        show_text(title.setText, tr("Parameters"))
        title.setProperty("role", "title")
        bar.addWidget(title)
        bar.addStretch(1)
        for button in self._buttons.values():
            bar.addWidget(button)
        body = QWidget()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(0, 0, 10, 8)
        inside.addWidget(self.form)
        inside.addStretch(1)
        rule = QFrame()
        rule.setProperty("role", "rule")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 2, 4)
        layout.setSpacing(8)
        run = QVBoxLayout()
        run.setContentsMargins(0, 0, 10, 0)
        run.setSpacing(8)
        run.addWidget(self.run_bar)
        run.addWidget(rule)
        run.addLayout(bar)
        layout.addLayout(run)
        self._scroll = VerticalScroll(body)
        layout.addWidget(self._scroll, 1)

    def _recolour(self) -> None:
        colours = theme.current()
        for name, button in self._buttons.items():
            button.setIcon(icon(name, colours.muted, disabled=colours.border_strong))
