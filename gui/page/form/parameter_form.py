"""The form of a topic's parameters, made from their specs: validated as a whole, with undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby

from PySide6.QtCore import Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, Scalar
from core.contracts.text import Text, tr
from gui.page.form.fields import Field, field_for
from gui.translation import show_text

Values = dict[str, Scalar]
_MERGE_WITHIN_S = 1.0


class ParameterForm(QWidget):
    """Shows and edits one Params.

    `changed` carries new valid Params. While the values on the screen are invalid, `params` keeps the last valid ones,
    `valid` is False, and a sentence under the field says what is wrong.
    """

    changed = Signal(object)
    validity_changed = Signal(bool)

    def __init__(self, params_type: type[Params], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._type = params_type
        self._params = params_type()
        self._values: Values = self._params.model_dump()
        self._valid = True
        self.undo_stack = QUndoStack(self)
        self.fields: dict[str, Field] = {}
        self._general_problem = QLabel()
        self._general_problem.setProperty("role", "error")
        self._general_problem.setWordWrap(True)
        self._general_problem.hide()
        self._build()
        self._show_values()

    @property
    def params(self) -> Params:
        """The last valid parameters."""
        return self._params

    @property
    def valid(self) -> bool:
        """Whether the values that the form shows are valid."""
        return self._valid

    def set_params(self, params: Params) -> None:
        """Show other parameters without a signal, and with an empty undo history."""
        self.undo_stack.clear()
        self._params = params
        self._values = params.model_dump()
        self._show_values()
        self.clear_problem()
        self._set_valid(True)

    def propose(self, params: Params, merge_on: str = "") -> None:
        """Change to other parameters as if the user had typed them: emits `changed`, and can be undone. Quick changes
        with the same `merge_on`, such as those of a slider on the page, are undone in one step."""
        self._edit(params.model_dump(), tr("change parameters"), merge_on)

    def reset(self) -> None:
        """Reset to the defaults; can be undone."""
        self.propose(self._type())

    def go_back(self, edits: int, params: Params) -> None:
        """Undo until there were so many edits; `params` were the last valid ones then. What was typed is there again,
        valid or not."""
        self.undo_stack.setIndex(edits)
        if self._valid:
            self.propose(params)
        elif params != self._params:
            self._params = params
            self.changed.emit(params)

    def show_problem(self, sentence: Text | str, field: str | None = None) -> None:
        """Say what is wrong: under the field if one is named, otherwise above the form."""
        self.clear_problem()
        if field in self.fields:
            self.fields[field].set_problem(sentence)
        else:
            show_text(self._general_problem.setText, sentence)
            self._general_problem.show()

    def clear_problem(self) -> None:
        for field in self.fields.values():
            field.set_problem("")
        self._general_problem.hide()

    @property
    def problem(self) -> str:
        """The sentence that is shown, or ''."""
        shown = (field.problem for field in self.fields.values() if field.problem)
        return next(shown, "" if self._general_problem.isHidden() else self._general_problem.text())

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        layout.addWidget(self._general_problem)
        for group, specs in groupby(self._type.specs(), key=lambda spec: spec.group):
            if group:
                title = QLabel()
                show_text(title.setText, group)
                title.setProperty("role", "group")
                title.setContentsMargins(0, 6 if self.fields else 0, 0, 0)
                layout.addWidget(title)
            for spec in specs:
                field = field_for(spec)
                field.edited.connect(self._edited(spec.name))
                self.fields[spec.name] = field
                layout.addWidget(field)

    def _edited(self, name: str) -> Callable[[Scalar], None]:
        return lambda value: self._edit({**self._values, name: value}, tr("change {name}", name=name), name)

    def _edit(self, after: Values, text: Text, merge_on: str = "") -> None:
        if after != self._values:
            self.undo_stack.push(_Change(self._take, dict(self._values), after, text, merge_on))

    def _take(self, values: Values) -> None:
        """Show raw values, and emit `changed` if they are valid parameters."""
        self._values = dict(values)
        self._show_values()
        try:
            params = self._type.parse(values)
        except InvalidParams as error:
            self.show_problem(error.text, error.field)
            self._set_valid(False)
            return
        self.clear_problem()
        self._set_valid(True)
        if params != self._params:
            self._params = params
            self.changed.emit(params)

    def _show_values(self) -> None:
        for name, field in self.fields.items():
            if field.value() != self._values[name]:
                field.set_value(self._values[name])

    def _set_valid(self, valid: bool) -> None:
        if valid != self._valid:
            self._valid = valid
            self.validity_changed.emit(valid)


class _Change(QUndoCommand):
    """One edit. Quick edits of one field are merged, so that one undo takes back a whole drag of a slider."""

    def __init__(self, take: Callable[[Values], None], before: Values, after: Values, text: Text, name: str) -> None:
        super().__init__(str(text))
        self._take, self._before, self._after, self._name = take, dict(before), dict(after), name
        self._changed_s = time.monotonic()

    def id(self) -> int:
        return 1 if self._name else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if (
            not isinstance(other, _Change)
            or other._name != self._name
            or other._changed_s - self._changed_s > _MERGE_WITHIN_S
        ):
            return False
        self._after, self._changed_s = other._after, other._changed_s
        return True

    def undo(self) -> None:
        self._take(self._before)

    def redo(self) -> None:
        self._take(self._after)
