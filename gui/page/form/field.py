"""What every control of the parameter form has: a label, the problem with its value, and the same small interface."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.params import FieldSpec, Scalar
from core.contracts.text import EMPTY, Text, sentences, tr
from core.units import unit_label
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel

_LONGEST_DEFAULT = 80
"""Characters of a default that a tool tip shows: a longer one, such as a whole conversation, tells nobody anything."""


class Field(QWidget):
    """One parameter: its label, its control and, if its value is invalid, a sentence about it."""

    edited = Signal(object)

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.label = QLabel()
        show_text(self.label.setText, spec.label)
        self.label.setWordWrap(True)
        self.unit = FittedLabel(unit_label(spec.unit))
        self.unit.hug_text()
        self.unit.setAlignment(Qt.AlignmentFlag.AlignRight)
        show_text(self.unit.setToolTip, "")  # that of the field
        self._problem = QLabel()
        self._problem.setProperty("role", "error")
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.setWordWrap(True)
        self._problem.hide()
        show_text(self.setToolTip, _tooltip(spec))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._body())
        for control in self._named_by_label():
            show_text(control.setAccessibleName, spec.label)
            show_text(control.setAccessibleDescription, spec.help)
        layout.addWidget(self._problem)

    def value(self) -> Scalar:
        """What the control shows."""
        raise NotImplementedError

    def set_value(self, value: Scalar) -> None:
        """Show a value without emitting a signal."""
        raise NotImplementedError

    @property
    def problem(self) -> str:
        return "" if self._problem.isHidden() else self._problem.text()

    def set_problem(self, sentence: Text | str) -> None:
        """Highlight the control and say what is wrong with its value; '' clears that."""
        if str(sentence) == self.problem:
            return  # restyling costs half a millisecond, and this is called for every field at every edit
        show_text(self._problem.setText, sentence)
        self._problem.setVisible(bool(sentence))
        for control in self._controls():
            control.setProperty("invalid", bool(sentence))
            control.style().polish(control)

    def take_focus(self) -> None:
        """Give the focus to the first control that can have it, as the Tab key does: a number is selected."""
        for control in self._controls():
            if control.focusPolicy() & Qt.FocusPolicy.TabFocus:
                control.setFocus(Qt.FocusReason.TabFocusReason)
                return

    def _body(self) -> QWidget:
        """The row with label, unit and controls."""
        raise NotImplementedError

    def _controls(self) -> list[QWidget]:
        raise NotImplementedError

    def _named_by_label(self) -> list[QWidget]:
        """The controls that a screen reader calls by the label of the field: those without a text of their own."""
        return self._controls()


def _tooltip(spec: FieldSpec) -> Text:
    limits = EMPTY
    if spec.minimum is not None and spec.maximum is not None:
        limits = tr("From {low:g} to {high:g}.", low=spec.minimum, high=spec.maximum)
    value = str(spec.default)
    shown = value if len(value) <= _LONGEST_DEFAULT else "…"
    default = tr("Default: --set {name}={value}", name=spec.name, value=shown)
    return Text("{help}\n{default}", (("help", sentences(spec.help, limits)), ("default", default)))
