"""The controls of the parameter form: one class per kind of parameter, all with the same small interface.

`edited` fires only for what the user does; `set_value` never fires it.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QWidget,
)

from core.contracts.params import FieldSpec, Scalar
from core.contracts.text import tr
from core.language import ENGLISH
from gui import translation
from gui.page.form.field import Field
from gui.page.form.passage_field import PassageField
from gui.page.form.text_fields import PathField, TextField
from gui.translation import show_text
from gui.zoom import Px

_MAX_SEGMENTS = 5
_MAX_SEGMENT_CHARACTERS = 18
_NUMBER_WIDTH_PX = Px(88)
_LABEL_GAP_PX = Px(8)
_ARROW_PX = Px(40)
"""What a combo box takes besides its text."""
_LINE_CHARACTERS = 4096
"""The longest text that one line is for."""


class NumberField(Field):
    """A spin box; if doubling is the natural step, with a slider over the powers of two."""

    def _body(self) -> QWidget:
        spec = self.spec
        self.spin = QSpinBox() if spec.kind is int else _FloatSpin()
        low = -(2**31) if spec.minimum is None else spec.minimum
        high = 2**31 - 1 if spec.maximum is None else spec.maximum
        if isinstance(self.spin, QSpinBox):
            self.spin.setRange(int(low), int(high))
            self.spin.setSingleStep(max(1, int(spec.step or 1)))
        else:
            self.spin.setRange(low, high)
            self.spin.setSingleStep(spec.step or 0.1)
        self.spin.setKeyboardTracking(False)
        self.spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.spin.setFixedWidth(_NUMBER_WIDTH_PX)
        self.spin.installEventFilter(self)
        self.spin.lineEdit().installEventFilter(self)
        self.spin.valueChanged.connect(self._spun)
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.unit, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.spin, 0, 2)
        grid.setColumnStretch(0, 1)
        self.slider: QSlider | None = None
        if spec.scale == "log2":
            self._stops = _powers_of_two(low, high)
            self.slider = QSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, len(self._stops) - 1)
            self.slider.setPageStep(1)
            self.slider.installEventFilter(self)
            self.slider.valueChanged.connect(self._slid)
            grid.addWidget(self.slider, 1, 0, 1, 3)
        return body

    def value(self) -> Scalar:
        return self.spin.value()

    def set_value(self, value: Scalar) -> None:
        with QSignalBlocker(self.spin):
            self.spin.setValue(self.spec.kind(value))  # type: ignore[arg-type]
        self._follow(float(value))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the panel, not a value; Ctrl+Z is the form's undo, not the line edit's."""
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo))
        ):
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _controls(self) -> list[QWidget]:
        return [self.spin]

    def _named_by_label(self) -> list[QWidget]:
        return [self.spin] if self.slider is None else [self.spin, self.slider]

    def _spun(self, value: float) -> None:
        self._follow(value)
        self.edited.emit(value)

    def _slid(self, position: int) -> None:
        with QSignalBlocker(self.spin):
            self.spin.setValue(self.spec.kind(self._stops[position]))  # type: ignore[arg-type]
        self.edited.emit(self.spin.value())

    def _follow(self, value: float) -> None:
        """Put the slider on the stop nearest to the value."""
        if self.slider is None:
            return
        nearest = min(range(len(self._stops)), key=lambda i: abs(_log2(self._stops[i]) - _log2(value)))
        with QSignalBlocker(self.slider):
            self.slider.setValue(nearest)


