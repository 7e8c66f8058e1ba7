"""Play, pause, step and scrub through the steps of a schedule."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPaintEvent, QPixmap, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from core.contracts.text import Text, tr
from gui import motion
from gui import theme as themes
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.figure import frame_focus
from gui.zoom import Px

SPEEDS = (1, 4, 16, 64, 256, 1024)
"""Steps per second."""
_FRAME_MS = 33
_ICON_PX = Px(16)
_SPEED_PX = Px(68)
_ENDS = ("first", "last")
_SLIDER_PX = Px(40)
"""If less than this is left for the slider, the buttons for the first and last step are hidden; Home and End work."""


class Player(QWidget):
    """Owns the current step of a schedule and how it advances.

    Keys while it has the focus: Space plays or pauses, Left and Right step, Page Up and Page Down jump a
    tenth, Home and End go to the first and last step, + and - change the speed.
    """

    step_changed = Signal(int)
    playing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Schedule player"))
        self._count = 0
        self._owed_steps = 0.0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._advance)
        self._buttons = {
            "first": self._button(tr("First step"), "Home", self.first),
            "back": self._button(tr("Step back"), "Left", self.step_back),
            "play": self._button(tr("Play or pause"), "Space", self.toggle),
            "forward": self._button(tr("Step forward"), "Right", self.step_forward),
            "last": self._button(tr("Last step"), "End", self.last),
        }
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        show_text(self.slider.setAccessibleName, tr("Step"))
        self.slider.valueChanged.connect(self._on_slider)
        self._label = QLabel()
        self._label.setProperty("role", "small")
        self.speed = QComboBox()
        self.speed.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        show_text(self.speed.setAccessibleName, tr("Speed in steps per second (+ and -)"))
        show_text(self.speed.setToolTip, tr("Speed in steps per second (+ and -)"))
        for steps in SPEEDS:
            self.speed.addItem(f"{steps}/s", steps)
        self.speed.setCurrentIndex(1)
        self.speed.setFixedWidth(_SPEED_PX)
        self._lay_out()
        themes.notifier().changed.connect(self._restyle)
        self._restyle(themes.current())
        self.set_steps(0)

    @property
    def steps(self) -> int:
        return self._count

    @property
    def step(self) -> int:
        """The current step, from 0; -1 if there is none."""
        return self.slider.value() if self._count else -1

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    def set_steps(self, count: int, step: int = 0) -> None:
        """Start a schedule of `count` steps at `step`. Emits `step_changed` even if the step is the same."""
        self.pause()
        self._count = count
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, count - 1))
        self.slider.setPageStep(max(1, count // 10))
        self.slider.setValue(min(max(0, step), max(0, count - 1)))
        self.slider.blockSignals(False)
        for widget in (self.slider, self.speed, *self._buttons.values()):
            widget.setEnabled(count > 1)
        # It never shrinks: its width is part of the least width of the page, which a slider would lay out at each step.
        needed_px = self._label.fontMetrics().horizontalAdvance(f"{count:,} / {count:,}") + 4
        self._label.setMinimumWidth(max(self._label.minimumWidth(), needed_px))
        self._write_label()
        if count:
            self.step_changed.emit(self.step)

    def set_step(self, step: int) -> None:
        """Go to a step, kept within the schedule."""
        self.slider.setValue(step)

    def first(self) -> None:
        self.set_step(0)

    def last(self) -> None:
        self.set_step(self._count - 1)

    def step_forward(self) -> None:
        self.pause()
        self.set_step(self.step + 1)

    def step_back(self) -> None:
        self.pause()
        self.set_step(self.step - 1)

    def play(self) -> None:
        """Advance by itself; from the last step, start again at the first. With reduced motion: one step."""
        if self._count < 2 or self.is_playing:
            return
        if motion.is_reduced():
            self.set_step(self.step + 1 if self.step < self._count - 1 else 0)
            return
        if self.step >= self._count - 1:
            self.first()
        self._owed_steps = 0.0
        self._timer.start(_FRAME_MS)
        self._on_playing(True)

    def pause(self) -> None:
        if self.is_playing:
            self._timer.stop()
            self._on_playing(False)

    def toggle(self) -> None:
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def minimumSizeHint(self) -> QSize:
        """Enough for the slider without the buttons for the first and last step."""
        size = super().minimumSizeHint()
        ends_px = 0 if self._buttons["first"].isHidden() else self._ends_px()
        return size + QSize(_SLIDER_PX - self.slider.minimumSizeHint().width() - ends_px, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for name in _ENDS:
            self._buttons[name].setVisible(self.width() >= self.minimumSizeHint().width() + self._ends_px())

    def _ends_px(self) -> int:
        return sum(self._buttons[name].sizeHint().width() + self.layout().spacing() for name in _ENDS)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            with QPainter(self) as painter:
                frame_focus(painter, self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = max(1, self._count // 10)
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Space: self.toggle,
            Qt.Key.Key_Right: self.step_forward,
            Qt.Key.Key_Left: self.step_back,
            Qt.Key.Key_Home: self.first,
            Qt.Key.Key_End: self.last,
            Qt.Key.Key_PageDown: lambda: self.set_step(self.step + page),
            Qt.Key.Key_PageUp: lambda: self.set_step(self.step - page),
            Qt.Key.Key_Plus: lambda: self._change_speed(1),
            Qt.Key.Key_Equal: lambda: self._change_speed(1),
            Qt.Key.Key_Minus: lambda: self._change_speed(-1),
        }
        action = actions.get(event.key())
        if action is None or not self._count:
            super().keyPressEvent(event)
            return
        action()
        event.accept()

    def _change_speed(self, by: int) -> None:
        self.speed.setCurrentIndex(min(max(0, self.speed.currentIndex() + by), self.speed.count() - 1))

    def _advance(self) -> None:
        """One frame. Above 30 steps per second it advances several steps at once."""
        self._owed_steps += self.speed.currentData() * _FRAME_MS / 1000
        whole = int(self._owed_steps)
        self._owed_steps -= whole
        if whole:
            self.set_step(self.step + whole)
        if self.step >= self._count - 1:
            self.pause()

    def _on_slider(self, step: int) -> None:
        self._write_label()
        self.step_changed.emit(step)

    def _on_playing(self, playing: bool) -> None:
        self._restyle(themes.current())
        self.playing_changed.emit(playing)

    def _write_label(self) -> None:
        self._label.setText(f"{self.step + 1:,} / {self._count:,}")

    def _button(self, name: Text, key: str, action: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        show_text(button.setToolTip, tr("{action} ({key})", action=name, key=key))
        show_text(button.setAccessibleName, name)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setIconSize(QSize(_ICON_PX, _ICON_PX))
        button.clicked.connect(action)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for button in self._buttons.values():
            row.addWidget(button)
        row.addWidget(self.slider, 1)
        row.addSpacing(4)
        row.addWidget(self._label)
        row.addWidget(self.speed)

    def _restyle(self, theme: Theme) -> None:
        for name, button in self._buttons.items():
            button.setIcon(_icon("pause" if name == "play" and self.is_playing else name, theme))


_BARS = {"first": (3,), "last": (11,), "pause": (4, 9.5)}
_TRIANGLES = {
    "first": ((13, 3), (13, 13), (6, 8)),
    "last": ((3, 3), (3, 13), (10, 8)),
    "back": ((11, 3), (11, 13), (4, 8)),
    "forward": ((5, 3), (5, 13), (12, 8)),
    "play": ((4, 2), (4, 14), (14, 8)),
}


def _icon(name: str, theme: Theme) -> QIcon:
    """A transport symbol in the theme's ink, drawn at twice the size for dense displays."""
    icon = QIcon()
    for mode, symbol_colour in ((QIcon.Mode.Normal, theme.text), (QIcon.Mode.Disabled, theme.faint)):
        pixmap = QPixmap(2 * _ICON_PX, 2 * _ICON_PX)
        pixmap.setDevicePixelRatio(2)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(symbol_colour))
        for x in _BARS.get(name, ()):
            painter.drawRect(int(x), 3, 3 if name == "pause" else 2, 10)
        if name in _TRIANGLES:
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in _TRIANGLES[name]]))
        painter.end()
        icon.addPixmap(pixmap, mode)
    return icon
