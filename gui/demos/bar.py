"""The bar below the page while a demo is played: the caption, the step, and what moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from core.contracts.text import tr
from gui import theme, translation
from gui.demos.buttons import button, shortcut
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.wrapped_text import wrapped

if TYPE_CHECKING:
    from gui.demos.player import DemoPlayer

_LINES = 3
"""Lines of a caption: the bar keeps its height, so that the page does not move from step to step."""


class DemoBar(QFrame):
    """Shows a player, and asks it to move. `full_screen_toggled` and `left` are the window's to answer."""

    full_screen_toggled = Signal()
    left = Signal()

    def __init__(self, player: DemoPlayer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "demo")
        self._player = player
        self.caption = QLabel()
        self.caption.setProperty("role", "caption")
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.place = FittedLabel()
        self.place.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.back = button(tr("Back"), tr("The step before (Left or Page Up)"))
        self.pause = button(tr("Pause"), tr("Pause, or go on by itself (Space)"))
        self.next = button(tr("Next"), tr("The next step (Right or Page Down)"))
        self.next.setProperty("role", "primary")
        self.full_screen = button(tr("Full screen"), tr("Fill the screen, or leave it (F11)"))
        self.leave = button(tr("Leave"), tr("Leave the demo: the pages are as they were before it (Esc)"))
        self._lay_out()
        self.back.clicked.connect(player.back)
        self.pause.clicked.connect(player.toggle)
        self.next.clicked.connect(player.next)
        self.full_screen.clicked.connect(self.full_screen_toggled)
        self.leave.clicked.connect(self.left)
        player.changed.connect(self._show)
        translation.notifier().changed.connect(self._show)
        shortcut(self, "PgDown", player.next)
        shortcut(self, "PgUp", player.back)
        self.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_caption()

    def _show(self) -> None:
        player = self._player
        self.setVisible(player.demo is not None)
        if player.demo is None:
            return
        number, count = player.index + 1, len(player.demo.steps)
        step = tr("Step {number} of {count}", number=number, count=count)
        self.place.set_wordings(tr("{demo} · {step}", demo=player.demo.title, step=step), step)
        show_text(self.pause.setText, tr("Pause") if player.goes_on else tr("Go on"))
        self.back.setEnabled(not player.is_first)
        self.next.setEnabled(not player.is_last)
        self._show_caption()

    def _show_caption(self) -> None:
        step = self._player.step
        if step is not None:
            text = str(step.caption)
            lines = wrapped(text, self.caption.font(), self.caption.width(), _LINES)
            self.caption.setText("\n".join(lines))
            self.caption.setAccessibleName(text)
            show_text(self.caption.setToolTip, text)

    def _lay_out(self) -> None:
        self.caption.ensurePolished()
        self.caption.setFixedHeight(_LINES * QFontMetrics(self.caption.font()).lineSpacing() + theme.GAP_S)
        grid = QGridLayout(self)
        grid.setContentsMargins(theme.GAP_L, theme.GAP_S, theme.GAP_L, theme.GAP_S)
        grid.setHorizontalSpacing(theme.GAP_S)
        grid.addWidget(self.caption, 0, 0, 2, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnMinimumWidth(1, theme.GAP_L)
        buttons = (self.back, self.pause, self.next, self.full_screen, self.leave)
        grid.addWidget(self.place, 0, 2, 1, len(buttons))
        for column, each in enumerate(buttons, start=2):
            grid.addWidget(each, 1, column)