class _FloatSpin(QDoubleSpinBox):
    """Keeps the digits that were typed, without trailing zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(6)

    def textFromValue(self, value: float) -> str:
        return f"{value:.7g}"


class SegmentField(Field):
    """A few short choices, all visible, side by side."""

    def _body(self) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.unit, 0, 1, Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout()
        row.setSpacing(0)
        self.group = QButtonGroup(self)
        last = len(self.spec.choices) - 1
        for index, option in enumerate(self.spec.choices):
            button = QPushButton()
            choice = self.spec.choice_label(option)
            show_text(button.setText, choice)
            show_text(button.setAccessibleName, tr("{field}: {choice}", field=self.spec.label, choice=choice))
            button.setCheckable(True)
            button.setProperty("role", "segment")
            button.setProperty("place", "first" if index == 0 else "last" if index == last else "middle")
            self.group.addButton(button, index)
            button.setChecked(option == self.spec.default)
            row.addWidget(button, 1)
        self.group.idClicked.connect(lambda index: self.edited.emit(self.spec.choices[index]))
        grid.addLayout(row, 1, 0, 1, 2)
        return body

    def value(self) -> Scalar:
        return self.spec.choices[self.group.checkedId()]

    def set_value(self, value: Scalar) -> None:
        self.group.button(self.spec.choices.index(value)).setChecked(True)

    def _controls(self) -> list[QWidget]:
        return list(self.group.buttons())

    def _named_by_label(self) -> list[QWidget]:
        return []


class ComboField(Field):
    """More choices than fit side by side: in one line with the label if both fit, else below it."""

    def _body(self) -> QWidget:
        self.combo = QComboBox()
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)  # in every language
        for index, option in enumerate(self.spec.choices):
            self.combo.addItem("")
            show_text(self.combo.setItemText, index, self.spec.choice_label(option))
        self.combo.installEventFilter(self)
        self.combo.currentIndexChanged.connect(lambda index: self.edited.emit(self.spec.choices[index]))
        self.combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        body = QWidget()
        self._line = QBoxLayout(QBoxLayout.Direction.LeftToRight, body)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.addWidget(self.label)
        self._line.addWidget(self.combo, 1)
        translation.notifier().changed.connect(self._arrange)
        return body

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        label_px = self.label.fontMetrics().horizontalAdvance(self.label.text())
        metrics = self.combo.fontMetrics()
        choice_px = max(metrics.horizontalAdvance(self.combo.itemText(index)) for index in range(self.combo.count()))
        fits = label_px + _LABEL_GAP_PX + choice_px + _ARROW_PX <= self.width()
        self.label.setMinimumWidth(label_px + 1 if fits else 0)
        self._line.setSpacing(_LABEL_GAP_PX if fits else 2)
        self._line.setDirection(QBoxLayout.Direction.LeftToRight if fits else QBoxLayout.Direction.TopToBottom)

    def value(self) -> Scalar:
        return self.spec.choices[self.combo.currentIndex()]

    def set_value(self, value: Scalar) -> None:
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self.spec.choices.index(value))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent):
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _controls(self) -> list[QWidget]:
        return [self.combo]


class SwitchField(Field):
    """Yes or no."""

    def _body(self) -> QWidget:
        self.check = QCheckBox()
        show_text(self.check.setText, self.spec.label)
        self.check.clicked.connect(lambda on: self.edited.emit(on))
        return self.check

    def value(self) -> Scalar:
        return self.check.isChecked()

    def set_value(self, value: Scalar) -> None:
        self.check.setChecked(bool(value))

    def _controls(self) -> list[QWidget]:
        return [self.check]


def field_for(spec: FieldSpec) -> Field:
    """The control that suits a parameter."""
    if spec.kind is bool:
        return SwitchField(spec)
    if spec.kind is str and not spec.choices:
        if spec.file_filter:
            return PathField(spec)
        return PassageField(spec) if (spec.max_length or 0) > _LINE_CHARACTERS else TextField(spec)
    if not spec.choices:
        return NumberField(spec)
    characters = sum(len(spec.choice_label(option).in_language(ENGLISH)) for option in spec.choices)
    few = 2 <= len(spec.choices) <= _MAX_SEGMENTS and characters <= _MAX_SEGMENT_CHARACTERS
    return SegmentField(spec) if few else ComboField(spec)


def _powers_of_two(low: float, high: float) -> list[float]:
    """The powers of two within the range, and its two ends."""
    smallest = math.floor(math.log2(low)) if low > 0 else 0
    powers = (2.0**exponent for exponent in range(smallest, math.ceil(math.log2(high))))
    return sorted({low, high, *(power for power in powers if low < power < high)})


def _log2(value: float) -> float:
    """log2; 0, where it is allowed, is one step below 1."""
    return -1.0 if value <= 0 else math.log2(value)
